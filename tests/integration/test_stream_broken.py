"""Clear streams that their callers leave or do not read, on a hub of its own: every command is found with one effect, or with none."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import grpc
import psycopg
import pytest

from hub.application.clearing import UNANSWERED_MAX
from hub.ledger.audit import audit
from tests.fixtures import delta
from tests.fixtures.delta import CHANGXING, CLEARING, SHANGHAI, SHANGHAI_LAB, request_id
from tests.fixtures.hub import RunningHub
from tests.fixtures.late import known, until_a_committer_waits, until_known
from tests.fixtures.wire import Wire
from yrd.clearing.v1 import clearing_pb2 as pb

SECONDS_MAX = 60.0
LINES = 40
"""So long are the orders of who does not read: a few dozen answers fill what gRPC buffers."""


def _requests(firm: str, stem: str, count: int, lines: int = 1) -> list[pb.AuthorizeRequest]:
    return [delta.authorize(CHANGXING, firm, SHANGHAI_LAB, f"{stem}-{number}", *[10] * lines) for number in range(count)]


async def _open(wire: Wire, channel: grpc.aio.Channel | None = None) -> Any:
    metadata = (("authorization", f"Bearer {await wire.client.tokens.get()}"),)
    return (channel or wire.channel).stream_stream(f"/{CLEARING}/Clear")(metadata=metadata, timeout=SECONDS_MAX)


def _narrow(hub: RunningHub, wire: Wire) -> grpc.aio.Channel:
    """A channel that takes in little before it is read: by itself gRPC lets megabytes wait where the line is quick."""
    options = [
        *(("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 16_384)),
        *(("grpc.enable_http_proxy", 0), ("grpc.use_local_subchannel_pool", 1)),
    ]
    return grpc.aio.secure_channel(hub.process.grpc_address, wire.client.identity.channel_credentials(), options=options)


async def _write(call: Any, requests: Sequence[pb.AuthorizeRequest], first: int = 1, stream_id: str = "") -> None:
    for number, request in enumerate(requests, start=first):
        await call.write(pb.ClearRequest(stream_id=stream_id, sequence=number, authorize=request).SerializeToString())


async def _found_once(hub: RunningHub, requests: Sequence[pb.AuthorizeRequest]) -> None:
    """Ask for each again: what was applied is found as it was, what was not is now, and everything once."""
    wire, uri = await hub.wire(SHANGHAI), hub.process.database_url
    made, recorded = known(uri, requests)
    assert made == recorded
    batch = pb.BatchAuthorizeRequest(request_id=request_id(), items=requests)
    outcomes = (await wire.ask(f"{CLEARING}.BatchAuthorize", batch)).read(pb.BatchAuthorizeResponse).outcomes
    orders = [request.input.order.order_no for request in requests]
    assert [outcome.response.redemption.order.order_no for outcome in outcomes] == orders
    assert known(uri, requests) == (set(orders), set(orders))
    report = await audit(uri)
    assert report.clean, report.differences


@pytest.mark.parametrize("answered", [0, 1, 40])
async def test_a_stream_cancelled_in_the_midst(hub: RunningHub, firm: str, answered: int) -> None:
    wire, uri, stream_id = await hub.wire(SHANGHAI), hub.process.database_url, request_id()
    requests = _requests(firm, f"LEFT{answered}", answered + 2 * UNANSWERED_MAX)
    call = await _open(wire)
    await _write(call, requests[:answered], 1, stream_id)
    got = [pb.ClearResponse.FromString(await call.read()) for _ in range(answered)]
    assert [item.sequence for item in got] == list(range(1, answered + 1))
    with psycopg.connect(uri) as blocker:
        blocker.execute("LOCK TABLE idempotency")
        writing = asyncio.create_task(_write(call, requests[answered:], answered + 1, stream_id))
        await until_a_committer_waits(uri)
        call.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    # What the committer had it goes on with, though nobody waits for it.
    await until_known(uri, requests, answered + 1)
    assert {item.authorize.redemption.order.order_no for item in got} <= known(uri, requests)[0]
    assert len(known(uri, requests)[0]) <= answered + UNANSWERED_MAX
    await _found_once(hub, requests)


@pytest.mark.parametrize("leaves", [False, True], ids=["reads-late", "leaves"])
async def test_a_reader_that_is_slow(hub: RunningHub, firm: str, leaves: bool) -> None:
    """The hub goes on no further than answers can be left for the reader, and serves others meanwhile."""
    wire, uri, stem = await hub.wire(SHANGHAI), hub.process.database_url, "GONE" if leaves else "SLOW"
    requests = _requests(firm, stem, 1_000, LINES)
    channel = _narrow(hub, wire)
    call = await _open(wire, channel)
    writing = asyncio.create_task(_write(call, requests, 1, request_id()))
    others = _requests(firm, f"{stem}-OTHER", 40)
    done = -1
    async with asyncio.timeout(SECONDS_MAX):
        # Until it stands still for as long as forty calls of others take.
        while done < (done := len(known(uri, requests)[0])) or not done:
            for request in others:
                assert (await wire.ask(f"{CLEARING}.Authorize", request)).ok
    assert UNANSWERED_MAX <= done < len(requests)
    if leaves:
        call.cancel()
        await asyncio.gather(writing, return_exceptions=True)
    else:
        answers = [pb.ClearResponse.FromString(await call.read()) for _ in requests]
        assert [item.sequence for item in answers] == list(range(1, len(requests) + 1))
        assert all(item.HasField("authorize") for item in answers)
        await writing
        await call.done_writing()
        assert await call.read() is grpc.aio.EOF
    await channel.close()
    await _found_once(hub, requests)
