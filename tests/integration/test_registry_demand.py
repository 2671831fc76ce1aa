"""Demands from posting to the order, who sees what on the way, and what is refused when."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import pytest

from hub.application.enterprises import register_enterprise
from hub.application.reserving import ReserveOrderCommand
from hub.domain.caller import Caller, Role
from hub.domain.model import Line, OrderKey, OrderState
from hub.domain.policy import Category
from hub.failpoints import FailpointError, arm
from hub.ledger.committer import GroupCommitter
from registry.admission.standing import reinstate_provider, suspend_provider
from registry.demand.answering import accept_offer, decline_invitation, get_appointment, submit_offer, withdraw_offer
from registry.demand.posting import get_demand, invite_providers, list_demands, match_demand, post_demand, withdraw_demand
from tests.fixtures.ledger import running
from tests.support_demand import accept
from tests.support_pool import TESTING, admit, index, offer
from tests.support_usecases import COORDINATOR, Desk, codes, credit_code, platform, response
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import types_pb2
from yrd.participant.v1 import participant_pb2
from yrd.registry.v1 import demand_pb2 as pb
from yrd.registry.v1 import registry_pb2

SHANGHAI, JIANGSU, ZHEJIANG, SUZHOU, HUZHOU, CHANGXING = "310000", "320000", "330000", "320500", "330500", "330522"
FIRM, OTHER_FIRM = credit_code(90, "91330522"), credit_code(91, "91330522")
POLYMER, PACK, STEEL = credit_code(1, "12310104"), credit_code(2, "12330500"), credit_code(3, "12320500")
HOMES = {POLYMER: SHANGHAI, PACK: HUZHOU, STEEL: SUZHOU}
NEED = "我公司生产食品包装用的塑料薄膜,需要做成分分析,弄清各层材质和添加剂,并出具报告"


def lab(uscc: str) -> Caller:
    home = HOMES[uscc]
    return Caller(f"spiffe://{home[:2]}0000/{home}/provider-{uscc}", home, Role.PROVIDER)


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    for uscc, name in ((POLYMER, "上海高分子材料研究开发中心"), (PACK, "湖州包装材料检测站"), (STEEL, "苏州金属材料测试中心")):
        await admit(desk, uscc, HOMES[uscc], name)
    await offer(desk, POLYMER, SHANGHAI, "P-1", "塑料薄膜成分分析", price=800_000, description="各层材质与添加剂分析,出具报告")
    await offer(desk, PACK, HUZHOU, "D-1", "食品包装薄膜检测", price=300_000)
    await offer(desk, STEEL, SUZHOU, "S-1", "钛合金疲劳试验", price=100_000)
    await index(desk.uri)
    for uscc in (FIRM, OTHER_FIRM):
        firm = participant_pb2.Enterprise(
            uscc=uscc, name="浙江新高包装有限公司", division=CHANGXING, kind=types_pb2.ENTERPRISE_KIND_ABOVE_SCALE
        )
        await desk.do(register_enterprise, platform(CHANGXING), participant_pb2.RegisterEnterpriseRequest(enterprise=firm))
    return desk


def demand(**changes: Any) -> pb.Demand:
    said: dict[str, Any] = {
        "enterprise": FIRM,
        "title": "包装薄膜成分分析",
        "text": NEED,
        "budget_fen": 1_000_000,
        "due_on": "2026-03-31",
        "contact": pb.Contact(name="技术部", reach="0572-6000000"),
    }
    return pb.Demand(**{**said, **changes})


async def post(desk: Desk, best: int = 0, **changes: Any) -> pb.PostDemandResponse:
    request = pb.PostDemandRequest(demand=demand(**changes), invite_best=best)
    answer: pb.PostDemandResponse = await desk.do(post_demand, platform(CHANGXING), request)
    return answer


def bid(demand_id: str, provider: str = POLYMER, **changes: Any) -> pb.SubmitOfferRequest:
    lines = [clearing_pb2.OrderLine(category=TESTING, amount_fen=700_000), clearing_pb2.OrderLine(category=TESTING, amount_fen=50_000)]
    said: dict[str, Any] = {"lines": lines, "delivery_days": 10, "valid_to": "2026-03-20", "note": "含取样"}
    return pb.SubmitOfferRequest(offer=pb.Offer(demand_id=demand_id, provider=provider, **{**said, **changes}))


async def agree(desk: Desk, offer_id: str) -> pb.Appointment:
    request = pb.AcceptOfferRequest(offer_id=offer_id)
    appointment: pb.Appointment = response(request, await accept(desk, platform(CHANGXING), request)).appointment
    return appointment


async def test_the_best_matches_are_found_and_explained(desk: Desk) -> None:
    demand_id = (await post(desk)).demand.demand_id
    answer = await desk.ask(match_demand, platform(CHANGXING), pb.MatchDemandRequest(demand_id=demand_id))
    assert [match.hit.provider for match in answer.matches][:2] == [POLYMER, PACK]
    assert STEEL not in {match.hit.provider for match in answer.matches}
    assert all(part.zh for match in answer.matches for part in match.hit.parts)
    cheap = (await post(desk, budget_fen=400_000)).demand.demand_id
    answer = await desk.ask(match_demand, platform(CHANGXING), pb.MatchDemandRequest(demand_id=cheap))
    assert next((match.hit.provider, match.within_budget) for match in answer.matches) == (PACK, True)
    near = (await post(desk, preferred_division=ZHEJIANG)).demand.demand_id
    answer = await desk.ask(match_demand, platform(CHANGXING), pb.MatchDemandRequest(demand_id=near))
    assert next((match.hit.provider, match.preferred) for match in answer.matches) == (PACK, True)


async def test_from_a_demand_to_an_order_of_the_ledger(desk: Desk) -> None:
    posted = await post(desk, best=2)
    demand_id = posted.demand.demand_id
    assert {item.provider for item in posted.invitations} == {POLYMER, PACK}
    made = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    rival = await desk.do(submit_offer, platform(HUZHOU), bid(demand_id, PACK))
    assert made.offer.price_fen == 750_000
    appointment = await agree(desk, made.offer.offer_id)
    assert (appointment.enterprise, appointment.provider, appointment.deliver_by) == (FIRM, POLYMER, "2026-03-12")
    assert appointment.order.order_no.startswith("XQ20260302-") and [line.amount_fen for line in appointment.order.lines] == [
        700_000,
        50_000,
    ]
    assert appointment.contact.name == "技术部"
    assert desk.rows("SELECT provider, order_no, enterprise, expenditure, committed_total FROM service_order") == [
        (POLYMER, appointment.order.order_no, FIRM, 750_000, 0)
    ]
    whole = await desk.ask(get_demand, platform(CHANGXING), pb.GetDemandRequest(demand_id=demand_id))
    assert whole.demand.state == pb.DEMAND_STATE_APPOINTED
    assert {item.offer_id: item.state for item in whole.offers} == {
        made.offer.offer_id: pb.OFFER_STATE_ACCEPTED,
        rival.offer.offer_id: pb.OFFER_STATE_CLOSED,
    }
    for caller in (platform(CHANGXING), platform(ZHEJIANG), lab(POLYMER), platform(SHANGHAI), COORDINATOR):
        assert (await desk.ask(get_appointment, caller, pb.GetAppointmentRequest(demand_id=demand_id))).appointment == appointment


async def test_a_provider_sees_what_an_offer_needs_and_no_more(desk: Desk) -> None:
    demand_id = (await post(desk, best=1)).demand.demand_id
    request = pb.GetDemandRequest(demand_id=demand_id)
    for caller in (lab(POLYMER), platform(SHANGHAI)):
        seen = (await desk.ask(get_demand, caller, request)).demand
        assert (seen.text, seen.division, seen.budget_fen) == (NEED, CHANGXING, 1_000_000)
        assert (seen.enterprise, seen.contact.name, seen.contact.reach) == ("", "", "")
        listed = (await desk.ask(list_demands, caller, pb.ListDemandsRequest())).demands
        assert [item.demand_id for item in listed] == [demand_id] and not listed[0].enterprise
    for caller in (lab(PACK), lab(STEEL), platform(JIANGSU)):
        assert await desk.unanswered(get_demand, caller, request) == ("DEMAND_NOT_FOUND", [])
        assert not (await desk.ask(list_demands, caller, pb.ListDemandsRequest())).demands
    for caller in (platform(CHANGXING), platform(ZHEJIANG), COORDINATOR):
        assert (await desk.ask(get_demand, caller, request)).demand.contact.reach == "0572-6000000"
    assert FIRM.encode() not in b"".join(
        told.message.SerializeToString()
        for told in desk.told()
        if told.topic == "310000.out" and "demand" in str(told.message.DESCRIPTOR.name).lower()
    )


async def test_each_side_is_told_what_concerns_it(desk: Desk) -> None:
    before = len(desk.told())
    demand_id = (await post(desk, best=2)).demand.demand_id
    made = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    await agree(desk, made.offer.offer_id)
    told = [(item.topic, type(item.message).__name__, getattr(item.message, "cause", "")) for item in desk.told()[before:]]
    assert told == [
        ("330000.out", "DemandChanged", "Post"),
        ("310000.out", "InvitationChanged", "Invite"),
        ("330000.out", "InvitationChanged", "Invite"),
        ("310000.out", "OfferChanged", "Submit"),
        ("330000.out", "OfferChanged", "Submit"),
        ("330000.out", "InvitationChanged", "Appoint"),
        ("330000.out", "DemandChanged", "Appoint"),
        ("310000.out", "AppointmentMade", ""),
        ("330000.out", "AppointmentMade", ""),
    ]
    for item in desk.told()[before:]:
        if item.topic == "310000.out" and hasattr(item.message, "demand"):
            assert not item.message.demand.enterprise and not item.message.demand.contact.name


async def test_another_offer_replaces_the_first(desk: Desk) -> None:
    demand_id = (await post(desk, best=1)).demand.demand_id
    first = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    second = await desk.do(submit_offer, platform(SHANGHAI), bid(demand_id, delivery_days=5))
    seen = await desk.ask(get_demand, lab(POLYMER), pb.GetDemandRequest(demand_id=demand_id))
    assert {item.offer_id: item.state for item in seen.offers} == {
        first.offer.offer_id: pb.OFFER_STATE_REPLACED,
        second.offer.offer_id: pb.OFFER_STATE_OPEN,
    }
    accept = pb.AcceptOfferRequest(offer_id=first.offer.offer_id)
    assert await desk.refused(accept_offer, platform(CHANGXING), accept) == ("INVALID_STATE", [])


async def test_time_ends_offers_and_demands(desk: Desk) -> None:
    demand_id = (await post(desk, best=1)).demand.demand_id
    made = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    accept = pb.AcceptOfferRequest(offer_id=made.offer.offer_id)
    desk.advance_to("2026-03-21")
    seen = await desk.ask(get_demand, lab(POLYMER), pb.GetDemandRequest(demand_id=demand_id))
    assert (seen.offers[0].state, seen.demand.state) == (pb.OFFER_STATE_EXPIRED, pb.DEMAND_STATE_OPEN)
    assert await desk.refused(accept_offer, platform(CHANGXING), accept) == ("INVALID_STATE", [])
    desk.advance_to("2026-04-01")
    seen = await desk.ask(get_demand, platform(CHANGXING), pb.GetDemandRequest(demand_id=demand_id))
    assert seen.demand.state == pb.DEMAND_STATE_EXPIRED
    late = bid(demand_id, valid_to="2026-04-02")
    assert await desk.refused(submit_offer, lab(POLYMER), late) == ("INVALID_STATE", [])
    assert await desk.refused(withdraw_demand, platform(CHANGXING), pb.WithdrawDemandRequest(demand_id=demand_id)) == ("INVALID_STATE", [])
    for state, count in ((pb.DEMAND_STATE_EXPIRED, 1), (pb.DEMAND_STATE_OPEN, 0)):
        assert len((await desk.ask(list_demands, platform(CHANGXING), pb.ListDemandsRequest(state=state))).demands) == count


async def test_withdrawing_and_declining_end_what_is_open(desk: Desk) -> None:
    demand_id = (await post(desk, best=2)).demand.demand_id
    made = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    await desk.do(withdraw_offer, lab(POLYMER), pb.WithdrawOfferRequest(offer_id=made.offer.offer_id))
    again = pb.WithdrawOfferRequest(offer_id=made.offer.offer_id)
    assert await desk.refused(withdraw_offer, lab(POLYMER), again) == ("INVALID_STATE", [])
    decline = pb.DeclineInvitationRequest(demand_id=demand_id, provider=PACK)
    await desk.do(decline_invitation, lab(PACK), decline)
    assert await desk.refused(submit_offer, lab(PACK), bid(demand_id, PACK)) == ("INVALID_STATE", [])
    assert await desk.unanswered(get_demand, lab(PACK), pb.GetDemandRequest(demand_id=demand_id)) == ("DEMAND_NOT_FOUND", [])
    other = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    await desk.do(withdraw_demand, platform(CHANGXING), pb.WithdrawDemandRequest(demand_id=demand_id))
    accept = pb.AcceptOfferRequest(offer_id=other.offer.offer_id)
    assert await desk.refused(accept_offer, platform(CHANGXING), accept) == ("INVALID_STATE", [])
    missing = pb.GetAppointmentRequest(demand_id=demand_id)
    assert await desk.unanswered(get_appointment, platform(CHANGXING), missing) == ("APPOINTMENT_NOT_FOUND", [])
    assert await desk.unanswered(get_appointment, lab(POLYMER), missing) == ("DEMAND_NOT_FOUND", [])


async def test_who_may_not_is_refused_and_nothing_changes(desk: Desk) -> None:
    demand_id = (await post(desk, best=1)).demand.demand_id
    made = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    accept = pb.AcceptOfferRequest(offer_id=made.offer.offer_id)
    withdraw, invite = pb.WithdrawDemandRequest(demand_id=demand_id), pb.InviteProvidersRequest(demand_id=demand_id, providers=[STEEL])
    cases: list[tuple[Any, Caller, Any, str]] = [
        (post_demand, platform(JIANGSU), pb.PostDemandRequest(demand=demand()), "ENTERPRISE_NOT_FOUND"),
        (accept_offer, platform(SHANGHAI), accept, "OFFER_NOT_FOUND"),
        (accept_offer, platform(JIANGSU), accept, "OFFER_NOT_FOUND"),
        (withdraw_demand, platform(SHANGHAI), withdraw, "DEMAND_NOT_FOUND"),
        (invite_providers, platform(JIANGSU), invite, "DEMAND_NOT_FOUND"),
        (submit_offer, lab(STEEL), bid(demand_id, POLYMER), "DEMAND_NOT_FOUND"),
        (submit_offer, lab(STEEL), bid(demand_id, STEEL), "DEMAND_NOT_FOUND"),
        (submit_offer, platform(CHANGXING), bid(demand_id, POLYMER), "DEMAND_NOT_FOUND"),
        (withdraw_offer, lab(PACK), pb.WithdrawOfferRequest(offer_id=made.offer.offer_id), "OFFER_NOT_FOUND"),
        (decline_invitation, lab(PACK), pb.DeclineInvitationRequest(demand_id=demand_id, provider=POLYMER), "DEMAND_NOT_FOUND"),
        (submit_offer, lab(POLYMER), bid(demand_id, entry_id=2), "ENTRY_NOT_FOUND"),
        (
            invite_providers,
            platform(CHANGXING),
            pb.InviteProvidersRequest(demand_id=demand_id, providers=[credit_code(77)]),
            "PROVIDER_NOT_FOUND",
        ),
    ]
    for use_case, caller, request, code in cases:
        assert (await desk.refused(use_case, caller, request))[0] == code, (use_case.__name__, caller)


async def test_standing_counts_when_inviting_offering_and_accepting(desk: Desk) -> None:
    demand_id = (await post(desk, best=1)).demand.demand_id
    made = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    await desk.do(suspend_provider, platform(SHANGHAI), registry_pb2.SuspendProviderRequest(provider=POLYMER, reason="复核"))
    await desk.do(suspend_provider, platform(SUZHOU), registry_pb2.SuspendProviderRequest(provider=STEEL, reason="复核"))
    accept = pb.AcceptOfferRequest(offer_id=made.offer.offer_id)
    assert await desk.refused(accept_offer, platform(CHANGXING), accept) == ("PROVIDER_SUSPENDED", [])
    assert await desk.refused(submit_offer, lab(POLYMER), bid(demand_id)) == ("PROVIDER_SUSPENDED", [])
    invite = pb.InviteProvidersRequest(demand_id=demand_id, providers=[STEEL])
    assert await desk.refused(invite_providers, platform(CHANGXING), invite) == ("PROVIDER_SUSPENDED", [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"enterprise": "x"}, "demand.enterprise"),
        ({"title": ""}, "demand.title"),
        ({"title": "题" * 101}, "demand.title"),
        ({"text": " "}, "demand.text"),
        ({"text": "请联系 13800138000"}, "demand.text"),
        ({"text": "邮箱 lab@example.com"}, "demand.text"),
        ({"category": 77}, "demand.category"),
        ({"budget_fen": -1}, "demand.budget_fen"),
        ({"due_on": "2026-03-01"}, "demand.due_on"),
        ({"due_on": "2027-04-01"}, "demand.due_on"),
        ({"due_on": "soon"}, "demand.due_on"),
        ({"preferred_division": "33"}, "demand.preferred_division"),
        ({"contact": pb.Contact(name="x")}, "demand.contact.reach"),
    ],
)
async def test_wrong_demands_are_refused_by_field(desk: Desk, changes: dict[str, Any], field: str) -> None:
    request = pb.PostDemandRequest(demand=demand(**changes))
    assert await desk.refused(post_demand, platform(CHANGXING), request) == ("INVALID_ARGUMENT", [field])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"lines": []}, "offer.lines"),
        ({"delivery_days": 0}, "offer.delivery_days"),
        ({"valid_to": "2026-03-01"}, "offer.valid_to"),
        ({"valid_to": "2026-04-01"}, "offer.valid_to"),
        ({"note": "注" * 1_001}, "offer.note"),
        ({"entry_id": -1}, "offer.entry_id"),
        ({"demand_id": "x"}, "offer.demand_id"),
        ({"provider": "x"}, "offer.provider"),
    ],
)
async def test_wrong_offers_are_refused_by_field(desk: Desk, changes: dict[str, Any], field: str) -> None:
    demand_id = (await post(desk, best=1)).demand.demand_id
    request = bid(demand_id)
    request.offer.MergeFrom(pb.Offer(**{k: v for k, v in changes.items() if v not in (0, [])}))
    if "lines" in changes:
        request.offer.ClearField("lines")
    if changes.get("delivery_days") == 0:
        request.offer.ClearField("delivery_days")
    assert await desk.refused(submit_offer, lab(POLYMER), request) == ("INVALID_ARGUMENT", [field])


async def test_of_two_who_accept_at_once_one_does(desk: Desk) -> None:
    demand_id = (await post(desk, best=2)).demand.demand_id
    made = [await desk.do(submit_offer, lab(uscc), bid(demand_id, uscc)) for uscc in (POLYMER, PACK)]
    requests = [pb.AcceptOfferRequest(offer_id=item.offer.offer_id) for item in made]
    outcomes = await asyncio.gather(*(accept(desk, platform(CHANGXING), request) for request in requests))
    assert codes(outcomes) == ["INVALID_STATE", "OK"]
    assert len(desk.rows("SELECT 1 FROM registry.appointment")) == 1
    # A number reserved for the one who came too late stays unused.
    assert set(desk.rows("SELECT enterprise, committed_total FROM service_order")) == {(FIRM, 0)}


@pytest.mark.parametrize("afterwards", ["again", "next day", "another provider", "another offer", "withdrawn"])
async def test_a_number_reserved_by_an_acceptance_that_died_is_in_nobodys_way(desk: Desk, afterwards: str) -> None:
    """The hub dies between the reservation and the appointment. The repeat succeeds, and so does whatever is done instead."""
    demand_id = (await post(desk, best=2)).demand.demand_id
    made = [await desk.do(submit_offer, lab(uscc), bid(demand_id, uscc)) for uscc in (POLYMER, PACK)]
    offer_id = made[0].offer.offer_id
    request = pb.AcceptOfferRequest(request_id=str(uuid.uuid4()), offer_id=offer_id)
    arm({"unitofwork.before_commit": "error"})
    try:
        with pytest.raises(FailpointError):
            await accept(desk, platform(CHANGXING), request)
    finally:
        arm({})
    held = "SELECT provider, enterprise, committed_total FROM service_order ORDER BY order_no"
    assert desk.rows(held) == [(POLYMER, FIRM, 0)]
    assert desk.rows("SELECT 1 FROM registry.appointment") == []
    if afterwards == "withdrawn":
        await desk.do(withdraw_demand, platform(CHANGXING), pb.WithdrawDemandRequest(demand_id=demand_id))
        assert desk.rows(held) == [(POLYMER, FIRM, 0)], "no amount hangs on it"
        return
    if afterwards == "next day":
        desk.advance_to("2026-03-03")
    elif afterwards == "another provider":
        request = pb.AcceptOfferRequest(offer_id=made[1].offer.offer_id)
    elif afterwards == "another offer":
        await desk.do(withdraw_offer, lab(POLYMER), pb.WithdrawOfferRequest(offer_id=offer_id))
        dearer = bid(demand_id, lines=[clearing_pb2.OrderLine(category=TESTING, amount_fen=900_000)])
        request = pb.AcceptOfferRequest(offer_id=(await desk.do(submit_offer, lab(POLYMER), dearer)).offer.offer_id)
    appointment = response(pb.AcceptOfferRequest(), await accept(desk, platform(CHANGXING), request)).appointment
    ((expenditure,),) = desk.rows(f"SELECT expenditure FROM service_order WHERE order_no = '{appointment.order.order_no}'"
                                  f" AND provider = '{appointment.provider}'")  # fmt: skip
    assert expenditure == sum(line.amount_fen for line in appointment.order.lines)
    assert expenditure == (900_000 if afterwards == "another offer" else 750_000)
    assert appointment.order.order_no.startswith("XQ20260303" if afterwards == "next day" else "XQ20260302")


async def test_an_acceptance_that_is_refused_leaves_nothing_on_the_ledger(desk: Desk) -> None:
    demand_id = (await post(desk, best=1)).demand.demand_id
    made = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    request = pb.AcceptOfferRequest(offer_id=made.offer.offer_id)
    assert codes([await accept(desk, platform(SHANGHAI), request)]) == ["OFFER_NOT_FOUND"]
    await desk.do(suspend_provider, platform(SHANGHAI), registry_pb2.SuspendProviderRequest(provider=POLYMER, reason="复核"))
    refused = pb.AcceptOfferRequest(offer_id=made.offer.offer_id)
    assert codes([await accept(desk, platform(CHANGXING), refused)]) == ["PROVIDER_SUSPENDED"]
    assert desk.rows("SELECT 1 FROM service_order") == []
    # What was in the way at the first look and is gone at the second: nothing is agreed without a number.
    await desk.do(reinstate_provider, platform(SHANGHAI), registry_pb2.ReinstateProviderRequest(provider=POLYMER, reason="复核通过"))
    assert await desk.refused(accept_offer, platform(CHANGXING), pb.AcceptOfferRequest(offer_id=made.offer.offer_id)) == (
        "INVALID_STATE",
        [],
    )


async def test_accepting_again_changes_nothing_and_a_request_id_is_looked_at_first(desk: Desk) -> None:
    demand_id = (await post(desk, best=1)).demand.demand_id
    made = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    request = pb.AcceptOfferRequest(offer_id=made.offer.offer_id)
    first = await accept(desk, platform(CHANGXING), request)
    state = desk.state()
    assert await accept(desk, platform(CHANGXING), request) == first
    other = (await post(desk, best=1)).demand.demand_id
    bidden = await desk.do(submit_offer, lab(POLYMER), bid(other))
    reused = pb.AcceptOfferRequest(request_id=request.request_id, offer_id=bidden.offer.offer_id)
    assert codes([await accept(desk, platform(CHANGXING), reused)]) == ["REQUEST_ID_REUSED"]
    assert desk.state()["public.service_order"] == state["public.service_order"]


async def test_a_number_that_another_enterprise_took_refuses_the_acceptance(desk: Desk) -> None:
    demand_id = (await post(desk, best=1)).demand.demand_id
    made = await desk.do(submit_offer, lab(POLYMER), bid(demand_id))
    order_no = f"XQ20260302-{demand_id.replace('-', '')[16:].upper()}"
    taken = ReserveOrderCommand(OrderState(OrderKey(POLYMER, order_no), OTHER_FIRM, (Line(Category.RESEARCH, 100),)))
    committer = GroupCommitter(desk.uri, desk.clock)
    async with running(committer):
        assert (await committer.submit(taken, COORDINATOR)).ok
        assert (await committer.submit(taken, COORDINATOR)).ok, "sent again it is as it was"
    before = desk.state()
    request = pb.AcceptOfferRequest(offer_id=made.offer.offer_id)
    assert codes([await accept(desk, platform(CHANGXING), request)]) == ["ALREADY_EXISTS"]
    assert desk.state() == before


async def test_pages_of_demands(desk: Desk) -> None:
    for i in range(5):
        await post(desk, title=f"需求 {i}")
        desk.advance_to(f"2026-03-{3 + i:02}")
    seen: list[str] = []
    token = ""
    while True:
        answer = await desk.ask(list_demands, platform(ZHEJIANG), pb.ListDemandsRequest(page_size=2, page_token=token))
        seen += [item.title for item in answer.demands]
        token = answer.next_page_token
        if not token:
            break
    assert seen == [f"需求 {i}" for i in (4, 3, 2, 1, 0)]
    wrong = pb.ListDemandsRequest(page_token="x")
    assert await desk.unanswered(list_demands, platform(ZHEJIANG), wrong) == ("INVALID_ARGUMENT", ["page_token"])
