"""Contradictions in policies: what can be read and published, and still cannot be meant (docs/policies.md, Rules of the linter).

Pure: policies in, findings out. A finding names its field by the names of the policy file, so that whoever read the file can place it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple

from hub.domain.divisions import contains
from hub.domain.money import format_yuan, share
from hub.domain.policy import ExpiryBasis, Mode, Policy, QuotaBasis, Residual, SettlementModel
from hub.domain.policy_sampling import lint_conditions


class Severity(StrEnum):
    """ERROR: the policy contradicts itself. WARNING: a figure has no effect or a surprising one."""

    ERROR = "ERROR"
    WARNING = "WARNING"


class Finding(NamedTuple):
    """One finding. `spot` is the field's path in names of the policy file; `zh` and `en` say what is wrong and what to do."""

    rule: str
    severity: Severity
    spot: tuple[str | int, ...]
    zh: str
    en: str


def lint(policy: Policy) -> list[Finding]:
    """Return all findings on one policy."""
    return [finding for rule in _RULES for finding in rule(policy)]


def _error(rule: str, spot: tuple[str | int, ...], zh: str, en: str) -> Finding:
    return Finding(rule, Severity.ERROR, spot, zh, en)


def _warning(rule: str, spot: tuple[str | int, ...], zh: str, en: str) -> Finding:
    return Finding(rule, Severity.WARNING, spot, zh, en)


def _never_payable(policy: Policy) -> Iterator[Finding]:
    """A category that is listed and can never pay anything: its ratio or a cap leaves nothing of any fee."""
    if policy.per_order_cap_fen == 0:
        yield _error(
            "never-payable", ("per_order_cap",), "单笔上限为零,任何订单都得不到补贴", "a cap per order of zero pays nothing; raise it"
        )
    for at, rule in enumerate(policy.categories.values()):
        spot = ("categories", at)
        if rule.ratio_bp == 0:
            zh, en = (
                "补贴比例为零,该类别永远得不到补贴;请提高比例或删去该类别",
                "the share is zero, so the category never pays; raise it or drop it",
            )
            yield _error("never-payable", (*spot, "ratio_bp"), zh, en)
        elif rule.per_line_cap_fen == 0:
            zh, en = (
                "单项上限为零,该类别永远得不到补贴;请提高上限或删去该类别",
                "the cap per line is zero, so the category never pays; raise it or drop it",
            )
            yield _error("never-payable", (*spot, "per_line_cap"), zh, en)


def _cap_below_note(policy: Policy) -> Iterator[Finding]:
    """Caps smaller than one note."""
    note = policy.denomination_fen
    if not note:
        return
    face = format_yuan(note)
    if policy.annual_cap_fen < note:
        zh = f"年度兑付上限低于一张券的面额 {face} 元" + (",按面额计额时一张也用不了" if policy.quota_basis is QuotaBasis.FACE else "")
        yield _error("cap-below-denomination", ("annual_cap",), zh, f"the annual cap is below one note of {face} yuan; raise it")
    elif policy.quota_basis is QuotaBasis.FACE and policy.annual_cap_fen % note:
        zh, en = (
            f"按面额计额,年度上限不是面额 {face} 元的整数倍,余数永远用不到",
            f"counted by face, what exceeds a multiple of {face} yuan is never used",
        )
        yield _warning("cap-not-whole-notes", ("annual_cap",), zh, en)
    if policy.annual_issue_cap_fen is not None and policy.annual_issue_cap_fen < note:
        zh, en = (
            f"年度申请上限低于一张券的面额 {face} 元,一张也发不出",
            f"the annual issue cap is below one note of {face} yuan: nothing can be issued",
        )
        yield _error("cap-below-denomination", ("annual_issue_cap",), zh, en)
    if policy.residual is Residual.FORFEIT:
        yield from _forfeiting_caps(policy, note, face)


def _forfeiting_caps(policy: Policy, note: int, face: str) -> Iterator[Finding]:
    """Under FORFEIT a cap below a note wastes the rest of one at every use."""
    zh, en = (
        f"低于一张券的面额 {face} 元,而余额不保留:每次都会损失券的余额",
        f"below one note of {face} yuan while the rest is forfeited: every use loses it",
    )
    if policy.per_order_cap_fen is not None and 0 < policy.per_order_cap_fen < note:
        yield _warning("cap-below-denomination", ("per_order_cap",), zh, en)
    for at, rule in enumerate(policy.categories.values()):
        if rule.per_line_cap_fen is not None and 0 < rule.per_line_cap_fen < note:
            yield _warning("cap-below-denomination", ("categories", at, "per_line_cap"), zh, en)


def _caps_above_caps(policy: Policy) -> Iterator[Finding]:
    """A cap above another one never has an effect."""
    order, year = policy.per_order_cap_fen, policy.annual_cap_fen
    if order is not None and order > year:
        zh, en = "单笔上限高于年度上限,永远不起作用", "the cap per order is above the annual cap and never has an effect"
        yield _warning("cap-above-cap", ("per_order_cap",), zh, en)
    above = year if order is None else min(order, year)
    name = ("年度上限", "annual cap") if above == year else ("单笔上限", "cap per order")
    for at, rule in enumerate(policy.categories.values()):
        if rule.per_line_cap_fen is not None and rule.per_line_cap_fen > above:
            zh, en = f"单项上限高于{name[0]},永远不起作用", f"the cap per line is above the {name[1]} and never has an effect"
            yield _warning("cap-above-cap", ("categories", at, "per_line_cap"), zh, en)


def _issue(policy: Policy) -> Iterator[Finding]:
    """What is issued against what may be issued and redeemed."""
    cap = policy.annual_issue_cap_fen
    if cap is not None and policy.prefund_fen > cap:
        zh, en = "普发金额高于年度申请上限,普发会被拒绝", "the bulk issue is above the annual issue cap and will be refused"
        yield _error("prefund-above-issue-cap", ("prefund",), zh, en)
    if policy.prefund_fen > policy.annual_cap_fen:
        zh, en = "普发金额高于年度兑付上限,一年内兑付不完", "the bulk issue is above the annual cap: it cannot all be redeemed in one year"
        yield _warning("prefund-above-annual-cap", ("prefund",), zh, en)
    if cap is not None and cap < policy.annual_cap_fen and policy.validity_months <= 12:
        zh, en = (
            "一年可发的券少于年度兑付上限,该上限难以达到",
            "less can be issued in a year than the annual cap, which is then hardly reached",
        )
        yield _warning("issue-cap-below-annual-cap", ("annual_issue_cap",), zh, en)


def _lives(policy: Policy) -> Iterator[Finding]:
    """Validity of notes against the life of an authorization."""
    # The shortest the months can be: a note lives to the same day of a later month, and February is short.
    days = policy.validity_months * 365 // 12 - (2 if policy.validity_months < 12 else 0)
    if policy.authorization_ttl_days < days:
        return
    spot = ("authorization_ttl_days",)
    if policy.expiry_basis is ExpiryBasis.CLAIM:
        zh = f"预留有效 {policy.authorization_ttl_days} 天,不短于券的有效期 {policy.validity_months} 个月,而到期前须提交兑付;请调整"
        en = (
            f"an authorization lives {policy.authorization_ttl_days} days, no less than a note's {policy.validity_months} months, "
            "and capture must precede expiry: shorten the one or lengthen the other"
        )
        yield _error("validity-below-ttl", spot, zh, en)
    else:
        zh, en = (
            "预留有效期不短于券的有效期,释放的金额将退回发券地",
            "authorizations outlive the notes they draw: what they release returns to the issuer",
        )
        yield _warning("validity-below-ttl", spot, zh, en)


def _review(policy: Policy) -> Iterator[Finding]:
    """A threshold of review that nothing reaches."""
    limit = policy.auto_clear_up_to_fen
    most = policy.annual_cap_fen if policy.per_order_cap_fen is None else min(policy.annual_cap_fen, policy.per_order_cap_fen)
    if limit is not None and limit >= most:
        zh = f"免审核金额不低于单次最多可得的 {format_yuan(most)} 元,审核永远不会发生"
        en = (
            f"no redemption can get more than {format_yuan(most)} yuan, and all up to there clears without review: nothing is ever reviewed"
        )
        yield _warning("review-never", ("auto_clear_up_to",), zh, en)


def _settlement(policy: Policy) -> Iterator[Finding]:
    """Settlement and funding that have no effect, or surprise."""
    if policy.settlement is SettlementModel.NET and policy.mode is Mode.POST_SUBSIDY:
        zh, en = (
            "通用模式下企业总是直接收款,轧差结算不起作用",
            "enterprises are always paid directly, so NET has no effect under POST_SUBSIDY",
        )
        yield _warning("net-without-providers", ("settlement",), zh, en)
    for at, (division, _) in enumerate(policy.funding):
        if not contains(division, policy.issuer) and not contains(policy.issuer, division):
            zh, en = (
                f"出资地 {division} 与发券地 {policy.issuer} 无隶属关系",
                f"funder {division} is neither above nor below the issuer {policy.issuer}",
            )
            yield _warning("funder-elsewhere", ("funding", at, "division"), zh, en)


def _repeated(policy: Policy) -> Iterator[Finding]:
    """Choices given twice."""
    for name, items in (("eligible", policy.eligible), ("evidence", policy.evidence)):
        for at, item in enumerate(items):
            if item in items[:at]:
                yield _warning("given-twice", (name, at), f"{item.value} 重复列出", f"{item.value} is listed twice")


def _small_shares(policy: Policy) -> Iterator[Finding]:
    """A ratio so small that a fee as high as the annual cap gives nothing."""
    for at, rule in enumerate(policy.categories.values()):
        if rule.ratio_bp and share(policy.annual_cap_fen, rule.ratio_bp) == 0:
            zh, en = (
                "比例过低:费用达到年度上限时补贴仍为零",
                "the share is so small that even a fee as high as the annual cap gives nothing",
            )
            yield _warning("never-payable", ("categories", at, "ratio_bp"), zh, en)


def _conditions(policy: Policy) -> Iterator[Finding]:
    """Conditions that never or always hold, as far as samples show."""
    for verdict in lint_conditions(policy):
        make = _error if verdict.contradiction else _warning
        yield make(verdict.rule, verdict.spot, verdict.zh, verdict.en)


_RULES: Sequence[Callable[[Policy], Iterable[Finding]]] = (
    _never_payable,
    _small_shares,
    _cap_below_note,
    _caps_above_caps,
    _issue,
    _lives,
    _review,
    _settlement,
    _repeated,
    _conditions,
)


def lint_periods(policies: Sequence[Policy]) -> Iterator[tuple[int, Finding]]:
    """Yield findings on the periods of all versions of all issuers, each with the position of the policy it is about.

    A version without an end is in force until the next one begins. A gap leaves days without a policy, on which nothing is authorized; an
    end that the next version does not wait for contradicts it.
    """
    for issuer in dict.fromkeys(policy.issuer for policy in policies):
        own = sorted((at for at, item in enumerate(policies) if item.issuer == issuer), key=lambda at: policies[at].effective_from)
        for before, after in pairwise(own):
            finding = _between(policies[before], policies[after])
            if finding is not None:
                yield after, finding
        versions: dict[str, int] = {}
        for at in own:
            if versions.setdefault(policies[at].version, at) != at:
                name = policies[at].version
                yield (
                    at,
                    _error(
                        "version-twice", ("version",), f"版本 {name} 出现两次", f"version {name} is given twice; a version is never edited"
                    ),
                )


def _between(first: Policy, second: Policy) -> Finding | None:
    spot, until = ("effective_from",), first.effective_until
    if first.effective_from == second.effective_from:
        zh, en = (
            f"与版本 {first.version} 同日生效,以后发布者为准",
            f"takes effect on the same day as version {first.version}: the one published last prevails",
        )
        return _error("period-overlap", spot, zh, en)
    if until is None or until == second.effective_from:
        return None
    if until < second.effective_from:
        last = second.effective_from - timedelta(days=1)
        zh = f"{until} 至 {last} 没有生效的政策,期间不能预留"
        return _error("period-gap", spot, zh, f"no policy is in force from {until} to {last}: nothing can be authorized then")
    zh, en = f"与版本 {first.version} 的期间(至 {until})重叠", f"overlaps with version {first.version}, which says it ends on {until}"
    return _error("period-overlap", spot, zh, en)
