"""Reserving an order's number (rules.md O1)."""

from __future__ import annotations

from hub.domain.model import Line, OrderKey, OrderState
from hub.domain.policy import Category
from hub.domain.reservation import decide_reservation

KEY = OrderKey("91310000000000000X", "XQ-1")
FEE, OTHER_FEE = (Line(Category.RESEARCH, 100),), (Line(Category.RESEARCH, 200),)


def test_a_free_number_is_the_enterprises() -> None:
    wanted = OrderState(KEY, "A", FEE)
    assert decide_reservation(None, wanted).order == wanted


def test_anothers_number_is_refused() -> None:
    decision = decide_reservation(OrderState(KEY, "B", FEE), OrderState(KEY, "A", FEE))
    assert decision.refusal is not None and decision.refusal.code == "ALREADY_EXISTS"
    assert decision.order is None


def test_its_own_changes_lines_only_before_something_is_committed() -> None:
    wanted = OrderState(KEY, "A", OTHER_FEE)
    assert decide_reservation(OrderState(KEY, "A", FEE), wanted).order == wanted
    kept = decide_reservation(OrderState(KEY, "A", FEE, {"310000": 50}), wanted)
    assert kept.order is None and kept.refusal is None
