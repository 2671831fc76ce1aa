"""Approve, reject, void, refund (rules.md C5-C9)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hub.domain.caller import Caller
from hub.domain.capture import lapse, wrong_state
from hub.domain.clock import local_date
from hub.domain.decision import Decision, refuse
from hub.domain.entitlement import entitlement, expenditure, remaining_lines
from hub.domain.model import Redemption, State
from hub.domain.money import MAX_FEN
from hub.domain.posting import Cause
from hub.domain.reasons import SCOPE_CLAUSE, step
from hub.domain.refusals import Refusal, RefusalCode, invalid, not_permitted
from hub.domain.release import clear, parts, release, take_back
from hub.domain.snapshot import Snapshot

_REVIEWABLE = (State.PENDING_REVIEW, State.HELD)


@dataclass(frozen=True, slots=True)
class Approve:
    """Approve `approved_fen` of a capture under review or held."""

    redemption_id: str
    approved_fen: int


@dataclass(frozen=True, slots=True)
class Reject:
    """Reject a capture under review or held."""

    redemption_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class Void:
    """Give up an authorization before capture."""

    redemption_id: str


@dataclass(frozen=True, slots=True)
class Refund:
    """`fee_fen` of the fee of a final line was given back. `line` counts from 0; None where there is only one line."""

    redemption_id: str
    fee_fen: int
    line: int | None = None


def decide_approve(snapshot: Snapshot, command: Approve, caller: Caller, now: datetime) -> Decision:
    """Approve: the issuer's platform calls; what is not approved is released, the rest clears (rules.md C5)."""
    redemption, policy, _, _ = parts(snapshot)
    refusal = _reviewer(redemption, caller)
    if refusal is not None:
        return refuse(refusal)
    if not 0 < command.approved_fen <= redemption.subsidy:
        return refuse(invalid("approved_fen", f"must be greater than 0 and at most the captured {redemption.subsidy} fen"))
    today = local_date(now)
    decision = Decision(cause="Approve")
    decision.reasons.append(
        step(
            rule="C5",
            zh="发券地核定",
            en="approved by the issuer",
            policy_version=policy.version,
            clause=SCOPE_CLAUSE,
            facts=(("captured_fen", redemption.subsidy), ("approved_fen", command.approved_fen)),
        )
    )
    if command.approved_fen < redemption.subsidy:
        release(snapshot, decision, redemption.subsidy - command.approved_fen, redemption.state, Cause.RELEASE, today)
    clear(snapshot, decision, today)
    return decision


def decide_reject(snapshot: Snapshot, command: Reject, caller: Caller, now: datetime) -> Decision:
    """Reject: the issuer's platform calls; all is released and the invoice may be brought again (rules.md C5)."""
    redemption, policy, _, _ = parts(snapshot)
    refusal = _reviewer(redemption, caller)
    if refusal is not None:
        return refuse(refusal)
    decision = Decision(cause="Reject", frees_invoice=True)
    decision.reasons.append(step(rule="C5", zh=f"发券地驳回:{command.reason}", en="rejected by the issuer", policy_version=policy.version))
    release(snapshot, decision, redemption.subsidy, State.REJECTED, Cause.RELEASE, local_date(now))
    return decision


def _reviewer(redemption: Redemption, caller: Caller) -> Refusal | None:
    if not caller.acts_for(redemption.wallet.issuer):
        return not_permitted("仅发券地平台可以审核", "only the issuer's platform reviews")
    if redemption.state not in _REVIEWABLE:
        return wrong_state(redemption, "PENDING_REVIEW", "HELD")
    return None


def decide_void(snapshot: Snapshot, _command: Void, caller: Caller, now: datetime) -> Decision:
    """Void: the acquirer's platform calls, before capture; all is released (rules.md C6)."""
    redemption, policy, _, _ = parts(snapshot)
    if not caller.acts_for(redemption.acquirer):
        return refuse(not_permitted("仅服务地平台可以撤销预留", "only the acquirer's platform voids"))
    today = local_date(now)
    if redemption.state is State.AUTHORIZED and redemption.expires_on <= today:
        return lapse(snapshot, now, refused=True)
    if redemption.state is not State.AUTHORIZED:
        return refuse(wrong_state(redemption, "AUTHORIZED"))
    decision = Decision(cause="Void")
    decision.reasons.append(
        step(
            rule="C6",
            zh="提交前撤销,预留全部释放",
            en="given up before capture; all is released",
            policy_version=policy.version,
            facts=(("released_fen", redemption.subsidy),),
        )
    )
    release(snapshot, decision, redemption.subsidy, State.VOIDED, Cause.RELEASE, today)
    return decision


def decide_refund(snapshot: Snapshot, command: Refund, caller: Caller, now: datetime) -> Decision:
    """Refund: issuer's or acquirer's platform calls; the subsidy falls to what the remaining fee entitles to (rules.md C7)."""
    redemption, policy, _, order = parts(snapshot)
    if not (caller.acts_for(redemption.wallet.issuer) or caller.acts_for(redemption.acquirer)):
        return refuse(not_permitted("仅发券地或服务地平台可以退款", "only the issuer's or the acquirer's platform refunds"))
    if redemption.state not in (State.CLEARED, State.SETTLED):
        return refuse(wrong_state(redemption, "CLEARED", "SETTLED"))
    refunds = list(redemption.line_refunds)
    line = _refunded_line(command, len(refunds))
    if isinstance(line, Refusal):
        return refuse(line)
    if not 0 < command.fee_fen <= MAX_FEN:
        return refuse(invalid("fee_fen", f"must be a whole number of fen between 1 and {MAX_FEN}"))
    held = redemption.lines[line].amount_fen - refunds[line]
    if command.fee_fen > held:
        return refuse(_too_much(command.fee_fen, held, policy.version))
    refunds[line] += command.fee_fen
    rest = remaining_lines(redemption.lines, refunds)
    issuer = redemption.wallet.issuer
    own_others = order.committed.get(issuer, 0) - redemption.subsidy
    entitled = entitlement(policy, rest, own_others).entitled
    # O2 holds after a refund as before it: what other issuers committed and this subsidy stay within what was really spent.
    room = max(expenditure(rest) - (order.total - redemption.subsidy), 0)
    target = min(redemption.subsidy, entitled, room)
    decision = Decision(cause="Refund")
    decision.reasons.append(
        step(
            rule="C7",
            zh="按剩余费用重算补贴,差额退回",
            en="the subsidy is what the remaining fee entitles to; the difference goes back",
            policy_version=policy.version,
            clause=SCOPE_CLAUSE,
            facts=(("fee_fen", command.fee_fen), ("entitlement_fen", entitled), ("before_fen", redemption.subsidy), ("after_fen", target)),
        )
    )
    take_back(snapshot, decision, redemption.subsidy - target, tuple(refunds), local_date(now))
    return decision


def _refunded_line(command: Refund, count: int) -> int | Refusal:
    if command.line is None:
        return 0 if count == 1 else invalid("line", f"must name one of the {count} lines, counting from 0")
    if not 0 <= command.line < count:
        return invalid("line", f"must be between 0 and {count - 1}")
    return command.line


def _too_much(fee: int, held: int, version: str) -> Refusal:
    reason = step(
        rule="C7",
        zh=f"退款 {fee} 分超过该项剩余 {held} 分",
        en=f"the refund of {fee} fen is more than the {held} fen the line still holds",
        code="REFUND_EXCEEDS_PAYMENT",
        policy_version=version,
        facts=(("fee_fen", fee), ("held_fen", held)),
    )
    return Refusal(RefusalCode.REFUND_EXCEEDS_PAYMENT, reasons=(reason,), detail_zh=reason.zh, detail_en=reason.en)
