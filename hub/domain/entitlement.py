"""What a policy grants on a set of lines (rules.md A1, S2, M2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from hub.domain.model import Line
from hub.domain.money import share
from hub.domain.policy import Policy


@dataclass(slots=True, init=False)
class Entitlement:
    """Sums over the eligible covered lines, fen. `entitled` is after both caps."""

    shares: Final[int]
    after_line_caps: Final[int]
    after_order_cap: Final[int]

    def __init__(self, shares: int, after_line_caps: int, after_order_cap: int) -> None:
        self.shares, self.after_line_caps, self.after_order_cap = shares, after_line_caps, after_order_cap

    @property
    def entitled(self) -> int:
        """The entitlement (rules.md A1)."""
        return self.after_order_cap


def supported(policy: Policy, line: Line) -> bool:
    """Say whether a line is covered by the policy and not ruled out by S2."""
    return not line.flags and line.category in policy.categories


def entitlement(policy: Policy, lines: Sequence[Line], own_on_order: int = 0) -> Entitlement:
    """Return the entitlement on `lines`. `own_on_order` is what the same issuer already commits on the order by other redemptions:
    `per_order_cap` is the most subsidy on one order, not on one request."""
    shares = capped = 0
    for line in lines:
        if not supported(policy, line):
            continue
        rule = policy.categories[line.category]
        part = share(line.amount_fen, rule.ratio_bp)
        shares += part
        capped += part if rule.per_line_cap_fen is None else min(part, rule.per_line_cap_fen)
    ordered = capped
    if policy.per_order_cap_fen is not None:
        ordered = min(capped, max(policy.per_order_cap_fen - own_on_order, 0))
    return Entitlement(shares, capped, ordered)


def remaining_lines(lines: Sequence[Line], refunds: Sequence[int]) -> tuple[Line, ...]:
    """Return the lines less the fees given back on them (rules.md C7)."""
    if not refunds:
        return tuple(lines)
    return tuple(Line(line.category, line.amount_fen - back, line.flags) for line, back in zip(lines, refunds, strict=True))


def expenditure(lines: Sequence[Line]) -> int:
    """Return the actual expenditure: the sum of all lines, eligible or not (rules.md O1)."""
    return sum(line.amount_fen for line in lines)
