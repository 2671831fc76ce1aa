"""What this machine can do without the hub's rules, measured in the same run with the same loop."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import time
from typing import Any

import grpc
import psycopg

from hub.embedded import EmbeddedPostgres
from tests.bench.load import Load, closed_loop
from tests.bench.processes import Meter, cpu_seconds, family_seconds
from tests.bench.table import Row

_METHOD = "/bench.Echo/Echo"
_PAYLOAD = b"x" * 400
_CALLS_MAX_A_SECOND = 20_000


def _serve_echo(port: Any) -> None:
    async def serve() -> None:
        async def echo(payload: bytes, _context: Any) -> bytes:
            return payload

        handler = grpc.method_handlers_generic_handler("bench.Echo", {"Echo": grpc.unary_unary_rpc_method_handler(echo)})
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((handler,))
        port.value = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await server.wait_for_termination()

    asyncio.run(serve())


async def raw_echo(seconds: float, in_flight: int) -> tuple[Load, dict[str, float]]:
    """Load a grpc.aio unary echo: no TLS, no rules, 400 bytes each way. Returns the load and processor time a call."""
    context = multiprocessing.get_context("spawn")
    port = context.Value("i", 0)
    process = context.Process(target=_serve_echo, args=(port,), daemon=True)
    process.start()
    server = process.pid
    assert server is not None
    try:
        while not port.value:  # noqa: ASYNC110 — another process sets it; there is nothing to await
            await asyncio.sleep(0.05)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port.value}") as channel:
            call: Any = channel.unary_unary(_METHOD)
            await call(_PAYLOAD, wait_for_ready=True)
            payloads = [_PAYLOAD] * int(seconds * _CALLS_MAX_A_SECOND)
            meter = Meter({"hub": lambda: cpu_seconds(server), "load": lambda: cpu_seconds(os.getpid())})
            load = await closed_loop(call, payloads, seconds, in_flight)
            return load, meter.per_item_us(load.calls)
    finally:
        process.terminate()
        process.join()


def inserts(server: EmbeddedPostgres, url: str, seconds: float, rows: int) -> Row:
    """Measure one `unnest` insert of `rows` rows a transaction, one transaction after the other, fsync and synchronous_commit on."""
    postmaster = server.pid
    assert postmaster is not None
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE bench_rows (id bigint, amount bigint, note text)")
        connection.commit()
        ids, amounts, notes = list(range(rows)), [100] * rows, ["note"] * rows
        insert = "INSERT INTO bench_rows SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[])"
        meter = Meter({"PostgreSQL": lambda: family_seconds(postmaster), "load": lambda: cpu_seconds(os.getpid())})
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            connection.execute(insert, (ids, amounts, notes))
            connection.commit()
            done += rows
        rate, used = done / (time.perf_counter() - started), meter.per_item_us(done)
        connection.execute("DROP TABLE bench_rows")
    how = "one row a transaction, one by one" if rows == 1 else f"bare unnest insert, {rows} rows a transaction"
    return Row(f"ceiling: {how}", f"{rate:,.0f} rows/s", cpu_us=used, values={"rows_per_s": rate})
