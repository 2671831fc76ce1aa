"""The fields of a policy, one by one: YAML value → protobuf value (docs/rules.md, Policy)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

from google.protobuf.json_format import ParseDict

from hub.domain.divisions import is_division
from hub.domain.money import parse_yuan
from yrd.common.v1 import types_pb2 as types
from yrd.policy.v1 import policy_pb2 as pb

META: Final = frozenset({"assumed", "source"})
"""What a file may say about a policy that is no rule of it."""


class FieldFault(Exception):
    """What is wrong, and with which field (`spot` is its path)."""

    def __init__(self, spot: tuple[str | int, ...], message: str) -> None:
        super().__init__(message)
        self.spot, self.message = spot, message


def text(value: object) -> str:
    """Return a text; numbers and dates that YAML read out of an unquoted text are turned back."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    raise FieldFault((), "a text is expected")


def named(value: object) -> str:
    """Return a text that is not empty."""
    found = text(value).strip()
    if not found:
        raise FieldFault((), "must not be empty")
    return found


def division(value: object) -> str:
    """Return a division code."""
    found = text(value)
    if not is_division(found):
        raise FieldFault((), f"{found!r} is not a six-digit division code (GB/T 2260)")
    return found


def day(value: object) -> str:
    """Return a date as `YYYY-MM-DD`."""
    found = text(value)
    try:
        if len(found) != 10:
            raise ValueError
        return date.fromisoformat(found).isoformat()
    except ValueError:
        raise FieldFault((), f"{found!r} is not a date YYYY-MM-DD") from None


def fen(value: object) -> int:
    """Return fen of a yuan text (rules.md M1). A float is refused: it may already have lost what was written."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FieldFault((), 'an amount is a quoted text in yuan, such as "300000.00"')
    try:
        amount = parse_yuan(str(value))
    except ValueError as error:
        raise FieldFault((), str(error)) from None
    if amount < 0:
        raise FieldFault((), f"{value!r} is negative")
    return amount


def whole(value: object) -> int:
    """Return a whole number that an int32 holds."""
    found = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    digits = found.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        raise FieldFault((), f"{value!r} is not a whole number")
    return int(found)


def yes(value: object) -> bool:
    """Return a yes or no."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise FieldFault((), f"{value!r} is neither true nor false")


def rating(value: object) -> int:
    """Return a rating such as 4.5 in hundredths."""
    try:
        hundredths = Decimal(text(value)) * 100
    except InvalidOperation:
        raise FieldFault((), f"{value!r} is not a rating such as 4.5") from None
    if hundredths != hundredths.to_integral_value() or not 0 <= hundredths <= 500:
        raise FieldFault((), f"{value!r} is not a rating from 0 to 5 with at most two decimals")
    return int(hundredths)


def one_of(known: Iterable[str], prefix: str) -> Callable[[object], str]:
    """Return a reader of an enum's values by their short names; it gives the full name."""
    names = [name.removeprefix(prefix) for name in known if not name.endswith("_UNSPECIFIED")]

    def read(value: object) -> str:
        if value not in names:
            raise FieldFault((), f"{value!r} is not one of {', '.join(names)}")
        return f"{prefix}{value}"

    return read


def several(read: Callable[[object], object]) -> Callable[[object], list[object]]:
    """Return a reader of lists; a fault names the item."""

    def read_list(value: object) -> list[object]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise FieldFault((), "a list is expected")
        return [_within(at, read, item) for at, item in enumerate(value)]

    return read_list


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its protobuf name, how its value is read, and whether it must be there."""

    target: str
    read: Callable[[object], object]
    required: bool = False


def record(fields: Mapping[str, Field], meta: frozenset[str] = frozenset()) -> Callable[[object], dict[str, object]]:
    """Return a reader of mappings with exactly these fields; one that is absent or null is left out."""

    def read(value: object) -> dict[str, object]:
        if not isinstance(value, Mapping):
            raise FieldFault((), "a mapping of fields is expected")
        for name in value:
            if name not in fields and name not in meta:
                raise FieldFault((str(name),), f"unknown field; known are {', '.join(fields)}")
        for name, field in fields.items():
            if field.required and value.get(name) is None:
                raise FieldFault((name,), "required")
        given = ((name, field) for name, field in fields.items() if value.get(name) is not None)
        return {field.target: _within(name, field.read, value[name]) for name, field in given}

    return read


def _within(part: str | int, read: Callable[[object], object], value: object) -> object:
    """Read a part; a fault inside it names the part first."""
    try:
        return read(value)
    except FieldFault as fault:
        raise FieldFault((part, *fault.spot), fault.message) from None


_CATEGORY: Final = {
    "category": Field("category", one_of(types.Category.keys(), "CATEGORY_"), required=True),
    "ratio_bp": Field("ratio_bp", whole, required=True),
    "per_line_cap": Field("per_line_cap_fen", fen),
}
_RECOGNITION: Final = {
    "default": Field("default", one_of(pb.RecognitionDefault.keys(), "RECOGNITION_DEFAULT_")),
    "require_agreement": Field("require_agreement", yes),
    "min_rating": Field("min_rating", rating),
}
_FUNDING: Final = {"division": Field("division", division, required=True), "share_bp": Field("share_bp", whole, required=True)}
_CONDITION: Final = {
    "id": Field("id", named, required=True),
    "cel": Field("cel", named, required=True),
    "zh": Field("zh", text),
    "en": Field("en", text),
}

FIELDS: Final = {
    "issuer": Field("issuer", division, required=True),
    "version": Field("version", named, required=True),
    "effective_from": Field("effective_from", day, required=True),
    "effective_until": Field("effective_until", day),
    "mode": Field("mode", one_of(pb.Mode.keys(), "MODE_"), required=True),
    "denomination": Field("denomination_fen", fen),
    "validity_months": Field("validity_months", whole),
    "expiry_basis": Field("expiry_basis", one_of(pb.ExpiryBasis.keys(), "EXPIRY_BASIS_")),
    "prefund": Field("prefund_fen", fen),
    "annual_cap": Field("annual_cap_fen", fen, required=True),
    "annual_issue_cap": Field("annual_issue_cap_fen", fen),
    "quota_basis": Field("quota_basis", one_of(pb.QuotaBasis.keys(), "QUOTA_BASIS_")),
    "categories": Field("categories", several(record(_CATEGORY)), required=True),
    "per_order_cap": Field("per_order_cap_fen", fen),
    "residual": Field("residual", one_of(pb.Residual.keys(), "RESIDUAL_")),
    "eligible": Field("eligible", several(one_of(types.EnterpriseKind.keys(), "ENTERPRISE_KIND_"))),
    "recognition": Field("recognition", record(_RECOGNITION)),
    "evidence": Field("evidence", several(one_of(types.EvidenceKind.keys(), "EVIDENCE_KIND_"))),
    "auto_clear_up_to": Field("auto_clear_up_to_fen", fen),
    "authorization_ttl_days": Field("authorization_ttl_days", whole),
    "refund": Field("refund", one_of(pb.RefundTarget.keys(), "REFUND_TARGET_")),
    "settlement": Field("settlement", one_of(pb.SettlementModel.keys(), "SETTLEMENT_MODEL_")),
    "funding": Field("funding", several(record(_FUNDING))),
    "conditions": Field("conditions", several(record(_CONDITION))),
}
"""Every field of a policy, by its YAML name."""


def build(value: object) -> pb.Policy:
    """Return the policy of a mapping; raise FieldFault."""
    return ParseDict(record(FIELDS, META)(value), pb.Policy())
