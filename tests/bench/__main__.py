"""`make bench`: one table of what the hub does and what the same machine does without it, measured in one run."""

from __future__ import annotations

import argparse
import asyncio
import os
import platform
import random
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc

from hub.client import HubClient
from hub.embedded import EmbeddedKafka, EmbeddedPostgres
from hub.ledger.audit import audit
from hub.ledger.migrate import migrate
from tests.bench.ceilings import bare_insert, one_by_one, raw_echo
from tests.bench.load import Load, closed_loop, offered
from tests.bench.population import ACQUIRER, Population, populate
from tests.fixtures.hub import HubProcess
from yrd.clearing.v1 import clearing_pb2, clearing_pb2_grpc
from yrd.common.v1 import types_pb2

IN_FLIGHT = 64


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="how long each row is measured")
    parser.add_argument("--enterprises", type=int, default=10_000)
    parser.add_argument("--providers", type=int, default=500)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yrd-bench-") as directory:
        rows = asyncio.run(_measure(Path(directory), options))
    _print(rows)


class _ClearingHub(HubProcess):
    """The roles on the clearing path; relay and consumer are other processes, in production other machines."""

    roles = ("hub", "web")


def _tell(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


async def _measure(directory: Path, options: argparse.Namespace) -> list[tuple[str, str]]:
    with EmbeddedPostgres(directory / "postgres") as server, EmbeddedKafka() as broker:
        url = server.create_database("bench")
        migrate(url)
        people = await populate(url, options.enterprises, options.providers, _tell)
        rows = await _ceilings(url, options.seconds)
        hub = _ClearingHub(url, broker.bootstrap, directory / "hub", {})
        hub.directory.mkdir()
        hub.start()
        try:
            rows += await _hub_rows(hub, people, options.seconds)
        finally:
            hub.kill()
        report = await audit(url)
        rows.append(("audit afterwards", "clean" if report.clean else "; ".join(report.differences)))
        rows.append(("redemptions in the tables", f"{report.counts['redemption']:,}"))
        return rows


async def _ceilings(url: str, seconds: float) -> list[tuple[str, str]]:
    _tell("ceilings: raw echo, bare insert, one by one")
    echo = await raw_echo(seconds, IN_FLIGHT)
    return [
        (f"ceiling: raw grpc.aio echo, {IN_FLIGHT} in flight", f"{echo:,.0f}/s"),
        ("ceiling: bare unnest insert, 500 rows a transaction", f"{bare_insert(url, seconds / 2):,.0f} rows/s"),
        ("ceiling: one row a transaction, one by one", f"{one_by_one(url, seconds / 2):,.0f}/s"),
    ]


async def _hub_rows(hub: HubProcess, people: Population, seconds: float) -> list[tuple[str, str]]:
    folder = hub.folder(ACQUIRER)
    rows: list[tuple[str, str]] = []
    async with HubClient(hub.grpc_address, hub.web_address, folder) as client:
        stub = client.stub(clearing_pb2_grpc.ClearingServiceStub)
        for name, zipf in (("uniform", False), ("Zipf", True)):
            _tell(f"unary Authorize, {IN_FLIGHT} in flight, {name}")
            load = await closed_loop(_authorize(stub, people, zipf=zipf), seconds, IN_FLIGHT)
            rows.append((f"durable unary Authorize, {IN_FLIGHT} in flight, {name}", _rate(load)))
        _tell("unary Authorize, 500/s offered")
        load = await offered(_authorize(stub, people, zipf=False), seconds, 500)
        percentiles = f"p50 {load.latency_ms(0.5):.1f} ms, p99 {load.latency_ms(0.99):.1f} ms"
        rows.append(("durable unary Authorize, 500/s offered", f"{percentiles} ({load.rate:,.0f}/s answered)"))
    return rows


def _authorize(stub: Any, people: Population, *, zipf: bool) -> Any:
    rng = random.Random(20_260_101)

    async def call(_number: int) -> None:
        issuer, firm = people.pick(rng, zipf=zipf)
        request = clearing_pb2.AuthorizeRequest(request_id=str(uuid.uuid4()))
        given = request.input
        given.issuer, given.enterprise, given.provider = issuer, firm, rng.choice(people.providers)
        given.order.order_no = f"B{uuid.uuid4().hex}"
        given.order.lines.add(category=types_pb2.CATEGORY_RESEARCH, amount_fen=rng.randint(10_000, 60_000))
        try:
            await stub.Authorize(request)
        except grpc.aio.AioRpcError as error:
            # A firm whose notes are used up is refused: as durable an answer as a grant.
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise

    return call


def _rate(load: Load) -> str:
    failures = f", {load.failed} failed" if load.failed else ""
    return f"{load.rate:,.0f}/s (p50 {load.latency_ms(0.5):.1f} ms, p99 {load.latency_ms(0.99):.1f} ms{failures})"


def _print(rows: list[tuple[str, str]]) -> None:
    print(f"\n{datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    width = max(len(name) for name, _ in rows)
    print(f"| {'what'.ljust(width)} | measured |\n|{'-' * (width + 2)}|---|")
    for name, value in rows:
        print(f"| {name.ljust(width)} | {value} |")


if __name__ == "__main__":
    main()
