"""Cost growth: the same rows on an empty and on a filled database, in one run."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from hub.cli.filling import fill
from hub.embedded import EmbeddedKafka, EmbeddedPostgres
from hub.ledger.audit import audit
from hub.ledger.migrate import migrate
from tests.bench import clearing
from tests.bench.clearing import Window
from tests.bench.population import PROVINCES, populate
from tests.bench.rig import fresh_database, running_hub, tell
from tests.bench.table import Row

SHARE_GOAL = 0.8
AUDIT_SECONDS_GOAL = 60
_EMPTY, _FILLED = "growth_empty", "growth_filled"


async def growth(server: EmbeddedPostgres, broker: EmbeddedKafka, directory: Path, options: argparse.Namespace) -> list[Row]:
    """Return the rows of both databases and their ratios."""
    server.drop_database(_EMPTY)
    empty = await _on(server, broker, fresh_database(server, _EMPTY), directory / "empty", options)
    url, rows = _filled(server, options.filled)
    filled = await _on(server, broker, url, directory / "filled", options)
    for before, after in zip(empty, filled, strict=True):
        before.name, after.name = f"empty: {before.name}", f"with {options.filled:,}: {after.name}"
        rows += [before, after, _ratio(before, after)]
    return [*rows, await _audited(url)] if "audit" in options.only else rows


def _filled(server: EmbeddedPostgres, wanted: int) -> tuple[str, list[Row]]:
    """Return the URL of a database with that many redemptions. One that an earlier run kept is filled up, or taken as it is."""
    try:
        url = fresh_database(server, _FILLED)
    except psycopg.errors.DuplicateDatabase:
        url = server.uri(_FILLED)
        migrate(url)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM redemption").fetchone()
    assert row is not None
    missing = wanted - int(row[0])
    if missing <= 0:
        tell(f"found {row[0]:,} redemptions")
        return url, []
    tell(f"filling in {missing:,} redemptions")
    done = fill(url, missing, PROVINCES, datetime.now(UTC), _progress)
    tell(f"filled in {done.seconds:.0f} s")
    return url, [Row(f"fill with {missing:,} redemptions", f"{done.seconds:.0f} s", values={"s": done.seconds})]


async def _audited(url: str) -> Row:
    tell("audit")
    started = time.perf_counter()
    report = await audit(url)
    seconds = time.perf_counter() - started
    text = f"{seconds:.0f} s, {'clean' if report.clean else '; '.join(report.differences)}"
    goal, count = f"< {AUDIT_SECONDS_GOAL} s a million", report.counts["redemption"]
    reached = report.clean and seconds < AUDIT_SECONDS_GOAL * max(count / 1e6, 1)
    return Row(f"audit over {count:,} redemptions", text, goal, reached, values={"s": seconds})


async def _on(server: EmbeddedPostgres, broker: EmbeddedKafka, url: str, directory: Path, options: argparse.Namespace) -> list[Row]:
    people = await populate(url, options.enterprises, options.providers, tell)
    with running_hub(server, broker, url, directory) as rig:
        window = Window(options.seconds)
        await clearing.warm(rig, people, options.warm)
        return [await clearing.unary(rig, people, window, zipf=False), *await clearing.batch(rig, people, window)]


def _ratio(before: Row, after: Row) -> Row:
    name = "items_per_s" if "items_per_s" in before.values else "per_s"
    share = after.values[name] / before.values[name]
    spent = sum(after.cpu_us.values()) / sum(before.cpu_us.values())
    return Row(
        "  filled to empty",
        f"{share:.0%} of the throughput, {spent:.0%} of the processor time",
        goal="at least 80%",
        reached=share >= SHARE_GOAL,
        values={"throughput_share": share, "cpu_share": spent},
    )


def _progress(done: int, total: int) -> None:
    if done * 10 // total != (done - total // 100) * 10 // total:
        tell(f"{done:,} of {total:,}")
