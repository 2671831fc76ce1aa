"""What an authorization comes to: A1-A5, O2, quota basis FACE."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hub.domain.clock import SHANGHAI
from hub.domain.decision import Breakdown, Decision
from hub.domain.model import Line
from hub.domain.policy import Category, CategoryRule, Mode, Policy, QuotaBasis
from tests.unit.builders import (
    ENTERPRISE,
    ISSUER,
    PROVIDER,
    SECOND_ISSUER,
    TESTING,
    TODAY,
    Desk,
    approved,
    code,
    desk,
    line,
    note,
    policy,
)

IP = Category.IP


def _breakdown(decision: Decision) -> Breakdown:
    assert decision.refusal is None, decision.refusal
    assert decision.breakdown is not None
    return decision.breakdown


def _second(world: Desk, **changes: Any) -> None:
    """Give the enterprise a second issuer, below the first, with notes of its own."""
    world.ws.policies[9] = policy(issuer=SECOND_ISSUER, policy_id=9, **changes)
    world.hold(*(note(100 + n, wallet=world.command(line(1), issuer=SECOND_ISSUER).wallet) for n in range(10)))


def test_changxing_first_case_8000_yuan_five_notes_4800_offset() -> None:
    world = desk(policy(denomination_fen=1000_00, categories={TESTING: CategoryRule(6000)}))
    breakdown = _breakdown(world.authorize(line(8000)))
    assert breakdown == Breakdown(4800_00, 4800_00, (), 5, 3200_00)


def test_a1_entitlement_is_capped_per_line_then_per_order() -> None:
    rules = {TESTING: CategoryRule(5000, 100_00), IP: CategoryRule(2000)}
    world = desk(policy(categories=rules, per_order_cap_fen=150_00))
    breakdown = _breakdown(world.authorize(line(1000), line(100, IP), line(7, Category.RESEARCH)))
    # 500 capped to 100, plus 20; the research line is not covered but is spent.
    assert breakdown == Breakdown(120_00, 120_00, ("PER_LINE_CAP",), 1, 987_00)
    breakdown = _breakdown(world.authorize(line(1000), line(1000), order="o2"))
    assert (breakdown.entitlement, breakdown.clamps) == (150_00, ("PER_LINE_CAP", "PER_ORDER_CAP"))


def test_a2_clamps_in_order() -> None:
    """Each limit lowers the amount a little more than the one before."""
    world = desk(policy(categories={TESTING: CategoryRule(10_000, 900_00)}, per_order_cap_fen=800_00, annual_cap_fen=700_00), notes=0)
    world.hold(note(1, 600_00))
    _second(world, categories={TESTING: CategoryRule(5000)})
    assert approved(world.authorize(line(1000), issuer=SECOND_ISSUER)).subsidy == 500_00
    breakdown = _breakdown(world.authorize(line(1000)))
    assert breakdown.subsidy == 500_00
    assert breakdown.clamps == ("PER_LINE_CAP", "PER_ORDER_CAP", "QUOTA_EXCEEDED", "VOUCHER_EXHAUSTED", "ACTUAL_EXPENDITURE_EXCEEDED")
    assert breakdown.entitlement == 800_00


def test_a2_a_limit_that_does_not_lower_is_no_clamp() -> None:
    world = desk(policy(categories={TESTING: CategoryRule(5000, 500_00)}, per_order_cap_fen=500_00, annual_cap_fen=500_00), notes=0)
    world.hold(note(1, 500_00))
    assert _breakdown(world.authorize(line(1000))) == Breakdown(500_00, 500_00, (), 1, 500_00)


@pytest.mark.parametrize(
    ("expected", "changes"),
    [
        ("NOTHING_PAYABLE", {"categories": {TESTING: CategoryRule(0, 0)}, "annual_cap_fen": 0}),
        ("PER_LINE_CAP", {"categories": {TESTING: CategoryRule(5000, 0)}, "per_order_cap_fen": 0, "annual_cap_fen": 0}),
        ("PER_ORDER_CAP", {"per_order_cap_fen": 0, "annual_cap_fen": 0}),
        ("QUOTA_EXCEEDED", {"annual_cap_fen": 0}),
    ],
)
@pytest.mark.parametrize("all_or_nothing", [False, True])
def test_a2_the_first_limit_that_leaves_nothing_refuses(expected: str, changes: dict[str, Any], all_or_nothing: bool) -> None:
    world = desk(policy(**changes))
    assert world.quote(line(100), all_or_nothing=all_or_nothing)[1] == [expected]
    assert code(world.authorize(line(100), all_or_nothing=all_or_nothing)) == expected


def test_a2_one_fen_at_a_small_ratio_is_nothing_payable() -> None:
    world = desk(policy(categories={TESTING: CategoryRule(9_999)}))
    assert code(world.authorize(Line(TESTING, 1))) == "NOTHING_PAYABLE"


def test_a2_quota_is_the_cap_less_what_is_used_this_year() -> None:
    world = desk(policy(annual_cap_fen=1000_00))
    world.wallet().quota_used = {2025: 999_00, 2026: 400_00}
    breakdown = _breakdown(world.authorize(line(2000)))
    assert (breakdown.subsidy, breakdown.clamps) == (600_00, ("QUOTA_EXCEEDED",))
    assert code(world.authorize(line(2000), order="o2")) == "QUOTA_EXCEEDED"


def test_a2_a_cap_lowered_below_what_is_used_leaves_nothing() -> None:
    world = desk(policy(annual_cap_fen=100_00))
    world.wallet().quota_used = {2026: 400_00}
    assert code(world.authorize(line(10))) == "QUOTA_EXCEEDED"


ALL_OR_NOTHING: list[tuple[str, dict[str, Any], int, int]] = [
    ("", {}, 10, 0),
    ("", {"per_order_cap_fen": 100_00}, 10, 0),
    ("", {"categories": {TESTING: CategoryRule(5000, 100_00)}}, 10, 0),
    ("QUOTA_EXCEEDED", {"annual_cap_fen": 499_99}, 10, 0),
    ("VOUCHER_EXHAUSTED", {}, 4, 0),
    ("ACTUAL_EXPENDITURE_EXCEEDED", {}, 10, 6000),
    ("QUOTA_EXCEEDED", {"annual_cap_fen": 499_99}, 4, 6000),
    ("VOUCHER_EXHAUSTED", {}, 4, 6000),
    # Another limit leaves nothing at all, but the first that clamped speaks.
    ("QUOTA_EXCEEDED", {"annual_cap_fen": 499_99}, 10, 10_000),
    ("VOUCHER_EXHAUSTED", {}, 4, 10_000),
]


@pytest.mark.parametrize(("expected", "changes", "notes", "others_bp"), ALL_OR_NOTHING)
def test_a2_all_or_nothing_refuses_with_the_first_of_the_last_three_clamps(
    expected: str, changes: dict[str, Any], notes: int, others_bp: int
) -> None:
    """500 yuan are wanted on a fee of 1,000; notes are of 100 yuan."""
    world = desk(policy(**changes), notes=0)
    world.hold(*(note(n, 100_00) for n in range(notes)))
    _second(world, categories={TESTING: CategoryRule(others_bp)})
    if others_bp:
        assert world.authorize(line(1000), issuer=SECOND_ISSUER).refusal is None
    assert world.quote(line(1000), all_or_nothing=True)[1] == ([expected] if expected else [])
    assert code(world.authorize(line(1000), all_or_nothing=True)) == expected


def test_a2_per_order_cap_counts_the_same_issuers_other_subsidies_on_the_order() -> None:
    world = desk(policy(per_order_cap_fen=600_00))
    assert approved(world.authorize(line(1000))).subsidy == 500_00
    second = _breakdown(world.authorize(line(1000)))
    assert (second.subsidy, second.entitlement, second.clamps) == (100_00, 100_00, ("PER_ORDER_CAP",))
    assert code(world.authorize(line(1000))) == "PER_ORDER_CAP"
    # Another issuer's cap is its own.
    _second(world, per_order_cap_fen=600_00)
    assert _breakdown(world.authorize(line(1000), issuer=SECOND_ISSUER)).clamps == ("ACTUAL_EXPENDITURE_EXCEEDED",)


def test_a3_soonest_expiring_first_then_by_number_the_last_partly() -> None:
    world = desk(notes=0)
    world.hold(
        note(1, 100_00, expires_on=date(2026, 12, 1)),
        note(2, 100_00, expires_on=date(2026, 6, 1), voucher_no="B"),
        note(3, 100_00, expires_on=date(2026, 6, 1), voucher_no="A"),
        note(4, 100_00, expires_on=TODAY),
        note(5, 100_00, expires_on=date(2026, 4, 1), available=0, returned=100_00),
        note(6, 100_00, expires_on=date(2026, 5, 1), available=30_00, reserved=70_00),
    )
    decision = world.authorize(line(500))
    assert [(draw.note_id, draw.amount) for draw in approved(decision).draws] == [(6, 30_00), (3, 100_00), (2, 100_00), (1, 20_00)]
    assert _breakdown(decision).vouchers_used == 4
    assert world.wallet().note(4).available == 100_00


def test_a3_notes_on_their_last_day_may_be_drawn() -> None:
    world = desk(notes=0)
    world.hold(note(1, expires_on=date(2026, 3, 3)))
    assert world.authorize(line(100)).refusal is None


def test_a4_the_quota_year_is_that_of_the_authorization_and_released_amounts_are_unused() -> None:
    world = desk()
    world.ws.now = world.ws.now.replace(year=2026, month=12, day=31, hour=23, minute=59, tzinfo=SHANGHAI)
    first = approved(world.authorize(line(100)))
    assert (first.quota_year, world.wallet().quota_used) == (2026, {2026: 50_00})
    world.advance(date(2027, 1, 1))
    assert approved(world.authorize(line(200), order="o2")).quota_year == 2027
    world.void(first.redemption_id)
    assert world.wallet().quota_used == {2026: 0, 2027: 100_00}


@pytest.mark.parametrize(("mode", "pays"), [(Mode.PRE_SUBSIDY, [500_00, 0]), (Mode.POST_SUBSIDY, [1000_00, 1000_00])])
def test_a5_the_enterprise_pays_the_rest_or_all_of_it_first(mode: Mode, pays: list[int]) -> None:
    world = desk(policy(mode=mode))
    _second(world, mode=mode)
    first, second = world.authorize(line(1000)), world.authorize(line(1000), issuer=SECOND_ISSUER)
    assert [_breakdown(first).enterprise_pays, _breakdown(second).enterprise_pays] == pays
    assert approved(first).payee == (PROVIDER if mode is Mode.PRE_SUBSIDY else ENTERPRISE)


def test_o2_several_issuers_never_give_more_than_the_expenditure() -> None:
    world = desk(policy(categories={TESTING: CategoryRule(6000)}))
    _second(world, categories={TESTING: CategoryRule(6000)})
    assert approved(world.authorize(line(1000))).subsidy == 600_00
    second = world.authorize(line(1000), issuer=SECOND_ISSUER)
    assert (approved(second).subsidy, _breakdown(second).clamps) == (400_00, ("ACTUAL_EXPENDITURE_EXCEEDED",))
    assert code(world.authorize(line(1000))) == "ACTUAL_EXPENDITURE_EXCEEDED"
    world.void(approved(second).redemption_id)
    assert world.order_total() == 600_00


def test_o2_what_no_policy_covers_is_spent_all_the_same() -> None:
    world = desk(policy(categories={TESTING: CategoryRule(10_000)}))
    _second(world, categories={TESTING: CategoryRule(10_000)})
    lines = (line(600), line(400, IP))
    assert approved(world.authorize(*lines)).subsidy == 600_00
    assert approved(world.authorize(*lines, issuer=SECOND_ISSUER)).subsidy == 400_00


def _face(**changes: Any) -> Policy:
    return policy(quota_basis=QuotaBasis.FACE, categories={TESTING: CategoryRule(10_000)}, **changes)


def test_a2_face_counts_a_note_once_with_its_whole_face_when_first_drawn() -> None:
    world = desk(_face(annual_cap_fen=3500_00))
    first = world.authorize(line(1500))
    assert world.wallet().quota_used == {2026: 2000_00}
    assert first.transfers[0].quota == 2000_00
    world.authorize(line(500), order="o2")
    assert world.wallet().quota_used == {2026: 2000_00}
    breakdown = _breakdown(world.authorize(line(5000), order="o3"))
    assert (breakdown.subsidy, breakdown.clamps, breakdown.vouchers_used) == (1000_00, ("QUOTA_EXCEEDED",), 1)
    assert code(world.authorize(line(1), order="o4")) == "QUOTA_EXCEEDED"


def test_a2_face_drawing_stops_at_the_first_note_that_does_not_fit() -> None:
    """A smaller note behind a large one is not taken first: the order of A3 stands."""
    world = desk(_face(annual_cap_fen=500_00), notes=0)
    world.hold(note(1, 1000_00, expires_on=date(2026, 6, 1)), note(2, 100_00, expires_on=date(2026, 7, 1)))
    assert code(world.authorize(line(50))) == "QUOTA_EXCEEDED"


def test_a2_face_the_subsidy_stays_within_the_quota_left_too() -> None:
    """A counted note has room, but the cap less what is used has none left."""
    world = desk(_face(annual_cap_fen=1000_00))
    assert approved(world.authorize(line(100))).subsidy == 100_00
    assert world.wallet().quota_used == {2026: 1000_00}
    assert code(world.authorize(line(100), order="o2")) == "QUOTA_EXCEEDED"


def test_a2_face_a_note_nobody_draws_on_counts_no_longer() -> None:
    world = desk(_face())
    first, second = approved(world.authorize(line(1500))), approved(world.authorize(line(500), order="o2"))
    world.void(first.redemption_id)
    assert world.wallet().quota_used == {2026: 1000_00}
    assert [item.counted_year for item in world.wallet().notes[:2]] == [0, 2026]
    world.void(second.redemption_id)
    assert world.wallet().quota_used == {2026: 0}


def test_a4_face_falls_in_the_year_in_which_the_note_was_counted() -> None:
    world = desk(_face())
    world.hold(note(50, 100_00, expires_on=date(2028, 1, 1)))
    first = approved(world.authorize(line(1500)))
    world.advance(date(2027, 1, 4))
    second = approved(world.authorize(line(8550), order="o2"))
    assert world.wallet().quota_used == {2026: 2000_00, 2027: 8000_00 + 100_00}
    world.void(first.redemption_id)
    assert world.wallet().quota_used == {2026: 1000_00, 2027: 8100_00}
    decision = world.void(second.redemption_id)
    assert world.wallet().quota_used == {2026: 0, 2027: 0}
    # One transfer moves the money, another carries the second year's change of quota.
    assert sorted((item.quota_year, item.quota) for item in decision.transfers) == [(2026, -1000_00), (2027, -8100_00)]


@pytest.mark.parametrize("order", ["offset first", "face first"])
def test_p1_a_note_drawn_under_both_bases_stops_counting_with_the_last_draw(order: str) -> None:
    """The basis may change with the policy while a note is drawn; whoever lets go of it last takes its face off the quota."""
    offset = policy(categories={TESTING: CategoryRule(10_000)}, effective_until=date(2026, 7, 1))
    face = replace(_face(), version="v2", effective_from=date(2026, 7, 1))
    world = desk(offset, face, notes=1)
    under_offset = approved(world.authorize(line(100)))
    world.advance(date(2026, 7, 1))
    under_face = approved(world.authorize(line(100), order="o2"))
    assert world.wallet().quota_used == {2026: 100_00 + 1000_00}
    releases = [under_offset, under_face] if order == "offset first" else [under_face, under_offset]
    for redemption in releases:
        world.set_state(redemption.redemption_id, expires_on=date(2027, 1, 1))
        world.void(redemption.redemption_id)
    assert world.wallet().quota_used == {2026: 0}
    assert world.wallet().notes[0].counted_year == 0


def test_an_approval_says_how_its_amount_came_about() -> None:
    world = desk(policy(annual_cap_fen=100_00))
    decision = world.authorize(line(1000))
    assert [(item.rule, item.code) for item in decision.reasons] == [("A1", ""), ("A2", "QUOTA_EXCEEDED")]
    assert dict(decision.reasons[1].facts) == {"before_fen": 500_00, "limit_fen": 100_00}
    assert all(item.zh and item.en and item.clause and item.policy_version == "v1" for item in decision.reasons)
    assert decision.transfers[0].wallet.issuer == ISSUER
