"""`make bench`: one table of what the hub does and what the same machine does without it, measured in one run."""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from hub.embedded import EmbeddedKafka, EmbeddedPostgres
from hub.ledger.audit import audit
from tests.bench import ceilings, clearing
from tests.bench.clearing import IN_FLIGHT, Window
from tests.bench.coldstart import cold_start
from tests.bench.events import events
from tests.bench.growth import growth
from tests.bench.population import Population, populate
from tests.bench.rig import Rig, fresh_database, running_hub, tell
from tests.bench.soak import MIB_GOAL, soak
from tests.bench.table import Row, print_json, print_table

PARTS = ("ceilings", "unary", "latency", "batch", "events", "memory", "coldstart", "audit")


def main() -> None:
    """Run the benchmark and print the table."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="yrd-bench-", dir=options.directory) as directory:
        rows = asyncio.run(_measure(Path(directory), options))
    (print_json if options.json else print_table)(rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each row is measured")
    parser.add_argument("--enterprises", type=int, default=10_000)
    parser.add_argument("--providers", type=int, default=500)
    parser.add_argument("--only", type=_parts, default=PARTS, help=f"rows to measure, of {','.join(PARTS)}; default: all")
    parser.add_argument(
        "--filled", type=int, metavar="N", help="instead: unary and batch rows on an empty database and on one with N redemptions"
    )
    parser.add_argument(
        "--warm", type=float, default=0.0, metavar="S", help="with --filled: clear in batches for S seconds before measuring"
    )
    parser.add_argument(
        "--postgres", type=_setting, action="append", default=[], metavar="NAME=VALUE", help="a setting of the server; repeat"
    )
    parser.add_argument("--soak-redemptions", type=int, metavar="N", help="instead: the hub's memory until N redemptions are in")
    parser.add_argument("--directory", help="where databases are made and removed again; default: the temporary directory")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="with --filled: keep the databases here, and fill no second time")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    return parser.parse_args()


def _setting(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


def _parts(text: str) -> tuple[str, ...]:
    names = tuple(text.split(","))
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no rows {', '.join(unknown)}; there are {', '.join(PARTS)}")
    return names


async def _measure(directory: Path, options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    data = options.keep if options.keep and options.filled else directory / "postgres"
    with EmbeddedPostgres(data, settings=dict(options.postgres)) as server, EmbeddedKafka() as broker:
        if options.filled:
            return await growth(server, broker, directory, options)
        if set(options.only) != {"coldstart"} or options.soak_redemptions:
            rows = await _on_one_database(server, broker, directory, options)
    # By itself: nothing else of the benchmark runs beside it.
    if "coldstart" in options.only and not options.soak_redemptions:
        rows.append(await cold_start(directory / "cold"))
    return rows


async def _on_one_database(server: EmbeddedPostgres, broker: EmbeddedKafka, directory: Path, options: argparse.Namespace) -> list[Row]:
    url = fresh_database(server, "bench")
    people = await populate(url, options.enterprises, options.providers, tell)
    rows, echo = await _ceilings(server, url, options.seconds) if "ceilings" in options.only else ([], 0.0)
    with running_hub(server, broker, url, directory / "hub") as rig:
        if options.soak_redemptions:
            rows += await soak(rig, people, options.soak_redemptions)
        else:
            rows += await _hub_rows(rig, people, Window(options.seconds, echo), options.only)
    if "audit" in options.only:
        rows.append(await _audit(url))
    return rows


async def _ceilings(server: EmbeddedPostgres, url: str, seconds: float) -> tuple[list[Row], float]:
    tell("ceilings: raw echo, bare insert, one by one")
    echo, used = await ceilings.raw_echo(seconds, IN_FLIGHT)
    return [
        Row(f"ceiling: raw grpc.aio echo, {IN_FLIGHT} in flight", f"{echo.rate:,.0f}/s", cpu_us=used, values={"per_s": echo.rate}),
        ceilings.inserts(server, url, seconds / 2, 500),
        ceilings.inserts(server, url, seconds / 2, 1),
    ], echo.rate


async def _hub_rows(rig: Rig, people: Population, window: Window, only: tuple[str, ...]) -> list[Row]:
    rows: list[Row] = []
    sizes = [rig.resident_mib]
    if "unary" in only:
        rows += [await clearing.unary(rig, people, window, zipf=zipf) for zipf in (False, True)]
        sizes.append(rig.resident_mib)
    if "latency" in only:
        rows.append(await clearing.latency(rig, people, window))
        sizes.append(rig.resident_mib)
    if "batch" in only:
        rows += await clearing.batch(rig, people, window)
        sizes.append(rig.resident_mib)
    if "events" in only:
        rows.append(await events(rig, people, window.seconds))
        sizes.append(rig.resident_mib)
    if "memory" in only:
        rows.append(_memory(sizes))
    return rows


def _memory(sizes: list[float]) -> Row:
    text = f"{sizes[0]:.0f} MiB at the start, then {', '.join(f'{size:.0f}' for size in sizes[1:])}"
    values = {"start_mib": sizes[0], "peak_mib": max(sizes), "end_mib": sizes[-1]}
    return Row("hub resident memory, after each group of rows", text, f"< {MIB_GOAL} MB", max(sizes) * 1.048576 < MIB_GOAL, values=values)


async def _audit(url: str) -> Row:
    report = await audit(url)
    text = "clean" if report.clean else "; ".join(report.differences)
    return Row("audit afterwards", f"{text}, over {report.counts['redemption']:,} redemptions", "clean", report.clean)


if __name__ == "__main__":
    main()
