"""Closing a window: obligations, carried negatives and net positions (rules.md T1, T2). Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from hub.domain.divisions import province_of
from hub.domain.model import PayeeKind
from hub.domain.money import share
from hub.domain.policy import Policy, SettlementModel


class Movement(NamedTuple):
    """One cleared (positive) or refunded (negative) amount of a window, fen. `home` is the provider's home division."""

    policy_id: int
    payee: str
    payee_kind: PayeeKind
    home: str
    amount: int


class Debt(NamedTuple):
    """Who owes whom."""

    debtor: str
    creditor: str


@dataclass(slots=True)
class Closing:
    """What a window comes to: obligations above zero, negatives carried on, and positions that add up to zero."""

    obligations: dict[Debt, int] = field(default_factory=dict)
    carries: dict[Debt, int] = field(default_factory=dict)
    positions: dict[str, int] = field(default_factory=dict)
    payees: set[str] = field(default_factory=set)


def split(policy: Policy, amount: int) -> list[tuple[str, int]]:
    """Split an amount by funding share: floored in magnitude, the rounding rest to the issuer (rules.md T1)."""
    sign = -1 if amount < 0 else 1
    parts = [(division, share(abs(amount), bp)) for division, bp in policy.funders]
    rest = abs(amount) - sum(part for _, part in parts)
    totals: dict[str, int] = defaultdict(int)
    for division, part in parts:
        totals[division] += sign * part
    totals[policy.issuer] += sign * rest
    return [(division, part) for division, part in totals.items() if part]


def close(movements: Iterable[Movement], policies: Mapping[int, Policy], carried: Mapping[Debt, int]) -> Closing:
    """Close a window over its movements and what earlier windows carried.

    DIRECT: the funder owes the payee. NET, providers only: the provider's home province owes it and is owed by the funder; the
    positions settle in full each window, whatever the home province carries.
    """
    sums: dict[Debt, int] = defaultdict(int)
    positions: dict[str, int] = defaultdict(int)
    closing = Closing()
    for movement in movements:
        policy = policies[movement.policy_id]
        closing.payees.add(movement.payee)
        net = policy.settlement is SettlementModel.NET and movement.payee_kind is PayeeKind.PROVIDER
        home = province_of(movement.home)
        for funder, part in split(policy, movement.amount):
            sums[Debt(home if net else funder, movement.payee)] += part
            if net:
                positions[funder] -= part
                positions[home] += part
    for debt, amount in sums.items():
        total = amount + carried.get(debt, 0)
        if total > 0:
            closing.obligations[debt] = total
        closing.carries[debt] = min(total, 0)
    closing.positions = {division: amount for division, amount in positions.items() if amount}
    return closing
