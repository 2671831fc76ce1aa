"""Province and city bear every fen of a redemption between them, and give every fen back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.anhui.funding import Split, borne, reconcile, split
from adapters.runtime.results import ObligationRow, RedemptionRow

AMOUNTS = st.integers(0, 2**53 - 1)
BP = st.integers(0, 10_000)
ROW = RedemptionRow(
    "r1", "HT-1", "340100", "310000", "firm", "lab", "CLEARED", "hf-2026", 0, 0, 0, "PROVIDER", "", "", "", "w1", ""
)  # fmt: skip


@given(AMOUNTS, BP)
def test_the_parts_add_up_and_a_refund_is_the_mirror(amount: int, bp: int) -> None:
    parts = split(amount, bp)
    assert parts.total == amount and parts.province >= 0 and parts.city >= 0
    assert parts.province * 10_000 <= amount * bp < (parts.province + 1) * 10_000
    assert split(-amount, bp) == Split(-parts.province, -parts.city)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=20), BP)
def test_what_is_given_back_in_pieces_leaves_nothing(pieces: list[int], bp: int) -> None:
    gross, back = sum(pieces), 0
    for piece in pieces:
        back += piece
        row = replace(ROW, subsidy_fen=gross - back, refunded_fen=back)
        found = borne(row, {("340100", "hf-2026"): bp})
        assert found is not None
        assert found.cleared == split(gross, bp), "what was cleared is not split anew by a refund"
        assert found.net.total == gross - back
        assert found.net.province >= 0 and found.net.city >= 0
    assert found is not None and found.net == Split(0, 0)


@given(st.lists(st.integers(1, 10**10), min_size=1, max_size=30))
def test_shares_reconcile_with_the_obligations_of_the_window(amounts: list[int]) -> None:
    rows = [replace(ROW, redemption_id=str(at), subsidy_fen=fen) for at, fen in enumerate(amounts)]
    parts = [split(fen, 4000) for fen in amounts]
    owed = [
        ObligationRow("w1", "340000", "lab", sum(part.province for part in parts), "DUE"),
        ObligationRow("w1", "340100", "lab", sum(part.city for part in parts), "PAID"),
        ObligationRow("w1", "340000", "another lab", 77, "DUE"),
        ObligationRow("w2", "340000", "lab", 88, "DUE"),
    ]
    checks = list(reconcile(rows, owed, {("340100", "hf-2026"): 4000}, "340000"))
    assert [(each.city, each.difference_fen) for each in checks if each.window_id == "w1"] == [("", 0), ("340100", 0)]
    assert list(reconcile(rows, [], {("340100", "hf-2026"): 4000}, "340000")) == [], "a window that is open is not checked"


def test_a_policy_without_shares_is_for_a_person() -> None:
    assert borne(ROW, {}) is None
    with pytest.raises(ValueError, match="no share"):
        split(1, 10_001)
