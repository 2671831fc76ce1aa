"""Capture (rules.md C0-C4): final lines, delivery, evidence and invoice turn a reservation into a debt."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

from hub.domain.caller import Caller
from hub.domain.clock import local_date
from hub.domain.decision import Decision, refuse
from hub.domain.entitlement import entitlement, expenditure
from hub.domain.model import Line, OrderState, Redemption, State
from hub.domain.policy import EvidenceKind, ExpiryBasis
from hub.domain.posting import Cause
from hub.domain.reasons import INTEGRITY_CLAUSE, SCOPE_CLAUSE, TRIAL_CLAUSE, step
from hub.domain.refusals import Refusal, RefusalCode, invalid, invalid_state, not_permitted
from hub.domain.release import changing, clear, invoice_use, parts, release
from hub.domain.snapshot import Snapshot


@dataclass(slots=True, init=False)
class Capture:
    """Final lines (empty: as authorized), invoice, delivery date and evidence of a redemption."""

    redemption_id: Final[str]
    invoice_no: Final[str]
    delivered_on: Final[date]
    evidence: Final[tuple[EvidenceKind, ...]]
    lines: Final[tuple[Line, ...]]

    def __init__(
        self, redemption_id: str, invoice_no: str, delivered_on: date, evidence: tuple[EvidenceKind, ...], lines: tuple[Line, ...] = ()
    ) -> None:
        self.redemption_id, self.invoice_no, self.delivered_on = redemption_id, invoice_no, delivered_on
        self.evidence, self.lines = evidence, lines


def decide_capture(snapshot: Snapshot, command: Capture, caller: Caller, now: datetime) -> Decision:
    """Decide a capture. The acquirer's platform calls (rules.md C10)."""
    redemption, policy, _, _ = parts(snapshot)
    if not caller.acts_for(redemption.acquirer):
        return refuse(not_permitted("仅服务地平台可以提交兑付", "only the acquirer's platform captures"))
    today = local_date(now)
    if redemption.state is State.AUTHORIZED and redemption.expires_on <= today:
        return lapse(snapshot, now, refused=True)
    if redemption.state is not State.AUTHORIZED:
        return refuse(wrong_state(redemption, "AUTHORIZED"))
    if command.delivered_on > today:
        return refuse(invalid("delivered_on", "is in the future"))
    missing = [kind for kind in policy.evidence if kind not in command.evidence]
    if missing:
        return refuse(_evidence_missing(missing, policy.version))
    if _duplicate_invoice(snapshot, command):
        return refuse(Refusal(RefusalCode.DUPLICATE_INVOICE, metadata=(("invoice_no", command.invoice_no),)))
    if policy.expiry_basis is ExpiryBasis.CLAIM and _drawn_note_expired(snapshot, today):
        return _refuse_and_release(snapshot, RefusalCode.VOUCHER_EXPIRED, State.EXPIRED, today, "C2", TRIAL_CLAUSE)
    standing, held = _standing(snapshot, command.delivered_on)
    if standing is not None:
        return _refuse_and_release(snapshot, standing, State.VOIDED, today, "C4", INTEGRITY_CLAUSE)
    return _captured(snapshot, command, today, held=held)


def wrong_state(redemption: Redemption, *wanted: str) -> Refusal:
    """Return INVALID_STATE naming the present state and the ones the command needs (rules.md C9)."""
    names = "、".join(wanted)
    return invalid_state(
        f"当前状态为 {redemption.state.value},此操作要求 {names}",
        f"the redemption is {redemption.state.value}; the command needs {' or '.join(wanted)}",
    )


def _evidence_missing(missing: list[EvidenceKind], version: str) -> Refusal:
    names = ", ".join(kind.value for kind in missing)
    reason = step(
        rule="C2",
        zh=f"缺少凭证:{names}",
        en=f"missing evidence: {names}",
        code="EVIDENCE_MISSING",
        policy_version=version,
        clause=SCOPE_CLAUSE,
    )
    return Refusal(
        RefusalCode.EVIDENCE_MISSING, reasons=(reason,), metadata=(("missing", names),), detail_zh=reason.zh, detail_en=reason.en
    )


def _duplicate_invoice(snapshot: Snapshot, command: Capture) -> bool:
    """An invoice serves one redemption per issuer, and only one order across issuers (rules.md C3)."""
    redemption, _, _, _ = parts(snapshot)
    issuer, order_no = redemption.wallet.issuer, redemption.order.order_no
    return any(
        use.order_no != order_no or (use.issuer == issuer and use.redemption_id != command.redemption_id) for use in snapshot.invoice_uses
    )


def _drawn_note_expired(snapshot: Snapshot, today: date) -> bool:
    redemption, _, wallet, _ = parts(snapshot)
    return any(wallet.note(draw.note_id).expired(today) for draw in redemption.draws)


def _standing(snapshot: Snapshot, delivered_on: date) -> tuple[RefusalCode | None, bool]:
    """Return the standing refusal, or whether the capture is held (rules.md C4; provider before enterprise)."""
    provider, enterprise = snapshot.provider, snapshot.enterprise
    assert provider is not None and enterprise is not None
    held = False
    for since, code in (
        (provider.suspended_on, RefusalCode.PROVIDER_SUSPENDED),
        (enterprise.sanctioned_on, RefusalCode.ENTERPRISE_SANCTIONED),
    ):
        if since is None:
            continue
        if delivered_on >= since:
            return code, False
        held = True
    return None, held


def _refuse_and_release(snapshot: Snapshot, code: RefusalCode, state: State, today: date, rule: str, clause: str) -> Decision:
    redemption, policy, _, _ = parts(snapshot)
    refusal = Refusal(code)
    reason = step(
        rule=rule,
        zh=f"{refusal.zh},预留已释放",
        en=f"{refusal.en}; the reservation is released",
        code=code.value,
        policy_version=policy.version,
        clause=clause,
        facts=(("released_fen", redemption.subsidy),),
    )
    decision = Decision(
        refusal=Refusal(code, reasons=(reason,), detail_zh=reason.zh, detail_en=reason.en), reasons=[reason], cause="Capture"
    )
    release(snapshot, decision, redemption.subsidy, state, Cause.RELEASE, today)
    return decision


def _captured(snapshot: Snapshot, command: Capture, today: date, *, held: bool) -> Decision:
    redemption, policy, _, order = parts(snapshot)
    lines = command.lines or redemption.lines
    issuer = redemption.wallet.issuer
    others = order.total - redemption.subsidy
    own_others = order.committed.get(issuer, 0) - redemption.subsidy
    entitled = entitlement(policy, lines, own_others).entitled
    room = max(expenditure(lines) - others, 0)
    amount = min(redemption.authorized, entitled, room)
    decision = Decision(cause="Capture")
    decision.reasons.append(
        step(
            rule="C1",
            zh="按最终明细核定:取预留额、应享额与支出余额中的最小值",
            en="captured is the least of authorized, entitled and what is left of the expenditure, on the final lines",
            policy_version=policy.version,
            clause=SCOPE_CLAUSE,
            facts=(
                ("authorized_fen", redemption.authorized),
                ("entitlement_fen", entitled),
                ("expenditure_left_fen", room),
                ("captured_fen", amount),
            ),
        )
    )
    if amount == 0:
        release(snapshot, decision, redemption.subsidy, State.VOIDED, Cause.RELEASE, today)
        return decision
    captured = changing(decision, redemption)
    captured.lines = lines
    captured.line_refunds = (0,) * len(lines)
    captured.invoice_no = command.invoice_no
    captured.delivered_on = command.delivered_on
    decision.order = OrderState(order.key, order.enterprise, lines, order.committed)
    decision.invoice = invoice_use(redemption, command.invoice_no)
    if amount < redemption.subsidy:
        release(snapshot, decision, redemption.subsidy - amount, State.AUTHORIZED, Cause.RELEASE, today)
    if held:
        captured.state = State.HELD
    elif policy.auto_clear_up_to_fen is not None and amount > policy.auto_clear_up_to_fen:
        captured.state = State.PENDING_REVIEW
    else:
        clear(snapshot, decision, today)
    return decision


def lapse(snapshot: Snapshot, now: datetime, *, refused: bool = False) -> Decision:
    """Expire an uncaptured authorization whose time is up (rules.md C6). `refused` answers a command that came too late."""
    redemption, policy, _, _ = parts(snapshot)
    today = local_date(now)
    if redemption.state is not State.AUTHORIZED or redemption.expires_on > today:
        return refuse(wrong_state(redemption, "AUTHORIZED"))
    reason = step(
        rule="C6",
        zh="预留超过有效天数,已释放",
        en="the authorization outlived its days and is released",
        policy_version=policy.version,
        facts=(("released_fen", redemption.subsidy), ("ttl_days", policy.authorization_ttl_days)),
    )
    decision = Decision(reasons=[reason], cause="Expire")
    release(snapshot, decision, redemption.subsidy, State.EXPIRED, Cause.RELEASE, today)
    if refused:
        decision.refusal = replace(wrong_state(replace(redemption, state=State.EXPIRED), "AUTHORIZED"), reasons=(reason,))
    return decision
