"""Vouchers: issue, cancel, expiry (V1, V2), and what a triple check (V3) goes by."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import count

import pytest

from hub.domain.issue import IssueItem, issue_cap, whole_notes
from hub.domain.model import Note, Wallet, WalletKey
from hub.domain.posting import Account, Cause
from hub.domain.refusals import Refusal
from tests.unit.builders import (
    ACQUIRER_CALLS,
    ENTERPRISE,
    ISSUER,
    ISSUER_CALLS,
    OTHER_ENTERPRISE,
    TODAY,
    Desk,
    approved,
    code,
    desk,
    enterprise,
    line,
    note,
    policy,
)


def _issued(made: list[Note] | Refusal) -> list[Note]:
    assert not isinstance(made, Refusal), made
    return made


def _refused(made: list[Note] | Refusal) -> str:
    assert isinstance(made, Refusal)
    return made.code.value


def _two(world: Desk) -> None:
    world.ws.enterprises[OTHER_ENTERPRISE] = enterprise(uscc=OTHER_ENTERPRISE)


def test_v1_an_issue_is_cut_into_notes_of_the_denomination() -> None:
    world = desk(policy(denomination_fen=1000_00, validity_months=12), notes=0)
    made = _issued(world.issue(IssueItem(ENTERPRISE, 3000_00, 2)))
    assert [item.face for item in made] == [1000_00] * 6
    assert {(item.available, item.reserved, item.redeemed, item.returned) for item in made} == {(1000_00, 0, 0, 0)}
    assert {item.expires_on for item in made} == {date(2027, 3, 2)}
    assert len({item.voucher_no for item in made}) == 6
    wallet = world.wallet()
    assert (wallet.issued, wallet.last_expiry, wallet.quota_used) == ({2026: 6000_00}, date(2027, 3, 2), {})


def test_v1_without_a_denomination_a_face_is_one_note() -> None:
    world = desk(notes=0)
    made = _issued(world.issue(IssueItem(ENTERPRISE, 333_33, 2, ("A-1", "A-2"))))
    assert [(item.voucher_no, item.face) for item in made] == [("A-1", 333_33), ("A-2", 333_33)]


def test_v1_issue_moves_appropriation_to_outstanding() -> None:
    world = desk(notes=0)
    _issued(world.issue(IssueItem(ENTERPRISE, 500_00, 3)))
    (entry,) = world.ws.journal
    transfer = entry.transfer
    assert (transfer.cause, transfer.debit, transfer.credit, transfer.amount) == (
        Cause.ISSUE,
        Account.APPROPRIATION,
        Account.OUTSTANDING,
        1500_00,
    )
    assert sum(amount for _, amount in transfer.notes) == 1500_00
    assert entry.window_no == 0


@pytest.mark.parametrize("face", [999_99, 1000_01, 1, 500_00])
def test_v1_a_face_that_is_no_whole_number_of_notes(face: int) -> None:
    world = desk(policy(denomination_fen=1000_00), notes=0)
    refusal = world.issue(IssueItem(ENTERPRISE, 1000_00), IssueItem(ENTERPRISE, face, 2))
    assert _refused(refusal) == "INVALID_ARGUMENT"
    assert isinstance(refusal, Refusal) and refusal.violations[0].field == "items[1].face_fen"
    assert whole_notes(policy(denomination_fen=1000_00), face, "face") is not None
    assert whole_notes(policy(), face, "face") is None


def test_v1_issue_cap_per_enterprise_and_quota_year() -> None:
    world = desk(policy(annual_issue_cap_fen=1000_00, effective_from=date(2025, 1, 1)), notes=0)
    _two(world)
    _issued(world.issue(IssueItem(ENTERPRISE, 600_00), IssueItem(OTHER_ENTERPRISE, 1000_00)))
    assert _refused(world.issue(IssueItem(ENTERPRISE, 400_01))) == "ISSUE_CAP_EXCEEDED"
    assert _refused(world.issue(IssueItem(ENTERPRISE, 200_00), IssueItem(ENTERPRISE, 200_01))) == "ISSUE_CAP_EXCEEDED"
    # The year is that of the issue date.
    _issued(world.issue(IssueItem(ENTERPRISE, 1000_00), issued_on=date(2025, 12, 31)))
    _issued(world.issue(IssueItem(ENTERPRISE, 400_00)))
    assert world.wallet().issued == {2025: 1000_00, 2026: 1000_00}
    world.advance(date(2027, 1, 1))
    _issued(world.issue(IssueItem(ENTERPRISE, 1000_00)))
    assert issue_cap(policy(), 10**12, 10**12) is None


def test_v1_an_issue_is_all_or_nothing() -> None:
    world = desk(policy(annual_issue_cap_fen=1000_00), notes=0)
    _two(world)
    assert _refused(world.issue(IssueItem(ENTERPRISE, 100_00), IssueItem(OTHER_ENTERPRISE, 1000_01))) == "ISSUE_CAP_EXCEEDED"
    assert world.ws.wallets == {} and world.ws.journal == [] and world.ws.new_notes == []


def test_v1_who_and_when() -> None:
    world = desk(notes=0)
    item = IssueItem(ENTERPRISE, 100_00)
    assert _refused(world.issue(item, caller=ACQUIRER_CALLS)) == "NOT_PERMITTED"
    assert _refused(world.issue(item, issued_on=TODAY + timedelta(days=1))) == "INVALID_ARGUMENT"
    assert _refused(world.issue(IssueItem(OTHER_ENTERPRISE, 100_00))) == "ENTERPRISE_NOT_FOUND"
    world.ws.enterprises[ENTERPRISE] = enterprise(division="320500")
    assert _refused(world.issue(item)) == "ENTERPRISE_NOT_OF_ISSUER"
    world.ws.policies.clear()
    assert _refused(world.issue(item)) == "POLICY_NOT_IN_FORCE"


def test_v1_numbers_are_unique_and_fit_the_notes() -> None:
    world = desk(policy(denomination_fen=100_00), notes=0)
    assert _refused(world.issue(IssueItem(ENTERPRISE, 200_00, 1, ("A",)))) == "INVALID_ARGUMENT"
    assert _refused(world.issue(IssueItem(ENTERPRISE, 200_00, 1, ("A", "A")))) == "ALREADY_EXISTS"
    _issued(world.issue(IssueItem(ENTERPRISE, 200_00, 1, ("A", "B"))))
    again = world.issue(IssueItem(ENTERPRISE, 100_00, 1, ("B",)))
    assert _refused(again) == "ALREADY_EXISTS"
    assert isinstance(again, Refusal) and again.metadata == (("voucher_no", "B"),)


def test_a3_notes_lie_in_the_order_in_which_they_are_drawn() -> None:
    world = desk(policy(effective_from=date(2025, 1, 1)), notes=0)
    _issued(world.issue(IssueItem(ENTERPRISE, 100_00, 1, ("Z",))))
    _issued(world.issue(IssueItem(ENTERPRISE, 100_00, 1, ("B",)), issued_on=date(2026, 1, 5)))
    _issued(world.issue(IssueItem(ENTERPRISE, 100_00, 1, ("A",)), issued_on=date(2026, 1, 5)))
    assert [item.voucher_no for item in world.wallet().notes] == ["A", "B", "Z"]
    assert world.wallet().last_expiry == date(2027, 3, 2)


def test_cancel_returns_what_is_available_and_leaves_what_is_reserved() -> None:
    world = desk()
    redemption = approved(world.authorize(line(1000))).redemption_id
    assert code(world.cancel("N0001", caller=ACQUIRER_CALLS)) == "NOT_PERMITTED"
    assert code(world.cancel("nowhere")) == "VOUCHER_NOT_FOUND"
    decision = world.cancel("N0001")
    held = world.wallet().notes[0]
    assert (decision.returned, held.available, held.reserved, held.returned, held.cancelled) == (500_00, 0, 500_00, 500_00, True)
    assert code(world.cancel("N0001")) == "INVALID_STATE"
    assert approved(world.capture(redemption)).subsidy == 500_00


def test_cancel_of_an_empty_note_moves_nothing() -> None:
    world = desk(notes=0)
    world.hold(note(1, available=0, redeemed=1000_00))
    decision = world.cancel("N0001")
    assert decision.refusal is None and decision.transfers == [] and decision.returned == 0
    assert world.wallet().notes[0].cancelled


def _states(world: Desk) -> list[tuple[int, int, int]]:
    return [(item.available, item.reserved, item.returned) for item in world.wallet().notes]


def test_v2_at_expiry_the_unreserved_rest_goes_back() -> None:
    world = desk(notes=0)
    world.hold(note(1, expires_on=TODAY + timedelta(days=1)), note(2, expires_on=TODAY + timedelta(days=2)))
    redemption = approved(world.authorize(line(600))).redemption_id
    assert world.expire_notes() == []
    world.days(1)
    (decision,) = world.expire_notes()
    assert (decision.returned, decision.transfers[0].cause) == (700_00, Cause.EXPIRE)
    assert _states(world) == [(0, 300_00, 700_00), (1000_00, 0, 0)]
    assert world.expire_notes() == []
    # What is reserved follows when it is let go.
    world.void(redemption)
    assert _states(world) == [(0, 0, 1000_00), (1000_00, 0, 0)]


def test_v2_returned_value_does_not_change_the_quota() -> None:
    world = desk(notes=1)
    world.authorize(line(100))
    world.advance(date(2027, 1, 5))
    world.expire_notes()
    assert world.wallet().quota_used == {2026: 50_00}


def test_v3_a_note_answers_for_its_own_state() -> None:
    held = note(1, expires_on=TODAY)
    assert held.expired(TODAY) and not held.expired(TODAY - timedelta(days=1))
    assert not note(2, cancelled=True).live(TODAY)
    wallet = Wallet(WalletKey(ISSUER, ENTERPRISE), notes=[held])
    assert wallet.note(1) is held
    with pytest.raises(LookupError):
        wallet.note(2)


def test_ids_are_taken_only_for_notes_that_are_made() -> None:
    """A refused issue takes no number from the series."""
    world = desk(policy(denomination_fen=100_00), notes=0)
    taken = count(1)
    world._ids = taken
    assert _refused(world.issue(IssueItem(ENTERPRISE, 150_00))) == "INVALID_ARGUMENT"
    made = _issued(world.issue(IssueItem(ENTERPRISE, 100_00), caller=ISSUER_CALLS))
    assert [item.note_id for item in made] == [1]
    assert made[0].voucher_no == "310000-2026-0000000001"
