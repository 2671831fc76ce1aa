"""The fields of a policy, one by one: YAML value → protobuf value (docs/rules.md, Policy)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Final

from google.protobuf.json_format import ParseDict

from adapters.runtime.policy_faults import FieldFault, together
from hub.domain.divisions import is_division
from hub.domain.money import MAX_FEN, parse_yuan
from yrd.common.v1 import types_pb2 as types
from yrd.policy.v1 import policy_pb2 as pb

META: Final = frozenset({"assumed", "source"})
"""What a file may say about a policy that is no rule of it."""


def text(value: object) -> str:
    """Return a text; numbers and dates that YAML read out of an unquoted text are turned back."""
    if isinstance(value, str):
        return value
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(value)
    raise FieldFault((), "a text is expected", "NOT_TEXT", "应为文本")


def named(value: object) -> str:
    """Return a text that is not empty."""
    found = text(value).strip()
    if not found:
        raise FieldFault((), "must not be empty", "EMPTY", "不能为空")
    return found


def division(value: object) -> str:
    """Return a division code."""
    found = text(value)
    if not is_division(found):
        raise FieldFault(
            (), f"{found!r} is not a six-digit division code (GB/T 2260)", "NOT_A_DIVISION", f"{found!r} 不是六位行政区划代码(GB/T 2260)"
        )
    return found


def day(value: object) -> str:
    """Return a date as `YYYY-MM-DD`."""
    found = text(value)
    try:
        if len(found) != 10:
            raise ValueError
        return date.fromisoformat(found).isoformat()
    except ValueError:
        raise FieldFault(
            (), f"{found!r} is not a date YYYY-MM-DD", "NOT_A_DATE", f"{found!r} 不是日期,应写作 YYYY-MM-DD,如 2026-07-01"
        ) from None


def fen(value: object) -> int:
    """Return fen of a yuan text (rules.md M1). A float is refused: it may already have lost what was written."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise FieldFault(
            (), 'an amount is a quoted text in yuan, such as "300000.00"', "NOT_AN_AMOUNT", '金额应为带引号的元,如 "300000.00"'
        )
    try:
        amount = parse_yuan(str(value))
    except ValueError as error:
        raise FieldFault((), str(error), "NOT_AN_AMOUNT", f"{str(value)!r} 不是金额:以元为单位,至多两位小数,不超过 {MAX_FEN} 分") from None
    if amount < 0:
        raise FieldFault((), f"{value!r} is negative; an amount is zero or more", "NEGATIVE_AMOUNT", f"{value!r} 为负,金额须大于或等于零")
    return amount


def whole(value: object) -> int:
    """Return a whole number that an int32 holds."""
    found = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    digits = found.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        raise FieldFault((), f"{value!r} is not a whole number", "NOT_A_WHOLE_NUMBER", f"{value!r} 不是整数")
    return int(found)


def yes(value: object) -> bool:
    """Return a yes or no."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise FieldFault((), f"{value!r} is neither true nor false", "NOT_TRUE_OR_FALSE", f"{value!r} 应为 true 或 false")


def rating(value: object) -> int:
    """Return a rating such as 4.5 in hundredths."""
    try:
        hundredths = Decimal(text(value)) * 100
    except InvalidOperation:
        raise FieldFault((), f"{value!r} is not a rating such as 4.5", "NOT_A_RATING", f"{value!r} 不是评分,应如 4.5") from None
    if hundredths != hundredths.to_integral_value() or not 0 <= hundredths <= 500:
        raise FieldFault(
            (),
            f"{value!r} is not a rating from 0 to 5 with at most two decimals",
            "NOT_A_RATING",
            f"{value!r} 不是 0 到 5、至多两位小数的评分",
        )
    return int(hundredths)


def one_of(known: Iterable[str], prefix: str) -> Callable[[object], str]:
    """Return a reader of an enum's values by their short names; it gives the full name."""
    names = [name.removeprefix(prefix) for name in known if not name.endswith("_UNSPECIFIED")]

    def read(value: object) -> str:
        if value not in names:
            known_names = ", ".join(names)
            raise FieldFault((), f"{value!r} is not one of {known_names}", "NOT_A_CHOICE", f"{value!r} 不在可选值之列:{known_names}")
        return f"{prefix}{value}"

    return read


def several(read: Callable[[object], object]) -> Callable[[object], list[object]]:
    """Return a reader of lists; a fault names the item, and all faulty items are told."""

    def read_list(value: object) -> list[object]:
        if not isinstance(value, Sequence) or isinstance(value, str):
            raise FieldFault((), "a list is expected", "NOT_A_LIST", "应为列表")
        found: list[object] = []
        faults: list[FieldFault] = []
        for at, item in enumerate(value):
            try:
                found.append(read(item))
            except FieldFault as fault:
                faults.extend(fault.within(at))
        together(faults)
        return found

    return read_list


@dataclass(frozen=True, slots=True)
class Field:
    """A field: its protobuf name, how its value is read, and whether it must be there."""

    target: str
    read: Callable[[object], object]
    required: bool = False


def record(fields: Mapping[str, Field], meta: frozenset[str] = frozenset()) -> Callable[[object], dict[str, object]]:
    """Return a reader of mappings with exactly these fields; one that is absent or null is left out, and all faults are told."""

    def read(value: object) -> dict[str, object]:
        if not isinstance(value, Mapping):
            raise FieldFault((), "a mapping of fields is expected", "NOT_A_MAPPING", "应为字段的映射")
        faults = [_unknown(str(name), fields) for name in value if name not in fields and name not in meta]
        faults += [
            FieldFault((name,), "required", "REQUIRED", "必填")
            for name, field in fields.items()
            if field.required and value.get(name) is None
        ]
        found: dict[str, object] = {}
        for name, field in fields.items():
            if value.get(name) is None:
                continue
            try:
                found[field.target] = field.read(value[name])
            except FieldFault as fault:
                faults.extend(fault.within(name))
        together(faults)
        return found

    return read


def _unknown(name: str, fields: Mapping[str, Field]) -> FieldFault:
    near = get_close_matches(name, fields, 1)
    known = ", ".join(fields)
    meant, meant_zh = (f"did you mean {near[0]}? ", f"是否想写 {near[0]}?") if near else ("", "")
    return FieldFault((name,), f"unknown field; {meant}known are {known}", "UNKNOWN_FIELD", f"未知字段;{meant_zh}可用字段:{known}")


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

LISTED: Final = {"categories": _CATEGORY, "funding": _FUNDING, "conditions": _CONDITION, "recognition": _RECOGNITION}
"""The fields that have fields of their own, by YAML name."""


def build(value: object) -> pb.Policy:
    """Return the policy of a mapping; raise FieldFault, which carries the others (`all`)."""
    return ParseDict(record(FIELDS, META)(value), pb.Policy())
