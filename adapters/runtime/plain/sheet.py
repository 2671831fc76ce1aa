"""Workbooks (XLSX) of one sheet: a header in the first row, a record a row; days may be dates of the workbook."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from adapters.runtime.documents import WHOLE, unusable
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.sheets import record_of_cells

# What the parser runs into where a workbook's parts are damaged or contradict one another.
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, InvalidFileException, ParseError),
    *(ArithmeticError, AttributeError, EOFError, LookupError, NotImplementedError, RuntimeError, TypeError, ValueError),
)


def read_sheet(path: Path, file: str, kind: Kind, id_field: str) -> Iterator[NativeRecord | Broken]:
    """Yield the rows of the first sheet; empty ones are passed over. A workbook that is not whole is unusable as a whole."""
    try:
        rows = _rows(path)
    except _UNREADABLE as error:
        yield unusable(file, "1", WHOLE, "UNPARSEABLE", f"{type(error).__name__}: {error}"[:150])
        return
    header = rows[0] if rows else []
    for number, cells in enumerate(rows[1:], start=2):
        if any(cells):
            yield record_of_cells(header, cells, file, str(number), kind, id_field)


def _rows(path: Path) -> list[list[str]]:
    # From its bytes: of a path, the library would judge the name, and what has landed may have another.
    with path.open("rb") as file, closing(load_workbook(file, data_only=True)) as book:
        return [[_text(value) for value in row] for row in book.worksheets[0].iter_rows(values_only=True)]


def _text(value: object) -> str:
    """Return a cell as text. A number keeps the shortest digits that give it back, which are those that were typed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int | float):
        return f"{Decimal(str(value)).normalize():f}"
    return str(value).strip()


def write_sheet(path: Path, header: Sequence[str], rows: Iterable[Mapping[str, str]]) -> Path:
    """Write a workbook of one sheet and return the file. Everything is text, so that no digit and no leading zero is lost."""
    book = Workbook()
    sheet = book.worksheets[0]
    sheet.append(list(header))
    for cells in rows:
        sheet.append([cells[column] for column in header])
    for line in sheet.iter_rows():
        for cell in line:
            # A text that begins with = would be run as a formula by whoever opens the book.
            cell.data_type = "s" if cell.data_type == "f" else cell.data_type
    book.save(path)
    return path


def load_sheet(path: Path) -> list[dict[str, str]]:
    """Return the rows of a workbook that `write_sheet` wrote."""
    header, *rows = _rows(path)
    return [dict(zip(header, cells, strict=True)) for cells in rows]
