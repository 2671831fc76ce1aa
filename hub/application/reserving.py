"""The ledger command that reserves an order's number."""

from __future__ import annotations

from dataclasses import dataclass

from hub.application.batch import Keys, WorkingSet
from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller
from hub.domain.model import OrderState
from hub.domain.reservation import decide_reservation


@dataclass(frozen=True, slots=True)
class ReserveOrderCommand:
    """Reserve an order's number for its enterprise. Sent again it changes nothing, so it needs no request id of its own."""

    order: OrderState

    def touch(self, keys: Keys) -> None:
        """Name the order."""
        keys.orders.add(self.order.key)

    def run(self, batch: WorkingSet, _caller: Caller) -> Outcome:
        """Decide, apply, answer."""
        decision = decide_reservation(batch.orders.get(self.order.key), self.order)
        if decision.refusal is not None:
            return refused(decision.refusal)
        batch.apply(decision)
        return Outcome(0, b"")
