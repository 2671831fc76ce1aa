"""Reading typed values out of a native record. A value that does not hold raises `Reject`, which becomes a quarantined row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from operator import mul

from adapters.runtime.codes import Codes
from adapters.runtime.model import Broken, Mapped, NativeRecord
from adapters.runtime.reasons import describe
from hub.domain.divisions import contains, is_division
from hub.domain.money import MAX_FEN

_INDEX = re.compile(r"\[\d+\]")
_USCC_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_USCC = re.compile(rf"[0-9]{{8}}[{_USCC_SIGNS}]{{10}}", re.ASCII)
_USCC_VALUES = {sign: value for value, sign in enumerate(_USCC_SIGNS)}
# GB 32100-2015, 4.7: powers of three modulo 31; the check sign's own weight makes the whole sum divisible by 31.
_USCC_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28, 1)
# ASCII only: a full-width digit in a code or an amount is a slip to be mended at its source.
_NUMBER = re.compile(r"^[+-]?\d{1,16}(\.\d{1,20})?$", re.ASCII)
_GROUPED = re.compile(r"^[+-]?\d{1,3}(,\d{3})+(\.\d+)?$", re.ASCII)
_SME_NO = re.compile(r"^20\d{2}\d{6}[0-9A-Z]\d{7}$", re.ASCII)
_SHA256 = re.compile(r"^[0-9a-f]{64}$")
_FLAGS = {"true": True, "false": False, "1": True, "0": False, "是": True, "否": False, "shi": True, "fou": False, "Y": True, "N": False}

DateParser = Callable[[str], date]
"""Reads a province's own way of writing dates; raises ValueError."""


class Reject(Exception):
    """A value that cannot be used."""

    def __init__(self, field: str, code: str, value: str = "", detail: str = "") -> None:
        super().__init__(f"{field}: {code}")
        self.field, self.code, self.value, self.detail = field, code, value, detail


@lru_cache(maxsize=4096)
def generic(field: str) -> str:
    """Return a field's name with every index taken out: `mx[0].je` is `mx[].je`."""
    return _INDEX.sub("[]", field)


def is_credit_code(text: str) -> bool:
    """Say whether `text` is a unified social credit code exactly as GB 32100-2015 writes it.

    The hub remembers its verdicts (`hub/codec/creditcode.py`); here the codes are new with nearly every record. A test compares both with
    the library, which takes forty times as long.
    """
    return _USCC.fullmatch(text) is not None and not sum(map(mul, map(_USCC_VALUES.__getitem__, text), _USCC_WEIGHTS)) % 31


def broken(record: NativeRecord, reject: Reject) -> Broken:
    """Return the quarantined form of a record."""
    zh, en = describe(reject.code, reject.detail)
    return Broken(record.file, record.line, reject.field, reject.code, zh, en, reject.value[:200], record.native_id)


def mapping_of(mappers: Mapping[str, Callable[[NativeRecord], Mapped]]) -> Callable[[NativeRecord], Mapped | Broken]:
    """Return a function that maps a record by its kind and turns a `Reject` into a `Broken`."""

    def map_record(record: NativeRecord) -> Mapped | Broken:
        try:
            return mappers[record.kind](record)
        except Reject as reject:
            return broken(record, reject)

    return map_record


def parse_money(text: str, scale: int) -> int:
    """Return `text` × `scale` as fen, exactly; raise ValueError with a reason code as its text.

    `scale` is how many fen one unit holds: 1 for fen, 100 for yuan, 1,000,000 for ten thousand yuan (万元).
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError("BAD_AMOUNT")
    try:
        fen = Decimal(text) * scale
    except InvalidOperation:
        raise ValueError("BAD_AMOUNT") from None
    if fen != fen.to_integral_value():
        raise ValueError("TOO_MANY_DECIMALS")
    if fen <= 0:
        raise ValueError("AMOUNT_NOT_POSITIVE")
    if fen > MAX_FEN:
        raise ValueError("AMOUNT_TOO_LARGE")
    return int(fen)


class Row:
    """A native record under a mapping table: only declared fields can be read, so that nothing leaves unmentioned."""

    def __init__(self, record: NativeRecord, declared: Mapping[str, str], codes: Codes) -> None:
        self._record, self._declared, self._codes = record, declared, codes

    def optional(self, field: str, limit: int = 200) -> str:
        """Return the text of a field, stripped; empty where absent. Raise LookupError for a field the table does not declare."""
        if generic(field) not in self._declared:
            raise LookupError(f"field {field!r} is not in the mapping table of {self._record.kind}")
        value = self._record.fields.get(field, "").strip()
        if len(value) > limit:
            raise Reject(field, "TOO_LONG", value, str(limit))
        if not value.isprintable():
            raise Reject(field, "BAD_TEXT", repr(value))
        return value

    def text(self, field: str, limit: int = 200) -> str:
        """Return the text of a field that must not be empty."""
        value = self.optional(field, limit)
        if not value:
            raise Reject(field, "MISSING_FIELD")
        return value

    def uscc(self, field: str) -> str:
        """Return a unified social credit code (GB 32100-2015) whose check digit holds."""
        value = self.text(field)
        if not is_credit_code(value):
            raise Reject(field, "BAD_USCC", value)
        return value

    def division(self, field: str, within: str) -> str:
        """Return a division code that is `within` or below it."""
        return self.placed(field, self.text(field), within)

    def placed(self, field: str, code: str, within: str) -> str:
        """Return a division code already read from `field`, if it is `within` or below it."""
        if not is_division(code) or not contains(within, code):
            raise Reject(field, "WRONG_DIVISION", code, within)
        return code

    def any_division(self, field: str) -> str:
        """Return a division code of any province."""
        value = self.text(field)
        if not is_division(value):
            raise Reject(field, "BAD_DIVISION", value)
        return value

    def money(self, field: str, scale: int, *, grouped: bool = False) -> int:
        """Return an amount greater than zero, in fen (rules.md M1); `scale` as in `parse_money`, `grouped` allows `8,000.00`."""
        value = self.text(field)
        try:
            return parse_money(value.replace(",", "") if grouped and _GROUPED.fullmatch(value) else value, scale)
        except ValueError as error:
            raise Reject(field, str(error), value) from None

    def whole(self, field: str, least: int, most: int) -> int:
        """Return a whole number from `least` to `most`."""
        value = self.text(field)
        if not re.fullmatch(r"[0-9]{1,12}", value) or not least <= int(value) <= most:
            raise Reject(field, "BAD_NUMBER", value, f"{least}-{most}")
        return int(value)

    def rating(self, field: str) -> int:
        """Return a rating from 0 to 5 with at most two decimals, in hundredths; 0 where absent (not rated)."""
        value = self.optional(field)
        if not value:
            return 0
        hundredths = Decimal(value) * 100 if _NUMBER.fullmatch(value) else Decimal(-1)
        if hundredths != hundredths.to_integral_value() or not 0 <= hundredths <= 500:
            raise Reject(field, "BAD_NUMBER", value, "0.00-5.00")
        return int(hundredths)

    def day(self, field: str, parse: DateParser, form: str) -> str:
        """Return a date as `YYYY-MM-DD`; `form` tells a person how the province writes it."""
        value = self.text(field)
        try:
            return parse(value).isoformat()
        except ValueError:
            raise Reject(field, "BAD_DATE", value, form) from None

    def optional_day(self, field: str, parse: DateParser, form: str) -> str:
        """Return a date as `YYYY-MM-DD`, or nothing where the field is empty."""
        return self.day(field, parse, form) if self.optional(field) else ""

    def code(self, field: str, name: str) -> str:
        """Return the contract's value of a native code; an unknown one is quarantined, never guessed."""
        return self.meaning(field, name, self.text(field))

    def meaning(self, field: str, name: str, native: str) -> str:
        """Return the contract's value of a native code that is a part of `field`."""
        value = self._codes.inward(name, native)
        if value is None:
            raise Reject(field, "UNMAPPED_CODE", native, name)
        return value

    def yes(self, field: str) -> bool:
        """Return a yes or no."""
        value = self.text(field)
        if value not in _FLAGS:
            raise Reject(field, "BAD_FLAG", value, "/".join(_FLAGS))
        return _FLAGS[value]

    def sme_no(self, field: str, kind: str) -> str:
        """Return the SME registration number, which a TECH_SME must have."""
        value = self.text(field) if kind == "TECH_SME" else self.optional(field)
        if value and not _SME_NO.fullmatch(value):
            raise Reject(field, "BAD_SME_NO", value)
        return value

    def sha256(self, field: str) -> str:
        """Return a digest in lower case, or nothing where the field is empty."""
        value = self.optional(field).lower()
        if value and not _SHA256.fullmatch(value):
            raise Reject(field, "BAD_HASH", value)
        return value

    def period(self, field: str, start: str, until: str) -> None:
        """Reject a period `[start, until)` of which nothing is left; `until` empty is open."""
        if until and until <= start:
            raise Reject(field, "BAD_PERIOD", until)

    def count(self, prefix: str) -> int:
        """Return how many entries a nested list has: `prefix[0]…`, `prefix[1]…`."""
        seen = {name[len(prefix) + 1 : name.index("]", len(prefix))] for name in self._record.fields if name.startswith(prefix + "[")}
        return len(seen)
