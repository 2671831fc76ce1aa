"""Batches through the public door: an outcome for each item as if it had come alone, or all of them or none."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from hub.bootstrap import Hub
from hub.client import HubClient, item_result
from hub.inbound import InboundCommands
from hub.ledger.audit import audit
from hub.ledger.committer import BATCH_ITEMS_MAX
from hub.messaging.ports import InboundCommand
from hub.settings import Settings
from tests.fixtures import delta
from tests.fixtures.badinput import World
from tests.fixtures.delta import CHANGXING, CLEARING, SHANGHAI, SHANGHAI_LAB, request_id
from tests.fixtures.forked import ForkedHub, Ground
from tests.fixtures.hub import RunningHub
from tests.fixtures.wire import Answer
from tests.support_usecases import credit_code
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.common.v1 import refusal_pb2
from yrd.events.v1 import events_pb2

AUTHORIZE, CAPTURE = f"{CLEARING}.Authorize", f"{CLEARING}.Capture"
BATCH_AUTHORIZE, BATCH_CAPTURE = f"{CLEARING}.BatchAuthorize", f"{CLEARING}.BatchCapture"
_numbers = iter(range(10_000))


def item(world: World, fee: int = 1_000) -> pb.AuthorizeRequest:
    return delta.authorize(CHANGXING, world.firm, SHANGHAI_LAB, f"N-{next(_numbers)}", fee)


def batch(items: list[pb.AuthorizeRequest], atomic: bool = False) -> pb.BatchAuthorizeRequest:
    return pb.BatchAuthorizeRequest(request_id=request_id(), items=items, atomic=atomic)


async def send(world: World, request: pb.BatchAuthorizeRequest | pb.BatchCaptureRequest) -> Answer:
    method = BATCH_AUTHORIZE if isinstance(request, pb.BatchAuthorizeRequest) else BATCH_CAPTURE
    return await (await world.hub.wire(SHANGHAI)).ask(method, request)


async def alone(world: World, request: pb.AuthorizeRequest | pb.CaptureRequest) -> Answer:
    method = AUTHORIZE if isinstance(request, pb.AuthorizeRequest) else CAPTURE
    return await (await world.hub.wire(SHANGHAI)).ask(method, request)


def codes(answer: Answer) -> list[str]:
    kind = pb.BatchAuthorizeResponse
    return [item_result(outcome).code for outcome in answer.read(kind).outcomes]


def same(outcome: pb.BatchAuthorizeOutcome | pb.BatchCaptureOutcome, answer: Answer) -> bool:
    """Say whether an outcome in a batch is what the answer to the same request alone says."""
    if answer.ok:
        return outcome.response.SerializeToString(deterministic=True) == answer.body
    return outcome.refusal == answer.detail(refusal_pb2.Refusal)


async def test_each_item_has_an_outcome_of_its_own(furnished_hub: World) -> None:
    stranger = item(furnished_hub)
    stranger.input.enterprise = credit_code(99, "91330522")
    malformed = item(furnished_hub)
    malformed.input.issuer = "x"
    nameless = item(furnished_hub)
    nameless.request_id = ""
    foreign = delta.authorize(CHANGXING, furnished_hub.firm, delta.ANHUI_LAB, "N-foreign", 1_000)
    items = [item(furnished_hub), stranger, malformed, item(furnished_hub), nameless, foreign]
    answer = await send(furnished_hub, batch(items))
    assert codes(answer) == ["", "ENTERPRISE_NOT_FOUND", "INVALID_ARGUMENT", "", "INVALID_ARGUMENT", "NOT_PERMITTED"]
    outcomes = answer.read(pb.BatchAuthorizeResponse).outcomes
    assert [item.field for item in outcomes[2].refusal.violations] == ["input.issuer"]
    assert [item.field for item in outcomes[4].refusal.violations] == ["request_id"]
    assert [outcomes[i].response.redemption.order.order_no for i in (0, 3)] == [items[i].input.order.order_no for i in (0, 3)]


async def test_an_item_is_the_same_command_as_the_same_request_alone(furnished_hub: World) -> None:
    early, late, refused_early = item(furnished_hub), item(furnished_hub), item(furnished_hub)
    refused_early.input.enterprise = credit_code(98, "91330522")
    before = [await alone(furnished_hub, early), await alone(furnished_hub, refused_early)]
    state = furnished_hub.digest()
    again = (await send(furnished_hub, batch([early, refused_early]))).read(pb.BatchAuthorizeResponse).outcomes
    assert all(same(*pair) for pair in zip(again, before, strict=True))
    assert furnished_hub.digest() == state
    (first,) = (await send(furnished_hub, batch([late]))).read(pb.BatchAuthorizeResponse).outcomes
    assert same(first, await alone(furnished_hub, late))


async def test_the_same_request_twice_in_a_batch_has_one_effect(furnished_hub: World) -> None:
    once, other = item(furnished_hub), item(furnished_hub)
    other.request_id = once.request_id
    answer = await send(furnished_hub, batch([once, other, once]))
    assert codes(answer) == ["", "REQUEST_ID_REUSED", ""]
    first, _, third = answer.read(pb.BatchAuthorizeResponse).outcomes
    assert first == third
    assert furnished_hub.ledger.execute(
        "SELECT count(*) FROM redemption WHERE order_no = ANY(%s)", ([once.input.order.order_no, other.input.order.order_no],)
    ).fetchone() == (1,)


async def test_later_items_see_what_earlier_ones_did(furnished_hub: World) -> None:
    """Two on one order: the second finds the order as the first left it, so together they never exceed its cost."""
    one = item(furnished_hub)
    changed = item(furnished_hub)
    changed.input.order.order_no = one.input.order.order_no
    changed.input.order.lines[0].amount_fen = 2_000
    answer = await send(furnished_hub, batch([one, changed]))
    assert same(answer.read(pb.BatchAuthorizeResponse).outcomes[1], await alone(furnished_hub, changed))
    assert codes(answer)[0] == ""


async def test_captures_in_a_batch(furnished_hub: World) -> None:
    made = (await send(furnished_hub, batch([item(furnished_hub) for _ in range(3)]))).read(pb.BatchAuthorizeResponse).outcomes
    ids = [outcome.response.redemption.redemption_id for outcome in made]
    captures = [delta.capture(ids[0], "FP-N-1"), delta.capture(ids[1], "FP-N-1"), delta.capture(request_id(), "FP-N-2")]
    bare = delta.capture(ids[2], "FP-N-3")
    bare.delivered_on = "2999-01-01"
    answer = await send(furnished_hub, pb.BatchCaptureRequest(request_id=request_id(), items=[*captures, bare]))
    outcomes = answer.read(pb.BatchCaptureResponse).outcomes
    assert [item_result(outcome).code for outcome in outcomes] == ["", "DUPLICATE_INVOICE", "REDEMPTION_NOT_FOUND", "INVALID_ARGUMENT"]
    assert outcomes[0].response.redemption.state == pb.REDEMPTION_STATE_CLEARED
    assert all([same(outcome, await alone(furnished_hub, request)) for outcome, request in zip(outcomes, captures, strict=False)])


@pytest.mark.parametrize("atomic", [False, True])
async def test_bounds_of_a_batch(furnished_hub: World, atomic: bool) -> None:
    state = furnished_hub.digest()
    one = item(furnished_hub)
    for items in ([], [one] * 1_001):
        answer = await send(furnished_hub, batch(items, atomic))
        assert (answer.status.name, answer.fields) == ("INVALID_ARGUMENT", ["items"])
    own = batch([item(furnished_hub), one], atomic)
    own.request_id = one.request_id.upper()
    assert (await send(furnished_hub, own)).fields == ["items[1].request_id"]
    assert furnished_hub.digest() == state


async def test_an_atomic_batch_leaves_nothing_where_one_item_is_refused(furnished_hub: World) -> None:
    state = furnished_hub.digest()
    items = [item(furnished_hub) for _ in range(5)]
    items[3].input.enterprise = credit_code(97, "91330522")
    request = batch(items, atomic=True)
    answer = await send(furnished_hub, request)
    assert (answer.status.name, answer.code, answer.metadata["item"]) == ("NOT_FOUND", "ENTERPRISE_NOT_FOUND", "3")
    assert furnished_hub.digest() == state
    assert await send(furnished_hub, request) == answer
    # Nothing was kept of the items: the good ones may still be sent.
    assert (await alone(furnished_hub, items[0])).ok
    assert (await send(furnished_hub, request)) == answer


async def test_an_atomic_batch_names_the_wrong_field_of_its_item(furnished_hub: World) -> None:
    items = [item(furnished_hub), item(furnished_hub)]
    items[1].input.order.lines[0].amount_fen = 0
    answer = await send(furnished_hub, batch(items, atomic=True))
    assert (answer.code, answer.fields) == ("INVALID_ARGUMENT", ["items[1].input.order.lines[0].amount_fen"])
    assert (answer.metadata["item"], answer.metadata["field"]) == ("1", answer.fields[0])


async def test_an_atomic_batch_that_is_applied(furnished_hub: World) -> None:
    known = item(furnished_hub)
    before = await alone(furnished_hub, known)
    items = [item(furnished_hub), known, item(furnished_hub)]
    request = batch(items, atomic=True)
    answer = await send(furnished_hub, request)
    outcomes = answer.read(pb.BatchAuthorizeResponse).outcomes
    assert same(outcomes[1], before)
    state = furnished_hub.digest()
    assert await send(furnished_hub, request) == answer
    assert all([same(outcome, await alone(furnished_hub, one)) for outcome, one in zip(outcomes, items, strict=True)])
    assert furnished_hub.digest() == state
    request.items.add().CopyFrom(item(furnished_hub))
    assert (await send(furnished_hub, request)).code == "REQUEST_ID_REUSED"
    assert (await audit(furnished_hub.hub.process.database_url)).clean


async def test_an_atomic_batch_is_held_to_what_was_answered_before(furnished_hub: World) -> None:
    used = item(furnished_hub)
    assert (await alone(furnished_hub, used)).ok
    used.input.order.lines[0].amount_fen += 1
    answer = await send(furnished_hub, batch([item(furnished_hub), used], atomic=True))
    assert (answer.code, answer.metadata["item"]) == ("REQUEST_ID_REUSED", "1")


async def test_the_client_reads_a_batch(furnished_hub: World) -> None:
    client: HubClient = (await furnished_hub.hub.wire(SHANGHAI)).client
    wrong = item(furnished_hub)
    wrong.input.issuer = ""
    response = (await client.call(BATCH_AUTHORIZE, batch([item(furnished_hub), wrong]))).unwrap()
    good, bad = map(item_result, response.outcomes)
    assert good.unwrap().redemption.state == pb.REDEMPTION_STATE_AUTHORIZED
    assert (bad.ok, bad.code, bad.status.name) == (False, "INVALID_ARGUMENT", "INVALID_ARGUMENT")


# -- a hub that dies in the middle -------------------------------------------------------------------------------------------------


@pytest.fixture
async def dying_hub(ground: Ground) -> AsyncIterator[RunningHub]:
    """A hub that dies after its first transaction, before anybody is told."""
    failpoints = json.dumps({"committer.after_commit_before_reply": "kill"})
    with ground.database() as uri:
        async with ground.hub(uri, FAILPOINTS=failpoints) as hub:
            yield hub


async def _revive(hub: RunningHub) -> None:
    assert isinstance(hub.process, ForkedHub)
    hub.process.settings["FAILPOINTS"] = "{}"
    await asyncio.to_thread(hub.process.restart)


@pytest.mark.parametrize("atomic", [False, True])
async def test_a_batch_sent_again_after_sigkill(dying_hub: RunningHub, ground: Ground, atomic: bool) -> None:
    """Of a large batch the hub had applied the first part; sent again, every item has one effect and one outcome."""
    wire = await dying_hub.wire(SHANGHAI)
    firms = ground.firms(CHANGXING)
    requests = [delta.authorize(CHANGXING, firms[i % len(firms)], SHANGHAI_LAB, f"K-{i}", 100 + i) for i in range(600)]
    request = batch(requests, atomic)
    broken = await wire.send(BATCH_AUTHORIZE, request.SerializeToString())
    assert not broken.final
    applied = _redemptions(dying_hub)
    assert applied == (600 if atomic else BATCH_ITEMS_MAX)
    await _revive(dying_hub)
    outcomes = (await wire.ask(BATCH_AUTHORIZE, request)).read(pb.BatchAuthorizeResponse).outcomes
    assert [outcome.response.redemption.order.order_no for outcome in outcomes] == [f"K-{i}" for i in range(600)]
    assert _redemptions(dying_hub) == 600
    for place in (0, BATCH_ITEMS_MAX - 1, BATCH_ITEMS_MAX, 599):
        assert same(outcomes[place], await wire.ask(AUTHORIZE, requests[place]))
    report = await audit(dying_hub.process.database_url)
    assert report.clean and report.counts["redemption"] == 600


def _redemptions(hub: RunningHub) -> int:
    with psycopg.connect(hub.process.database_url) as connection:
        row = connection.execute("SELECT count(*) FROM redemption").fetchone()
    assert row is not None
    return int(row[0])


async def test_a_batch_over_kafka_is_answered_as_one(ground: Ground, tmp_path: Path) -> None:
    firm = ground.firms(CHANGXING)[0]
    requests = [
        delta.authorize(CHANGXING, enterprise, SHANGHAI_LAB, f"K-{enterprise}", 100) for enterprise in (firm, credit_code(95, "91330522"))
    ]
    request = batch(requests)
    with ground.database() as uri:
        hub = Hub(Settings(database_url=uri, data_dir=tmp_path), CollectorRegistry())
        running = asyncio.create_task(hub.committer.run())
        try:
            command = InboundCommand(SHANGHAI, BATCH_AUTHORIZE, "k-1", request.SerializeToString(), "topic", 0, 0)
            await InboundCommands(hub.dispatcher).handle(command)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
            await hub.close()
        with psycopg.connect(uri) as connection:
            rows = connection.execute("SELECT payload FROM outbox WHERE type = 'yrd.events.v1.CommandOutcome'").fetchall()
    (told,) = [events_pb2.CommandOutcome.FromString(row[0]) for row in rows]
    assert (told.request_id, told.method) == (request.request_id, BATCH_AUTHORIZE)
    outcomes = pb.BatchAuthorizeResponse.FromString(told.response).outcomes
    assert [item_result(outcome).code for outcome in outcomes] == ["", "ENTERPRISE_NOT_FOUND"]
