"""What this machine can do without the hub's rules, measured in the same run."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from typing import Any

import grpc
import psycopg

from tests.bench.load import closed_loop

_METHOD = "/bench.Echo/Echo"


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


async def raw_echo(seconds: float, in_flight: int) -> float:
    """Return calls a second of a grpc.aio unary echo, no TLS, no rules, 400 bytes each way."""
    context = multiprocessing.get_context("spawn")
    port = context.Value("i", 0)
    process = context.Process(target=_serve_echo, args=(port,), daemon=True)
    process.start()
    try:
        while not port.value:  # noqa: ASYNC110 — another process sets it; there is nothing to await
            await asyncio.sleep(0.05)
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port.value}") as channel:
            call: Any = channel.unary_unary(_METHOD)
            payload = b"x" * 400
            done = await closed_loop(lambda _: call(payload, wait_for_ready=True), seconds, in_flight)
        return done.rate
    finally:
        process.terminate()
        process.join()


def bare_insert(url: str, seconds: float, rows: int = 500) -> float:
    """Return rows a second of one `unnest` insert of `rows` rows per transaction, fsync and synchronous_commit on."""
    return _transactions(url, seconds, rows)


def one_by_one(url: str, seconds: float) -> float:
    """Return transactions a second of one row each, one after the other."""
    return _transactions(url, seconds, 1)


def _transactions(url: str, seconds: float, rows: int) -> float:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS bench_rows (id bigint, amount bigint, note text)")
        connection.commit()
        ids, amounts, notes = list(range(rows)), [100] * rows, ["note"] * rows
        insert = "INSERT INTO bench_rows SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[])"
        started, done = time.perf_counter(), 0
        while time.perf_counter() - started < seconds:
            connection.execute(insert, (ids, amounts, notes))
            connection.commit()
            done += rows
        return done / (time.perf_counter() - started)
