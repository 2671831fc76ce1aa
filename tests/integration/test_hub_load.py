"""More calls at once than the hub takes in: each is answered, or told in the hub's own words to come back."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import psycopg
import pytest
from google.rpc import error_details_pb2

from hub.rpc.server import AWAITED_MAX, IN_FLIGHT_MAX, STREAMS_MAX
from tests.fixtures import delta
from tests.fixtures.hub import RunningHub
from tests.fixtures.wire import Answer, refusal
from yrd.clearing.v1 import clearing_pb2

BEYOND = 1_000
FEW = 100
SECONDS_MAX = 60.0


async def test_a_burst_reaches_the_pipeline_whole(live_hub: RunningHub) -> None:
    """gRPC by itself cancels calls that wait for a busy process, with a status that says neither what happened nor what to do."""
    wire = await live_hub.wire(delta.SHANGHAI)
    method = f"{delta.CLEARING}.Void"
    request = clearing_pb2.VoidRequest(request_id=delta.request_id(), redemption_id=delta.request_id())
    answers = await asyncio.gather(*(wire.send(method, request.SerializeToString()) for _ in range(IN_FLIGHT_MAX + BEYOND)))
    assert {answer.code or answer.status.name for answer in answers} <= {"REDEMPTION_NOT_FOUND", "OVERLOADED"}


async def test_a_burst_beyond_the_bound_is_told_to_come_back(live_hub: RunningHub) -> None:
    wire = await live_hub.wire(delta.SHANGHAI)
    method = f"{delta.CLEARING}.Void"
    request = clearing_pb2.VoidRequest(request_id=delta.request_id(), redemption_id=delta.request_id())
    with psycopg.connect(live_hub.process.database_url) as blocker:
        # While the ledger is held up, calls pile up in the hub as far as it lets them.
        blocker.execute("LOCK TABLE idempotency")
        calls = [asyncio.create_task(wire.send(method, request.SerializeToString())) for _ in range(IN_FLIGHT_MAX + BEYOND)]
        refused = await _first(calls, BEYOND)
        assert {answer.code or answer.status.name for answer in refused} == {"OVERLOADED"}
        assert {answer.detail(error_details_pb2.RetryInfo).retry_delay.seconds for answer in refused} == {1}
    answers = await asyncio.gather(*calls)
    assert Counter(answer.code or answer.status.name for answer in answers) == {"OVERLOADED": BEYOND, "REDEMPTION_NOT_FOUND": IN_FLIGHT_MAX}
    # A client that comes back as it was told gets its answer without another word of the application.
    results = await asyncio.gather(*(wire.client.call(method, request) for _ in range(BEYOND)))
    assert {result.code for result in results} == {"REDEMPTION_NOT_FOUND"}


async def _first(calls: list[asyncio.Task[Answer]], count: int) -> list[Answer]:
    """Return the first `count` answers. Which calls of a burst get in is the network's choice, not the order of sending."""
    pending = set(calls)
    done: list[Answer] = []
    async with asyncio.timeout(SECONDS_MAX):
        while len(done) < count:
            finished, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            done.extend(call.result() for call in finished)
    return done


@pytest.mark.parametrize(
    ("kind", "method", "bound"), [("stream_unary", "Void", AWAITED_MAX), ("stream_stream", "WatchRedemption", STREAMS_MAX)]
)
async def test_calls_without_a_message_keep_nobody_else_out(live_hub: RunningHub, kind: str, method: str, bound: int) -> None:
    """One participant opens calls and never sends what they ask. It is told to come back; the others notice nothing."""
    wire, other = await live_hub.wire(delta.SHANGHAI), await live_hub.wire(delta.ANHUI)
    never = asyncio.Event()

    async def silent() -> AsyncIterator[bytes]:
        await never.wait()
        yield b""

    metadata = (("authorization", f"Bearer {await wire.client.tokens.get()}"),)
    begin: Any = getattr(wire.channel, kind)(f"/{delta.CLEARING}/{method}")
    calls = [begin(silent(), metadata=metadata, timeout=SECONDS_MAX) for _ in range(bound + FEW)]
    opened = [asyncio.create_task(_ending(call)) for call in calls]
    told = await _first(opened, FEW)
    assert Counter((answer.code, answer.detail(error_details_pb2.RetryInfo).retry_delay.seconds) for answer in told) == {
        ("OVERLOADED", 1): len(told)
    }
    asked = clearing_pb2.GetRedemptionRequest(redemption_id=delta.request_id())
    assert (await other.send(f"{delta.CLEARING}.GetRedemption", asked.SerializeToString())).code == "REDEMPTION_NOT_FOUND"
    watched = clearing_pb2.WatchRedemptionRequest(redemption_id=asked.redemption_id)
    assert (await other.stream(f"{delta.CLEARING}.WatchRedemption", [watched.SerializeToString()], 1)).code == "REDEMPTION_NOT_FOUND"
    for call in calls:
        call.cancel()
    # The hub hears of it a moment later; from then on there is room again.
    assert (await wire.ask(f"{delta.CLEARING}.GetRedemption", asked)).code == "REDEMPTION_NOT_FOUND"
    await asyncio.gather(*opened, return_exceptions=True)


async def _ending(call: Any) -> Answer:
    try:
        await (call.read() if hasattr(call, "read") else call)
    except grpc.aio.AioRpcError as error:
        return refusal(error)
    raise AssertionError("it was answered")
