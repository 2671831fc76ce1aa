"""A region sees its own side and nothing else, whatever it asks; pages stay right while others write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

import pytest
from google.protobuf.message import Message

from hub.domain.divisions import COORDINATION
from tests.fixtures import delta
from tests.fixtures.delta import (
    ANHUI,
    ANHUI_LAB,
    CHANGXING,
    CLEARING,
    JIANGSU,
    SETTLEMENT,
    SHANGHAI,
    SHANGHAI_LAB,
    SUZHOU,
    VOUCHERS,
    ZHEJIANG,
)
from tests.fixtures.hub import RunningHub
from tests.support_usecases import credit_code
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.common.v1 import access_pb2
from yrd.participant.v1 import participant_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.voucher.v1 import voucher_pb2

HUZHOU, JIAXING, NANJING = "330500", "330400", "320100"
"""Huzhou lies above Changxing; the other two beside those who take part."""

EVERYBODY = (SHANGHAI, JIANGSU, SUZHOU, NANJING, ZHEJIANG, HUZHOU, CHANGXING, JIAXING, ANHUI, COORDINATION)
FIRM, SUZHOU_FIRM = credit_code(41, "91330522"), credit_code(42, "91320500")

# Who is on the side of an issuer, of an acquirer, of a firm's own division.
OF_CHANGXING = {CHANGXING, HUZHOU, ZHEJIANG, COORDINATION}
OF_ZHEJIANG, OF_JIANGSU, OF_SUZHOU = {ZHEJIANG, COORDINATION}, {JIANGSU, COORDINATION}, {SUZHOU, JIANGSU, COORDINATION}
OF_SHANGHAI, OF_ANHUI = {SHANGHAI, COORDINATION}, {ANHUI, COORDINATION}


class Flow(NamedTuple):
    """A cleared redemption and who may see it."""

    issuer: str
    firm: str
    lab: str
    seen_by: set[str]


FLOWS = {
    "A-1": Flow(CHANGXING, FIRM, SHANGHAI_LAB, OF_CHANGXING | OF_SHANGHAI),
    "A-2": Flow(ZHEJIANG, FIRM, SHANGHAI_LAB, OF_ZHEJIANG | OF_SHANGHAI),
    "A-3": Flow(JIANGSU, SUZHOU_FIRM, ANHUI_LAB, OF_JIANGSU | OF_ANHUI),
}


class Scene(NamedTuple):
    """A hub where everybody has something to hide. `redemptions` by order number."""

    hub: RunningHub
    redemptions: dict[str, pb.Redemption]
    window: settlement_pb2.Window


@pytest.fixture(scope="module")
async def scene(live_hub: RunningHub) -> AsyncIterator[Scene]:
    await delta.found(live_hub)
    await delta.furnish(live_hub, FIRM, CHANGXING, [CHANGXING, ZHEJIANG], 100_000, 20)
    await delta.furnish(live_hub, SUZHOU_FIRM, SUZHOU, [JIANGSU], 100_000, 20)
    redemptions = {}
    for order_no, flow in FLOWS.items():
        home = delta.LABS[flow.lab]
        request = delta.authorize(flow.issuer, flow.firm, flow.lab, order_no, 100_000)
        authorized: pb.AuthorizeResponse = await live_hub.call(home, f"{CLEARING}.Authorize", request)
        capture = delta.capture(authorized.redemption.redemption_id, f"FP-{order_no}")
        captured: pb.CaptureResponse = await live_hub.call(home, f"{CLEARING}.Capture", capture)
        redemptions[order_no] = captured.redemption
    close = settlement_pb2.CloseWindowRequest(issuers=[CHANGXING, ZHEJIANG, JIANGSU])
    window = (await live_hub.call(COORDINATION, f"{SETTLEMENT}.CloseWindow", close)).window
    yield Scene(live_hub, redemptions, window)


async def _codes(hub: RunningHub, method: str, request: Message) -> dict[str, str]:
    """Ask the same as everybody; return the code for each, `OK` where it was answered."""
    payload = request.SerializeToString()
    wires = {who: await hub.wire(who) for who in EVERYBODY}
    answers = await asyncio.gather(*(wire.send(method, payload) for wire in wires.values()))
    return {who: "OK" if answer.ok else answer.code for who, answer in zip(wires, answers, strict=True)}


def _only(allowed: set[str], otherwise: str) -> dict[str, str]:
    return {who: "OK" if who in allowed else otherwise for who in EVERYBODY}


@pytest.mark.parametrize("order_no", FLOWS)
async def test_a_redemption_does_not_exist_for_a_third_region(scene: Scene, order_no: str) -> None:
    request = pb.GetRedemptionRequest(redemption_id=scene.redemptions[order_no].redemption_id)
    expected = _only(FLOWS[order_no].seen_by, "REDEMPTION_NOT_FOUND")
    assert await _codes(scene.hub, f"{CLEARING}.GetRedemption", request) == expected


@pytest.mark.parametrize("who", EVERYBODY)
async def test_a_list_shows_the_callers_side_whatever_the_filter(scene: Scene, who: str) -> None:
    visible = {order_no for order_no, flow in FLOWS.items() if who in flow.seen_by}
    assert await _listed(scene, who, pb.ListRedemptionsRequest()) == visible
    for issuer in (CHANGXING, ZHEJIANG, JIANGSU, SHANGHAI):
        of_issuer = {order_no for order_no in visible if FLOWS[order_no].issuer == issuer}
        assert await _listed(scene, who, pb.ListRedemptionsRequest(issuer=issuer)) == of_issuer
    for acquirer in (SHANGHAI, ANHUI, ZHEJIANG):
        of_acquirer = {order_no for order_no in visible if delta.LABS[FLOWS[order_no].lab] == acquirer}
        assert await _listed(scene, who, pb.ListRedemptionsRequest(acquirer=acquirer)) == of_acquirer
    assert await _listed(scene, who, pb.ListRedemptionsRequest(state=pb.REDEMPTION_STATE_HELD)) == set()


async def _listed(scene: Scene, who: str, request: pb.ListRedemptionsRequest) -> set[str]:
    response: pb.ListRedemptionsResponse = await scene.hub.call(who, f"{CLEARING}.ListRedemptions", request)
    return {item.order.order_no for item in response.redemptions if item.order.order_no in FLOWS}


@pytest.mark.parametrize(
    ("issuer", "firm", "allowed"),
    [
        (CHANGXING, FIRM, OF_CHANGXING),
        # A firm's own platform sees what others issued to it.
        (ZHEJIANG, FIRM, OF_CHANGXING),
        (JIANGSU, SUZHOU_FIRM, OF_SUZHOU),
        # A wallet that nobody holds says no more to a stranger than one that somebody does.
        (SHANGHAI, FIRM, OF_CHANGXING | OF_SHANGHAI),
        (ANHUI, credit_code(43, "91340100"), OF_ANHUI),
    ],
)
async def test_a_wallet(scene: Scene, issuer: str, firm: str, allowed: set[str]) -> None:
    request = voucher_pb2.GetWalletRequest(issuer=issuer, enterprise=firm)
    assert await _codes(scene.hub, f"{VOUCHERS}.GetWallet", request) == _only(allowed, "NOT_PERMITTED")


async def test_an_enterprise(scene: Scene) -> None:
    request = participant_pb2.GetEnterpriseRequest(uscc=FIRM)
    assert await _codes(scene.hub, f"{delta.ENTERPRISES}.GetEnterprise", request) == _only(OF_CHANGXING, "ENTERPRISE_NOT_FOUND")


@pytest.mark.parametrize(("issuer", "allowed"), [(CHANGXING, OF_CHANGXING), (JIANGSU, OF_JIANGSU)])
async def test_the_accounts_of_an_issuer(scene: Scene, issuer: str, allowed: set[str]) -> None:
    request = settlement_pb2.GetIssuerPositionRequest(issuer=issuer)
    assert await _codes(scene.hub, f"{SETTLEMENT}.GetIssuerPosition", request) == _only(allowed, "NOT_PERMITTED")


@pytest.mark.parametrize(("lab", "allowed"), [(SHANGHAI_LAB, OF_SHANGHAI), (ANHUI_LAB, OF_ANHUI)])
async def test_the_money_of_a_provider(scene: Scene, lab: str, allowed: set[str]) -> None:
    request = settlement_pb2.GetProviderPositionRequest(provider=lab)
    assert await _codes(scene.hub, f"{SETTLEMENT}.GetProviderPosition", request) == _only(allowed, "NOT_PERMITTED")


async def test_a_quote_is_for_the_two_sides(scene: Scene) -> None:
    request = pb.QuoteRequest(input=delta.authorize(CHANGXING, FIRM, SHANGHAI_LAB, "A-9", 100_000).input)
    # The coordination group runs the network; it buys nothing.
    allowed = (OF_CHANGXING | OF_SHANGHAI) - {COORDINATION}
    assert await _codes(scene.hub, f"{CLEARING}.Quote", request) == _only(allowed, "NOT_PERMITTED")


@pytest.mark.parametrize("who", EVERYBODY)
async def test_a_window_shows_the_callers_own_debts(scene: Scene, who: str) -> None:
    sides = {CHANGXING: OF_CHANGXING, ZHEJIANG: OF_ZHEJIANG, JIANGSU: OF_JIANGSU}
    assert {item.debtor for item in scene.window.obligations} == set(sides)
    request = settlement_pb2.GetWindowRequest(window_id=scene.window.window_id)
    response: settlement_pb2.GetWindowResponse = await scene.hub.call(who, f"{SETTLEMENT}.GetWindow", request)
    assert {item.debtor for item in response.window.obligations} == {debtor for debtor, side in sides.items() if who in side}


async def test_participants_are_listed_to_their_own_division(scene: Scene) -> None:
    ids = {division: f"spiffe://{division[:2]}0000/{division}/reader" for division in (SHANGHAI, SUZHOU, CHANGXING)}
    for division, key in ids.items():
        made = participant_pb2.Participant(participant_id=key, division=division, name="查询系统", role=access_pb2.ROLE_PLATFORM)
        register = participant_pb2.RegisterParticipantRequest(participant=made)
        await scene.hub.call(COORDINATION, f"{delta.PARTICIPANTS}.RegisterParticipant", register)
    expected = {SHANGHAI: OF_SHANGHAI, SUZHOU: OF_SUZHOU, CHANGXING: OF_CHANGXING}
    for who in EVERYBODY:
        request = participant_pb2.ListParticipantsRequest()
        response = await scene.hub.call(who, f"{delta.PARTICIPANTS}.ListParticipants", request)
        visible = {item.division for item in response.participants}
        assert visible == {division for division, side in expected.items() if who in side}


async def test_the_request_id_of_another_tells_nothing(scene: Scene) -> None:
    request = delta.authorize(CHANGXING, FIRM, SHANGHAI_LAB, "A-8", 10_000)
    method = f"{CLEARING}.Authorize"
    approved = await (await scene.hub.wire(SHANGHAI)).ask(method, request)
    assert approved.ok
    assert (await (await scene.hub.wire(ANHUI)).ask(method, request)).code == "NOT_PERMITTED"
    assert (await (await scene.hub.wire(SHANGHAI)).ask(method, request)).body == approved.body


async def test_pages_stay_right_while_others_write(scene: Scene) -> None:
    known = await _authorize_many(scene, "P", 25)
    seen: list[str] = []
    token = ""
    while True:
        request = pb.ListRedemptionsRequest(issuer=CHANGXING, page_size=7, page_token=token)
        page: pb.ListRedemptionsResponse = await scene.hub.call(SHANGHAI, f"{CLEARING}.ListRedemptions", request)
        seen += [item.redemption_id for item in page.redemptions]
        if token == "":
            # What is on later pages changes, and what is newer than all of them comes in front.
            await scene.hub.call(SHANGHAI, f"{CLEARING}.Void", pb.VoidRequest(redemption_id=known[0]))
        await _authorize_many(scene, f"Q{len(seen)}", 5)
        token = page.next_page_token
        if not token:
            break
        assert len(page.redemptions) == 7
    assert len(seen) == len(set(seen))
    assert set(known) <= set(seen)
    # The list began before the newer ones were made, so none of them is in it.
    older = {item.redemption_id for item in scene.redemptions.values()}
    newer = set(seen) - set(known) - older
    assert not [key for key in newer if (await _order_no(scene, key)).startswith("Q")]


async def _authorize_many(scene: Scene, prefix: str, count: int) -> list[str]:
    """Authorize at once, so that several have the very same instant."""
    wire = await scene.hub.wire(SHANGHAI)
    requests = [delta.authorize(CHANGXING, FIRM, SHANGHAI_LAB, f"{prefix}-{number}", 2_000) for number in range(count)]
    answers = await asyncio.gather(*(wire.ask(f"{CLEARING}.Authorize", request) for request in requests))
    return [answer.read(pb.AuthorizeResponse).redemption.redemption_id for answer in answers]


async def _order_no(scene: Scene, redemption_id: str) -> str:
    request = pb.GetRedemptionRequest(redemption_id=redemption_id)
    response: pb.GetRedemptionResponse = await scene.hub.call(SHANGHAI, f"{CLEARING}.GetRedemption", request)
    return response.redemption.order.order_no
