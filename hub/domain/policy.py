"""An issuer's policy (rules.md, Policy): plain data, published ahead, never edited, superseded by date."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum

from hub.domain.conditions import Condition
from hub.domain.money import FULL_BP


class Category(StrEnum):
    """What a voucher may pay for (rules.md S1)."""

    REAGENT = "REAGENT"
    LAB_ANIMAL = "LAB_ANIMAL"
    DATA = "DATA"
    LITERATURE = "LITERATURE"
    ST_REPORT = "ST_REPORT"
    GERMPLASM = "GERMPLASM"
    RESEARCH = "RESEARCH"
    TECH_TRANSFER = "TECH_TRANSFER"
    INSPECTION_TESTING = "INSPECTION_TESTING"
    INCUBATION = "INCUBATION"
    IP = "IP"
    CONSULTING = "CONSULTING"
    ST_FINANCE = "ST_FINANCE"
    INSTRUMENT = "INSTRUMENT"


class Mode(StrEnum):
    """Who is paid: PRE_SUBSIDY (通兑) the provider, POST_SUBSIDY (通用) the enterprise."""

    PRE_SUBSIDY = "PRE_SUBSIDY"
    POST_SUBSIDY = "POST_SUBSIDY"


class ExpiryBasis(StrEnum):
    """What must come before expiry: CLAIM the capture, USE the authorization."""

    CLAIM = "CLAIM"
    USE = "USE"


class QuotaBasis(StrEnum):
    """What counts against the annual cap: OFFSET the subsidy, FACE the whole face of notes drawn."""

    OFFSET = "OFFSET"
    FACE = "FACE"


class Residual(StrEnum):
    """What becomes of the undrawn rest of a note at clearing."""

    RETAIN = "RETAIN"
    FORFEIT = "FORFEIT"


class RefundTarget(StrEnum):
    """Where a refund goes."""

    TO_FINANCE = "TO_FINANCE"
    TO_VOUCHER = "TO_VOUCHER"


class SettlementModel(StrEnum):
    """Who pays the payee: DIRECT the funders, NET the provider's home province."""

    DIRECT = "DIRECT"
    NET = "NET"


class RecognitionDefault(StrEnum):
    """Which providers are recognised: POOL all admitted ones, LISTED those named."""

    POOL = "POOL"
    LISTED = "LISTED"


class EnterpriseKind(StrEnum):
    """Kinds of voucher holders."""

    TECH_SME = "TECH_SME"
    START_UP_TECH = "START_UP_TECH"
    TEAM = "TEAM"
    ABOVE_SCALE = "ABOVE_SCALE"


class EvidenceKind(StrEnum):
    """Kinds of evidence."""

    CONTRACT = "CONTRACT"
    INVOICE = "INVOICE"
    PAYMENT_PROOF = "PAYMENT_PROOF"
    RESULT_REPORT = "RESULT_REPORT"


@dataclass(frozen=True, slots=True)
class CategoryRule:
    """Cover of one category: share in basis points, and the most on one line in fen."""

    ratio_bp: int
    per_line_cap_fen: int | None = None


@dataclass(frozen=True, slots=True)
class RecognitionRule:
    """Whom the issuer recognises. `min_rating` is in hundredths; 0 asks for none."""

    default: RecognitionDefault = RecognitionDefault.LISTED
    require_agreement: bool = False
    min_rating: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """One issuer's rules for one period `[effective_from, effective_until)`. Amounts are fen."""

    issuer: str
    version: str
    effective_from: date
    mode: Mode
    annual_cap_fen: int
    categories: dict[Category, CategoryRule]
    effective_until: date | None = None
    denomination_fen: int = 0
    validity_months: int = 12
    expiry_basis: ExpiryBasis = ExpiryBasis.CLAIM
    prefund_fen: int = 0
    annual_issue_cap_fen: int | None = None
    quota_basis: QuotaBasis = QuotaBasis.OFFSET
    per_order_cap_fen: int | None = None
    residual: Residual = Residual.RETAIN
    eligible: tuple[EnterpriseKind, ...] = (EnterpriseKind.TECH_SME,)
    recognition: RecognitionRule = field(default_factory=RecognitionRule)
    evidence: tuple[EvidenceKind, ...] = (EvidenceKind.INVOICE,)
    auto_clear_up_to_fen: int | None = None
    authorization_ttl_days: int = 90
    refund: RefundTarget = RefundTarget.TO_FINANCE
    settlement: SettlementModel = SettlementModel.DIRECT
    funding: tuple[tuple[str, int], ...] = ()
    conditions: tuple[Condition, ...] = ()
    policy_id: int = 0

    @property
    def funders(self) -> tuple[tuple[str, int], ...]:
        """Who bears each obligation: (division, basis points); the issuer alone by default."""
        return self.funding or ((self.issuer, FULL_BP),)

    def in_force(self, day: date) -> bool:
        """Say whether the policy is in force on a day."""
        return self.effective_from <= day and (self.effective_until is None or day < self.effective_until)


def policy_in_force(policies: Iterable[Policy], day: date) -> Policy | None:
    """Return the policy in force on a day: of those that cover it, the one that took effect last, then the one published last."""
    latest: Policy | None = None
    for policy in policies:
        if policy.in_force(day) and (latest is None or _took_effect(latest) < _took_effect(policy)):
            latest = policy
    return latest


def _took_effect(policy: Policy) -> tuple[date, int]:
    return policy.effective_from, policy.policy_id
