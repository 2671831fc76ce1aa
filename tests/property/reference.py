"""The rules once more, by brute force: amounts are sought fen by fen, notes are heaps of single fen. Slow, and easy to believe."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

from hub.domain.model import Line, Note, OrderState, Wallet
from hub.domain.policy import Policy

Coins = list[int]
"""The note each fen lies on, in the order in which fen are drawn."""


class Expected(NamedTuple):
    """What an authorization should come to; `code` is empty where it is granted."""

    amount: int
    clamps: list[str]
    code: str


def coins(wallet: Wallet | None, today: date) -> Coins:
    """A3: every fen that may be drawn, soonest expiry first, then by number."""
    notes = wallet.notes if wallet else []
    live = [note for note in notes if today < note.expires_on and not note.cancelled]
    return [note.note_id for note in sorted(live, key=lambda note: (note.expires_on, note.voucher_no)) for _ in range(note.available)]


def draws(drawn: Coins) -> list[tuple[int, int]]:
    """What was drawn of each note, in order of drawing."""
    return list(Counter(drawn).items())


def given_back(drawn: list[tuple[int, int]], amount: int) -> Counter[int]:
    """C8: what each note gets back of `amount`, last drawn first."""
    heap = [note_id for note_id, part in drawn for _ in range(part)]
    return Counter(heap[len(heap) - amount :])


def share(policy: Policy, line: Line) -> int:
    """The largest whole fen x with x * 10000 <= amount * ratio, of a line that is covered and not ruled out."""
    rule = policy.categories.get(line.category)
    if rule is None or line.flags:
        return 0
    x = 0
    while (x + 1) * 10_000 <= line.amount_fen * rule.ratio_bp:
        x += 1
    return x


def entitled(policy: Policy, lines: tuple[Line, ...], own_on_order: int) -> int:
    """A1, with what the issuer already gives on the order under `per_order_cap`."""
    total = 0
    for line in lines:
        rule = policy.categories.get(line.category)
        cap = rule.per_line_cap_fen if rule else None
        total += share(policy, line) if cap is None else min(share(policy, line), cap)
    if policy.per_order_cap_fen is not None:
        total = max(0, min(total, policy.per_order_cap_fen - own_on_order))
    return total


def _fits_quota(policy: Policy, notes: dict[int, Note], heap: Coins, left: int, x: int) -> bool:
    if x > left:
        return False
    if policy.quota_basis == "OFFSET":
        return True
    faces = sum(notes[note_id].face for note_id in set(heap[:x]) if not notes[note_id].counted_year)
    return faces <= left


def authorize(
    policy: Policy, wallet: Wallet | None, order: OrderState | None, issuer: str, lines: tuple[Line, ...], today: date, all_or_nothing: bool
) -> Expected:
    """A2: after each limit the amount is the largest that all limits so far admit."""
    heap = coins(wallet, today)
    notes = {note.note_id: note for note in wallet.notes} if wallet else {}
    committed = order.committed if order else {}
    left = policy.annual_cap_fen - (wallet.quota_used.get(today.year, 0) if wallet else 0)
    spent = sum(line.amount_fen for line in lines)
    without_order_cap = sum(entitled(policy, (line,), -(10**9)) for line in lines)
    own = committed.get(issuer, 0)
    limits: list[tuple[str, Callable[[int], bool]]] = [
        ("PER_LINE_CAP", lambda x: x <= without_order_cap),
        ("PER_ORDER_CAP", lambda x: policy.per_order_cap_fen is None or own + x <= max(policy.per_order_cap_fen, own)),
        ("QUOTA_EXCEEDED", lambda x: _fits_quota(policy, notes, heap, max(left, 0), x)),
        ("VOUCHER_EXHAUSTED", lambda x: x <= len(heap)),
        ("ACTUAL_EXPENDITURE_EXCEEDED", lambda x: x + sum(committed.values()) <= max(spent, sum(committed.values()))),
    ]
    amount = sum(share(policy, line) for line in lines)
    if amount == 0:
        return Expected(0, [], "NOTHING_PAYABLE")
    clamps: list[str] = []
    for name, admits in limits:
        most = amount
        while not admits(most):
            most -= 1
        if most < amount:
            amount = most
            clamps.append(name)
            if all_or_nothing and name in ("QUOTA_EXCEEDED", "VOUCHER_EXHAUSTED", "ACTUAL_EXPENDITURE_EXCEEDED"):
                return Expected(0, clamps, name)
        if amount == 0:
            return Expected(0, clamps, name)
    return Expected(amount, clamps, "")
