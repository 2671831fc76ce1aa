"""Workbooks (XLSX) of one sheet: a header in the first row, a record a row; days may be dates of the workbook."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from datetime import date
from pathlib import Path

from openpyxl import Workbook, load_workbook

from adapters.runtime.documents import WHOLE, unusable
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.workbook import Limits, Unusable, WriteDay, opened, record_of_row, rows, text_of

LIMITS = Limits()


def read_sheet(path: Path, file: str, kind: Kind, id_field: str, day: WriteDay = date.isoformat) -> Iterator[NativeRecord | Broken]:
    """Yield the rows of the first sheet; empty ones are passed over. A workbook that cannot be used is said once, as a whole.

    `day` writes what a cell says that holds a date.
    """
    header, at = list[str](), 1
    try:
        with opened(path, LIMITS) as book:
            for row in rows(book, book.sheetnames[0], LIMITS, day):
                at = row.number
                if header:
                    yield record_of_row(header, row, file, str(row.number), kind, id_field)
                else:
                    header = row.cells
    except Unusable as error:
        yield unusable(file, str(at), WHOLE, error.code, error.detail)


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
    with path.open("rb") as file, closing(load_workbook(file, data_only=True)) as book:
        header, *lines = ([text_of(value, date.isoformat) for value in row] for row in book.worksheets[0].iter_rows(values_only=True))
    return [dict(zip(header, cells, strict=True)) for cells in lines]
