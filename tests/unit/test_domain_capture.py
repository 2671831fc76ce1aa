"""Capture: C0-C4, C6, residual."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from hub.domain.model import InvoiceUse, OrderKey, State
from hub.domain.policy import Category, CategoryRule, EvidenceKind, ExpiryBasis
from hub.domain.posting import Account, Cause
from tests.unit.builders import (
    ENTERPRISE,
    ISSUER_CALLS,
    PROVIDER,
    SECOND_ISSUER,
    TESTING,
    TODAY,
    Desk,
    approved,
    code,
    desk,
    enterprise,
    line,
    note,
    policy,
    provider,
)

INVOICE = EvidenceKind.INVOICE
IP = Category.IP


def _authorized(world: Desk, yuan: int = 1000, **options: Any) -> str:
    return approved(world.authorize(line(yuan), **options)).redemption_id


def _second(world: Desk, **changes: Any) -> None:
    world.ws.policies[9] = policy(issuer=SECOND_ISSUER, policy_id=9, **changes)
    world.hold(*(note(100 + n, wallet=world.command(line(1), issuer=SECOND_ISSUER).wallet) for n in range(10)))


def test_c1_captured_is_what_was_authorized_where_nothing_changed() -> None:
    world = desk()
    decision = world.capture(_authorized(world))
    redemption = approved(decision)
    assert (redemption.state, redemption.subsidy, decision.released) == (State.CLEARED, 500_00, 0)
    assert (redemption.invoice_no, redemption.delivered_on, redemption.line_refunds) == ("I-1", TODAY, (0,))
    transfer = decision.transfers[-1]
    assert (transfer.cause, transfer.debit, transfer.credit) == (Cause.CLEAR, Account.RESERVED, Account.PAYABLE)
    assert (transfer.amount, transfer.payee, transfer.windowed) == (500_00, PROVIDER, True)


@pytest.mark.parametrize(("final", "captured", "released"), [(600, 300_00, 200_00), (1000, 500_00, 0), (5000, 500_00, 0)])
def test_c1_the_least_of_authorized_and_entitled_on_the_final_lines(final: int, captured: int, released: int) -> None:
    world = desk()
    decision = world.capture(_authorized(world), line(final))
    assert (approved(decision).subsidy, decision.released) == (captured, released)
    assert approved(decision).authorized == 500_00
    assert world.order_total() == captured
    assert world.wallet().quota_used == {2026: captured}


def test_c1_expenditure_limit_on_the_final_lines() -> None:
    world = desk(policy(categories={TESTING: CategoryRule(6000)}))
    _second(world, categories={TESTING: CategoryRule(6000)})
    first, second = _authorized(world), _authorized(world, issuer=SECOND_ISSUER)
    # 500 were spent: 600 of the first issuer stand, so the second finds nothing left; then the first comes to 300.
    decision = world.capture(second, line(500))
    assert (approved(decision).state, decision.released) == (State.VOIDED, 400_00)
    assert approved(world.capture(first, line(500), invoice="I-2")).subsidy == 300_00


def test_c1_a_capture_that_comes_to_zero_ends_voided() -> None:
    world = desk()
    decision = world.capture(_authorized(world), line(1000, IP))
    redemption = approved(decision)
    assert (redemption.state, redemption.subsidy, decision.released, redemption.draws) == (State.VOIDED, 0, 500_00, ())
    assert world.ws.invoices == {}
    assert world.wallet().notes[0].available == 1000_00


def test_c1_entitlement_under_the_pinned_policy() -> None:
    world = desk(policy(), policy(version="v2", effective_from=date(2026, 3, 3), categories={TESTING: CategoryRule(1000)}))
    redemption = _authorized(world)
    world.days(1)
    captured = approved(world.capture(redemption))
    assert (captured.subsidy, captured.policy_version) == (500_00, "v1")


def test_c1_per_order_cap_counts_the_issuers_other_subsidies() -> None:
    world = desk(policy(per_order_cap_fen=600_00))
    first, second = _authorized(world), _authorized(world)
    assert approved(world.capture(first)).subsidy == 500_00
    assert approved(world.capture(second, invoice="I-2")).subsidy == 100_00


def test_c1_final_lines_become_the_orders() -> None:
    world = desk()
    world.capture(_authorized(world), line(600))
    assert world.ws.orders[world.command(line(1)).order].lines == (line(600),)


def test_c2_missing_evidence_changes_nothing() -> None:
    world = desk(policy(evidence=(INVOICE, EvidenceKind.CONTRACT, EvidenceKind.RESULT_REPORT)))
    redemption = _authorized(world)
    decision = world.capture(redemption, evidence=(INVOICE, EvidenceKind.PAYMENT_PROOF))
    assert code(decision) == "EVIDENCE_MISSING"
    assert decision.redemption is None and not decision.transfers
    assert decision.refusal is not None and decision.refusal.metadata == (("missing", "CONTRACT, RESULT_REPORT"),)
    assert world.redemption(redemption).state is State.AUTHORIZED


def _expiring(world: Desk, *days: int) -> None:
    for index, count in enumerate(days):
        world.hold(note(index, 100_00, expires_on=TODAY + timedelta(days=count)))


def test_c2_capture_on_the_day_before_expiry_is_in_time() -> None:
    world = desk(notes=0)
    _expiring(world, 2)
    redemption = _authorized(world, 100)
    world.days(1)
    assert approved(world.capture(redemption)).state is State.CLEARED


def test_c2_capture_on_the_day_of_expiry_is_too_late_and_releases() -> None:
    world = desk(notes=0)
    _expiring(world, 2, 9)
    redemption = _authorized(world, 400)
    world.days(2)
    decision = world.capture(redemption)
    assert code(decision) == "VOUCHER_EXPIRED"
    assert world.redemption(redemption).state is State.EXPIRED
    # What came from the expired note goes to the issuer, the rest back to the live one (C8).
    notes = world.wallet().notes
    assert [(item.available, item.reserved, item.returned) for item in notes] == [(0, 0, 100_00), (100_00, 0, 0)]
    assert world.wallet().quota_used == {2026: 0}
    assert world.order_total() == 0


def test_c2_under_use_expiry_after_authorization_does_not_matter() -> None:
    world = desk(policy(expiry_basis=ExpiryBasis.USE), notes=0)
    _expiring(world, 2)
    redemption = _authorized(world, 100)
    world.days(30)
    assert approved(world.capture(redemption)).subsidy == 50_00


def test_c3_an_invoice_serves_one_redemption_per_issuer() -> None:
    world = desk()
    first, second = _authorized(world, 100), _authorized(world, 100)
    assert approved(world.capture(first)).state is State.CLEARED
    decision = world.capture(second)
    assert code(decision) == "DUPLICATE_INVOICE" and decision.redemption is None
    assert approved(world.capture(second, invoice="I-2")).state is State.CLEARED


def test_c3_an_invoice_serves_one_order_across_issuers() -> None:
    world = desk(policy(categories={TESTING: CategoryRule(3000)}))
    _second(world, categories={TESTING: CategoryRule(3000)})
    first = _authorized(world)
    other_order = _authorized(world, issuer=SECOND_ISSUER, order="o2")
    same_order = _authorized(world, issuer=SECOND_ISSUER)
    assert approved(world.capture(first)).state is State.CLEARED
    assert code(world.capture(other_order)) == "DUPLICATE_INVOICE"
    assert approved(world.capture(same_order)).state is State.CLEARED


def test_c3_an_invoice_number_is_the_providers() -> None:
    world = desk()
    redemption = _authorized(world, 100)
    another = OrderKey("91330522MA2B12343A", "o9")
    world.ws.invoices[another.provider, "I-1"] = (InvoiceUse("310000", "elsewhere", another.order_no),)
    assert approved(world.capture(redemption)).state is State.CLEARED


def test_c3_a_rejected_claim_frees_its_invoice() -> None:
    world = desk(policy(auto_clear_up_to_fen=0))
    first, second = _authorized(world, 100), _authorized(world, 100)
    assert approved(world.capture(first)).state is State.PENDING_REVIEW
    assert code(world.capture(second)) == "DUPLICATE_INVOICE"
    world.reject(first)
    assert approved(world.capture(second)).state is State.PENDING_REVIEW


LATER, EARLIER = TODAY, TODAY - timedelta(days=1)
STANDING: list[tuple[str, date | None, date | None, str, State]] = [
    ("provider delivered before", LATER, None, "", State.HELD),
    ("provider delivered on the day", EARLIER, None, "PROVIDER_SUSPENDED", State.VOIDED),
    ("enterprise delivered before", None, LATER, "", State.HELD),
    ("enterprise delivered on the day", None, EARLIER, "ENTERPRISE_SANCTIONED", State.VOIDED),
    ("both delivered before", LATER, LATER, "", State.HELD),
    ("both delivered after, provider first", EARLIER, EARLIER, "PROVIDER_SUSPENDED", State.VOIDED),
    ("before for the provider, after for the enterprise", LATER, EARLIER, "ENTERPRISE_SANCTIONED", State.VOIDED),
    ("after for the provider, before for the enterprise", EARLIER, LATER, "PROVIDER_SUSPENDED", State.VOIDED),
    ("neither", None, None, "", State.CLEARED),
]


@pytest.mark.parametrize(
    ("suspended", "sanctioned", "expected", "state"), [case[1:] for case in STANDING], ids=[case[0] for case in STANDING]
)
def test_c4_delivered_before_is_held_on_or_after_is_refused(
    suspended: date | None, sanctioned: date | None, expected: str, state: State
) -> None:
    """The delivery is always of yesterday."""
    world = desk()
    redemption = _authorized(world)
    world.ws.providers[PROVIDER] = provider(suspended_on=suspended)
    world.ws.enterprises[ENTERPRISE] = enterprise(sanctioned_on=sanctioned)
    decision = world.capture(redemption, delivered=EARLIER)
    assert (code(decision), world.redemption(redemption).state) == (expected, state)
    left = world.wallet().notes[0]
    assert (left.available == 1000_00) is (state is State.VOIDED)
    assert decision.released == (500_00 if expected else 0)


def test_c4_held_comes_before_review_and_holds_what_is_captured() -> None:
    world = desk(policy(auto_clear_up_to_fen=0))
    redemption = _authorized(world)
    world.ws.providers[PROVIDER] = provider(suspended_on=TODAY)
    decision = world.capture(redemption, line(600), delivered=EARLIER)
    assert (approved(decision).state, approved(decision).subsidy, decision.released) == (State.HELD, 300_00, 200_00)


def test_c4_a_revoked_recognition_does_not_touch_what_is_authorized() -> None:
    world = desk()
    redemption = _authorized(world)
    world.ws.policies[2] = policy(version="v2", effective_from=TODAY, policy_id=2, eligible=())
    world.ws.providers[PROVIDER] = provider(rating=0, categories=())
    world.ws.recognitions.clear()
    assert approved(world.capture(redemption)).state is State.CLEARED


@pytest.mark.parametrize(("threshold", "state"), [(None, State.CLEARED), (500_00, State.CLEARED), (499_99, State.PENDING_REVIEW)])
def test_captures_above_the_threshold_go_to_review(threshold: int | None, state: State) -> None:
    world = desk(policy(auto_clear_up_to_fen=threshold))
    assert approved(world.capture(_authorized(world))).state is state


def _all_wrong(world: Desk) -> str:
    """Return a redemption whose capture meets every objection of C0 at once."""
    used = _authorized(world, 100)
    world.capture(used)
    redemption = _authorized(world, 100, order="o2")
    world.ws.providers[PROVIDER] = provider(suspended_on=EARLIER)
    world.ws.enterprises[ENTERPRISE] = enterprise(sanctioned_on=EARLIER)
    for held in world.wallet().notes:
        held.expires_on = TODAY
    return redemption


def test_c0_capture_checks_in_order() -> None:
    world = desk()
    redemption = _all_wrong(world)
    tomorrow = TODAY + timedelta(days=1)
    world.set_state(redemption, state=State.PENDING_REVIEW)
    assert code(world.capture(redemption, caller=ISSUER_CALLS, delivered=tomorrow, evidence=())) == "NOT_PERMITTED"
    assert code(world.capture(redemption, delivered=tomorrow, evidence=())) == "INVALID_STATE"
    world.set_state(redemption, state=State.AUTHORIZED)
    assert code(world.capture(redemption, delivered=tomorrow, evidence=())) == "INVALID_ARGUMENT"
    assert code(world.capture(redemption, evidence=())) == "EVIDENCE_MISSING"
    assert code(world.capture(redemption)) == "DUPLICATE_INVOICE"
    assert world.redemption(redemption).state is State.AUTHORIZED
    assert code(world.capture(redemption, invoice="I-2")) == "VOUCHER_EXPIRED"
