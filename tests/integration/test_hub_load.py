"""More calls at once than the hub takes in: each is answered, or told in the hub's own words to come back."""

from __future__ import annotations

import asyncio

import psycopg
from google.rpc import error_details_pb2

from hub.rpc.server import IN_FLIGHT_MAX
from tests.fixtures import delta
from tests.fixtures.hub import RunningHub
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
        refused = [await call for call in asyncio.as_completed(calls[IN_FLIGHT_MAX:], timeout=SECONDS_MAX)]
        assert {answer.code for answer in refused} == {"OVERLOADED"}
        assert {answer.detail(error_details_pb2.RetryInfo).retry_delay.seconds for answer in refused} == {1}
    taken = await asyncio.gather(*calls[:IN_FLIGHT_MAX])
    assert {answer.code for answer in taken} == {"REDEMPTION_NOT_FOUND"}
    # A client that comes back as it was told gets its answer without another word of the application.
    results = await asyncio.gather(*(wire.client.call(method, request) for _ in range(BEYOND)))
    assert {result.code for result in results} == {"REDEMPTION_NOT_FOUND"}
