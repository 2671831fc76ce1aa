"""Authorize and quote (docs/rules.md, Authorize: checks 1-10, A1-A5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from hub.domain.caller import Caller
from hub.domain.checks import checks, refusal_of
from hub.domain.clock import local_date
from hub.domain.decision import Breakdown, Decision, refuse
from hub.domain.drawing import Taken, take
from hub.domain.entitlement import expenditure
from hub.domain.limits import Limited, limit_amount
from hub.domain.model import (
    Line,
    OrderKey,
    OrderState,
    PayeeKind,
    Redemption,
    State,
    WalletKey,
)
from hub.domain.policy import Mode, QuotaBasis
from hub.domain.posting import Account, Cause, Transfer
from hub.domain.reasons import Reason
from hub.domain.refusals import Refusal, RefusalCode, invalid, not_permitted
from hub.domain.snapshot import Snapshot


@dataclass(slots=True, init=False)
class Authorize:
    """Reserve vouchers of `wallet.issuer` for an order. `redemption_id` is the id the redemption will have."""

    wallet: Final[WalletKey]
    order: Final[OrderKey]
    lines: Final[tuple[Line, ...]]
    redemption_id: Final[str]
    all_or_nothing: Final[bool]

    def __init__(
        self, wallet: WalletKey, order: OrderKey, lines: tuple[Line, ...], redemption_id: str, all_or_nothing: bool = False
    ) -> None:
        self.wallet, self.order, self.lines = wallet, order, lines
        self.redemption_id, self.all_or_nothing = redemption_id, all_or_nothing


def decide_authorize(snapshot: Snapshot, command: Authorize, caller: Caller, now: datetime) -> Decision:
    """Decide an authorization: the first failing check is the refusal.

    The acquirer's platform calls (rules.md C10); with a provider that is not in the pool there is no acquirer, and check 5 refuses.
    """
    provider = snapshot.provider
    if provider is not None and not caller.acts_for(provider.home):
        return refuse(not_permitted("仅服务地平台可以申请抵用", "only the acquirer's platform authorizes"))
    mismatch = order_mismatch(snapshot, command)
    if mismatch is not None:
        return refuse(mismatch)
    today = local_date(now)
    objection = next(checks(snapshot, command.wallet, command.order, command.lines, today), None)
    if objection is not None:
        return refuse(refusal_of(*objection, snapshot.policy))
    limited = limit_amount(snapshot, command.wallet.issuer, command.lines, today)
    code = limited.refused(command.all_or_nothing)
    if code is not None:
        return refuse(Refusal(code, reasons=tuple(limited.reasons)))
    return _approve(snapshot, command, limited, now, today)


def quote(snapshot: Snapshot, command: Authorize, now: datetime) -> tuple[Breakdown, list[RefusalCode], list[Reason]]:
    """Return what an authorization would give, every objection in the order of the checks, and the steps."""
    today = local_date(now)
    found = [code for code, _ in checks(snapshot, command.wallet, command.order, command.lines, today)]
    breakdown = Breakdown(enterprise_pays=expenditure(command.lines))
    reasons: list[Reason] = []
    covered = not {RefusalCode.POLICY_NOT_IN_FORCE, RefusalCode.CATEGORY_EXCLUDED, RefusalCode.CATEGORY_NOT_COVERED} & set(found)
    if snapshot.policy is not None and covered:
        limited = limit_amount(snapshot, command.wallet.issuer, command.lines, today)
        reasons = limited.reasons
        breakdown.entitlement = limited.entitlement.entitled
        code = limited.refused(command.all_or_nothing)
        if code is not None and code not in found and not (code is RefusalCode.VOUCHER_EXHAUSTED and RefusalCode.VOUCHER_EXPIRED in found):
            found.append(code)
        if not found:
            taken = take(limited.notes, limited.amount, today.year, snapshot.policy.quota_basis)
            breakdown = _breakdown(snapshot, command, limited, taken)
    return breakdown, found, reasons


def order_mismatch(snapshot: Snapshot, command: Authorize) -> Refusal | None:
    """Refuse an order number that names another contract (rules.md O1). Lines may change while nothing is committed on the order."""
    order = snapshot.order
    if order is None:
        return None
    if order.enterprise != command.wallet.enterprise:
        return invalid("input.order.order_no", "this order of the provider belongs to another enterprise")
    if order.total > 0 and order.lines != command.lines:
        return invalid("input.order.lines", "the order was authorized with other lines; an order is one contract")
    return None


def _breakdown(snapshot: Snapshot, command: Authorize, limited: Limited, taken: Taken) -> Breakdown:
    policy = snapshot.policy
    assert policy is not None
    spent = expenditure(command.lines)
    others = snapshot.order.total if snapshot.order else 0
    return Breakdown(
        entitlement=limited.entitlement.entitled,
        subsidy=limited.amount,
        clamps=tuple([code.value for code in limited.clamps]),
        vouchers_used=len(taken.draws),
        # Under 通用 the enterprise pays the whole fee first (rules.md A5).
        enterprise_pays=spent if policy.mode is Mode.POST_SUBSIDY else spent - others - limited.amount,
    )


def _approve(snapshot: Snapshot, command: Authorize, limited: Limited, now: datetime, today: date) -> Decision:
    policy, provider = snapshot.policy, snapshot.provider
    assert policy is not None and provider is not None
    taken = take(limited.notes, limited.amount, today.year, policy.quota_basis)
    redemption = Redemption(
        redemption_id=command.redemption_id,
        wallet=command.wallet,
        acquirer=provider.home,
        order=command.order,
        policy_id=policy.policy_id,
        policy_version=policy.version,
        state=State.AUTHORIZED,
        lines=command.lines,
        authorized=limited.amount,
        subsidy=limited.amount,
        payee_kind=PayeeKind.PROVIDER if policy.mode is Mode.PRE_SUBSIDY else PayeeKind.ENTERPRISE,
        quota_year=today.year,
        authorized_at=now,
        expires_on=today + timedelta(days=policy.authorization_ttl_days),
        draws=taken.draws,
    )
    issuer = command.wallet.issuer
    committed = dict(snapshot.order.committed) if snapshot.order else {}
    committed[issuer] = committed.get(issuer, 0) + limited.amount
    transfer = Transfer(
        cause=Cause.AUTHORIZE,
        debit=Account.OUTSTANDING,
        credit=Account.RESERVED,
        amount=limited.amount,
        wallet=command.wallet,
        notes=tuple([(draw.note_id, draw.amount) for draw in taken.draws]),
        redemption_id=command.redemption_id,
        order=command.order,
        committed=limited.amount,
        quota_year=today.year,
        quota=limited.amount if policy.quota_basis is QuotaBasis.OFFSET else taken.face_counted,
    )
    return Decision(
        reasons=limited.reasons,
        redemption=redemption,
        transfers=[transfer],
        counts=taken.counts,
        order=OrderState(command.order, command.wallet.enterprise, command.lines, committed),
        breakdown=_breakdown(snapshot, command, limited, taken),
        cause="Authorize",
    )
