"""Cost growth: the same rows on an empty and on a filled database, in one run."""

from __future__ import annotations

import argparse
import time
from datetime import UTC, datetime
from pathlib import Path

from hub.cli.filling import fill
from hub.embedded import EmbeddedKafka, EmbeddedPostgres
from hub.ledger.audit import audit
from tests.bench import clearing
from tests.bench.clearing import Window
from tests.bench.population import PROVINCES, populate
from tests.bench.rig import fresh_database, running_hub, tell
from tests.bench.table import Row

SHARE_GOAL = 0.8
AUDIT_SECONDS_GOAL = 60


async def growth(server: EmbeddedPostgres, broker: EmbeddedKafka, directory: Path, options: argparse.Namespace) -> list[Row]:
    """Return the rows of both databases and their ratios."""
    empty = await _on(server, broker, fresh_database(server, "growth_empty"), directory / "empty", options)
    url = fresh_database(server, "growth_filled")
    tell(f"filling with {options.filled:,} redemptions")
    done = fill(url, options.filled, PROVINCES, datetime.now(UTC), _progress)
    tell(f"filled in {done.seconds:.0f} s")
    filled = await _on(server, broker, url, directory / "filled", options)
    rows = [Row(f"fill with {done.redemptions:,} redemptions", f"{done.seconds:.0f} s", values={"s": done.seconds})]
    for before, after in zip(empty, filled, strict=True):
        before.name, after.name = f"empty: {before.name}", f"with {options.filled:,}: {after.name}"
        rows += [before, after, _ratio(before, after)]
    return [*rows, await _audited(url)]


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
