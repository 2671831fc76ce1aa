"""More calls at once than the hub takes in: each is answered, or told in the hub's own words to come back."""

from __future__ import annotations

import asyncio
from collections import Counter

import psycopg
from google.rpc import error_details_pb2

from hub.rpc.server import IN_FLIGHT_MAX
from tests.fixtures import delta
from tests.fixtures.hub import RunningHub
from tests.fixtures.wire import Answer
from yrd.clearing.v1 import clearing_pb2

BEYOND = 1_000
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
