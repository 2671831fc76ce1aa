"""Closing a window: T1, T2."""

from __future__ import annotations

from datetime import date

import pytest

from hub.domain.model import PayeeKind
from hub.domain.policy import Policy, SettlementModel
from hub.domain.settlement import Closing, Debt, Movement, close, split
from tests.unit.builders import ENTERPRISE, ISSUER, PROVIDER, policy

CITY, PROVINCE, HOME = "340100", "340000", "320000"
DIRECT = policy()
NET = policy(settlement=SettlementModel.NET)
CO_FUNDED = policy(issuer=CITY, funding=((PROVINCE, 4000), (CITY, 6000)))


def _closing(
    *movements: tuple[Policy, int], carried: dict[Debt, int] | None = None, home: str = HOME, kind: PayeeKind = PayeeKind.PROVIDER
) -> Closing:
    payee = PROVIDER if kind is PayeeKind.PROVIDER else ENTERPRISE
    policies = {index: rule for index, (rule, _) in enumerate(movements)}
    return close([Movement(index, payee, kind, home, amount) for index, (_, amount) in enumerate(movements)], policies, carried or {})


@pytest.mark.parametrize(
    ("amount", "parts"),
    [
        (300_01, {PROVINCE: 120_00, CITY: 180_01}),
        (-300_01, {PROVINCE: -120_00, CITY: -180_01}),
        (1, {CITY: 1}),
        (-1, {CITY: -1}),
        (10, {PROVINCE: 4, CITY: 6}),
        (0, {}),
    ],
)
def test_t1_split_is_floored_in_magnitude_and_the_rest_is_the_issuers(amount: int, parts: dict[str, int]) -> None:
    assert dict(split(CO_FUNDED, amount)) == parts


def test_t1_the_rest_is_the_issuers_even_where_it_funds_nothing() -> None:
    others = policy(issuer=CITY, funding=((PROVINCE, 5000), (ISSUER, 5000)))
    assert dict(split(others, 101)) == {PROVINCE: 50, ISSUER: 50, CITY: 1}


def test_t1_without_funding_the_issuer_bears_all() -> None:
    assert split(DIRECT, 101) == [(ISSUER, 101)]


def test_t1_one_obligation_per_funder_and_payee_cleared_less_refunded() -> None:
    closing = _closing((DIRECT, 500), (DIRECT, 300), (DIRECT, -200), (CO_FUNDED, 101))
    assert closing.obligations == {Debt(ISSUER, PROVIDER): 600, Debt(PROVINCE, PROVIDER): 40, Debt(CITY, PROVIDER): 61}
    assert closing.carries == dict.fromkeys(closing.obligations, 0)
    assert closing.positions == {}
    assert closing.payees == {PROVIDER}


def test_t1_each_amount_is_split_by_itself() -> None:
    """Twice 1 fen at 40:60 falls to the city twice; together they would give the province nothing either, but 5 fen thrice would."""
    closing = _closing((CO_FUNDED, 4), (CO_FUNDED, 4), (CO_FUNDED, 4))
    assert closing.obligations == {Debt(PROVINCE, PROVIDER): 3, Debt(CITY, PROVIDER): 9}


def test_t1_negative_sums_carry_to_the_next_window() -> None:
    debt = Debt(ISSUER, PROVIDER)
    first = _closing((DIRECT, 100), (DIRECT, -250))
    assert (first.obligations, first.carries) == ({}, {debt: -150})
    second = _closing((DIRECT, 100), carried=first.carries)
    assert (second.obligations, second.carries) == ({}, {debt: -50})
    third = _closing((DIRECT, 50), carried=second.carries)
    assert (third.obligations, third.carries) == ({}, {debt: 0})
    assert _closing((DIRECT, 70), carried=third.carries).obligations == {debt: 70}


def test_t1_a_carry_nobody_touches_stays_as_it_is() -> None:
    other = Debt(CITY, PROVIDER)
    closing = _closing((DIRECT, 100), carried={other: -30})
    assert closing.obligations == {Debt(ISSUER, PROVIDER): 100}
    assert other not in closing.carries


def test_t1_carries_of_one_debt_do_not_pay_another() -> None:
    closing = _closing((DIRECT, 100), carried={Debt(ISSUER, ENTERPRISE): -80, Debt(CITY, PROVIDER): -80})
    assert closing.obligations == {Debt(ISSUER, PROVIDER): 100}


def test_t2_net_the_home_province_pays_and_is_owed_by_the_funder() -> None:
    closing = _closing((NET, 500), home="320500")
    assert closing.obligations == {Debt(HOME, PROVIDER): 500}
    assert closing.positions == {ISSUER: -500, HOME: 500}


def test_t2_net_with_co_funding() -> None:
    rule = policy(issuer=CITY, funding=CO_FUNDED.funding, settlement=SettlementModel.NET)
    closing = _closing((rule, 101))
    assert closing.obligations == {Debt(HOME, PROVIDER): 101}
    assert closing.positions == {PROVINCE: -40, CITY: -61, HOME: 101}


def test_t2_net_at_home_needs_no_position() -> None:
    closing = _closing((NET, 500), home=ISSUER)
    assert (closing.obligations, closing.positions) == ({Debt(ISSUER, PROVIDER): 500}, {})


def test_t2_net_applies_to_providers_only() -> None:
    closing = _closing((NET, 500), kind=PayeeKind.ENTERPRISE)
    assert (closing.obligations, closing.positions) == ({Debt(ISSUER, ENTERPRISE): 500}, {})


def test_t2_net_positions_settle_in_full_whatever_the_home_province_carries() -> None:
    first = _closing((NET, -200))
    assert (first.obligations, first.carries) == ({}, {Debt(HOME, PROVIDER): -200})
    assert first.positions == {ISSUER: 200, HOME: -200}
    second = _closing((NET, 150), carried=first.carries)
    assert (second.obligations, second.carries) == ({}, {Debt(HOME, PROVIDER): -50})
    assert second.positions == {ISSUER: -150, HOME: 150}


def test_t2_positions_are_multilateral() -> None:
    """Two provinces that serve each other's enterprises settle the difference."""
    theirs = policy(issuer=HOME, settlement=SettlementModel.NET)
    movements = [Movement(0, PROVIDER, PayeeKind.PROVIDER, HOME, 500), Movement(1, "P2", PayeeKind.PROVIDER, ISSUER, 300)]
    closing = close(movements, {0: NET, 1: theirs}, {})
    assert closing.positions == {ISSUER: -200, HOME: 200}
    assert closing.obligations == {Debt(HOME, PROVIDER): 500, Debt(ISSUER, "P2"): 300}


def test_p1_a_refund_splits_under_the_policy_that_cleared_it() -> None:
    later = policy(issuer=CITY, version="v2", effective_from=date(2026, 7, 1), funding=((PROVINCE, 10_000),))
    closing = _closing((CO_FUNDED, -100), (later, 100))
    assert closing.carries == {Debt(PROVINCE, PROVIDER): 0, Debt(CITY, PROVIDER): -60}
    assert closing.obligations == {Debt(PROVINCE, PROVIDER): 60}


def test_t1_an_empty_window_owes_nothing() -> None:
    assert close([], {}, {Debt(ISSUER, PROVIDER): -5}) == Closing()


def test_t1_net_and_direct_to_one_payee_are_different_debtors() -> None:
    closing = _closing((NET, 100), (DIRECT, 70))
    assert closing.obligations == {Debt(HOME, PROVIDER): 100, Debt(ISSUER, PROVIDER): 70}
    # T3 looks at every obligation to the payee in the window.
    assert closing.payees == {PROVIDER}
