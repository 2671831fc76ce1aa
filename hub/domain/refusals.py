"""Refusals: every way the hub says no, as values. The catalogue gives each its statuses, texts and remedy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from hub.domain.catalogue import TEXTS
from hub.domain.reasons import Reason


class RefusalCode(StrEnum):
    """Stable codes; the names equal those of `yrd.common.v1.RefusalCode` without its prefix."""

    ENTERPRISE_NOT_FOUND = "ENTERPRISE_NOT_FOUND"
    ENTERPRISE_NOT_OF_ISSUER = "ENTERPRISE_NOT_OF_ISSUER"
    POLICY_NOT_IN_FORCE = "POLICY_NOT_IN_FORCE"
    ENTERPRISE_NOT_ELIGIBLE = "ENTERPRISE_NOT_ELIGIBLE"
    ENTERPRISE_SANCTIONED = "ENTERPRISE_SANCTIONED"
    PROVIDER_NOT_FOUND = "PROVIDER_NOT_FOUND"
    PROVIDER_SUSPENDED = "PROVIDER_SUSPENDED"
    PROVIDER_NOT_RECOGNIZED = "PROVIDER_NOT_RECOGNIZED"
    CATEGORY_EXCLUDED = "CATEGORY_EXCLUDED"
    CATEGORY_NOT_COVERED = "CATEGORY_NOT_COVERED"
    CONDITION_FAILED = "CONDITION_FAILED"
    VOUCHER_EXPIRED = "VOUCHER_EXPIRED"
    VOUCHER_EXHAUSTED = "VOUCHER_EXHAUSTED"
    PER_LINE_CAP = "PER_LINE_CAP"
    PER_ORDER_CAP = "PER_ORDER_CAP"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    ACTUAL_EXPENDITURE_EXCEEDED = "ACTUAL_EXPENDITURE_EXCEEDED"
    NOTHING_PAYABLE = "NOTHING_PAYABLE"
    EVIDENCE_MISSING = "EVIDENCE_MISSING"
    DUPLICATE_INVOICE = "DUPLICATE_INVOICE"
    REFUND_EXCEEDS_PAYMENT = "REFUND_EXCEEDS_PAYMENT"
    INVALID_STATE = "INVALID_STATE"
    NOT_PERMITTED = "NOT_PERMITTED"
    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    ISSUE_CAP_EXCEEDED = "ISSUE_CAP_EXCEEDED"
    AMOUNT_MISMATCH = "AMOUNT_MISMATCH"
    REDEMPTION_NOT_FOUND = "REDEMPTION_NOT_FOUND"
    VOUCHER_NOT_FOUND = "VOUCHER_NOT_FOUND"
    ORDER_NOT_FOUND = "ORDER_NOT_FOUND"
    WINDOW_NOT_FOUND = "WINDOW_NOT_FOUND"
    OBLIGATION_NOT_FOUND = "OBLIGATION_NOT_FOUND"
    APPLICATION_NOT_FOUND = "APPLICATION_NOT_FOUND"
    POLICY_NOT_FOUND = "POLICY_NOT_FOUND"
    POLICY_EXISTS = "POLICY_EXISTS"
    CRITERIA_NOT_FOUND = "CRITERIA_NOT_FOUND"
    OBJECTION_NOT_FOUND = "OBJECTION_NOT_FOUND"
    RECOGNITION_NOT_FOUND = "RECOGNITION_NOT_FOUND"
    AGREEMENT_NOT_FOUND = "AGREEMENT_NOT_FOUND"
    ALREADY_EXISTS = "ALREADY_EXISTS"
    PARTICIPANT_NOT_FOUND = "PARTICIPANT_NOT_FOUND"
    UNKNOWN_FIELD = "UNKNOWN_FIELD"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    TOKEN_EXPIRED = "TOKEN_EXPIRED"
    CERTIFICATE_REJECTED = "CERTIFICATE_REJECTED"
    SCOPE_MISSING = "SCOPE_MISSING"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    OVERLOADED = "OVERLOADED"
    UNAVAILABLE = "UNAVAILABLE"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    ANSWER_NOT_KEPT = "ANSWER_NOT_KEPT"
    ENTRY_NOT_FOUND = "ENTRY_NOT_FOUND"
    ENTRY_CHANGED = "ENTRY_CHANGED"
    IMPORT_NOT_FOUND = "IMPORT_NOT_FOUND"
    MERGE_NOT_FOUND = "MERGE_NOT_FOUND"
    DEMAND_NOT_FOUND = "DEMAND_NOT_FOUND"
    OFFER_NOT_FOUND = "OFFER_NOT_FOUND"
    APPOINTMENT_NOT_FOUND = "APPOINTMENT_NOT_FOUND"
    CREDIT_RECORD_NOT_FOUND = "CREDIT_RECORD_NOT_FOUND"
    RATE_LIMITED = "RATE_LIMITED"
    CURSOR_EXPIRED = "CURSOR_EXPIRED"
    WEBHOOK_NOT_FOUND = "WEBHOOK_NOT_FOUND"


class CatalogueEntry(NamedTuple):
    """What the outside sees of a code. `grpc_status` is the name of a `grpc.StatusCode`."""

    grpc_status: str
    http_status: int
    zh: str
    en: str
    remedy_zh: str
    remedy_en: str


CATALOGUE: dict[RefusalCode, CatalogueEntry] = {RefusalCode(code): CatalogueEntry(*entry) for code, entry in TEXTS.items()}


class Violation(NamedTuple):
    """A wrong field: its path and what to send instead."""

    field: str
    description: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A no, with its reasons. `detail_*` replace the catalogue's general sentence where there is more to say."""

    code: RefusalCode
    reasons: tuple[Reason, ...] = ()
    violations: tuple[Violation, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    detail_zh: str = ""
    detail_en: str = ""

    @property
    def entry(self) -> CatalogueEntry:
        """The catalogue's entry of the code."""
        return CATALOGUE[self.code]

    @property
    def zh(self) -> str:
        """The sentence in Chinese."""
        return self.detail_zh or self.entry.zh

    @property
    def en(self) -> str:
        """The sentence in English."""
        return self.detail_en or self.entry.en


def invalid(field: str, description: str) -> Refusal:
    """Return INVALID_ARGUMENT for one field."""
    return Refusal(
        RefusalCode.INVALID_ARGUMENT,
        violations=(Violation(field, description),),
        metadata=(("field", field),),
        detail_zh=f"字段 {field} 有误:{description}",
        detail_en=f"field {field}: {description}",
    )


def invalid_state(detail_zh: str, detail_en: str) -> Refusal:
    """Return INVALID_STATE with what the state is (rules.md C9)."""
    return Refusal(RefusalCode.INVALID_STATE, detail_zh=detail_zh, detail_en=detail_en)


def not_permitted(detail_zh: str, detail_en: str) -> Refusal:
    """Return NOT_PERMITTED with who may (rules.md C10)."""
    return Refusal(RefusalCode.NOT_PERMITTED, detail_zh=detail_zh, detail_en=detail_en)
