"""The verbs: which fields a step of each may have, and what its `expect` may name (tests/scenarios/README.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.runtime.policy_fields import FIELDS as POLICY_FIELDS


@dataclass(frozen=True, slots=True)
class Verb:
    """Fields that must and may be given (`by` and `request_id` always may), and fields that may be expected.

    `status` and `refusal` may be expected of every verb that calls the hub.
    """

    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    expect: frozenset[str] = frozenset()
    scalar: str = ""
    """Where a bare scalar is allowed instead of a mapping: the field it stands for."""
    calls: bool = True

    @property
    def known(self) -> frozenset[str]:
        """All fields that a step may have."""
        return self.required | self.optional | (_ALWAYS if self.calls else frozenset())

    @property
    def expectable(self) -> frozenset[str]:
        """All fields that may be expected."""
        return self.expect | (_OUTCOME if self.calls else frozenset())


_ALWAYS = frozenset({"by", "request_id"})
_OUTCOME = frozenset({"status", "refusal"})


def _verb(required: str, optional: str = "", expect: str = "", scalar: str = "", *, calls: bool = True) -> Verb:
    return Verb(frozenset(required.split()), frozenset(optional.split()), frozenset(expect.split()), scalar, calls)


_ORDER = "as category amount lines all_or_nothing"
_AMOUNTS = "subsidy clamps vouchers_used enterprise_pays entitlement"
_POLICY_REQUIRED = " ".join(name for name, field in POLICY_FIELDS.items() if field.required)

VERBS: Mapping[str, Verb] = {
    "quote": _verb("issuer enterprise provider order", _ORDER, f"refusals {_AMOUNTS}"),
    "authorize": _verb("issuer enterprise provider order", _ORDER, _AMOUNTS),
    "capture": _verb("redemption", "lines amount invoice delivered_on evidence", "subsidy released payee forfeited"),
    "approve": _verb("redemption", "approved", "subsidy released forfeited"),
    "reject": _verb("redemption", "reason", "subsidy released"),
    "void": _verb("redemption", "", "subsidy released"),
    "refund": _verb("redemption amount", "line", "subsidy returned"),
    "issue": _verb("issuer enterprise face", "count ids issued", "issued"),
    "request_top_up": _verb("issuer enterprise amount", "as", "issued"),
    "approve_top_up": _verb("top_up", "approved", "issued"),
    "verify": _verb("enterprise voucher order", "issuer provider", "valid reasons"),
    "publish_policy": Verb(frozenset(_POLICY_REQUIRED.split()), frozenset(POLICY_FIELDS)),
    "recognize": _verb("issuer provider from", "until agreement"),
    "revoke_recognition": _verb("issuer provider"),
    "suspend_provider": _verb("provider", "reason"),
    "reinstate_provider": _verb("provider", "reason"),
    "sanction_enterprise": _verb("enterprise", "reason"),
    "clear_enterprise": _verb("enterprise", "reason"),
    "close_window": _verb("", "as issuers", "obligations positions"),
    "confirm_payment": _verb("window debtor creditor", "amount"),
    "state": _verb("", "issuer enterprise year provider redemption"),
    "advance_to": _verb("", "instant days", scalar="instant", calls=False),
    "restart_hub": _verb("", calls=False),
    "concurrently": _verb("", expect="counts", calls=False),
    "repeat": _verb("step times", expect="counts", calls=False),
}

_STATES: Mapping[frozenset[str], frozenset[str]] = {
    frozenset({"issuer"}): frozenset(["appropriation_used", "outstanding", "reserved", "payable", "paid", "returned"]),
    frozenset({"issuer", "enterprise"}): frozenset(["voucher_available", "voucher_reserved", "quota_used", "quota_remaining"]),
    frozenset({"provider"}): frozenset(["receivable", "received"]),
    frozenset({"redemption"}): frozenset(["subsidy", "days_to_payment"]),
}

NESTING = frozenset({"concurrently", "repeat"})
"""Verbs that hold other steps; they do not hold one another."""


def expectable(verb: str, fields: frozenset[str]) -> frozenset[str] | None:
    """Return what may be expected of a step with these fields; None where `state` asks about nothing that exists."""
    if verb != "state":
        return VERBS[verb].expectable
    of = _STATES.get(fields - {"year", "by", "request_id"})
    return None if of is None or ("year" in fields and "enterprise" not in fields) else of | _OUTCOME
