"""A1-A3 against brute force: whatever the policy, the notes and the order, the amount, the clamps and the draws are those of the rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import event, given, settings
from hypothesis import strategies as st

from hub.domain.model import Line, Note, OrderKey, WalletKey
from hub.domain.policy import Category, CategoryRule, Policy, QuotaBasis
from tests.property import reference
from tests.property.profile import PROFILE
from tests.property.worlds import order_lines, policies
from tests.unit.builders import ENTERPRISE, ISSUER, PROVIDER, SECOND_ISSUER, TODAY, Desk, code, desk

NUMBERS = st.sampled_from(["A", "B", "C", "D", "E", "F", "G", "H"])


@st.composite
def notes(draw: st.DrawFn, number: int) -> Note:
    """A note in any state that may be: partly drawn, expired, cancelled, counted."""
    face = draw(st.integers(1, 300))
    available = face if draw(st.booleans()) else draw(st.integers(0, face))
    drawn = face - available
    reserved = draw(st.integers(0, drawn))
    expires = TODAY + timedelta(days=draw(st.sampled_from([0, 1, 2, 2, 3])))
    counted = draw(st.sampled_from([0, TODAY.year - 1, TODAY.year])) if drawn else 0
    cancelled = draw(st.integers(0, 9)) == 0
    return Note(
        number,
        f"{draw(NUMBERS)}{number}",
        WalletKey(ISSUER, ENTERPRISE),
        face,
        available,
        reserved,
        drawn - reserved,
        0,
        TODAY - timedelta(days=365),
        expires,
        counted,
        cancelled,
    )


_rules = st.builds(CategoryRule, st.sampled_from([10_000, 8_000, 5_000, 3_333]), st.sampled_from([None, None, 400, 60]))


@st.composite
def worlds(draw: st.DrawFn) -> tuple[Desk, tuple[Line, ...]]:
    """One issuer with notes and some quota used, and an order on which others may have something already."""
    rules = {Category.RESEARCH: draw(_rules), Category.INSPECTION_TESTING: draw(_rules)}
    caps = {"annual_cap_fen": draw(st.integers(1, 900)), "per_order_cap_fen": draw(st.sampled_from([None, None, 50, 200, 600]))}
    world = desk(draw(policies(ISSUER, effective_from=TODAY, categories=rules, **caps)), notes=0)
    world.ws.policies[9] = replace(draw(policies(SECOND_ISSUER, effective_from=TODAY)), policy_id=9, annual_cap_fen=10**6)
    held = [draw(notes(number)) for number in range(draw(st.integers(0, 6)))]
    if held:
        world.hold(*held, used=draw(st.sampled_from([0, 0, 10, 100])))
    away = Note(99, "Z", WalletKey(SECOND_ISSUER, ENTERPRISE), 5000, 5000, 0, 0, 0, TODAY, TODAY + timedelta(days=99))
    world.hold(away)
    lines = draw(order_lines)
    for issuer in draw(st.sampled_from([(), (), (ISSUER,), (SECOND_ISSUER,), (SECOND_ISSUER, ISSUER)])):
        world.authorize(*lines, issuer=issuer)
    return world, lines


@settings(PROFILE, max_examples=500)
@given(worlds(), st.booleans())
def test_a2_the_amount_is_the_largest_that_every_limit_admits(drawn: tuple[Desk, tuple[Line, ...]], all_or_nothing: bool) -> None:
    world, lines = drawn
    policy: Policy = world.ws.policies[1]
    wallet = world.ws.wallets.get(WalletKey(ISSUER, ENTERPRISE))
    order = world.ws.orders.get(OrderKey(PROVIDER, "o1"))
    expected = reference.authorize(policy, wallet, order, ISSUER, lines, TODAY, all_or_nothing=all_or_nothing)
    heap = reference.coins(wallet, TODAY)
    quoted, objections = world.quote(*lines, all_or_nothing=all_or_nothing)
    decision = world.authorize(*lines, all_or_nothing=all_or_nothing)
    first = code(decision)
    event(first or "/".join(expected.clamps) or "granted")
    # A quote says beforehand exactly what an authorization then does.
    assert first == (objections[0] if objections else "")
    if first in ("CATEGORY_EXCLUDED", "CATEGORY_NOT_COVERED", "VOUCHER_EXPIRED") or (first == "VOUCHER_EXHAUSTED" and not heap):
        assert quoted.subsidy == 0
        return
    assert first == expected.code
    assert quoted.entitlement == reference.entitled(policy, lines, order.committed.get(ISSUER, 0) if order else 0)
    if first:
        assert quoted.subsidy == 0 and decision.redemption is None
        return
    assert decision.redemption is not None
    assert quoted == decision.breakdown
    assert (quoted.subsidy, list(quoted.clamps)) == (expected.amount, expected.clamps)
    assert [(draw.note_id, draw.amount) for draw in decision.redemption.draws] == reference.draws(heap[: expected.amount])
    assert 0 < quoted.subsidy <= sum(line.amount_fen for line in lines)


@PROFILE
@given(worlds())
def test_a2_face_counts_exactly_the_faces_first_drawn(drawn: tuple[Desk, tuple[Line, ...]]) -> None:
    world, lines = drawn
    world.ws.policies[1] = replace(world.ws.policies[1], quota_basis=QuotaBasis.FACE)
    wallet = world.ws.wallets.get(WalletKey(ISSUER, ENTERPRISE))
    if wallet is None:
        return
    counted = {note.note_id for note in wallet.notes if note.counted_year}
    used = wallet.quota_used.get(TODAY.year, 0)
    decision = world.authorize(*lines)
    if decision.redemption is None:
        assert wallet.quota_used.get(TODAY.year, 0) == used
        return
    fresh = [wallet.note(draw.note_id) for draw in decision.redemption.draws if draw.note_id not in counted]
    assert wallet.quota_used.get(TODAY.year, 0) == used + sum(note.face for note in fresh)
    assert all(note.counted_year == TODAY.year for note in fresh)
