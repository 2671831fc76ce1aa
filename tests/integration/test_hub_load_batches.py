"""Batches, groups and streams that bring more commands than wait at most: refused whole with a word when to come back, or held back."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2

from hub.application.clearing import UNANSWERED_MAX
from hub.ledger.audit import audit
from hub.ledger.committer import BATCH_ITEMS_MAX, LANES, QUEUE_ITEMS_MAX
from tests.fixtures import delta
from tests.fixtures.delta import CHANGXING, CLEARING, SHANGHAI, SHANGHAI_LAB, request_id
from tests.fixtures.forked import Ground
from tests.fixtures.hub import RunningHub
from tests.fixtures.wire import Answer, Wire
from yrd.clearing.v1 import clearing_pb2 as pb

ITEMS = 500
TAKEN_MAX = QUEUE_ITEMS_MAX + LANES * max(BATCH_ITEMS_MAX, ITEMS)
"""Commands that wait, and those of the batches that the ledger holds up."""

BATCHES = TAKEN_MAX // ITEMS + 3
REFUSED_MIN = BATCHES - TAKEN_MAX // ITEMS
STREAMS = TAKEN_MAX // UNANSWERED_MAX + 3
SECONDS_MAX = 60.0


@pytest.fixture(scope="module")
def firms(ground: Ground) -> Sequence[str]:
    return ground.firms(CHANGXING)


def _recorded(uri: str, ids: Sequence[str]) -> int:
    """How many of the request ids the hub remembers."""
    with psycopg.connect(uri) as connection:
        row = connection.execute("SELECT count(*) FROM idempotency WHERE request_id = ANY(%s::uuid[])", [list(ids)]).fetchone()
    assert row is not None
    return int(row[0])


def _ids(batch: Any) -> list[str]:
    return [batch.request_id, *(item.request_id for item in batch.items)]


async def _overload(hub: RunningHub, method: str, batches: Sequence[Message]) -> list[Answer]:
    """Send batches while the ledger is held up, until so many are refused as do not fit; return what all of them were told in the end."""
    wire, uri = await hub.wire(SHANGHAI), hub.process.database_url
    with psycopg.connect(uri) as blocker:
        blocker.execute("LOCK TABLE idempotency")
        calls = [asyncio.create_task(wire.send(method, batch.SerializeToString())) for batch in batches]
        pending = set(calls)
        async with asyncio.timeout(SECONDS_MAX):
            while len(calls) - len(pending) < REFUSED_MIN:
                _, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        assert {call.result().code for call in calls if call.done()} == {"OVERLOADED"}
    return list(await asyncio.gather(*calls))


async def _held_then_served(hub: RunningHub, method: str, batches: Sequence[Message]) -> list[Answer]:
    """Overload the hub with batches; check what the refused are told and that nothing is kept of them; then send them again, as told."""
    uri = hub.process.database_url
    answers = await _overload(hub, method, batches)
    refused = [batch for batch, answer in zip(batches, answers, strict=True) if not answer.ok]
    assert REFUSED_MIN <= len(refused) < BATCHES
    for answer in answers:
        if not answer.ok:
            assert (answer.status.name, answer.code) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
            assert answer.detail(error_details_pb2.RetryInfo).retry_delay.seconds == 1
    assert _recorded(uri, [key for batch in refused for key in _ids(batch)]) == 0
    wire = await hub.wire(SHANGHAI)
    served = [answer if answer.ok else await wire.ask(method, batch) for batch, answer in zip(batches, answers, strict=True)]
    assert (await audit(uri)).clean
    return served


def _authorizations(firms: Sequence[str], stem: str, *, atomic: bool) -> list[pb.BatchAuthorizeRequest]:
    return [
        pb.BatchAuthorizeRequest(
            request_id=request_id(),
            items=[delta.authorize(CHANGXING, firms[i % len(firms)], SHANGHAI_LAB, f"{stem}-{n}-{i}", 10) for i in range(ITEMS)],
            atomic=atomic,
        )
        for n in range(BATCHES)
    ]


async def test_batches_beyond_the_bound(hub: RunningHub, firms: Sequence[str]) -> None:
    batches = _authorizations(firms, "EACH", atomic=False)
    answers = await _held_then_served(hub, f"{CLEARING}.BatchAuthorize", batches)
    outcomes = [outcome for answer in answers for outcome in answer.read(pb.BatchAuthorizeResponse).outcomes]
    made = [outcome.response.redemption for outcome in outcomes]
    assert [item.order.order_no for item in made] == [item.input.order.order_no for batch in batches for item in batch.items]
    captures = [
        pb.BatchCaptureRequest(
            request_id=request_id(),
            items=[delta.capture(item.redemption_id, f"FP-{item.order.order_no}") for item in made[start : start + ITEMS]],
        )
        for start in range(0, len(made), ITEMS)
    ]
    answers = await _held_then_served(hub, f"{CLEARING}.BatchCapture", captures)
    states = {item.response.redemption.state for answer in answers for item in answer.read(pb.BatchCaptureResponse).outcomes}
    assert states == {pb.REDEMPTION_STATE_CLEARED}


async def test_groups_beyond_the_bound(hub: RunningHub, firms: Sequence[str]) -> None:
    """A group weighs as much as its items, though it is one command."""
    answers = await _held_then_served(hub, f"{CLEARING}.BatchAuthorize", _authorizations(firms, "GROUP", atomic=True))
    assert all(len(answer.read(pb.BatchAuthorizeResponse).outcomes) == ITEMS for answer in answers)


def _void() -> pb.VoidRequest:
    return pb.VoidRequest(request_id=request_id(), redemption_id=request_id())


async def _served(wire: Wire, commands: Sequence[pb.VoidRequest]) -> list[int]:
    """Send commands on a stream that nobody opens again, and return the sequence numbers of its answers."""
    stream_id = request_id()
    messages = [
        pb.ClearRequest(stream_id=stream_id, sequence=number, void=command).SerializeToString()
        for number, command in enumerate(commands, start=1)
    ]
    metadata = (("authorization", f"Bearer {await wire.client.tokens.get()}"),)
    method: Any = wire.channel.stream_stream(f"/{CLEARING}/Clear")
    call = method(iter(messages), metadata=metadata, timeout=SECONDS_MAX)
    return [pb.ClearResponse.FromString(answer).sequence async for answer in call]


async def test_streams_beyond_the_bound_are_held_back_and_calls_are_told(hub: RunningHub) -> None:
    """A stream is never told OVERLOADED in the midst of its commands: the hub reads no further until there is room."""
    wire, uri = await hub.wire(SHANGHAI), hub.process.database_url
    streams = [[_void() for _ in range(UNANSWERED_MAX)] for _ in range(STREAMS)]
    with psycopg.connect(uri) as blocker:
        blocker.execute("LOCK TABLE idempotency")
        served = [asyncio.create_task(_served(wire, commands)) for commands in streams]
        told = await _until_one_is_told(wire)
        assert (told.status.name, told.code) == ("RESOURCE_EXHAUSTED", "OVERLOADED")
        assert told.detail(error_details_pb2.RetryInfo).retry_delay.seconds == 1
        assert not any(stream.done() for stream in served)
    assert await asyncio.gather(*served) == [list(range(1, UNANSWERED_MAX + 1))] * STREAMS
    assert _recorded(uri, [command.request_id for commands in streams for command in commands]) == STREAMS * UNANSWERED_MAX
    assert (await wire.ask(f"{CLEARING}.Void", _void())).code == "REDEMPTION_NOT_FOUND"


async def _until_one_is_told(wire: Wire) -> Answer:
    """Call until a call is answered though the ledger is held up; those that found room before wait for it."""
    waiting: set[asyncio.Task[Answer]] = set()
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            waiting.add(asyncio.create_task(wire.send(f"{CLEARING}.Void", _void().SerializeToString())))
            done, waiting = await asyncio.wait(waiting, timeout=0.05, return_when=asyncio.FIRST_COMPLETED)
            if done:
                for call in waiting:
                    call.cancel()
                return done.pop().result()
