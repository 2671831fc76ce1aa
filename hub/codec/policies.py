"""`yrd.policy.v1.Policy` to the domain and back."""

from __future__ import annotations

from datetime import date

from hub.codec import enums
from hub.codec.fields import Fields
from hub.domain import conditions
from hub.domain.divisions import is_division
from hub.domain.money import FULL_BP
from hub.domain.policy import (
    Category,
    CategoryRule,
    EnterpriseKind,
    EvidenceKind,
    ExpiryBasis,
    Policy,
    QuotaBasis,
    RecognitionDefault,
    RecognitionRule,
    RefundTarget,
    Residual,
    SettlementModel,
)
from yrd.policy.v1 import policy_pb2 as pb

DEFAULT_VALIDITY_MONTHS = 12
DEFAULT_TTL_DAYS = 90


def decode_policy(message: pb.Policy, fields: Fields, at: str = "policy") -> Policy:
    """Read a policy, noting every wrong field (rules.md, Policy). Defaults are filled in."""
    m = message
    return Policy(
        issuer=fields.division(f"{at}.issuer", m.issuer),
        version=fields.number(f"{at}.version", m.version),
        effective_from=fields.date(f"{at}.effective_from", m.effective_from),
        effective_until=_until(m, fields, at),
        mode=fields.enum(f"{at}.mode", m.mode, enums.MODE_IN),
        denomination_fen=fields.fen(f"{at}.denomination_fen", m.denomination_fen),
        validity_months=fields.between(f"{at}.validity_months", m.validity_months or DEFAULT_VALIDITY_MONTHS, 1, 120),
        expiry_basis=fields.enum(f"{at}.expiry_basis", m.expiry_basis, enums.EXPIRY_IN, ExpiryBasis.CLAIM),
        prefund_fen=_whole(m.prefund_fen, m, fields, f"{at}.prefund_fen"),
        annual_cap_fen=fields.positive_fen(f"{at}.annual_cap_fen", m.annual_cap_fen),
        annual_issue_cap_fen=_cap(m, "annual_issue_cap_fen", fields, at),
        quota_basis=fields.enum(f"{at}.quota_basis", m.quota_basis, enums.QUOTA_IN, QuotaBasis.OFFSET),
        categories=_categories(m, fields, at),
        per_order_cap_fen=_cap(m, "per_order_cap_fen", fields, at),
        residual=fields.enum(f"{at}.residual", m.residual, enums.RESIDUAL_IN, Residual.RETAIN),
        eligible=tuple(fields.enum(f"{at}.eligible[{i}]", kind, enums.KIND_IN) for i, kind in enumerate(m.eligible))
        or (EnterpriseKind.TECH_SME,),
        recognition=RecognitionRule(
            default=fields.enum(f"{at}.recognition.default", m.recognition.default, enums.RECOGNITION_IN, RecognitionDefault.LISTED),
            require_agreement=m.recognition.require_agreement,
            min_rating=fields.between(f"{at}.recognition.min_rating", m.recognition.min_rating, 0, 500),
        ),
        evidence=tuple(fields.enum(f"{at}.evidence[{i}]", kind, enums.EVIDENCE_IN) for i, kind in enumerate(m.evidence))
        or (EvidenceKind.INVOICE,),
        auto_clear_up_to_fen=_cap(m, "auto_clear_up_to_fen", fields, at),
        authorization_ttl_days=fields.between(f"{at}.authorization_ttl_days", m.authorization_ttl_days or DEFAULT_TTL_DAYS, 1, 3650),
        refund=fields.enum(f"{at}.refund", m.refund, enums.REFUND_IN, RefundTarget.TO_FINANCE),
        settlement=fields.enum(f"{at}.settlement", m.settlement, enums.SETTLEMENT_IN, SettlementModel.DIRECT),
        funding=_funding(m, fields, at),
        conditions=_conditions(m, fields, at),
    )


def _until(m: pb.Policy, fields: Fields, at: str) -> date | None:
    until = fields.optional_date(f"{at}.effective_until", m.effective_until)
    if until is not None and m.effective_until <= m.effective_from:
        fields.wrong(f"{at}.effective_until", "must be after effective_from")
    return until


def _whole(amount: int, m: pb.Policy, fields: Fields, field: str) -> int:
    fields.fen(field, amount)
    if m.denomination_fen > 0 and amount % m.denomination_fen:
        fields.wrong(field, "must be a whole number of notes of the denomination")
    return amount


def _cap(m: pb.Policy, name: str, fields: Fields, at: str) -> int | None:
    return fields.fen(f"{at}.{name}", getattr(m, name)) if m.HasField(name) else None  # type: ignore[arg-type]  # the stubs want literal names; the callers pass only those


def _categories(m: pb.Policy, fields: Fields, at: str) -> dict[Category, CategoryRule]:
    rules: dict[Category, CategoryRule] = {}
    if not m.categories:
        fields.wrong(f"{at}.categories", "must cover at least one category")
    for i, rule in enumerate(m.categories):
        where = f"{at}.categories[{i}]"
        category = fields.enum(f"{where}.category", rule.category, enums.CATEGORY_IN)
        if category in rules:
            fields.wrong(f"{where}.category", "is listed twice")
        cap = fields.fen(f"{where}.per_line_cap_fen", rule.per_line_cap_fen) if rule.HasField("per_line_cap_fen") else None
        rules[category] = CategoryRule(fields.between(f"{where}.ratio_bp", rule.ratio_bp, 0, FULL_BP), cap)
    return rules


def _funding(m: pb.Policy, fields: Fields, at: str) -> tuple[tuple[str, int], ...]:
    shares: list[tuple[str, int]] = []
    for i, share in enumerate(m.funding):
        where = f"{at}.funding[{i}]"
        if not is_division(share.division) or share.division in dict(shares):
            fields.wrong(f"{where}.division", "must be a division code, each only once")
        shares.append((share.division, fields.between(f"{where}.share_bp", share.share_bp, 1, FULL_BP)))
    if shares and sum(bp for _, bp in shares) != FULL_BP:
        fields.wrong(f"{at}.funding", f"the shares must add up to {FULL_BP} basis points")
    return tuple(shares)


def _conditions(m: pb.Policy, fields: Fields, at: str) -> tuple[conditions.Condition, ...]:
    found: list[conditions.Condition] = []
    for i, item in enumerate(m.conditions):
        where = f"{at}.conditions[{i}]"
        condition = conditions.Condition(fields.number(f"{where}.id", item.id), item.cel, item.zh, item.en)
        if any(other.id == condition.id for other in found):
            fields.wrong(f"{where}.id", "is used twice")
        problem = conditions.check(condition)
        if problem is not None:
            fields.wrong(f"{where}.cel", f"does not compile or does not give true or false: {problem}")
        found.append(condition)
    return tuple(found)


def encode_policy(policy: Policy) -> pb.Policy:
    """Write a policy out in full, defaults included."""
    message = pb.Policy(
        issuer=policy.issuer,
        version=policy.version,
        effective_from=policy.effective_from.isoformat(),
        effective_until=policy.effective_until.isoformat() if policy.effective_until else "",
        mode=enums.MODE_OUT[policy.mode],
        denomination_fen=policy.denomination_fen,
        validity_months=policy.validity_months,
        expiry_basis=enums.EXPIRY_OUT[policy.expiry_basis],
        prefund_fen=policy.prefund_fen,
        annual_cap_fen=policy.annual_cap_fen,
        annual_issue_cap_fen=policy.annual_issue_cap_fen,
        quota_basis=enums.QUOTA_OUT[policy.quota_basis],
        per_order_cap_fen=policy.per_order_cap_fen,
        residual=enums.RESIDUAL_OUT[policy.residual],
        eligible=[enums.KIND_OUT[kind] for kind in policy.eligible],
        evidence=[enums.EVIDENCE_OUT[kind] for kind in policy.evidence],
        auto_clear_up_to_fen=policy.auto_clear_up_to_fen,
        authorization_ttl_days=policy.authorization_ttl_days,
        refund=enums.REFUND_OUT[policy.refund],
        settlement=enums.SETTLEMENT_OUT[policy.settlement],
        recognition=pb.RecognitionRule(
            default=enums.RECOGNITION_OUT[policy.recognition.default],
            require_agreement=policy.recognition.require_agreement,
            min_rating=policy.recognition.min_rating,
        ),
    )
    for category, rule in policy.categories.items():
        message.categories.add(category=enums.CATEGORY_OUT[category], ratio_bp=rule.ratio_bp, per_line_cap_fen=rule.per_line_cap_fen)
    for division, bp in policy.funding:
        message.funding.add(division=division, share_bp=bp)
    for item in policy.conditions:
        message.conditions.add(id=item.id, cel=item.cel, zh=item.zh, en=item.en)
    return message
