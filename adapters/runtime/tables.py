"""Result rows ↔ native cells, by a table of columns. A province gives the columns and its way of writing money, dates and codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Generic, TypeVar

from adapters.runtime.codes import Codes
from adapters.runtime.results import ObligationRow, OutcomeRow, PositionRow, RedemptionRow, Results, VoucherRow
from hub.domain.money import format_yuan, parse_yuan

RowT = TypeVar("RowT")


def iso(day: date) -> str:
    """Write a date as `YYYY-MM-DD`."""
    return day.isoformat()


@dataclass(frozen=True, slots=True)
class Style:
    """How a province writes values: money from fen and back, dates and back, and its code lists."""

    codes: Codes
    money: Callable[[int], str] = format_yuan
    read_money: Callable[[str], int] = parse_yuan
    day: Callable[[date], str] = iso
    read_day: Callable[[str], date] = date.fromisoformat


@dataclass(frozen=True, slots=True)
class Column:
    """A native column: its name, the attribute it carries, and how (`text`, `money`, `day`, or a code list's name)."""

    native: str
    attribute: str
    form: str = "text"


@dataclass(frozen=True, slots=True)
class Table(Generic[RowT]):
    """A native result table: its name in the province's words and its columns."""

    name: str
    row: type[RowT]
    columns: Sequence[Column]

    @property
    def header(self) -> list[str]:
        """Native column names in order."""
        return [column.native for column in self.columns]

    def write(self, rows: Iterable[RowT], style: Style) -> list[dict[str, str]]:
        """Return the rows in native cells."""
        return [{column.native: _out(getattr(row, column.attribute), column.form, style) for column in self.columns} for row in rows]

    def read(self, rows: Iterable[Mapping[str, str]], style: Style) -> tuple[RowT, ...]:
        """Return the rows of native cells; raise ValueError for a cell that does not read."""
        build: Callable[..., RowT] = self.row
        return tuple(
            build(**{column.attribute: _in(cells[column.native], column.form, style) for column in self.columns}) for cells in rows
        )


def _out(value: str | int, form: str, style: Style) -> str:
    """Write one value natively."""
    if form == "money":
        return style.money(int(value))
    if form == "text" or value == "":
        return str(value)
    if form == "day":
        return style.day(date.fromisoformat(str(value)))
    if form == "outcome":
        return _outcome_out(str(value), style)
    return style.codes.outward(form, str(value))


def _in(cell: str, form: str, style: Style) -> Any:
    """Read one native cell."""
    if form == "money":
        return style.read_money(cell)
    if form == "text" or cell == "":
        return cell
    if form == "day":
        return style.read_day(cell).isoformat()
    if form == "outcome":
        return _outcome_in(cell, style)
    value = style.codes.inward(form, cell)
    if value is None:
        raise ValueError(f"code list {form} has no {cell!r}")
    return value


def _outcome_out(outcome: str, style: Style) -> str:
    """Write an outcome: the province's word, and behind it the hub's stable code of a refusal, which support asks for."""
    if outcome in ("OK", "UNANSWERED"):
        return style.codes.outward("outcome", outcome)
    return f"{style.codes.outward('outcome', 'REFUSED')}:{outcome}"


def _outcome_in(cell: str, style: Style) -> str:
    """Read an outcome."""
    word, _, code = cell.partition(":")
    meaning = style.codes.inward("outcome", word)
    if meaning is None:
        raise ValueError(f"code list outcome has no {word!r}")
    return code if meaning == "REFUSED" else meaning


@dataclass(frozen=True, slots=True)
class ResultTables:
    """A province's five result tables, each written in columns of `native attribute [form]`, one a line."""

    redemptions: Table[RedemptionRow]
    vouchers: Table[VoucherRow]
    obligations: Table[ObligationRow]
    positions: Table[PositionRow]
    outcomes: Table[OutcomeRow]

    def headers(self) -> dict[str, list[str]]:
        """Return the native columns of every table by its name."""
        tables: list[Table[Any]] = [self.redemptions, self.vouchers, self.obligations, self.positions, self.outcomes]
        return {table.name: table.header for table in tables}

    def amounts(self) -> set[str]:
        """Return the native columns that hold money."""
        tables: list[Table[Any]] = [self.redemptions, self.vouchers, self.obligations, self.positions, self.outcomes]
        return {column.native for each in tables for column in each.columns if column.form == "money"}

    def write(self, results: Results, style: Style) -> dict[str, list[dict[str, str]]]:
        """Return the native rows of every table by its name."""
        return {
            self.redemptions.name: self.redemptions.write(results.redemptions, style),
            self.vouchers.name: self.vouchers.write(results.vouchers, style),
            self.obligations.name: self.obligations.write(results.obligations, style),
            self.positions.name: self.positions.write(results.positions, style),
            self.outcomes.name: self.outcomes.write(results.outcomes, style),
        }

    def read(self, rows: Mapping[str, Iterable[Mapping[str, str]]], style: Style) -> Results:
        """Return the results of native rows by table name; a table that is absent is empty."""
        return Results(
            redemptions=self.redemptions.read(rows.get(self.redemptions.name, ()), style),
            vouchers=self.vouchers.read(rows.get(self.vouchers.name, ()), style),
            obligations=self.obligations.read(rows.get(self.obligations.name, ()), style),
            positions=self.positions.read(rows.get(self.positions.name, ()), style),
            outcomes=self.outcomes.read(rows.get(self.outcomes.name, ()), style),
        )


def table(name: str, row: type[RowT], columns: str) -> Table[RowT]:
    """Return a table from its lines of columns; raise ValueError unless they cover the row's attributes exactly."""
    found = [Column(*line.split()) for line in columns.strip().splitlines()]
    wanted = {each.name for each in fields(row)}  # type: ignore[arg-type]  # rows are dataclasses; a type variable cannot say so
    if {column.attribute for column in found} != wanted or len(found) != len(wanted):
        raise ValueError(f"result table {name} must have one column for each of {sorted(wanted)}")
    return Table(name, row, found)
