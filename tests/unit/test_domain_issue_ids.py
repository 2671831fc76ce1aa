"""V1: an issue is all or nothing, down to the ids it would have used; numbers, and what an issuer may issue altogether."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from hub.domain.caller import Caller, Role
from hub.domain.decision import Decision
from hub.domain.issue import Issue, IssueItem, IssueSnapshot, decide_issue
from hub.domain.model import Enterprise
from hub.domain.money import MAX_FEN
from hub.domain.policy import Category, CategoryRule, EnterpriseKind, Mode, Policy
from hub.domain.refusals import Refusal, RefusalCode

POLICY = Policy("310000", "v", date(2026, 1, 1), Mode.PRE_SUBSIDY, 100, {Category.RESEARCH: CategoryRule(5_000)})
KNOWN = Enterprise("known", "firm", "310000", EnterpriseKind.TECH_SME)


def decided(*items: IssueItem, taken_numbers: tuple[str, ...] = (), issued_total: int = 0) -> tuple[list[Decision] | Refusal, list[int]]:
    """What an issue comes to, and the ids it took, which begin with 1."""
    ids: list[int] = []

    def next_id() -> int:
        ids.append(len(ids) + 1)
        return ids[-1]

    snapshot = IssueSnapshot(POLICY, {"known": KNOWN}, {}, frozenset(taken_numbers), issued_total)
    command = Issue("310000", items, date(2026, 3, 1))
    return decide_issue(snapshot, command, Caller("issuer", "310000", Role.PLATFORM), datetime(2026, 3, 1, tzinfo=UTC), next_id), ids


def test_v1_a_refused_issue_takes_no_ids() -> None:
    made, ids = decided(IssueItem("known", 50), IssueItem("unknown", 50))
    assert isinstance(made, Refusal)
    assert ids == []


def test_numbers_that_the_issuer_gave_itself_are_passed_over() -> None:
    own = "310000-2026-0000000004"
    made, ids = decided(
        IssueItem("known", 50, 2), IssueItem("known", 50, 1, (own,)), taken_numbers=("310000-2026-0000000001", "310000-2026-0000000002")
    )
    assert not isinstance(made, Refusal)
    numbers = [note.voucher_no for decision in made for note in decision.new_notes]
    assert numbers == ["310000-2026-0000000003", "310000-2026-0000000005", own]
    assert ids == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("items", "before", "field", "most"),
    [
        ([IssueItem("known", MAX_FEN)], 1, "items[0].face_fen", MAX_FEN - 1),
        ([IssueItem("known", 50), IssueItem("known", 30, 3)], MAX_FEN - 100, "items[1].face_fen", 16),
        ([IssueItem("known", 1)], 2**63 - 1, "items[0].face_fen", 0),
    ],
    ids=["the whole amount again", "the rest, in one issue", "a ledger from before there was a bound"],
)
def test_v1_all_that_an_issuer_issues_is_an_amount(items: list[IssueItem], before: int, field: str, most: int) -> None:
    made, ids = decided(*items, issued_total=before)
    assert isinstance(made, Refusal) and made.code is RefusalCode.INVALID_ARGUMENT
    assert [violation.field for violation in made.violations] == [field]
    assert made.violations[0].description.startswith(f"must be at most {most} fen:")
    assert ids == []


def test_v1_an_issuer_may_issue_to_the_last_fen_of_an_amount() -> None:
    made, _ = decided(IssueItem("known", 40), IssueItem("known", 30, 2), issued_total=MAX_FEN - 100)
    assert not isinstance(made, Refusal)
