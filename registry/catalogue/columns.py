"""Columns of a file of entries: their headings, and a row as an entry and back. Amounts in a file are yuan, as officers write them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from hub.codec import enums
from hub.codec.fields import Fields
from hub.domain.money import MAX_FEN, format_yuan, parse_yuan
from hub.domain.policy import Category
from hub.domain.refusals import CATALOGUE, RefusalCode
from registry.catalogue.codec import KIND_OUT, MODEL_OUT, read_entry
from registry.catalogue.domain import Entry, Kind, PriceModel
from registry.catalogue.headings import BY_NAME, CATEGORY_ZH, COLUMNS, KIND_ZH, MODEL_ZH
from yrd.registry.v1 import catalogue_pb2 as pb

_INT_MAX = 2**31 - 1

_BY_PATH = {column.path: column for column in COLUMNS} | {"expert.institution": BY_NAME["institution"]}
_RESOURCE = frozenset({"source", "link"})
_DETAILS = {
    Kind.INSTRUMENT: frozenset(column.name for column in COLUMNS if column.path.startswith("instrument.")),
    Kind.EXPERT: frozenset({"title", "institution"}),
    Kind.LITERATURE: _RESOURCE,
    Kind.DATA: _RESOURCE,
}
_OF_ONE_KIND = frozenset[str]().union(*_DETAILS.values())
_ORDER = {column.name: number for number, column in enumerate(COLUMNS)}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a row: the row's number, the column or nothing, a stable code, and what to do, in both languages."""

    row: int
    column: str
    code: RefusalCode
    zh: str
    en: str
    remedy_zh: str = ""
    remedy_en: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain values, remedies filled in from the catalogue of refusals where it has none of its own."""
        entry = CATALOGUE[self.code]
        return {
            "row": self.row,
            "column": self.column,
            "code": self.code.value,
            "zh": self.zh,
            "en": self.en,
            "remedy_zh": self.remedy_zh or entry.remedy_zh,
            "remedy_en": self.remedy_en or entry.remedy_en,
        }


def wrong(row: int, column: str, en: str = "") -> Problem:
    """Return INVALID_ARGUMENT for a column of a row, with what belongs there."""
    known = BY_NAME[column]
    return Problem(
        row,
        column,
        RefusalCode.INVALID_ARGUMENT,
        f"列「{known.zh}」的内容有误",
        f"column {column}: {en or 'is wrong'}",
        f"请填写{known.hint_zh}",
        f"Give {known.hint_en}",
    )


def read_row(number: int, cells: Mapping[str, str]) -> Entry | list[Problem]:
    """Return the entry that a row says, or all that is wrong with the row."""
    reading = _Reading(cells)
    message = reading.message()
    fields = Fields()
    entry = read_entry(message, fields, "")
    found = dict(reading.wrong)
    for violation in fields.violations:
        column = _column_of(violation.field.removeprefix("."))
        found.setdefault(column, violation.description)
    if not found:
        return entry
    return [wrong(number, column, found[column]) for column in sorted(found, key=_ORDER.__getitem__)]


def _column_of(path: str) -> str:
    """Return the column that fills a field."""
    return _BY_PATH[path.partition("[")[0]].name


class _Reading:
    """One row on its way to a message; what cannot be read is noted by column."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self._cells = cells
        self.wrong: dict[str, str] = {}

    def message(self) -> pb.CatalogueEntry:
        cells = self._cells
        kind = self._choice("kind", KIND_ZH, Kind)
        message = pb.CatalogueEntry(
            provider=self._text("provider"),
            code=self._text("code"),
            name=self._text("name"),
            description=self._text("description"),
            keywords=[word.strip() for word in re.split(r"[;;]", cells.get("keywords", "")) if word.strip()],
            delivery_days=self._number("delivery_days"),
        )
        message.kind = KIND_OUT[kind] if kind else pb.ENTRY_KIND_UNSPECIFIED
        category = self._choice("category", CATEGORY_ZH, Category)
        if category is not None:
            message.category = enums.CATEGORY_OUT[category]
        model = self._choice("price_model", MODEL_ZH, PriceModel)
        if model is not None:
            message.price.model = MODEL_OUT[model]
        message.price.unit = self._text("unit")
        message.price.from_fen, message.price.to_fen = self._fen("price_from_yuan"), self._fen("price_to_yuan")
        if (model is None or model is PriceModel.QUOTATION) and not self._filled("price_from_yuan", "price_to_yuan", "unit"):
            message.price.Clear()
        elif model not in (None, PriceModel.QUOTATION) and not self._filled("price_from_yuan"):
            self.wrong["price_from_yuan"] = "is empty; only a price on quotation names no amount"
        self._details(message, kind)
        return message

    def _details(self, message: pb.CatalogueEntry, kind: Kind | None) -> None:
        if kind is None:
            return
        for name in _OF_ONE_KIND - _DETAILS.get(kind, frozenset()):
            if self._filled(name):
                # Refused, not dropped: the row may say the wrong kind.
                self.wrong[name] = f"does not belong to {kind}; leave it empty"
        if kind is Kind.INSTRUMENT:
            self._instrument(message.instrument)
        elif kind is Kind.EXPERT:
            message.expert.title, message.expert.institution = self._text("title"), self._text("institution")
        elif kind is not Kind.SERVICE:
            message.resource.source, message.resource.link = self._text("source"), self._text("link")

    def _instrument(self, details: pb.InstrumentDetails) -> None:
        for name in ("model", "maker", "serial_no", "institution", "owner", "place"):
            setattr(details, name, self._text(name))
        details.original_value_fen = self._fen("original_value_yuan")
        details.hours_per_year = self._number("hours_per_year")
        details.open_since = _day(self._text("open_since"))

    def _filled(self, *names: str) -> bool:
        return any(self._cells.get(name) for name in names)

    def _text(self, name: str) -> str:
        return self._cells.get(name, "")

    def _number(self, name: str) -> int:
        return self._read(name, _whole)

    def _fen(self, name: str) -> int:
        return self._read(name, _yuan)

    def _read(self, name: str, parse: Callable[[str], int]) -> int:
        given = self._text(name)
        try:
            return parse(given) if given else 0
        except ValueError:
            self.wrong[name] = f"is not {BY_NAME[name].hint_en}"
            return 0

    def _choice(self, name: str, chinese: Mapping[str, Any], members: Any) -> Any:
        given = self._text(name)
        if not given:
            return None
        if given in chinese:
            return chinese[given]
        try:
            return members(given.upper())
        except ValueError:
            self.wrong[name] = f"must be {BY_NAME[name].hint_en}"
            return None


def _whole(given: str) -> int:
    if not re.fullmatch(r"\d{1,10}", given, re.ASCII) or int(given) > _INT_MAX:
        raise ValueError(given)
    return int(given)


def _yuan(given: str) -> int:
    fen = parse_yuan(given)
    if not 0 <= fen <= MAX_FEN:
        raise ValueError(given)
    return fen


_DAY = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?", re.ASCII)


def _day(given: str) -> str:
    """Return a date as the contract writes it; spreadsheets write 2026/3/1 as well. What is no date is left for the contract's check."""
    match = _DAY.fullmatch(given)
    return f"{match[1]}-{match[2]:0>2}-{match[3]:0>2}" if match else given


def plain_number(value: float) -> str:
    """Return a spreadsheet's number as it is shown: 1200 for 1200.0, without exponent."""
    try:
        number = Decimal(repr(value))
        return format(number.quantize(1) if number == number.to_integral_value() else number, "f")
    except InvalidOperation:
        return str(value)


def row_of(content: Mapping[str, Any]) -> dict[str, str]:
    """Return an entry, by its columns in the database, as a row of a file."""
    fixed = content["price_model"] in (PriceModel.FIXED.value, PriceModel.PER_UNIT.value)
    amounts = {
        "price_from_yuan": content["price_from"],
        "price_to_yuan": None if fixed else content["price_to"],
        "original_value_yuan": content["original_value"],
    }
    row = {name: "" if amount is None else format_yuan(amount) for name, amount in amounts.items()}
    row["keywords"] = ";".join(content["keywords"])
    for column in COLUMNS:
        if column.name not in row:
            value = content[column.name]
            row[column.name] = "" if value is None else str(value)
    return row
