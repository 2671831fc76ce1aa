"""What goes back: void and TTL (C6), the residual of notes, the last drawn first (C8)."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from hub.domain.model import Redemption, State
from hub.domain.policy import CategoryRule, Residual
from tests.unit.builders import (
    ISSUER_CALLS,
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
)


def _authorized(world: Desk, yuan: int = 1000, **options: Any) -> str:
    return approved(world.authorize(line(yuan), **options)).redemption_id


def test_c6_an_authorization_ends_on_the_date_authorized_plus_ttl() -> None:
    world = desk(policy(authorization_ttl_days=10))
    redemption = _authorized(world)
    assert world.redemption(redemption).expires_on == TODAY + timedelta(days=10)
    world.days(9)
    assert code(world.lapse(redemption)) == "INVALID_STATE"
    world.days(1)
    decision = world.lapse(redemption)
    assert (approved(decision).state, decision.released) == (State.EXPIRED, 500_00)
    assert code(world.lapse(redemption)) == "INVALID_STATE"


@pytest.mark.parametrize("verb", ["capture", "void"])
def test_c6_a_command_that_comes_too_late_finds_it_expired_whether_or_not_the_sweep_was_faster(verb: str) -> None:
    world = desk(policy(authorization_ttl_days=10))
    redemption = _authorized(world)
    world.days(10)
    assert code(getattr(world, verb)(redemption, caller=STRANGER_CALLS)) == "NOT_PERMITTED"
    assert world.redemption(redemption).state is State.AUTHORIZED
    decision = getattr(world, verb)(redemption)
    assert (code(decision), world.redemption(redemption).state) == ("INVALID_STATE", State.EXPIRED)
    assert decision.released == 500_00
    again = getattr(world, verb)(redemption)
    assert code(again) == "INVALID_STATE" and again.redemption is None


def _forfeiting(**changes: Any) -> Desk:
    return desk(policy(residual=Residual.FORFEIT, categories={TESTING: CategoryRule(10_000)}, **changes), notes=3)


def test_residual_forfeit_returns_what_is_undrawn_on_the_notes_drawn() -> None:
    world = _forfeiting()
    decision = world.capture(_authorized(world, 1300))
    assert decision.forfeited == 700_00
    assert [(item.available, item.redeemed, item.returned) for item in world.wallet().notes] == [
        (0, 1000_00, 0),
        (0, 300_00, 700_00),
        (1000_00, 0, 0),
    ]


def test_residual_forfeit_takes_what_the_capture_released_on_a_note_still_drawn() -> None:
    """1,300 authorized, 800 captured: the second note is given back whole, the first keeps 800 and forfeits 200."""
    world = _forfeiting()
    decision = world.capture(_authorized(world, 1300), line(800))
    assert (decision.released, decision.forfeited) == (500_00, 200_00)
    assert [(item.available, item.redeemed, item.returned) for item in world.wallet().notes[:2]] == [(0, 800_00, 200_00), (1000_00, 0, 0)]


def test_residual_forfeit_leaves_what_another_redemption_reserves() -> None:
    world = _forfeiting()
    first, second = _authorized(world, 300), _authorized(world, 200, order="o2")
    assert world.capture(first).forfeited == 500_00
    held = world.wallet().notes[0]
    assert (held.available, held.reserved, held.redeemed, held.returned) == (0, 200_00, 300_00, 500_00)
    assert approved(world.capture(second, invoice="I-2")).subsidy == 200_00


def test_residual_retain_keeps_the_rest() -> None:
    world = desk(policy(categories={TESTING: CategoryRule(10_000)}))
    assert world.capture(_authorized(world, 300)).forfeited == 0
    assert world.wallet().notes[0].available == 700_00


def test_draws_of_a_redemption_always_add_up_to_its_subsidy() -> None:
    world = desk()
    redemption: Redemption = approved(world.capture(_authorized(world, 5000), line(3333)))
    assert sum(draw.amount for draw in redemption.draws) == redemption.subsidy == 1666_50


def test_c6_void_releases_all_and_only_the_acquirers_platform_voids() -> None:
    world = desk()
    redemption = _authorized(world)
    for caller in (ISSUER_CALLS, STRANGER_CALLS):
        assert code(world.void(redemption, caller=caller)) == "NOT_PERMITTED"
    decision = world.void(redemption)
    assert (approved(decision).state, approved(decision).subsidy, decision.released) == (State.VOIDED, 0, 500_00)
    assert world.wallet().notes[0].available == 1000_00
    assert (world.order_total(), world.wallet().quota_used) == (0, {2026: 0})


@pytest.mark.parametrize("state", [state for state in State if state is not State.AUTHORIZED])
def test_c9_only_an_authorized_redemption_is_captured_voided_or_lapses(state: State) -> None:
    world = desk()
    redemption = _authorized(world)
    world.set_state(redemption, state=state)
    world.days(400)
    for decision in (world.capture(redemption), world.void(redemption), world.lapse(redemption)):
        assert code(decision) == "INVALID_STATE"
        assert decision.redemption is None and not decision.transfers
        assert decision.refusal is not None and state.value in decision.refusal.en


def _three_notes() -> tuple[Desk, str]:
    """Return a redemption of 250 yuan drawn on three notes of 100, expiring in 10, 20 and 30 days."""
    world = desk(policy(categories={TESTING: CategoryRule(10_000)}), notes=0)
    world.hold(*(note(n, 100_00, expires_on=TODAY + timedelta(days=10 * n)) for n in (1, 2, 3)))
    return world, _authorized(world, 250)


def test_c8_the_last_drawn_gets_back_first() -> None:
    world, redemption = _three_notes()
    captured = approved(world.capture(redemption, line(120)))
    assert [(draw.note_id, draw.amount) for draw in captured.draws] == [(1, 100_00), (2, 20_00)]
    assert [item.available for item in world.wallet().notes] == [0, 80_00, 100_00]


def test_c8_an_expired_notes_part_goes_to_the_issuer() -> None:
    world, redemption = _three_notes()
    world.advance(TODAY + timedelta(days=20))
    decision = world.void(redemption)
    assert decision.released == 250_00
    assert [(item.available, item.reserved, item.returned) for item in world.wallet().notes] == [
        (0, 0, 100_00),
        (0, 0, 100_00),
        (100_00, 0, 0),
    ]
    assert sorted((item.credit.value, item.amount) for item in decision.transfers) == [("outstanding", 50_00), ("returned", 200_00)]
    # The quota and the order fall once, by the whole.
    assert sum(item.quota for item in decision.transfers) == sum(item.committed for item in decision.transfers) == -250_00


def test_c8_on_the_last_day_of_validity_a_note_still_takes_value_back() -> None:
    world, redemption = _three_notes()
    world.advance(date(2026, 3, 11))
    world.void(redemption)
    assert [item.returned for item in world.wallet().notes] == [0, 0, 0]


def test_c8_a_cancelled_note_takes_nothing_back() -> None:
    world, redemption = _three_notes()
    world.cancel("N0003")
    world.void(redemption)
    assert [(item.available, item.returned) for item in world.wallet().notes] == [(100_00, 0), (100_00, 0), (0, 100_00)]
