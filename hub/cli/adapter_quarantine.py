"""`deltahub adapter quarantine`: rows that could not be used."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.adapter_mending import AsJson, Home, Province, Work, at_home, teller
from hub.domain.clock import SystemClock

if TYPE_CHECKING:
    from adapters.runtime.quarantining import QuarantinedRow

Numbers = Annotated[list[int] | None, typer.Argument(help="Numbers of rows, as `list` shows them")]
Reason = Annotated[str, typer.Option(help="Only rows with this reason, such as UNMAPPED_CODE")]
OfKind = Annotated[
    str, typer.Option("--kind", help="Only rows of this kind: enterprise, provider, recognition, voucher, authorization, capture")
]
OfFile = Annotated[str, typer.Option("--file", help="Only rows of this native file, as it was delivered")]
All = Annotated[bool, typer.Option("--all", help="All rows that the other options leave")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="list")(listing)
    app.command(name="show")(show)
    app.command(name="retry")(retry)
    app.command(name="discard")(discard)
    app.command(name="export")(export)
    app.command(name="log")(log)


def listing(
    province: Province,
    reason: Reason = "",
    kind: OfKind = "",
    file: OfFile = "",
    limit: Annotated[int, typer.Option(help="At most this many", min=1)] = 100,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """List the rows in quarantine, the oldest first, and how many there are of each reason.

    A row leaves by itself when its record is delivered again and can be used. Columns: number, reason, kind, native id, file:line, field.

    Exit 0: listed, even if there are some; 2: could not.

    Example: deltahub adapter quarantine list 320000 --kind voucher
    """
    with at_home(province, work, read_only=True) as home:
        rows = _find(home, reason, kind, file)
    counts: dict[str, int] = {}
    for row in rows:
        counts[row.reason] = counts.get(row.reason, 0) + 1
    if as_json:
        typer.echo(json.dumps({"total": len(rows), "by_reason": counts, "rows": [asdict(row) for row in rows[:limit]]}, ensure_ascii=False))
        return
    for row in rows[:limit]:
        typer.echo(f"{row.id:>6}  {row.reason:<22} {row.kind or '-':<13} {row.native_id or '-':<20} {row.file}:{row.line} {row.field}")
    for code, count in sorted(counts.items()):
        typer.echo(f"{count:>6}  {code}")
    if len(rows) > limit:
        typer.echo(f"{len(rows) - limit} more: --limit {len(rows)} shows all, `quarantine export` writes them to a file")


def show(province: Province, number: Annotated[int, typer.Argument(help="Its number")], work: Work = None, as_json: AsJson = False) -> None:
    """Show one row: where it stands, what is wrong with it, in Chinese and in English, and what to do.

    Exit 0: shown; 2: there is no such row.

    Example: deltahub adapter quarantine show 320000 17
    """
    from adapters.runtime.quarantine import shown

    with at_home(province, work, read_only=True) as home:
        row = _one(home, number)
        landed = home.state.deliveries.get(row.delivery)
    plain = shown(row)
    if as_json:
        typer.echo(json.dumps(plain, ensure_ascii=False))
        return
    typer.echo(
        f"{row.file}:{row.line}  {row.kind or '-'} {row.native_id}  (delivery {row.delivery}, landed {landed.landed_at if landed else '?'})"
    )
    typer.echo(f"字段 field    {row.field}    值 value  {row.value}")
    typer.echo(f"原因 reason   {row.reason}\n  {row.zh}\n  {row.en}")
    typer.echo(f"处理 to do\n  {plain['do_zh']}\n  {plain['do_en']}")


def retry(
    province: Province,
    numbers: Numbers = None,
    reason: Reason = "",
    kind: OfKind = "",
    file: OfFile = "",
    every: All = False,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """Read rows again from the files kept, with the code lists and the mapping of today, and send what can be used.

    A running adapter sends it at once, otherwise the next `adapter run` does. It reads its own code lists at its start: restart it after a
    change, or new rows are held back for the same reason. A row that is still of no use gets a new number.

    Exit 0: all have left the quarantine; 1: some are still in it, or their file is no longer kept; 2: could not.

    Example: deltahub adapter quarantine retry 320000 --reason UNMAPPED_CODE
    """
    from adapters.runtime.quarantine import retry as again

    with at_home(province, work) as home:
        rows = _chosen(home, numbers, reason, kind, file, every=every)
        done = again(home.adapter, home.state, home.folder, SystemClock(), rows, teller("retried", quiet=as_json))
    if as_json:
        typer.echo(json.dumps(done.as_dict()))
    else:
        typer.echo(
            f"{done.sent} sent, {done.waiting} wait for another answer, {done.unchanged} need no sending any more, "
            f"{done.still} still in quarantine, {done.gone} whose file is no longer kept (deliver it again)"
        )
    raise typer.Exit(1 if done.still or done.gone else 0)


def discard(
    province: Province,
    why: Annotated[str, typer.Option("--why", help="Why nobody needs them; kept in the log")],
    numbers: Numbers = None,
    reason: Reason = "",
    kind: OfKind = "",
    file: OfFile = "",
    every: All = False,
    by: Annotated[str, typer.Option("--by", help="Who acts; default: the account that runs the command")] = "",
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """Set rows aside for good. They stay in the log (`quarantine log`) with who, when and why. A record delivered again is looked at anew.

    Exit 0: done; 2: there is no such row, or the reason is missing.

    Example: deltahub adapter quarantine discard 320000 17 18 --why "sent by mistake"
    """
    from adapters.runtime.quarantine import discard as set_aside

    with at_home(province, work) as home:
        rows = _chosen(home, numbers, reason, kind, file, every=every)
        count = set_aside(home.state, rows, who=by or getpass.getuser(), why=why, clock=SystemClock())
    typer.echo(json.dumps({"discarded": count}) if as_json else f"{count} set aside")


def export(
    province: Province,
    to: Annotated[Path, typer.Option("--to", help="The file to write, CSV for a spreadsheet")],
    reason: Reason = "",
    kind: OfKind = "",
    file: OfFile = "",
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """Write rows to a CSV file (UTF-8 with a byte order mark) with reason and remedy in both languages, for those who mend the source.

    Of a record it holds the native id and the one value at fault, nothing else. Exit 0: written; 2: could not.

    Example: deltahub adapter quarantine export 320000 --to quarantine.csv
    """
    from adapters.runtime.quarantine import export as write

    with at_home(province, work, read_only=True) as home:
        rows = _find(home, reason, kind, file)
        write(home.state, to, rows)
    typer.echo(json.dumps({"file": str(to), "rows": len(rows)}, ensure_ascii=False) if as_json else f"{len(rows)} rows in {to}")


def log(province: Province, work: Work = None, as_json: AsJson = False) -> None:
    """Show what was set aside: which rows, by whom, when and why.

    Exit 0: shown; 2: could not.
    """
    from adapters.runtime.quarantine import discarded

    with at_home(province, work, read_only=True) as home:
        rows = discarded(home.state)
    if as_json:
        typer.echo(json.dumps({"rows": [asdict(row) for row in rows]}, ensure_ascii=False))
        return
    for row in rows:
        typer.echo(f"{row.discarded_at}  {row.who}  {row.reason} {row.kind} {row.native_id} {row.file}:{row.line}  {row.why}")


def _find(home: Home, reason: str, kind: str, file: str) -> list[QuarantinedRow]:
    from adapters.runtime.quarantine import Filter, find

    return find(home.state, Filter(reason, kind, file))


def _one(home: Home, number: int) -> QuarantinedRow:
    from adapters.runtime.quarantine import Filter, find

    found = find(home.state, Filter(ids=frozenset({number})))
    if not found:
        raise LookupError(f"there is no row {number} in quarantine; it may have left by itself: `quarantine list` shows what is there")
    return found[0]


def _chosen(home: Home, numbers: list[int] | None, reason: str, kind: str, file: str, *, every: bool) -> list[QuarantinedRow]:
    from adapters.runtime.quarantine import Filter, find

    if not numbers and not reason and not kind and not file and not every:
        raise ValueError("say which rows: numbers, --reason, --kind, --file or --all")
    found = find(home.state, Filter(reason, kind, file, frozenset(numbers or ())))
    missing = set(numbers or ()) - {row.id for row in found}
    if missing:
        raise LookupError(f"there is no row {', '.join(map(str, sorted(missing)))} among these in quarantine")
    return found
