"""Authorize and quote (docs/rules.md, Authorize: checks 1-10, A1-A5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from hub.domain import conditions
from hub.domain.caller import Caller
from hub.domain.clock import local_date
from hub.domain.decision import Breakdown, Decision, refuse
from hub.domain.divisions import contains
from hub.domain.drawing import Taken, take
from hub.domain.entitlement import expenditure, supported
from hub.domain.limits import Limited, limit_amount
from hub.domain.model import (
    Line,
    OrderKey,
    OrderState,
    PayeeKind,
    Provider,
    Recognition,
    Redemption,
    Snapshot,
    State,
    Wallet,
    WalletKey,
)
from hub.domain.policy import EnterpriseKind, Mode, Policy, QuotaBasis, RecognitionDefault
from hub.domain.posting import Account, Cause, Transfer
from hub.domain.reasons import INTEGRITY_CLAUSE, SCOPE_CLAUSE, Reason
from hub.domain.refusals import Refusal, RefusalCode, invalid, not_permitted


@dataclass(frozen=True, slots=True)
class Authorize:
    """Reserve vouchers of `wallet.issuer` for an order. `redemption_id` is the id the redemption will have."""

    wallet: WalletKey
    order: OrderKey
    lines: tuple[Line, ...]
    redemption_id: str
    all_or_nothing: bool = False


_Finding = tuple[RefusalCode, tuple[tuple[str, str], ...]]


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
    objection = next(checks(snapshot, command, today), None)
    if objection is not None:
        return refuse(_refusal(*objection, snapshot.policy))
    limited = limit_amount(snapshot, command.wallet.issuer, command.lines, today)
    code = limited.refused(command.all_or_nothing)
    if code is not None:
        return refuse(Refusal(code, reasons=tuple(limited.reasons)))
    return _approve(snapshot, command, limited, now)


def quote(snapshot: Snapshot, command: Authorize, now: datetime) -> tuple[Breakdown, list[RefusalCode], list[Reason]]:
    """Return what an authorization would give, every objection in the order of the checks, and the steps."""
    today = local_date(now)
    found = [code for code, _ in checks(snapshot, command, today)]
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


def checks(snapshot: Snapshot, command: Authorize, today: date) -> Iterator[_Finding]:
    """Yield every failing check from 1 to 9, in their order."""
    yield from _check_enterprise_known(snapshot, command.wallet)
    if snapshot.policy is None:
        yield RefusalCode.POLICY_NOT_IN_FORCE, ()
    yield from _check_enterprise_standing(snapshot, today)
    yield from _check_provider(snapshot, today)
    if snapshot.policy is not None:
        yield from _check_scope(snapshot.policy, command.lines)
        yield from _check_conditions(snapshot, command, today)
    yield from _check_notes(snapshot.wallet, today)


def _check_enterprise_known(snapshot: Snapshot, wallet: WalletKey) -> Iterator[_Finding]:
    if snapshot.enterprise is None:
        yield RefusalCode.ENTERPRISE_NOT_FOUND, ()
    elif not contains(wallet.issuer, snapshot.enterprise.division):
        yield RefusalCode.ENTERPRISE_NOT_OF_ISSUER, (("division", snapshot.enterprise.division),)


def _check_enterprise_standing(snapshot: Snapshot, today: date) -> Iterator[_Finding]:
    enterprise, policy = snapshot.enterprise, snapshot.policy
    if enterprise is None:
        return
    if policy is not None:
        registered = enterprise.kind is not EnterpriseKind.TECH_SME or (
            bool(enterprise.sme_no)
            and (enterprise.sme_valid_from is None or enterprise.sme_valid_from <= today)
            and (enterprise.sme_valid_until is None or today < enterprise.sme_valid_until)
        )
        if enterprise.kind not in policy.eligible or not registered:
            yield RefusalCode.ENTERPRISE_NOT_ELIGIBLE, (("kind", enterprise.kind.value),)
    if enterprise.sanctioned_on is not None:
        yield RefusalCode.ENTERPRISE_SANCTIONED, (("since", enterprise.sanctioned_on.isoformat()),)


def _check_provider(snapshot: Snapshot, today: date) -> Iterator[_Finding]:
    provider = snapshot.provider
    if provider is None or provider.admitted_on > today:
        yield RefusalCode.PROVIDER_NOT_FOUND, ()
        return
    if provider.suspended_on is not None:
        yield RefusalCode.PROVIDER_SUSPENDED, (("since", provider.suspended_on.isoformat()),)
    if snapshot.policy is not None and not recognized(snapshot.policy, provider, snapshot.recognitions, today):
        yield RefusalCode.PROVIDER_NOT_RECOGNIZED, ()


def recognized(policy: Policy, provider: Provider, recognitions: tuple[Recognition, ...], today: date) -> bool:
    """Say whether the policy's issuer recognises the provider on a day (rules.md P2, check 6)."""
    rule = policy.recognition
    if rule.min_rating and provider.rating < rule.min_rating:
        return False
    if rule.default is RecognitionDefault.POOL and not rule.require_agreement:
        return True
    return any(
        item.valid_from <= today
        and (item.valid_until is None or today < item.valid_until)
        and (item.agreement or not rule.require_agreement)
        for item in recognitions
    )


def _check_scope(policy: Policy, lines: tuple[Line, ...]) -> Iterator[_Finding]:
    if any(supported(policy, line) for line in lines):
        return
    excluded = all(line.flags for line in lines)
    yield RefusalCode.CATEGORY_EXCLUDED if excluded else RefusalCode.CATEGORY_NOT_COVERED, ()


def _check_conditions(snapshot: Snapshot, command: Authorize, today: date) -> Iterator[_Finding]:
    policy = snapshot.policy
    if policy is None or not policy.conditions or snapshot.enterprise is None or snapshot.provider is None:
        return
    context = _condition_context(snapshot, command, today)
    for condition in policy.conditions:
        if not conditions.holds(condition, context):
            yield (
                RefusalCode.CONDITION_FAILED,
                (("condition", condition.id), ("condition_zh", condition.zh), ("condition_en", condition.en)),
            )


def _condition_context(snapshot: Snapshot, command: Authorize, today: date) -> conditions.Context:
    enterprise, provider, wallet = snapshot.enterprise, snapshot.provider, snapshot.wallet
    assert enterprise is not None and provider is not None
    total = expenditure(command.lines)
    # What check 9 goes by: an expired note is not swept at the stroke of midnight, and must not speak for its holder meanwhile.
    notes = [note for note in wallet.notes if note.available > 0 and note.live(today)] if wallet else []
    return {
        "order": {
            "order_no": command.order.order_no,
            "amount_fen": total,
            "expenditure_fen": total,
            "lines": [
                {"category": line.category.value, "amount_fen": line.amount_fen, "flags": [flag.value for flag in line.flags]}
                for line in command.lines
            ],
            "categories": [line.category.value for line in command.lines],
        },
        "enterprise": {
            "uscc": enterprise.uscc,
            "name": enterprise.name,
            "division": enterprise.division,
            "kind": enterprise.kind.value,
            "sme_no": enterprise.sme_no,
            "staff": enterprise.staff,
        },
        "provider": {
            "uscc": provider.uscc,
            "name": provider.name,
            "home": provider.home,
            "rating": provider.rating / 100,
            "categories": [category.value for category in provider.categories],
            "admitted_on": provider.admitted_on.isoformat(),
        },
        "voucher": {"available_fen": sum(note.available for note in notes), "count": len(notes)},
    }


def _check_notes(wallet: Wallet | None, today: date) -> Iterator[_Finding]:
    notes = wallet.notes if wallet else []
    if any(note.available > 0 and note.live(today) for note in notes):
        return
    if wallet is not None and wallet.last_expiry is not None and wallet.last_expiry <= today:
        yield RefusalCode.VOUCHER_EXPIRED, ()
    else:
        yield RefusalCode.VOUCHER_EXHAUSTED, ()


def _refusal(code: RefusalCode, metadata: tuple[tuple[str, str], ...], policy: Policy | None) -> Refusal:
    facts = dict(metadata)
    base = Refusal(code)
    zh, en = base.zh, base.en
    if code is RefusalCode.CONDITION_FAILED:
        zh, en = facts["condition_zh"] or f"{zh}:{facts['condition']}", facts["condition_en"] or f"{en}: {facts['condition']}"
    standing = (RefusalCode.ENTERPRISE_SANCTIONED, RefusalCode.PROVIDER_SUSPENDED)
    reason = Reason(
        rule="Authorize",
        zh=zh,
        en=en,
        code=code.value,
        policy_version=policy.version if policy else "",
        clause=INTEGRITY_CLAUSE if code in standing else SCOPE_CLAUSE,
    )
    return Refusal(code, reasons=(reason,), metadata=metadata, detail_zh=zh, detail_en=en)


def _breakdown(snapshot: Snapshot, command: Authorize, limited: Limited, taken: Taken) -> Breakdown:
    policy = snapshot.policy
    assert policy is not None
    spent = expenditure(command.lines)
    others = snapshot.order.total if snapshot.order else 0
    return Breakdown(
        entitlement=limited.entitlement.entitled,
        subsidy=limited.amount,
        clamps=tuple(code.value for code in limited.clamps),
        vouchers_used=len(taken.draws),
        # Under 通用 the enterprise pays the whole fee first (rules.md A5).
        enterprise_pays=spent if policy.mode is Mode.POST_SUBSIDY else spent - others - limited.amount,
    )


def _approve(snapshot: Snapshot, command: Authorize, limited: Limited, now: datetime) -> Decision:
    policy, provider = snapshot.policy, snapshot.provider
    assert policy is not None and provider is not None
    today = local_date(now)
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
    order = snapshot.order or OrderState(command.order, command.wallet.enterprise, command.lines)
    issuer = command.wallet.issuer
    committed = {**order.committed, issuer: order.committed.get(issuer, 0) + limited.amount}
    transfer = Transfer(
        cause=Cause.AUTHORIZE,
        debit=Account.OUTSTANDING,
        credit=Account.RESERVED,
        amount=limited.amount,
        wallet=command.wallet,
        notes=tuple((draw.note_id, draw.amount) for draw in taken.draws),
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
