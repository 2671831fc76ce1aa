"""Calls past their deadline: each was applied and is found by its request id, or was not applied at all."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import grpc
import psycopg
import pytest

from hub.ledger.audit import audit
from tests.fixtures import delta
from tests.fixtures.forked import Ground
from tests.fixtures.hub import RunningHub
from tests.fixtures.seeds import SEED
from tests.fixtures.wire import Wire
from yrd.clearing.v1 import clearing_pb2 as pb

_METHOD = f"{delta.CLEARING}.Authorize"
_HELD = 30
_HURRIED = 200
_SHORT_SECONDS = 0.5


@pytest.fixture(scope="module")
async def hub(ground: Ground) -> AsyncIterator[RunningHub]:
    with ground.database() as uri:
        async with ground.hub(uri) as running:
            yield running


@pytest.fixture(scope="module")
def firm(ground: Ground) -> str:
    return next(wallet.enterprise for wallet in ground.wallets if wallet.issuer == delta.CHANGXING)


def _requests(firm: str, stem: str, count: int) -> list[pb.AuthorizeRequest]:
    return [delta.authorize(delta.CHANGXING, firm, delta.SHANGHAI_LAB, f"{stem}-{number}", 1_000) for number in range(count)]


async def _hurried(wire: Wire, request: pb.AuthorizeRequest, seconds: float) -> grpc.StatusCode:
    """Call once with a deadline."""
    metadata = (("authorization", f"Bearer {await wire.client.tokens.get()}"),)
    service, _, name = _METHOD.rpartition(".")
    call: Callable[..., Awaitable[bytes]] = wire.channel.unary_unary(f"/{service}/{name}")
    try:
        await call(request.SerializeToString(), metadata=metadata, timeout=seconds)
    except grpc.aio.AioRpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def _known(uri: str, requests: list[pb.AuthorizeRequest]) -> tuple[set[str], set[str]]:
    """The orders that have a redemption, and those whose request id is on record, as of one instant."""
    orders = {request.request_id: request.input.order.order_no for request in requests}
    with psycopg.connect(uri) as connection:
        row = connection.execute(
            "SELECT ARRAY(SELECT order_no FROM redemption WHERE order_no = ANY(%s)), "
            "ARRAY(SELECT request_id::text FROM idempotency WHERE request_id::text = ANY(%s))",
            [list(orders.values()), list(orders)],
        ).fetchone()
    assert row is not None
    made, recorded = row
    assert len(made) == len(set(made))
    return set(made), {orders[request_id] for request_id in recorded}


async def _again(wire: Wire, requests: list[pb.AuthorizeRequest], uri: str) -> None:
    """Whoever asks again learns what became of it; what was not applied is now, and everything once."""
    answers = await asyncio.gather(*(wire.ask(_METHOD, request) for request in requests))
    redemptions = [answer.read(pb.AuthorizeResponse).redemption for answer in answers]
    assert [item.order.order_no for item in redemptions] == [request.input.order.order_no for request in requests]
    made, recorded = _known(uri, requests)
    assert made == recorded == {request.input.order.order_no for request in requests}
    report = await audit(uri)
    assert report.clean, report.differences


async def test_held_up_past_the_deadline(hub: RunningHub, firm: str) -> None:
    uri, wire, requests = hub.process.database_url, await hub.wire(delta.SHANGHAI), _requests(firm, "HELD", _HELD)
    with psycopg.connect(uri) as blocker:
        blocker.execute("LOCK TABLE idempotency")
        ends = await asyncio.gather(*(_hurried(wire, request, _SHORT_SECONDS) for request in requests))
    assert set(ends) == {grpc.StatusCode.DEADLINE_EXCEEDED}
    made, recorded = _known(uri, requests)
    assert made == recorded
    await _again(wire, requests, uri)


async def test_in_a_hurry(hub: RunningHub, firm: str) -> None:
    """Deadlines about as long as a call takes: they pass before, while and after the hub commits."""
    uri, wire, requests = hub.process.database_url, await hub.wire(delta.SHANGHAI), _requests(firm, "HASTE", _HURRIED)
    dice = random.Random(SEED)
    ends = await asyncio.gather(*(_hurried(wire, request, dice.uniform(0.001, 0.3)) for request in requests))
    assert set(ends) <= {grpc.StatusCode.OK, grpc.StatusCode.DEADLINE_EXCEEDED}
    answered = {request.input.order.order_no for request, end in zip(requests, ends, strict=True) if end is grpc.StatusCode.OK}
    made, recorded = _known(uri, requests)
    assert answered <= made == recorded
    await _again(wire, requests, uri)
