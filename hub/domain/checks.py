"""Authorize, checks 1 to 9, in their order (docs/rules.md)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from hub.domain import conditions
from hub.domain.divisions import contains
from hub.domain.entitlement import expenditure, supported
from hub.domain.model import Line, OrderKey, Wallet, WalletKey
from hub.domain.policy import EnterpriseKind, Policy
from hub.domain.reasons import INTEGRITY_CLAUSE, SCOPE_CLAUSE, step
from hub.domain.recognition import Dealings, grounds, nearest, recognized
from hub.domain.refusals import Refusal, RefusalCode
from hub.domain.snapshot import Snapshot

_CHECK = {
    RefusalCode.ENTERPRISE_NOT_FOUND: 1,
    RefusalCode.ENTERPRISE_NOT_OF_ISSUER: 1,
    RefusalCode.POLICY_NOT_IN_FORCE: 2,
    RefusalCode.ENTERPRISE_NOT_ELIGIBLE: 3,
    RefusalCode.ENTERPRISE_SANCTIONED: 4,
    RefusalCode.PROVIDER_NOT_FOUND: 5,
    RefusalCode.PROVIDER_SUSPENDED: 5,
    RefusalCode.PROVIDER_NOT_RECOGNIZED: 6,
    RefusalCode.CATEGORY_EXCLUDED: 7,
    RefusalCode.CATEGORY_NOT_COVERED: 7,
    RefusalCode.CONDITION_FAILED: 8,
    RefusalCode.VOUCHER_EXPIRED: 9,
    RefusalCode.VOUCHER_EXHAUSTED: 9,
}
"""The number of the check in rules.md, Authorize, that each code comes from. Check 10 gives the codes of A2's limits."""

Finding = tuple[RefusalCode, tuple[tuple[str, str], ...]]
"""A failing check: its code, and what it says besides."""


def checks(snapshot: Snapshot, wallet: WalletKey, order: OrderKey, lines: tuple[Line, ...], today: date) -> Iterator[Finding]:
    """Yield every failing check from 1 to 9, in their order."""
    yield from _check_enterprise_known(snapshot, wallet)
    if snapshot.policy is None:
        yield RefusalCode.POLICY_NOT_IN_FORCE, ()  # Check 2.
    yield from _check_enterprise_standing(snapshot, today)
    yield from _check_provider(snapshot, today)
    if snapshot.policy is not None:
        yield from _check_scope(snapshot.policy, lines)
        yield from _check_conditions(snapshot, order, lines, today)
    yield from _check_notes(snapshot.wallet, today)


def _check_enterprise_known(snapshot: Snapshot, wallet: WalletKey) -> Iterator[Finding]:
    """Check 1."""
    if snapshot.enterprise is None:
        yield RefusalCode.ENTERPRISE_NOT_FOUND, ()
    elif not contains(wallet.issuer, snapshot.enterprise.division):
        yield RefusalCode.ENTERPRISE_NOT_OF_ISSUER, (("division", snapshot.enterprise.division),)


def _check_enterprise_standing(snapshot: Snapshot, today: date) -> Iterator[Finding]:
    """Checks 3 and 4."""
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


def _check_provider(snapshot: Snapshot, today: date) -> Iterator[Finding]:
    """Checks 5 and 6."""
    provider = snapshot.provider
    if provider is None or provider.admitted_on > today:
        yield RefusalCode.PROVIDER_NOT_FOUND, ()
        return
    if provider.suspended_on is not None:
        yield RefusalCode.PROVIDER_SUSPENDED, (("since", provider.suspended_on.isoformat()),)
    if snapshot.policy is not None:
        rule = snapshot.policy.recognition
        dealings = Dealings(snapshot.recognitions, snapshot.class_rules, snapshot.agreements)
        if not recognized(rule, provider, dealings, today):
            closest = nearest(grounds(rule, provider, dealings, today))
            yield RefusalCode.PROVIDER_NOT_RECOGNIZED, (("missing", ",".join(lack.condition.value for lack in closest.lacks)),)


def _check_scope(policy: Policy, lines: tuple[Line, ...]) -> Iterator[Finding]:
    """Check 7: S2, categories."""
    if any(supported(policy, line) for line in lines):
        return
    excluded = all(line.flags for line in lines)
    yield RefusalCode.CATEGORY_EXCLUDED if excluded else RefusalCode.CATEGORY_NOT_COVERED, ()


def _check_conditions(snapshot: Snapshot, order: OrderKey, lines: tuple[Line, ...], today: date) -> Iterator[Finding]:
    """Check 8."""
    policy = snapshot.policy
    if policy is None or not policy.conditions or snapshot.enterprise is None or snapshot.provider is None:
        return
    context = _condition_context(snapshot, order, lines, today)
    for condition in policy.conditions:
        if not conditions.holds(condition, context):
            yield (
                RefusalCode.CONDITION_FAILED,
                (("condition", condition.id), ("condition_zh", condition.zh), ("condition_en", condition.en)),
            )


def _condition_context(snapshot: Snapshot, order: OrderKey, lines: tuple[Line, ...], today: date) -> conditions.Context:
    enterprise, provider, wallet = snapshot.enterprise, snapshot.provider, snapshot.wallet
    assert enterprise is not None and provider is not None
    total = expenditure(lines)
    # What check 9 goes by: an expired note is not swept at the stroke of midnight, and must not speak for its holder meanwhile.
    notes = [note for note in wallet.notes if note.available > 0 and note.live(today)] if wallet else []
    return {
        "order": {
            "order_no": order.order_no,
            "amount_fen": total,
            "expenditure_fen": total,
            "lines": [
                {"category": line.category.value, "amount_fen": line.amount_fen, "flags": [flag.value for flag in line.flags]}
                for line in lines
            ],
            "categories": [line.category.value for line in lines],
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


def _check_notes(wallet: Wallet | None, today: date) -> Iterator[Finding]:
    """Check 9: `last_expiry` tells of notes that are spent, and so no longer loaded."""
    notes = wallet.notes if wallet else []
    if any(note.available > 0 and note.live(today) for note in notes):
        return
    if wallet is not None and wallet.last_expiry is not None and wallet.last_expiry <= today:
        yield RefusalCode.VOUCHER_EXPIRED, ()
    else:
        yield RefusalCode.VOUCHER_EXHAUSTED, ()


def refusal_of(code: RefusalCode, metadata: tuple[tuple[str, str], ...], policy: Policy | None) -> Refusal:
    """Return the refusal that a failing check comes to, with the number of the check and its clause."""
    facts = dict(metadata)
    base = Refusal(code)
    zh, en = base.zh, base.en
    if code is RefusalCode.CONDITION_FAILED:
        zh, en = facts["condition_zh"] or f"{zh}:{facts['condition']}", facts["condition_en"] or f"{en}: {facts['condition']}"
    standing = (RefusalCode.ENTERPRISE_SANCTIONED, RefusalCode.PROVIDER_SUSPENDED)
    reason = step(
        rule=f"Authorize {_CHECK[code]}",
        zh=zh,
        en=en,
        code=code.value,
        policy_version=policy.version if policy else "",
        clause=INTEGRITY_CLAUSE if code in standing else SCOPE_CLAUSE,
    )
    return Refusal(code, reasons=(reason,), metadata=metadata, detail_zh=zh, detail_en=en)
