"""Closing windows: nothing is made or lost between what was cleared, what is owed, what is carried and the positions (T1, T2)."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from hub.domain.model import PayeeKind
from hub.domain.policy import Policy, SettlementModel
from hub.domain.settlement import Debt, Movement, close, split
from tests.property.profile import PROFILE
from tests.unit.builders import policy

DIVISIONS = ("310000", "320000", "330000", "330522", "340100")
HOMES = {"P1": "310000", "P2": "320500", "P3": "330522"}


@st.composite
def fundings(draw: st.DrawFn) -> tuple[tuple[str, int], ...]:
    """None, or shares of several divisions that add up to the whole; the issuer need not be one."""
    divisions = draw(st.lists(st.sampled_from(DIVISIONS), unique=True, max_size=3))
    if not divisions:
        return ()
    cuts = sorted(draw(st.lists(st.integers(1, 9_999), min_size=len(divisions) - 1, max_size=len(divisions) - 1, unique=True)))
    bounds = [0, *cuts, 10_000]
    return tuple((division, bounds[n + 1] - bounds[n]) for n, division in enumerate(divisions))


policies = st.builds(
    lambda issuer, funding, model: policy(issuer=issuer, funding=funding, settlement=model),
    st.sampled_from(DIVISIONS),
    fundings(),
    st.sampled_from(SettlementModel),
)


@st.composite
def movements(draw: st.DrawFn, rules: dict[int, Policy]) -> Movement:
    """Something cleared or refunded, to a provider or to an enterprise."""
    amount = draw(st.integers(-300, 300).filter(bool))
    home = draw(st.sampled_from(sorted(HOMES)))
    if draw(st.booleans()):
        return Movement(draw(st.sampled_from(sorted(rules))), home, PayeeKind.PROVIDER, HOMES[home], amount)
    return Movement(draw(st.sampled_from(sorted(rules))), draw(st.sampled_from(["E1", "E2"])), PayeeKind.ENTERPRISE, HOMES[home], amount)


@st.composite
def windows(draw: st.DrawFn) -> tuple[dict[int, Policy], list[list[Movement]]]:
    """Some policies and a few windows one after the other."""
    rules = dict(enumerate(draw(st.lists(policies, min_size=1, max_size=4))))
    return rules, draw(st.lists(st.lists(movements(rules), max_size=8), min_size=1, max_size=4))


@PROFILE
@given(policies, st.integers(-(2**53) + 1, 2**53 - 1))
def test_t1_split_is_whole_symmetric_and_never_against_the_grain(rule: Policy, amount: int) -> None:
    parts = dict(split(rule, amount))
    assert sum(parts.values()) == amount
    assert all(part * amount > 0 for part in parts.values())
    assert {division: -part for division, part in parts.items()} == dict(split(rule, -amount))
    for division, share_bp in rule.funders:
        exact = abs(amount) * share_bp // 10_000
        got = abs(parts.get(division, 0))
        assert got == exact or (division == rule.issuer and exact <= got < exact + len(rule.funders) + 1)


@PROFILE
@given(windows())
def test_t1_nothing_is_made_or_lost_over_windows(drawn: tuple[dict[int, Policy], list[list[Movement]]]) -> None:
    rules, rounds = drawn
    carried: dict[Debt, int] = {}
    for moved in rounds:
        closing = close(moved, rules, carried)
        assert all(amount > 0 for amount in closing.obligations.values())
        assert all(amount <= 0 for amount in closing.carries.values())
        assert not any(closing.obligations.get(debt) and closing.carries.get(debt) for debt in closing.carries)
        owed = Counter(dict.fromkeys(closing.payees, 0))
        for movement in moved:
            owed[movement.payee] += movement.amount
        # Per payee: what is owed now and carried on = what moved and what was carried before.
        before, after = Counter[str](), Counter[str]()
        for debt in {*carried, *closing.carries}:
            before[debt.creditor] += carried.get(debt, 0)
            after[debt.creditor] += closing.carries.get(debt, carried.get(debt, 0))
        paid = Counter[str]()
        for debt, amount in closing.obligations.items():
            paid[debt.creditor] += amount
        for payee in {*owed, *before, *after, *paid}:
            assert paid[payee] + after[payee] == owed[payee] + before[payee], payee
        carried = {debt: amount for debt, amount in {**carried, **closing.carries}.items() if amount}


@PROFILE
@given(windows())
def test_t1_per_debtor_and_creditor(drawn: tuple[dict[int, Policy], list[list[Movement]]]) -> None:
    """The same per debt, counted one movement and one funder at a time."""
    rules, rounds = drawn
    carried: dict[Debt, int] = {}
    for moved in rounds:
        closing = close(moved, rules, carried)
        expected: Counter[Debt] = Counter()
        for movement in moved:
            rule = rules[movement.policy_id]
            net = rule.settlement == "NET" and movement.payee_kind == "PROVIDER"
            rest = abs(movement.amount)
            for division, share_bp in rule.funders:
                part = abs(movement.amount) * share_bp // 10_000
                rest -= part
                expected[Debt(movement.home[:2] + "0000" if net else division, movement.payee)] += part if movement.amount > 0 else -part
            expected[Debt(movement.home[:2] + "0000" if net else rule.issuer, movement.payee)] += rest if movement.amount > 0 else -rest
        for debt in {*expected, *closing.obligations, *closing.carries}:
            total = expected[debt] + carried.get(debt, 0)
            assert closing.obligations.get(debt, 0) == max(total, 0)
            if debt in closing.carries:
                assert closing.carries[debt] == min(total, 0)
        carried = {debt: amount for debt, amount in {**carried, **closing.carries}.items() if amount}


@PROFILE
@given(windows())
def test_t2_positions_add_up_to_zero_and_to_what_was_cleared_net(drawn: tuple[dict[int, Policy], list[list[Movement]]]) -> None:
    rules, rounds = drawn
    for moved in rounds:
        closing = close(moved, rules, {})
        assert sum(closing.positions.values()) == 0
        assert all(closing.positions.values())
        net = [item for item in moved if rules[item.policy_id].settlement == "NET" and item.payee_kind == "PROVIDER"]
        for division in {*closing.positions, *DIVISIONS, *(home[:2] + "0000" for home in HOMES.values())}:
            fronted = sum(item.amount for item in net if item.home[:2] + "0000" == division)
            borne = sum(part for item in net for funder, part in split(rules[item.policy_id], item.amount) if funder == division)
            assert closing.positions.get(division, 0) == fronted - borne


@PROFILE
@given(windows(), st.randoms(use_true_random=False))
def test_t1_the_order_of_movements_does_not_matter(drawn: tuple[dict[int, Policy], list[list[Movement]]], random: object) -> None:
    rules, rounds = drawn
    for moved in rounds:
        shuffled = list(moved)
        getattr(random, "shuffle")(shuffled)  # noqa: B009  # Hypothesis' random is a Random that its stub does not name
        assert close(moved, rules, {}) == close(shuffled, rules, {})
