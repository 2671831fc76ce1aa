"""What province and city each bear of a redemption: exact, in fen. Pure (rules.md T1; the shares themselves are assumed).

The province's share of an amount is floored, the rest is the city's, so that the two always add up. What has been refunded is split by
the same rule as one sum, however many refunds it came in: a redemption given back in full leaves nothing with either, and no fen drifts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from adapters.runtime.results import ObligationRow, RedemptionRow
from hub.domain.money import FULL_BP, share

PAID_OUT = frozenset({"CLEARED", "SETTLED", "REFUNDED"})
"""States of a redemption in which money is owed, was paid or came back."""

Shares = Mapping[tuple[str, str], int]
"""The province's share in basis points, by issuing city and policy version."""


@dataclass(frozen=True, slots=True)
class Split:
    """An amount in fen, cut in two."""

    province: int
    city: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.province + self.city

    def __sub__(self, other: Split) -> Split:
        return Split(self.province - other.province, self.city - other.city)

    def __add__(self, other: Split) -> Split:
        return Split(self.province + other.province, self.city + other.city)


def split(amount_fen: int, province_bp: int) -> Split:
    """Cut an amount of either sign: the province's share floored in magnitude, the rest to the city. Raises ValueError for no share."""
    if not 0 <= province_bp <= FULL_BP:
        raise ValueError(f"{province_bp} is no share in basis points")
    part = share(abs(amount_fen), province_bp)
    part = -part if amount_fen < 0 else part
    return Split(part, amount_fen - part)


@dataclass(frozen=True, slots=True)
class Borne:
    """Who bears a redemption: what was cleared, what of it came back, and what is left."""

    cleared: Split
    returned: Split

    @property
    def net(self) -> Split:
        """What stands."""
        return self.cleared - self.returned


def borne(row: RedemptionRow, shares: Shares) -> Borne | None:
    """Return who bears a redemption; None where its policy version has no shares here, which is for a person to clear up."""
    bp = shares.get((row.issuer, row.policy_version))
    if bp is None:
        return None
    return Borne(split(row.subsidy_fen + row.refunded_fen, bp), split(row.refunded_fen, bp))


@dataclass(frozen=True, slots=True)
class Check:
    """A window's sum by shares beside what the hub has the funder pay; `city` is empty for the province."""

    window_id: str
    city: str
    by_shares_fen: int
    owed_fen: int

    @property
    def difference_fen(self) -> int:
        """Shares less obligations."""
        return self.by_shares_fen - self.owed_fen


def reconcile(rows: Iterable[RedemptionRow], owed: Iterable[ObligationRow], shares: Shares, province: str) -> Iterator[Check]:
    """Yield, by closed window and funder, the shares' sum and the obligations to the same payees.

    A difference has a cause outside the window's redemptions: a refund of an earlier window's, one made in several parts (the hub rounds
    each, rules.md T1), a negative carried over, or money advanced for another issuer under net settlement.
    """
    sums: dict[tuple[str, str], int] = defaultdict(int)
    payees: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in rows:
        found = borne(row, shares) if row.state in PAID_OUT and row.window_id else None
        if found is None:
            continue
        payee = row.provider if row.payee == "PROVIDER" else row.enterprise
        for funder, part in ((province, found.net.province), (row.issuer, found.net.city)):
            sums[(row.window_id, funder)] += part
            payees[(row.window_id, funder)].add(payee)
    debts: dict[tuple[str, str], int] = defaultdict(int)
    closed = set()
    for debt in owed:
        closed.add(debt.window_id)
        if debt.creditor in payees[(debt.window_id, debt.debtor)]:
            debts[(debt.window_id, debt.debtor)] += debt.amount_fen
    for (window, funder), amount in sorted(sums.items()):
        if window in closed:
            yield Check(window, "" if funder == province else funder, amount, debts[(window, funder)])
