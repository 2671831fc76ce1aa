"""The providers' part: demands they are invited to, their offers, and what they are appointed to."""

from __future__ import annotations

from registry.web.operations import PROVIDER, Body, Operation, Param, paging

_DEMAND = "yrd.registry.v1.DemandService"
_ID = Param("demand_id", "demand_id", "uuid", "path", required=True)

_OFFER = {
    "provider": "12310104425001236Q",
    "lines": [{"category": "CATEGORY_INSPECTION_TESTING", "amount_fen": 240000}],
    "delivery_days": 10,
    "valid_to": "2026-03-20",
    "note": "三个样品,含报告",
}

DEMANDS: tuple[Operation, ...] = (
    Operation(
        name="list_demands",
        http="GET",
        path=f"{PROVIDER}/demands",
        rpc=f"{_DEMAND}.ListDemands",
        tag="demands",
        zh="受邀的企业需求",
        en="The demands that one is invited to",
        params=(Param("state", "state", "enum"), *paging()),
    ),
    Operation(
        name="get_demand",
        http="GET",
        path=f"{PROVIDER}/demands/{{demand_id}}",
        rpc=f"{_DEMAND}.GetDemand",
        tag="demands",
        zh="查看需求、本方的邀请与报价",
        en="Read a demand, with one's own invitation and offers",
        params=(_ID,),
        codes=("DEMAND_NOT_FOUND",),
    ),
    Operation(
        name="submit_offer",
        http="POST",
        path=f"{PROVIDER}/demands/{{demand_id}}/offers",
        rpc=f"{_DEMAND}.SubmitOffer",
        tag="demands",
        zh="报价;再次报价替换前一份",
        en="Make an offer; another one replaces it",
        params=(Param("demand_id", "offer.demand_id", "uuid", "path", required=True),),
        body=Body("offer", required=("provider", "lines", "delivery_days", "valid_to"), example=_OFFER),
        answer="offer",
        status=201,
        codes=("DEMAND_NOT_FOUND", "ENTRY_NOT_FOUND", "INVALID_STATE", "PROVIDER_SUSPENDED", "PROVIDER_NOT_FOUND"),
    ),
    Operation(
        name="withdraw_offer",
        http="POST",
        path=f"{PROVIDER}/offers/{{offer_id}}/withdrawal",
        rpc=f"{_DEMAND}.WithdrawOffer",
        tag="demands",
        zh="撤回报价",
        en="Withdraw an offer",
        params=(Param("offer_id", "offer_id", "uuid", "path", required=True),),
        answer="offer",
        codes=("OFFER_NOT_FOUND", "INVALID_STATE"),
    ),
    Operation(
        name="decline_invitation",
        http="POST",
        path=f"{PROVIDER}/demands/{{demand_id}}/decline",
        rpc=f"{_DEMAND}.DeclineInvitation",
        tag="demands",
        zh="婉拒邀请",
        en="Decline an invitation",
        params=(_ID,),
        body=Body(only=("provider",), required=("provider",), example={"provider": "12310104425001236Q"}),
        answer="invitation",
        codes=("DEMAND_NOT_FOUND", "INVALID_STATE"),
    ),
    Operation(
        name="get_appointment",
        http="GET",
        path=f"{PROVIDER}/demands/{{demand_id}}/appointment",
        rpc=f"{_DEMAND}.GetAppointment",
        tag="demands",
        zh="被选中后的订单号与联系人",
        en="What one is appointed to: the reserved order number, the lines, the contact",
        params=(_ID,),
        answer="appointment",
        codes=("DEMAND_NOT_FOUND", "APPOINTMENT_NOT_FOUND"),
    ),
)
