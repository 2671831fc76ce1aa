"""Reserving an order's number before anything is authorized on it (rules.md O1). Pure."""

from __future__ import annotations

from hub.domain.decision import Decision, refuse
from hub.domain.model import OrderState
from hub.domain.refusals import Refusal, RefusalCode


def decide_reservation(known: OrderState | None, wanted: OrderState) -> Decision:
    """Decide on an order with nothing committed on it, so that its number is its enterprise's at its provider.

    ALREADY_EXISTS where the number is another enterprise's. A number that is the enterprise's already is left as it is once something is
    committed on the order; before that its lines may still change (rules.md O1).
    """
    if known is None:
        return Decision(order=wanted)
    if known.enterprise != wanted.enterprise:
        return refuse(
            Refusal(
                RefusalCode.ALREADY_EXISTS,
                metadata=(("order_no", wanted.key.order_no),),
                detail_zh="该服务机构的此订单号已属于另一企业",
                detail_en="this order number of the provider belongs to another enterprise",
            )
        )
    return Decision() if known.total else Decision(order=wanted)
