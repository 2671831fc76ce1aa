"""`deltahub policy simulate`: what a draft would have changed, as table, CSV and chart."""

from __future__ import annotations

import asyncio
import csv
import json
import time
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from hub.application.history import Draft
from hub.application.whatif import Caveat, Effect, Row, caveats, compare
from hub.cli.embedded import embedded
from hub.cli.policy_chart import write_chart
from hub.cli.policy_sources import NoPolicy, PolicyProblems, complain, select_one
from hub.domain.money import format_yuan
from hub.ledger.history import read_history
from hub.settings import Settings

TITLES = {
    "year": "quota year 额度年度",
    "funder": "funder 出资地",
    "month": "month 月份",
    "category": "category 类别",
    "enterprise": "enterprise 企业",
    "refusal": "refused 拒绝原因",
}
COLUMNS = ("dimension", "key", "redemptions", "then_yuan", "draft_yuan", "difference_yuan", "less", "more", "refused")


def simulate(source: str, since: date, csv_file: Path | None, chart: Path | None, *, top: int, as_json: bool) -> None:
    """Replay, write the files asked for, and print. Raises typer.Exit where it cannot run."""
    if chart is not None and chart.suffix not in (".svg", ".html"):
        raise complain(NoPolicy("--chart takes a file named .svg or .html"))
    try:
        draft = Draft(select_one(source).policy, since)
        with embedded(Settings(), kafka=False) as settings:
            started = time.monotonic()
            history = asyncio.run(read_history(settings.database_url, draft.policy.issuer))
        read_seconds = time.monotonic() - started
        effect = compare(history, draft)
        if csv_file is not None:
            write_csv(csv_file, effect)
        if chart is not None:
            write_chart(chart, effect, caveats(history, draft, effect))
    except psycopg.OperationalError as error:
        raise complain(NoPolicy(f"the database does not answer: {error}")) from error
    except (NoPolicy, PolicyProblems, OSError) as error:
        raise complain(error) from error
    seconds = {"reading": round(read_seconds, 2), "replaying": round(time.monotonic() - started - read_seconds, 2)}
    notes = caveats(history, draft, effect)
    if as_json:
        told = {**effect.as_dict(), "caveats": [note._asdict() for note in notes], "seconds": seconds}
        typer.echo(json.dumps(told, ensure_ascii=False))
        return
    _print(Console(), effect, notes, top)
    typer.echo(f"read in {seconds['reading']} s, replayed twice in {seconds['replaying']} s")
    for path in (csv_file, chart):
        if path is not None:
            typer.echo(f"wrote 已写入 {path}")


def write_csv(path: Path, effect: Effect) -> None:
    """Write every group, one row each, amounts in yuan. The byte-order mark tells spreadsheets that it is UTF-8."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for dimension, group in effect.groups():
            writer.writerows([dimension, *cells] for cells in _cells(group))


def _cells(group: dict[str, Row]) -> Iterator[tuple[Any, ...]]:
    for key, row in group.items():
        amounts = (format_yuan(fen) for fen in (row.then_fen, row.draft_fen, row.difference_fen))
        yield key, row.redemptions, *amounts, row.less, row.more, row.refused


def _print(console: Console, effect: Effect, notes: Iterable[Caveat], top: int) -> None:
    total, differing = effect.total, sum(effect.not_reproduced.values())
    console.print(f"[bold]{effect.issuer} {effect.version}[/bold] as if in force since 假定自 {effect.since} 起生效")
    console.print(
        f"self-check 自检: {effect.reproduced} redemptions reproduced exactly 笔完全重现, {differing} not 笔未重现"
        + (f" {effect.not_reproduced}" if differing else "")
        + (f", {effect.incomplete} without a beginning 笔记录不全" if effect.incomplete else "")
    )
    console.print(
        f"{total.redemptions} redemptions 笔: {format_yuan(total.then_fen)} yuan 元 then 当时, "
        f"{format_yuan(total.draft_fen)} under the draft 草案, difference 差额 {_signed(total.difference_fen)}"
    )
    console.print(
        f"less 减少 {total.less}, more 增加 {total.more}, unchanged 不变 {total.redemptions - total.less - total.more}, "
        f"refused 被拒 {total.refused}; to be reviewed 新增审核 {effect.newly_reviewed}, "
        f"cleared though a review rejected it 曾被驳回而免审 {effect.unreviewed}"
    )
    console.print(
        f"issued 发放: {format_yuan(effect.issued_then_fen)} then 当时, {format_yuan(effect.issued_draft_fen)} under the draft 草案"
        + "".join(f", {format_yuan(fen)} refused 被拒 ({code})" for code, fen in effect.refused_issues_fen.items())
        + (f", {effect.uncarried_cancellations} cancellations not carried over 笔作废未沿用" if effect.uncarried_cancellations else "")
    )
    for dimension, group in effect.groups():
        if dimension in TITLES and group:
            console.print(_table(dimension, group, top))
    if effect.clamps:
        console.print("lowered by 受限: " + ", ".join(f"{code} {count}" for code, count in sorted(effect.clamps.items())))
    for note in notes:
        console.print(f"note 说明: {note.en} / {note.zh}", soft_wrap=True)


def _table(dimension: str, group: dict[str, Row], top: int) -> Table:
    table = Table(title=TITLES[dimension], title_justify="left")
    shown = group
    if dimension == "enterprise":
        shown = dict(sorted(group.items(), key=lambda item: -abs(item[1].difference_fen))[:top])
        table.caption = f"{len(shown)} of 共 {len(group)}"
    for name in ("", "redemptions 笔数", "then 当时", "draft 草案", "difference 差额", "less 减", "more 增", "refused 拒"):
        table.add_column(name, justify="left" if not name else "right", no_wrap=not name)
    for key, row in shown.items():
        amounts = (format_yuan(row.then_fen), format_yuan(row.draft_fen), _signed(row.difference_fen))
        table.add_row(key, str(row.redemptions), *amounts, str(row.less), str(row.more), str(row.refused))
    return table


def _signed(fen: int) -> str:
    return f"+{format_yuan(fen)}" if fen > 0 else format_yuan(fen)
