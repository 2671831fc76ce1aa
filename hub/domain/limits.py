"""The limits of rules.md A2, in their order, each a clamp that is reported."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from hub.domain.drawing import drawable
from hub.domain.entitlement import Entitlement, entitlement, expenditure
from hub.domain.model import Line, Note
from hub.domain.reasons import SCOPE_CLAUSE, TRIAL_CLAUSE, Reason, step
from hub.domain.refusals import RefusalCode
from hub.domain.snapshot import Snapshot

_ALL_OR_NOTHING = (RefusalCode.QUOTA_EXCEEDED, RefusalCode.VOUCHER_EXHAUSTED, RefusalCode.ACTUAL_EXPENDITURE_EXCEEDED)

_CLAUSES = {RefusalCode.QUOTA_EXCEEDED: TRIAL_CLAUSE, RefusalCode.VOUCHER_EXHAUSTED: TRIAL_CLAUSE}

_ZH = {
    RefusalCode.PER_LINE_CAP: "单项限额",
    RefusalCode.PER_ORDER_CAP: "单笔限额",
    RefusalCode.QUOTA_EXCEEDED: "年度兑付上限余额",
    RefusalCode.VOUCHER_EXHAUSTED: "有效券可用余额",
    RefusalCode.ACTUAL_EXPENDITURE_EXCEEDED: "实际总支出余额",
}
_EN = {
    RefusalCode.PER_LINE_CAP: "the cap per line",
    RefusalCode.PER_ORDER_CAP: "the cap per order",
    RefusalCode.QUOTA_EXCEEDED: "what is left of the annual cap",
    RefusalCode.VOUCHER_EXHAUSTED: "what is available on live vouchers",
    RefusalCode.ACTUAL_EXPENDITURE_EXCEEDED: "what is left of the actual expenditure",
}


@dataclass(slots=True, init=False)
class Limited:
    """The amount after all limits, the clamps in order, and the notes it may be drawn from."""

    entitlement: Entitlement
    amount: int
    clamps: list[RefusalCode]
    refusal: RefusalCode | None
    notes: list[Note]
    reasons: list[Reason]

    def __init__(self, entitlement: Entitlement, reasons: list[Reason]) -> None:
        """Start with the shares, before any limit."""
        self.entitlement, self.amount, self.reasons = entitlement, entitlement.shares, reasons
        self.clamps, self.refusal, self.notes = [], None, []

    def refused(self, all_or_nothing: bool) -> RefusalCode | None:
        """The code that refuses, None where something may be granted: the limit that left nothing, but under `all_or_nothing` the
        first of the last three clamps, whether it left something or not (rules.md A2)."""
        first = next((code for code in self.clamps if code in _ALL_OR_NOTHING), None) if all_or_nothing else None
        return first or self.refusal


def limit_amount(snapshot: Snapshot, issuer: str, lines: tuple[Line, ...], today: date) -> Limited:
    """Return the subsidy on `lines` after every limit of A2. The first limit that leaves nothing is the refusal."""
    policy, wallet, order = snapshot.policy, snapshot.wallet, snapshot.order
    assert policy is not None
    own = order.committed.get(issuer, 0) if order else 0
    others = order.total if order else 0
    spent = expenditure(lines)
    granted = entitlement(policy, lines, own)
    shares = step(
        rule="A1",
        zh="按政策比例计算各项份额",
        en="shares of the eligible covered lines under the policy",
        policy_version=policy.version,
        clause=SCOPE_CLAUSE,
        facts=(("shares_fen", granted.shares), ("entitlement_fen", granted.entitled), ("expenditure_fen", spent)),
    )
    result = Limited(granted, [shares])
    if granted.shares == 0:
        result.refusal = RefusalCode.NOTHING_PAYABLE
        return result
    # The quota year is that of the authorization date, and authorized amounts count as used until released (rules.md A4).
    used = wallet.quota_used.get(today.year, 0) if wallet else 0
    quota_left = policy.annual_cap_fen - used
    room = None if wallet is None else drawable(wallet, today, policy.quota_basis, quota_left)
    if room is not None:
        result.notes = room.notes
    limits = (
        (RefusalCode.PER_LINE_CAP, granted.after_line_caps),
        (RefusalCode.PER_ORDER_CAP, granted.after_order_cap),
        (RefusalCode.QUOTA_EXCEEDED, max(quota_left, 0) if room is None else room.within_quota),
        (RefusalCode.VOUCHER_EXHAUSTED, room.available if room else 0),
        (RefusalCode.ACTUAL_EXPENDITURE_EXCEEDED, max(spent - others, 0)),
    )
    for code, most in limits:
        if most < result.amount:
            _clamp(result, code, most, policy.version)
            if most == 0:
                result.refusal = code
                break
    return result


def _clamp(result: Limited, code: RefusalCode, most: int, version: str) -> None:
    before, result.amount = result.amount, most
    result.clamps.append(code)
    result.reasons.append(
        step(
            rule="A2",
            zh=f"受{_ZH[code]}限制,金额由 {before} 分降为 {most} 分",
            en=f"{_EN[code]} lowers the amount from {before} to {most} fen",
            code=code.value,
            policy_version=version,
            clause=_CLAUSES.get(code, SCOPE_CLAUSE),
            facts=(("before_fen", before), ("limit_fen", most)),
        )
    )
