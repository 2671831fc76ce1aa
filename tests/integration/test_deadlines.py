"""Calls past their deadline: each was applied and is found by its request id, or was not applied at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import psycopg
import pytest
from google.protobuf.message import Message

from hub.ledger.audit import audit
from tests.fixtures import delta
from tests.fixtures.hub import RunningHub
from tests.fixtures.late import known, until_a_committer_waits, until_known
from tests.fixtures.wire import Wire
from tests.support_usecases import credit_code
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.participant.v1 import participant_pb2

AUTHORIZE, BATCH = f"{delta.CLEARING}.Authorize", f"{delta.CLEARING}.BatchAuthorize"
REGISTER = f"{delta.ENTERPRISES}.RegisterEnterprise"
SHORT_SECONDS, LONG_SECONDS = 1.5, 60.0
COUNT = 30
LATE = grpc.StatusCode.DEADLINE_EXCEEDED


def _requests(firm: str, stem: str, count: int = COUNT) -> list[pb.AuthorizeRequest]:
    return [delta.authorize(delta.CHANGXING, firm, delta.SHANGHAI_LAB, f"{stem}-{number}", 1_000) for number in range(count)]


async def _call(wire: Wire, method: str, request: Message, seconds: float) -> grpc.StatusCode:
    """Call once with a deadline."""
    metadata = (("authorization", f"Bearer {await wire.client.tokens.get()}"),)
    service, _, name = method.rpartition(".")
    call: Callable[..., Awaitable[bytes]] = wire.channel.unary_unary(f"/{service}/{name}")
    try:
        await call(request.SerializeToString(), metadata=metadata, timeout=seconds)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


@asynccontextmanager
async def _held_up(hub: RunningHub, firm: str) -> AsyncIterator[None]:
    """Hold up the ledger, with a batch of the hub under way that waits."""
    uri, wire = hub.process.database_url, await hub.wire(delta.SHANGHAI)
    with psycopg.connect(uri) as blocker:
        blocker.execute("LOCK TABLE idempotency")
        (first,) = _requests(firm, f"FIRST-{delta.request_id()[:8]}", 1)
        held = asyncio.create_task(wire.ask(AUTHORIZE, first))
        await until_a_committer_waits(uri)
        yield
    assert (await held).ok


async def _again(wire: Wire, requests: Sequence[pb.AuthorizeRequest], uri: str) -> None:
    """Whoever asks again learns what became of it; what was not applied is now, and everything once."""
    answers = await asyncio.gather(*(wire.ask(AUTHORIZE, request) for request in requests))
    redemptions = [answer.read(pb.AuthorizeResponse).redemption for answer in answers]
    assert [item.order.order_no for item in redemptions] == [request.input.order.order_no for request in requests]
    everything = {request.input.order.order_no for request in requests}
    assert known(uri, requests) == (everything, everything)
    report = await audit(uri)
    assert report.clean, report.differences


async def test_some_late_and_some_in_time(hub: RunningHub, firm: str) -> None:
    """The ledger is held up until the deadlines of the hurried have passed, and not those of the patient."""
    uri, wire = hub.process.database_url, await hub.wire(delta.SHANGHAI)
    hurried, patient = _requests(firm, "HURRIED"), _requests(firm, "PATIENT")
    async with _held_up(hub, firm):
        waiting = [asyncio.create_task(_call(wire, AUTHORIZE, request, LONG_SECONDS)) for request in patient]
        ends = await asyncio.gather(*(_call(wire, AUTHORIZE, request, SHORT_SECONDS) for request in hurried))
        assert ends == [LATE] * COUNT
        assert not any(call.done() for call in waiting)
        assert known_of_nothing(uri, (*hurried, *patient))
    assert await asyncio.gather(*waiting) == [grpc.StatusCode.OK] * COUNT
    # Those that reached the committer are applied, though nobody waits for them.
    await until_known(uri, hurried, COUNT)
    made, recorded = known(uri, (*hurried, *patient))
    assert made == recorded
    await _again(wire, (*hurried, *patient), uri)


def known_of_nothing(uri: str, requests: Sequence[pb.AuthorizeRequest]) -> bool:
    """Say that none has a redemption. Which are on record nobody can read at that time."""
    orders = [request.input.order.order_no for request in requests]
    with psycopg.connect(uri) as connection:
        return connection.execute("SELECT 1 FROM redemption WHERE order_no = ANY(%s)", [orders]).fetchone() is None


async def test_no_time_at_all(hub: RunningHub, firm: str) -> None:
    """Deadlines that are over when the client sends, or pass at about that time: not applied, or applied and on record."""
    uri, wire, requests = hub.process.database_url, await hub.wire(delta.SHANGHAI), _requests(firm, "HASTE", 4 * COUNT)
    passed, about = requests[:COUNT], requests[COUNT:]
    ends = await asyncio.gather(
        *(_call(wire, AUTHORIZE, request, 0) for request in passed),
        *(_call(wire, AUTHORIZE, request, 0.002 * place) for place, request in enumerate(about)),
    )
    assert set(ends) <= {grpc.StatusCode.OK, LATE} and ends[:COUNT] == [LATE] * COUNT
    made, recorded = known(uri, requests)
    assert made == recorded
    assert {request.input.order.order_no for request, end in zip(requests, ends, strict=True) if end is grpc.StatusCode.OK} <= made
    await _again(wire, requests, uri)


@pytest.mark.parametrize("atomic", [False, True], ids=["each", "group"])
async def test_a_batch(hub: RunningHub, firm: str, atomic: bool) -> None:
    uri, wire, stem = hub.process.database_url, await hub.wire(delta.SHANGHAI), f"BATCH-{atomic}"
    late, patient, passed = (
        pb.BatchAuthorizeRequest(request_id=delta.request_id(), items=_requests(firm, f"{stem}-{name}"), atomic=atomic)
        for name in ("late", "patient", "passed")
    )
    async with _held_up(hub, firm):
        waiting = asyncio.create_task(_call(wire, BATCH, patient, LONG_SECONDS))
        assert await _call(wire, BATCH, late, SHORT_SECONDS) is LATE
    assert await waiting is grpc.StatusCode.OK
    assert await _call(wire, BATCH, passed, 0) is LATE
    await until_known(uri, late.items, COUNT)
    orders = {item.input.order.order_no for item in (*late.items, *patient.items)}
    assert known(uri, (*late.items, *patient.items)) == (orders, orders)
    # A deadline that is over for the client may have a moment left where the call arrives.
    made, recorded = known(uri, passed.items)
    assert made == recorded
    # A group has a record of its own; asked again it says what its items say.
    answer = (await wire.ask(BATCH, late)).read(pb.BatchAuthorizeResponse)
    singles = [(await wire.ask(AUTHORIZE, item)).read(pb.AuthorizeResponse) for item in late.items]
    assert [outcome.response for outcome in answer.outcomes] == singles
    await _again(wire, (*late.items, *passed.items), uri)


async def test_a_stream(hub: RunningHub, firm: str) -> None:
    """What was answered before the deadline stands; of the rest each was applied and is on record, or was not read."""
    uri, wire, requests = hub.process.database_url, await hub.wire(delta.SHANGHAI), _requests(firm, "STREAM", 400)
    early, rest = requests[:COUNT], requests[COUNT:]
    metadata = (("authorization", f"Bearer {await wire.client.tokens.get()}"),)
    call: Any = wire.channel.stream_stream(f"/{delta.CLEARING}/Clear")(metadata=metadata, timeout=SHORT_SECONDS + 1)
    stream_id = delta.request_id()

    async def write(first: int, some: Sequence[pb.AuthorizeRequest]) -> None:
        for number, request in enumerate(some, start=first):
            await call.write(pb.ClearRequest(stream_id=stream_id, sequence=number, authorize=request).SerializeToString())

    await write(1, early)
    answered = [pb.ClearResponse.FromString(await call.read()) for _ in early]
    async with _held_up(hub, firm):
        writing = asyncio.create_task(write(COUNT + 1, rest))
        assert await call.code() is LATE
        await asyncio.gather(writing, return_exceptions=True)
    assert [item.authorize.redemption.order.order_no for item in answered] == [item.input.order.order_no for item in early]
    await until_known(uri, requests, COUNT + 1)
    made, recorded = known(uri, requests)
    assert made == recorded and len(made) < len(requests)
    await _again(wire, requests, uri)


def _registered(uri: str, request: participant_pb2.RegisterEnterpriseRequest) -> tuple[int, int]:
    """How many firms the hub knows by that code, and how many records of the request."""
    with psycopg.connect(uri) as connection:
        row = connection.execute(
            "SELECT (SELECT count(*) FROM enterprise WHERE uscc = %s), (SELECT count(*) FROM idempotency WHERE request_id = %s::uuid)",
            [request.enterprise.uscc, request.request_id],
        ).fetchone()
    assert row is not None
    return int(row[0]), int(row[1])


async def test_a_mutation_in_a_transaction_of_its_own(hub: RunningHub, firm: str) -> None:
    """Its transaction ends with the call: past the deadline it is rolled back, unless it was committed."""
    uri, wire = hub.process.database_url, await hub.wire(delta.CHANGXING)
    late, patient = (
        participant_pb2.RegisterEnterpriseRequest(
            request_id=delta.request_id(), enterprise=delta.firm(credit_code(number, "91330522"), delta.CHANGXING)
        )
        for number in (701, 702)
    )
    async with _held_up(hub, firm):
        waiting = asyncio.create_task(_call(wire, REGISTER, patient, LONG_SECONDS))
        assert await _call(wire, REGISTER, late, SHORT_SECONDS) is LATE
    assert await waiting is grpc.StatusCode.OK
    assert _registered(uri, patient) == (1, 1)
    assert _registered(uri, late) == (0, 0)
    assert (await wire.ask(REGISTER, late)).ok
    assert _registered(uri, late) == (1, 1)
    # A deadline at about the time it takes: applied and on record, or neither.
    hasty = [
        participant_pb2.RegisterEnterpriseRequest(
            request_id=delta.request_id(), enterprise=delta.firm(credit_code(number, "91330522"), delta.CHANGXING)
        )
        for number in range(710, 730)
    ]
    ends = await asyncio.gather(*(_call(wire, REGISTER, request, 0.005 * place) for place, request in enumerate(hasty)))
    assert set(ends) <= {grpc.StatusCode.OK, LATE} and ends[0] is LATE
    for request, end in zip(hasty, ends, strict=True):
        assert _registered(uri, request) in ([(1, 1)] if end is grpc.StatusCode.OK else [(0, 0), (1, 1)])
        assert (await wire.ask(REGISTER, request)).ok
        assert _registered(uri, request) == (1, 1)
