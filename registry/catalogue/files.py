"""Files of rows: CSV, Excel workbooks and JSON Lines, read row by row and written. A broken row is reported, the others are read.

Files come from outside: bytes that are no file of the format, archives that unpack to more than they should, formulas, and cells of any
size are all met here.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from hub.domain.refusals import RefusalCode
from registry.catalogue.columns import Problem, plain_number
from registry.catalogue.headings import BY_HEADING, COLUMNS, REQUIRED

CELL_CHARS_MAX = 8_000
COLUMNS_MAX = 64
SHEET_ROWS_MAX = 200_001
"""A row far down makes all rows before it exist, however empty."""

UNPACKED_BYTES_MAX = 64 * 1024 * 1024
MEMBERS_MAX = 200

_DANGEROUS = ("=", "+", "-", "@", "\t", "\r")
_UNREADABLE = "\ufffd"
_DECLARATIONS = (b"<!DOCTYPE", b"<!ENTITY")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")

Cells = dict[str, str]
Read = tuple[int, Cells | Problem]
"""A row's number, counted from 1 with the heading, and its cells by column, or what is wrong with it."""


class Format(StrEnum):
    """Format of a file."""

    CSV = "CSV"
    XLSX = "XLSX"
    JSONL = "JSONL"


class FileError(Exception):
    """The file cannot be read at all; the message says why and what to send instead."""


def read_file(form: Format, content: bytes) -> Iterator[Read]:
    """Yield the rows of a file, empty ones left out. Raises FileError for what is no file of the format."""
    if form is Format.JSONL:
        yield from _objects(content)
    else:
        yield from _table(_csv_rows(content) if form is Format.CSV else _sheet_rows(content))


def _table(rows: Iterator[Sequence[str] | Problem]) -> Iterator[Read]:
    """Yield the rows below a heading. Columns may stand in any order and be named in either language; unknown ones are reported once."""
    heading = next(rows, None)
    if heading is None or isinstance(heading, Problem):
        raise FileError("holds no heading; the first row names the columns")
    names, unknown = _columns(heading)
    for title in unknown:
        yield (
            1,
            Problem(
                1,
                title[:64],
                RefusalCode.UNKNOWN_FIELD,
                f"没有「{title[:64]}」这一列,已忽略",
                f"there is no column {title[:64]!r}; it is left out",
            ),
        )
    for number, row in enumerate(rows, start=2):
        if isinstance(row, Problem):
            yield number, row
        elif any(row):
            yield number, _cells(number, names, row)


def _columns(heading: Sequence[str]) -> tuple[list[str | None], list[str]]:
    titles = [title.strip() for title in heading]
    names = [BY_HEADING[title].name if title in BY_HEADING else None for title in titles]
    known = [name for name in names if name]
    if len(set(known)) < len(known):
        raise FileError("names a column twice; name each once")
    missing = [name for name in REQUIRED if name not in known]
    if missing:
        raise FileError(f"has no column {', '.join(missing)}; the first row names the columns")
    return names, [title for title, name in zip(titles, names, strict=True) if name is None and title]


def _cells(number: int, names: Sequence[str | None], row: Sequence[str]) -> Cells | Problem:
    if any(row[len(names) :]):
        return Problem(number, "", RefusalCode.INVALID_ARGUMENT, "本行的列数多于表头", "the row has more cells than the heading")
    # A row may end early: what it does not reach is empty.
    pairs = zip(names, row, strict=False)
    return _checked(number, {name: cell for name, cell in pairs if name is not None})


def _checked(number: int, cells: Mapping[str, str]) -> Cells | Problem:
    clean: Cells = {}
    for name, cell in cells.items():
        if len(cell) > CELL_CHARS_MAX:
            return Problem(number, name, RefusalCode.INVALID_ARGUMENT, "内容过长", f"the cell holds more than {CELL_CHARS_MAX} characters")
        if _UNREADABLE in cell:
            return Problem(
                number, name, RefusalCode.INVALID_ARGUMENT, "含有无法识别的字符", "the cell holds bytes that are no text; save as UTF-8"
            )
        clean[name] = _plain(cell.strip())
    return clean


def _plain(cell: str) -> str:
    """Take back the apostrophe that our own files put before what a spreadsheet would run."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_DANGEROUS) else cell


def decoded(content: bytes) -> str:
    """Return the text of a file in UTF-8, with or without byte order mark, or in GB18030; what is neither becomes U+FFFD."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    # Few bytes are broken: the encoding that reads more of the file is the one that was meant.
    readings = [content.decode(encoding, errors="replace") for encoding in ("utf-8-sig", "gb18030")]
    return min(readings, key=lambda text: text.count(_UNREADABLE))


def _csv_rows(content: bytes) -> Iterator[Sequence[str] | Problem]:
    reader = csv.reader(io.StringIO(decoded(content), newline=""))
    number = 0
    while True:
        number += 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            # A quotation mark that never closes takes the rest of the file with it.
            yield Problem(
                number, "", RefusalCode.INVALID_ARGUMENT, "引号未闭合,其后各行未读取", f"the rest of the file is not read: {error}"
            )
            return
        yield row


def _sheet_rows(content: bytes) -> Iterator[Sequence[str] | Problem]:
    _inspect(content)
    # Here and not above, as in `_workbook`: it takes a quarter of a second and 20 MB, and most processes never see a workbook.
    import openpyxl

    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, keep_links=False)
        sheet = book.worksheets[0]
        # What the sheet says of its own size may be wrong, and would cut rows off.
        sheet.reset_dimensions()
        for number, row in enumerate(sheet.iter_rows(max_col=COLUMNS_MAX), start=1):
            if number > SHEET_ROWS_MAX:
                raise FileError(f"has more than {SHEET_ROWS_MAX} rows; send it in parts")
            yield _sheet_row(number, row)
    except FileError:
        raise
    except Exception as error:
        # The library raises whatever its parts raise on bytes that only look like a workbook.
        raise FileError(f"is no workbook that can be read ({type(error).__name__}); save it again as .xlsx") from error


def _inspect(content: bytes) -> None:
    """Refuse an archive that unpacks to too much, or whose XML declares entities: neither is unpacked to find out."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if len(members) > MEMBERS_MAX or sum(member.file_size for member in members) > UNPACKED_BYTES_MAX:
                raise FileError(f"unpacks to more than {UNPACKED_BYTES_MAX} bytes; send fewer rows a file")
            for member in members:
                head = archive.read(member)
                if head[:2] in _UTF16 or any(word in head for word in _DECLARATIONS):
                    raise FileError("declares XML entities, which no spreadsheet program writes; save it again as .xlsx")
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise FileError("is no .xlsx workbook; save it again as .xlsx") from error


def _sheet_row(number: int, row: Sequence[Any]) -> Sequence[str] | Problem:
    if any(cell.data_type == "f" for cell in row):
        column = next(cell.column_letter for cell in row if cell.data_type == "f")
        return Problem(
            number,
            column,
            RefusalCode.INVALID_ARGUMENT,
            "单元格含公式",
            "the cell holds a formula",
            "请粘贴为数值后再导入",
            "Paste the values in its place",
        )
    cells = [_shown(cell.value) for cell in row]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _shown(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return plain_number(value)
    if isinstance(value, datetime):
        return value.date().isoformat()
    return value.isoformat() if isinstance(value, date) else str(value)


def _objects(content: bytes) -> Iterator[Read]:
    for number, line in enumerate(content.removeprefix(b"\xef\xbb\xbf").splitlines(), start=1):
        if line.strip():
            yield number, _object(number, line)


def _object(number: int, line: bytes) -> Cells | Problem:
    try:
        given = json.loads(line.decode("utf-8"), parse_float=str)
    except (ValueError, RecursionError):
        return Problem(number, "", RefusalCode.INVALID_ARGUMENT, "本行不是 UTF-8 编码的 JSON 对象", "the line is no JSON object in UTF-8")
    if not isinstance(given, dict):
        return Problem(number, "", RefusalCode.INVALID_ARGUMENT, "本行不是 JSON 对象", "the line is no JSON object")
    unknown = next((name for name in given if name not in BY_HEADING), None)
    if unknown is not None:
        return Problem(
            number, unknown[:64], RefusalCode.UNKNOWN_FIELD, f"没有「{unknown[:64]}」这一字段", f"there is no field {unknown[:64]!r}"
        )
    cells: Cells = {}
    for title, value in given.items():
        name = BY_HEADING[title].name
        if name == "keywords" and isinstance(value, list) and all(isinstance(word, str) for word in value):
            value = ";".join(value)
        if isinstance(value, bool) or not isinstance(value, str | int | None):
            return Problem(number, name, RefusalCode.INVALID_ARGUMENT, "应为文字或数字", "must be a text or a number")
        cells[name] = "" if value is None else str(value)
    return _checked(number, cells)


def write_file(form: Format, rows: Iterable[Cells]) -> bytes:
    """Return rows as a file that `read_file` reads to the same rows. What a spreadsheet would run gets an apostrophe before it."""
    if form is Format.JSONL:
        lines = (json.dumps({name: cell for name, cell in row.items() if cell}, ensure_ascii=False) for row in rows)
        return "".join(f"{line}\n" for line in lines).encode()
    return _csv_file(rows) if form is Format.CSV else _workbook(rows)


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_DANGEROUS) else cell


def _csv_file(rows: Iterable[Cells]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([column.name for column in COLUMNS])
    for row in rows:
        writer.writerow([_safe(row[column.name]) for column in COLUMNS])
    # With the mark, spreadsheet programs read UTF-8 as such.
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _workbook(rows: Iterable[Cells]) -> bytes:
    import openpyxl
    from openpyxl.cell import WriteOnlyCell

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("catalogue")
    sheet.append([column.zh for column in COLUMNS])
    for row in rows:
        cells = [WriteOnlyCell(sheet, value=_safe(row[column.name])) for column in COLUMNS]
        for cell in cells:
            cell.data_type = "s"
        sheet.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
