"""A workbook's rows as an officer sees them in the office program, read within limits: workbooks come from outside."""

from __future__ import annotations

import hashlib
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, cast
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.utils.cell import coordinate_to_tuple, range_boundaries
from openpyxl.utils.exceptions import InvalidFileException

from adapters.runtime.documents import WHOLE, unusable
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.sheets import record_of_cells

_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, InvalidFileException, ParseError),
    # What the parser runs into where a workbook's parts contradict one another, or are encrypted.
    *(ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError),
)
_ERRORS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#GETTING_DATA", "#SPILL!", "#CALC!"})
_DIGITS = 15  # of a spreadsheet's number; what is longer was rounded before it was saved
_CHUNK, _OVERLAP = 1 << 20, 1 << 15
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell\s[^>]*?ref="([A-Z]{1,3}[0-9]{1,7}:[A-Z]{1,3}[0-9]{1,7})"')
_FORMULA = re.compile(
    rb"<(?:\w+:)?c\b([^>]*)>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)\s*(<(?:\w+:)?v\b(?:[^>]*/>|[^>]*>([^<]*)</(?:\w+:)?v>))?"
)
WriteDay = Callable[[date], str]
"""Writes a day as the province does: a cell that holds a date shows none of its own."""
_AT = re.compile(rb'\br="([A-Z]{1,3}[0-9]{1,7})"')


@dataclass(frozen=True, slots=True)
class Limits:
    """How much of a workbook is read: bytes as sent and unpacked, unpacked bytes for one sent, parts, filled rows and columns a sheet."""

    packed_bytes: int = 64 << 20
    unpacked_bytes: int = 1 << 30
    ratio: int = 200
    parts: int = 2_000
    rows: int = 300_000
    columns: int = 200


class Unusable(Exception):
    """A workbook or a sheet that cannot be used: a reason code and its detail."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(slots=True)
class SheetRow:
    """A row that holds something: its number, its cells as text, and by column (from 0) why a cell cannot be taken."""

    number: int
    cells: list[str]
    odd: dict[int, tuple[str, str]] = field(default_factory=dict)


def digest_of(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def check(path: Path, limits: Limits) -> None:
    """Raise Unusable for what is no workbook, or one that would unpack into more than is sane (a decompression bomb)."""
    size = path.stat().st_size
    if size > limits.packed_bytes:
        raise Unusable("TOO_LARGE", f"{limits.packed_bytes} bytes")
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except _UNREADABLE as error:
        raise Unusable("UNPARSEABLE", str(error)) from None
    # The directory's sizes can be relied on: nothing beyond them is ever unpacked.
    unpacked = sum(part.file_size for part in parts)
    if len(parts) > limits.parts:
        raise Unusable("TOO_LARGE", f"{limits.parts} parts")
    if unpacked > limits.unpacked_bytes or unpacked > max(size, 1 << 16) * limits.ratio:
        raise Unusable("TOO_LARGE", f"{unpacked} bytes unpacked")


@contextmanager
def opened(path: Path, limits: Limits) -> Iterator[Workbook]:
    """Open a workbook to read the values last saved in it; raise Unusable for what is none, inside the block as well."""
    check(path, limits)
    book: Workbook | None = None
    try:
        # From its bytes: of a path, the library would judge the name, and what has landed may have another.
        with path.open("rb") as file:
            book = load_workbook(file, data_only=True, read_only=True)
            yield book
    except _UNREADABLE as error:
        raise Unusable("UNPARSEABLE", f"{type(error).__name__}: {error}"[:150]) from None
    finally:
        if book is not None:
            book.close()


def rows(book: Workbook, name: str, limits: Limits, day: WriteDay) -> Iterator[SheetRow]:
    """Yield the rows of a sheet that hold something; raise Unusable where a sheet is hidden or larger than the limits."""
    sheet = book[name]
    if getattr(sheet, "sheet_state", "visible") != "visible":
        raise Unusable("HIDDEN_SHEET", name)
    # The size that a workbook claims for a sheet is often wrong: what is there counts.
    sheet.reset_dimensions()
    covered, unsaved = _scan(cast(Any, book), cast(Any, sheet)._worksheet_path)
    filled = 0
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        row = _row(number, values, covered, unsaved.get(number, frozenset()), day)
        if row is None:
            continue
        filled += 1
        if filled > limits.rows:
            raise Unusable("TOO_LARGE", f"{limits.rows} rows")
        if len(row.cells) > limits.columns:
            raise Unusable("TOO_LARGE", f"{limits.columns} columns")
        yield row


def _row(
    number: int, values: tuple[object, ...], covered: list[tuple[int, int, int, int]], unsaved: frozenset[int], day: WriteDay
) -> SheetRow | None:
    """Return a row without its empty end, or None where nothing is in it."""
    width = len(values)
    while width and values[width - 1] is None and width - 1 not in unsaved:
        width -= 1
    if not width and not unsaved:
        return None
    row = SheetRow(number, [])
    for at in range(max(width, max(unsaved, default=-1) + 1)):
        text, code = ("", "") if at >= len(values) or _hidden(number, at + 1, covered) else _text(values[at], day)
        if at in unsaved:
            code = "FORMULA_UNSAVED"
        row.cells.append(text)
        if code:
            row.odd[at] = (code, text)
    while row.cells and not row.cells[-1] and len(row.cells) - 1 not in row.odd:
        row.cells.pop()
    return row if row.cells else None


def _hidden(row: int, column: int, covered: list[tuple[int, int, int, int]]) -> bool:
    """Say whether a cell lies under a merged one: nobody sees what it holds, so it holds nothing."""
    return any(left <= column <= right and top <= row <= bottom and (row, column) != (top, left) for left, top, right, bottom in covered)


def _text(value: object, day: WriteDay) -> tuple[str, str]:
    """Return a cell as text, and why it cannot be taken if so. A number keeps the fifteen digits that a spreadsheet holds."""
    if value is None:
        return "", ""
    if isinstance(value, bool):
        return ("是" if value else "否"), ""
    if isinstance(value, datetime):
        return day(value.date()), ""
    if isinstance(value, date):
        return day(value), ""
    if isinstance(value, int | float):
        return _number(value)
    text = str(value).strip()
    return text, "CELL_ERROR" if text in _ERRORS else ""


def _number(value: int | float) -> tuple[str, str]:
    if abs(value) >= 10**_DIGITS:
        return str(value), "DIGITS_LOST"
    # A typed 4800.1 may be saved as 4800.1000000000004, and a sum of 0.1 and 0.2 is: both show as they were meant.
    return f"{Decimal(f'{value:.{_DIGITS}g}').normalize():f}", ""


def text_of(value: object, day: WriteDay) -> str:
    """Return a cell as text."""
    return _text(value, day)[0]


def record_of_row(header: list[str], row: SheetRow, file: str, line: str, kind: Kind, id_field: str) -> NativeRecord | Broken:
    """Return a row under a header as a record; a value without a column, or a cell without a sound value, makes it unusable."""
    cells = row.cells + [""] * (len(header) - len(row.cells))
    native_id = cells[header.index(id_field)] if id_field in header else ""
    for at, cell in enumerate(cells):
        column = header[at] if at < len(header) else ""
        if at in row.odd:
            code, value = row.odd[at]
            return unusable(file, line, column or WHOLE, code, value, native_id)
        if cell and not column:
            return unusable(file, line, WHOLE, "EXTRA_COLUMN", str(sum(map(bool, header))), native_id)
    return record_of_cells(header, cells[: len(header)], file, line, kind, id_field)


def _scan(book: Any, part: str) -> tuple[list[tuple[int, int, int, int]], dict[int, frozenset[int]]]:
    """Return a sheet's merged ranges, and by row the columns (from 0) of formulas that were never calculated.

    A row-by-row reading shows neither: what lies under a merged cell looks like a value, and such a formula like an empty cell.
    """
    ranges: set[bytes] = set()
    formulas: set[bytes] = set()
    tail = b""
    with book._archive.open(part) as source:
        while chunk := source.read(_CHUNK):
            text = tail + chunk
            ranges.update(_MERGED.findall(text))
            for found in _FORMULA.finditer(text):
                if found[2] is None and found.end() == len(text):
                    continue  # cut off: the next piece begins before it
                if found[2] is None or not (found[3] or b't="str"' in found[1]):
                    formulas.add(found[1])
            tail = text[-_OVERLAP:]
    columns: dict[int, set[int]] = {}
    for attributes in formulas:
        at = _AT.search(attributes)
        if at is None:
            raise Unusable("FORMULA_UNSAVED", part)
        row, column = coordinate_to_tuple(at[1].decode())
        columns.setdefault(row, set()).add(column - 1)
    bounds = [_bounds(each.decode()) for each in sorted(ranges)]
    return bounds, {row: frozenset(found) for row, found in columns.items()}


def _bounds(text: str) -> tuple[int, int, int, int]:
    """Return (left, top, right, bottom) of a range such as `B3:B7`."""
    left, top, right, bottom = (int(each or 0) for each in range_boundaries(text))
    return left, top, right, bottom
