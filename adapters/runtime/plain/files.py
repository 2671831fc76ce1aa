"""Files of plain tables: `<word>-<day>.<format>`, one kind each, and results of the same make, `<table>-result.<format>`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import NamedTuple

from adapters.runtime import delimited, documents
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.plain import sheet
from adapters.runtime.plain.form import Form
from adapters.runtime.results import Results
from adapters.runtime.tables import ResultTables, Style

_NAME = r"(?P<word>{words})-(?P<day>[0-9]{{8}})(?:-[0-9]+)?\.{format}"
Rows = Iterable[Mapping[str, str]]


class Format(NamedTuple):
    """A file format: native records in; result rows out under a header, and back. To read, it is told how the province writes days."""

    read: Callable[[Path, str, Kind, str, Callable[[date], str]], Iterator[NativeRecord | Broken]]
    write: Callable[[Path, Sequence[str], Rows], Path]
    load: Callable[[Path], Rows]


def _write_lines(path: Path, header: Sequence[str], rows: Rows) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def _load_lines(path: Path) -> Rows:
    # Not splitlines(): a text may hold characters that Python takes for line ends and JSON does not.
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def _write_page(path: Path, header: Sequence[str], rows: Rows) -> Path:
    path.write_text(json.dumps({"data": list(rows)}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    return path


def _load_page(path: Path) -> Rows:
    found: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))["data"]
    return found


def csv_format(encoding: str = "utf-8") -> Format:
    """Delimited text under a header; a byte order mark is passed over."""
    return Format(
        lambda path, file, kind, id_field, _day: delimited.read_table(path, file, kind, id_field, encoding),
        lambda path, header, rows: delimited.write_table(path, header, rows, encoding),
        lambda path: delimited.load_table(path, encoding),
    )


FORMATS: Mapping[str, Format] = {
    "csv": csv_format(),
    "jsonl": Format(lambda path, file, kind, id_field, _day: documents.read_lines(path, file, kind, id_field), _write_lines, _load_lines),
    "json": Format(
        lambda path, file, kind, id_field, _day: documents.read_page(path, file, kind, id_field, "data"), _write_page, _load_page
    ),
    "xlsx": Format(sheet.read_sheet, sheet.write_sheet, sheet.load_sheet),
}
"""By the ending of the file's name. A JSON file is an object whose `data` is the list of records.

Lines of JSON are appended, so that a later one corrects an earlier one with its id; in the others, two that differ contradict one another.
"""


@dataclass(frozen=True, slots=True)
class Files:
    """A province's files. `words` is what the name of each kind's files begins with, `results` its result tables."""

    form: Form
    words: Mapping[Kind, str]
    ending: str
    results: ResultTables
    format: Format

    def kinds(self, name: str) -> tuple[Kind, ...]:
        """Return what a file holds, by its name."""
        found = self._found(name)
        return tuple(kind for kind, word in self.words.items() if found and found["word"] == word)

    def _found(self, name: str) -> re.Match[str] | None:
        words = "|".join(re.escape(word) for word in self.words.values())
        return re.fullmatch(_NAME.format(words=words, format=self.ending), name.rpartition("/")[2])

    def read(self, path: Path, name: str, wanted: tuple[Kind, ...]) -> Iterator[NativeRecord | Broken]:
        """Yield the records of a file; one whose mark says so is withdrawn."""
        for kind in self.kinds(name):
            if kind in wanted:
                for item in self.format.read(path, name, kind, self.form.fields[kind]["id"], self.form.write_day):
                    gone = isinstance(item, NativeRecord) and item.fields.get(self.form.mark, "").strip() == self.form.withdrawn
                    yield replace(item, deleted=True) if gone and isinstance(item, NativeRecord) else item

    def write(self, results: Results, folder: Path) -> list[Path]:
        """Write one file a table and return the files."""
        headers, tables = self.results.headers(), self.results.write(results, self._style())
        return [self.format.write(self._result(folder, name), headers[name], rows) for name, rows in tables.items()]

    def load(self, folder: Path) -> Results:
        """Read the result files back."""
        return self.results.read({name: self.format.load(self._result(folder, name)) for name in self.results.headers()}, self._style())

    def _result(self, folder: Path, table: str) -> Path:
        return folder / f"{table}-result.{self.ending}"

    def _style(self) -> Style:
        return Style(self.form.codes, day=self.form.write_day, read_day=self.form.read_day)
