"""Delimited text (CSV) into native records and back, in any encoding in which no character holds the byte of a line feed."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from adapters.runtime.documents import WHOLE, unusable
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.sheets import record_of_cells


def read_table(path: Path, file: str, kind: Kind, id_field: str, encoding: str) -> Iterator[NativeRecord | Broken]:
    """Yield the rows of a table under its header.

    It is cut into lines before decoding, so that a bad byte costs its line only: in UTF-8 and GB18030 no byte of a character is a
    line feed.
    """
    header: list[str] | None = None
    for number, raw in enumerate(path.read_bytes().removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        if not raw.strip():
            continue
        cells = _cells(raw, file, str(number), encoding)
        if isinstance(cells, Broken):
            yield cells
            if header is None:
                return  # without its header the rest of the file says nothing
        elif header is None:
            header = [cell.strip() for cell in cells]
        else:
            yield record_of_cells(header, cells, file, str(number), kind, id_field)


def _cells(raw: bytes, file: str, line: str, encoding: str) -> list[str] | Broken:
    try:
        (cells,) = csv.reader([raw.decode(encoding).rstrip("\r")], strict=True)
    except UnicodeDecodeError:
        return unusable(file, line, WHOLE, "ENCODING", encoding.upper())
    except (csv.Error, ValueError) as error:
        return unusable(file, line, WHOLE, "UNPARSEABLE", str(error))
    return cells


def write_table(path: Path, header: Sequence[str], rows: Iterable[Mapping[str, str]], encoding: str) -> Path:
    """Write a table with its header and return the file."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, header, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(encoding))
    return path


def load_table(path: Path, encoding: str) -> list[dict[str, str]]:
    """Return the rows of a table that `write_table` wrote."""
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(encoding), newline="")))
