"""Approve, reject, refund: C5, C7, C9, C10, O2 after a refund."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from hub.domain.model import Line, LineFlag, State
from hub.domain.policy import Category, CategoryRule, Mode, QuotaBasis, RefundTarget
from hub.domain.posting import Account, Cause
from tests.unit.builders import (
    ACQUIRER_CALLS,
    ENTERPRISE,
    ISSUER_CALLS,
    PROVIDER,
    SECOND_ISSUER,
    STRANGER_CALLS,
    TESTING,
    TODAY,
    Desk,
    approved,
    code,
    desk,
    line,
    note,
    policy,
    provider,
)

IP = Category.IP
YESTERDAY = TODAY - timedelta(days=1)


def _cleared(world: Desk, *lines: Line, **options: Any) -> str:
    redemption = approved(world.authorize(*(lines or (line(1000),)), **options)).redemption_id
    return approved(world.capture(redemption, invoice=redemption)).redemption_id


def _under_review(world: Desk) -> str:
    redemption = _cleared(world)
    assert world.redemption(redemption).state is State.PENDING_REVIEW
    return redemption


def _held(world: Desk) -> str:
    redemption = approved(world.authorize(line(1000))).redemption_id
    world.ws.providers[PROVIDER] = provider(suspended_on=TODAY)
    assert approved(world.capture(redemption, delivered=YESTERDAY)).state is State.HELD
    return redemption


def _reviewing() -> Desk:
    return desk(policy(auto_clear_up_to_fen=0))


@pytest.mark.parametrize("reviewable", [_under_review, _held])
@pytest.mark.parametrize(("amount", "released"), [(500_00, 0), (1, 499_99), (300_00, 200_00)])
def test_c5_approve_takes_up_to_what_was_captured_and_releases_the_rest(reviewable: Any, amount: int, released: int) -> None:
    world = _reviewing()
    redemption = reviewable(world)
    decision = world.approve(redemption, amount)
    assert (approved(decision).state, approved(decision).subsidy, decision.released) == (State.CLEARED, amount, released)
    held = world.wallet().notes[0]
    assert (held.available, held.reserved, held.redeemed) == (1000_00 - amount, 0, amount)
    assert world.order_total() == amount
    assert world.wallet().quota_used == {2026: amount}


@pytest.mark.parametrize("amount", [0, -1, 500_01])
def test_c5_anything_else_is_an_invalid_argument(amount: int) -> None:
    world = _reviewing()
    redemption = _under_review(world)
    decision = world.approve(redemption, amount)
    assert code(decision) == "INVALID_ARGUMENT" and decision.redemption is None
    assert decision.refusal is not None and decision.refusal.violations[0].field == "approved_fen"


@pytest.mark.parametrize("reviewable", [_under_review, _held])
def test_c5_reject_releases_all(reviewable: Any) -> None:
    world = _reviewing()
    redemption = reviewable(world)
    decision = world.reject(redemption)
    assert (approved(decision).state, approved(decision).subsidy, decision.released) == (State.REJECTED, 0, 500_00)
    assert world.wallet().notes[0].available == 1000_00
    assert (world.order_total(), world.wallet().quota_used) == (0, {2026: 0})
    assert all(not uses for uses in world.ws.invoices.values())


def test_c5_review_is_not_bound_by_the_days_of_an_authorization_or_the_expiry_of_notes() -> None:
    """The capture came in time; how long the issuer takes is not the provider's loss."""
    world = _reviewing()
    redemption = _under_review(world)
    world.advance(date(2027, 6, 1))
    decision = world.approve(redemption, 300_00)
    assert approved(decision).state is State.CLEARED
    # What is released goes to the issuer: the note has expired (C8).
    assert world.wallet().notes[0].returned == 200_00


@pytest.mark.parametrize("state", list(State))
def test_c9_review_and_refund_fit_their_states_only(state: State) -> None:
    world = _reviewing()
    redemption = _under_review(world)
    world.set_state(redemption, state=state)
    reviewable, refundable = state in (State.PENDING_REVIEW, State.HELD), state in (State.CLEARED, State.SETTLED)
    tries = {"approve": (redemption, 1), "reject": (redemption,), "refund": (redemption, 1)}
    for verb, arguments in tries.items():
        fits = refundable if verb == "refund" else reviewable
        if not fits:
            decision = getattr(world, verb)(*arguments)
            assert code(decision) == "INVALID_STATE", verb
            assert decision.redemption is None and not decision.transfers


def test_c0_caller_then_state_then_arguments() -> None:
    world = _reviewing()
    redemption = _under_review(world)
    assert code(world.refund(redemption, -1, 7, caller=STRANGER_CALLS)) == "NOT_PERMITTED"
    assert code(world.refund(redemption, -1, 7)) == "INVALID_STATE"
    assert code(world.approve(redemption, -1, caller=ACQUIRER_CALLS)) == "NOT_PERMITTED"
    world.approve(redemption, 500_00)
    assert code(world.approve(redemption, -1)) == "INVALID_STATE"
    assert code(world.refund(redemption, 2000_00, 7)) == "INVALID_ARGUMENT"
    assert code(world.refund(redemption, 2000_00, 0)) == "REFUND_EXCEEDS_PAYMENT"


def test_c10_the_issuers_platform_reviews_and_either_side_refunds() -> None:
    world = _reviewing()
    redemption = _under_review(world)
    for caller in (ACQUIRER_CALLS, STRANGER_CALLS):
        assert code(world.approve(redemption, 1, caller=caller)) == "NOT_PERMITTED"
        assert code(world.reject(redemption, caller=caller)) == "NOT_PERMITTED"
    world.approve(redemption, 500_00)
    assert code(world.refund(redemption, 100, caller=STRANGER_CALLS)) == "NOT_PERMITTED"
    for caller in (ACQUIRER_CALLS, ISSUER_CALLS):
        assert world.refund(redemption, 100, caller=caller).refusal is None


def test_c7_new_subsidy_is_the_entitlement_on_what_remains() -> None:
    world = desk()
    redemption = _cleared(world)
    decision = world.refund(redemption, 400_00)
    after = approved(decision)
    assert (after.state, after.subsidy, after.refunded, after.line_refunds, decision.returned) == (
        State.CLEARED,
        300_00,
        200_00,
        (400_00,),
        200_00,
    )
    transfer = decision.transfers[0]
    assert (transfer.cause, transfer.debit, transfer.credit, transfer.amount) == (Cause.REFUND, Account.PAYABLE, Account.RETURNED, 200_00)
    assert (transfer.payee, transfer.windowed, transfer.quota, transfer.committed) == (PROVIDER, True, -200_00, -200_00)
    assert world.wallet().quota_used == {2026: 300_00}


def test_c7_of_a_settled_redemption_comes_out_of_what_was_paid() -> None:
    world = desk(policy(mode=Mode.POST_SUBSIDY))
    redemption = _cleared(world)
    world.set_state(redemption, state=State.SETTLED)
    decision = world.refund(redemption, 400_00)
    assert approved(decision).state is State.SETTLED
    assert (decision.transfers[0].debit, decision.transfers[0].payee) == (Account.PAID, ENTERPRISE)
    assert approved(world.refund(redemption, 600_00)).state is State.REFUNDED


def test_c7_all_given_back_is_refunded_and_final() -> None:
    world = desk()
    redemption = _cleared(world)
    world.refund(redemption, 400_00)
    decision = world.refund(redemption, 600_00)
    assert (approved(decision).state, approved(decision).subsidy, approved(decision).refunded) == (State.REFUNDED, 0, 500_00)
    assert code(world.refund(redemption, 1)) == "INVALID_STATE"


def test_c7_capped_by_what_was_cleared() -> None:
    """The issuer approved less than the entitlement: giving a little back changes nothing until the entitlement falls below it."""
    world = _reviewing()
    redemption = _under_review(world)
    world.approve(redemption, 200_00)
    decision = world.refund(redemption, 500_00)
    assert (approved(decision).subsidy, decision.returned) == (200_00, 0)
    assert (approved(world.refund(redemption, 200_00)).subsidy, world.order_total()) == (150_00, 150_00)


def test_c7_a_refund_that_returns_nothing_posts_nothing() -> None:
    world = desk()
    redemption = _cleared(world, line(1000), line(300, IP), Line(TESTING, 50_00, (LineFlag.STATUTORY_TEST,)))
    for index, fee in ((1, 300_00), (2, 20_00)):
        decision = world.refund(redemption, fee, index)
        assert (approved(decision).subsidy, decision.returned, decision.transfers) == (500_00, 0, [])
    assert world.redemption(redemption).line_refunds == (0, 300_00, 20_00)


def test_c7_names_a_line_unless_there_is_only_one() -> None:
    world = desk(policy(categories={TESTING: CategoryRule(5000), IP: CategoryRule(2000)}))
    redemption = _cleared(world, line(1000), line(100, IP))
    for index in (None, -1, 2):
        decision = world.refund(redemption, 100, index)
        assert code(decision) == "INVALID_ARGUMENT"
        assert decision.refusal is not None and decision.refusal.violations[0].field == "line"
    assert world.refund(redemption, 100_00, 1).returned == 20_00
    assert world.refund(redemption, 100_00, 0).returned == 50_00


@pytest.mark.parametrize("fee", [0, -1, -1000_00])
def test_c7_the_fee_given_back_is_above_zero(fee: int) -> None:
    world = desk()
    redemption = _cleared(world)
    decision = world.refund(redemption, fee)
    assert code(decision) == "INVALID_ARGUMENT" and decision.redemption is None
    assert decision.refusal is not None and decision.refusal.violations[0].field == "fee_fen"


def test_c7_more_than_the_line_still_holds_is_refused() -> None:
    world = desk()
    redemption = _cleared(world, line(1000), line(50))
    assert code(world.refund(redemption, 1000_01, 0)) == "REFUND_EXCEEDS_PAYMENT"
    world.refund(redemption, 400_00, 0)
    assert code(world.refund(redemption, 600_01, 0)) == "REFUND_EXCEEDS_PAYMENT"
    assert world.redemption(redemption).line_refunds == (400_00, 0)
    assert world.refund(redemption, 600_00, 0).refusal is None


def test_c7_caps_stay_on_what_remains() -> None:
    world = desk(policy(categories={TESTING: CategoryRule(5000, 300_00)}, per_order_cap_fen=500_00))
    redemption = _cleared(world, line(1000), line(1000))
    assert world.redemption(redemption).subsidy == 500_00
    # 200 + 300 are still the cap; 100 + 300 are less.
    assert world.refund(redemption, 600_00, 0).returned == 0
    assert world.refund(redemption, 200_00, 0).returned == 100_00


def test_c7_to_voucher_while_the_note_is_unexpired_last_drawn_first() -> None:
    world = desk(policy(refund=RefundTarget.TO_VOUCHER, categories={TESTING: CategoryRule(10_000)}), notes=0)
    world.hold(*(note(n, 100_00, expires_on=TODAY + timedelta(days=10 * n)) for n in (1, 2, 3)))
    redemption = _cleared(world, line(300))
    world.refund(redemption, 50_00)
    assert [(item.available, item.redeemed) for item in world.wallet().notes] == [(0, 100_00), (0, 100_00), (50_00, 50_00)]
    world.advance(TODAY + timedelta(days=20))
    decision = world.refund(redemption, 250_00)
    assert [(item.available, item.redeemed, item.returned) for item in world.wallet().notes] == [
        (0, 0, 100_00),
        (0, 0, 100_00),
        (100_00, 0, 0),
    ]
    assert decision.returned == 250_00
    assert world.wallet().quota_used == {2026: 0}


def test_c7_to_finance_never_goes_back_to_the_note() -> None:
    world = desk()
    redemption = _cleared(world)
    world.refund(redemption, 1000_00)
    assert (world.wallet().notes[0].available, world.wallet().notes[0].returned) == (500_00, 500_00)


def test_c7_under_face_the_quota_falls_when_a_note_is_drawn_no_more() -> None:
    world = desk(policy(quota_basis=QuotaBasis.FACE, categories={TESTING: CategoryRule(10_000)}))
    redemption = _cleared(world, line(1500))
    world.refund(redemption, 400_00)
    assert world.wallet().quota_used == {2026: 2000_00}
    world.refund(redemption, 100_00)
    assert world.wallet().quota_used == {2026: 1000_00}


def test_o2_after_a_refund_the_rest_and_the_other_issuers_stay_within_what_was_spent() -> None:
    world = desk(policy(categories={TESTING: CategoryRule(6000)}))
    world.ws.policies[9] = policy(issuer=SECOND_ISSUER, policy_id=9, categories={TESTING: CategoryRule(6000)})
    world.hold(note(99, wallet=world.command(line(1), issuer=SECOND_ISSUER).wallet))
    first, second = _cleared(world), _cleared(world, issuer=SECOND_ISSUER)
    assert [world.redemption(item).subsidy for item in (first, second)] == [600_00, 400_00]
    # 700 are left: 60 % would be 420, but the other issuer stands with 400.
    assert approved(world.refund(first, 300_00)).subsidy == 300_00
    assert world.order_total() == 700_00
    # 300 are left, less than the other issuer's 400.
    assert approved(world.refund(first, 400_00)).state is State.REFUNDED


def test_c7_entitlement_under_the_pinned_policy() -> None:
    world = desk(policy(), policy(version="v2", effective_from=date(2026, 3, 3), categories={TESTING: CategoryRule(1000)}))
    redemption = _cleared(world)
    world.days(1)
    assert approved(world.refund(redemption, 200_00)).subsidy == 400_00
