"""JSON, line by line or page by page, into native records. Numbers stay as they were written: `8000.10` is never a float."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.reasons import describe

# Python calls these hooks with the literal's text: that text is the value.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)
WHOLE = "*"
"""Stands for the field where the whole row is at fault."""

_ARRAY = r'"{name}"\s*:\s*\['


def unusable(file: str, line: str, field: str, code: str, detail: str = "", native_id: str = "") -> Broken:
    """Return the quarantined form of what is not even a record."""
    zh, en = describe(code, detail)
    return Broken(file, line, field, code, zh, en, native_id=native_id)


def flatten(value: object) -> dict[str, str]:
    """Return the text of every leaf by its path; null is an empty text, true and false are those words."""
    leaves: dict[str, str] = {}
    _flatten(value, "", leaves)
    return leaves


def _flatten(value: object, path: str, leaves: dict[str, str]) -> None:
    if isinstance(value, str):
        leaves[path] = value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            _flatten(part, f"{path}.{name}" if path else str(name), leaves)
    elif isinstance(value, list):
        for at, part in enumerate(value):
            _flatten(part, f"{path}[{at}]", leaves)
    elif isinstance(value, bool):
        leaves[path] = str(value).lower()
    else:
        leaves[path] = "" if value is None else str(value)


def record_of(item: object, file: str, line: str, kind: Kind, id_field: str, *, revises: bool = False) -> NativeRecord | Broken:
    """Return a decoded JSON value as a record; one that is no object, or has no id, is unusable."""
    if not isinstance(item, dict):
        return unusable(file, line, WHOLE, "UNPARSEABLE", "JSON object expected")
    native_id = item.get(id_field)
    if not isinstance(native_id, str) or not native_id.strip():
        return unusable(file, line, id_field, "MISSING_FIELD")
    return NativeRecord(file, line, kind, native_id.strip(), flatten(item), id_field, revises=revises)


def read_lines(path: Path, file: str, kind: Kind, id_field: str, first: int = 1) -> Iterator[NativeRecord | Broken]:
    """Yield the records of a JSON Lines file in UTF-8; an empty line is passed over, a bad one is unusable.

    Lines are appended in the order of time, so that each takes the place of an earlier one with its id.
    `first` is the number under which people know the first line, where what landed is a part of the province's file.
    """
    with path.open("rb") as lines:
        for number, raw in enumerate(lines, start=first):
            if not raw.strip():
                continue
            try:
                yield record_of(_DECODER.decode(raw.decode("utf-8").strip()), file, str(number), kind, id_field, revises=True)
            except UnicodeDecodeError:
                yield unusable(file, str(number), WHOLE, "ENCODING", "UTF-8")
            except json.JSONDecodeError as error:
                yield unusable(file, str(number), WHOLE, "UNPARSEABLE", f"{error.msg} (column {error.colno})")


def read_page(path: Path, file: str, kind: Kind, id_field: str, array: str, *, changes: bool = False) -> Iterator[NativeRecord | Broken]:
    """Yield the records in the array of a page. A page that is not whole is unusable as a whole: half an answer proves nothing.

    `changes` says that the array is a feed in the order of time, in which a later record takes the place of an earlier one with its id.
    """
    try:
        text = path.read_bytes().decode("utf-8")
        page = _DECODER.decode(text)
    except UnicodeDecodeError:
        yield unusable(file, "1", WHOLE, "ENCODING", "UTF-8")
        return
    except json.JSONDecodeError as error:
        yield unusable(file, str(error.lineno), WHOLE, "UNPARSEABLE", f"{error.msg} (column {error.colno})")
        return
    items = page.get(array) if isinstance(page, dict) else None
    if not isinstance(items, list):
        yield unusable(file, "1", array, "MISSING_FIELD")
        return
    for item, line in zip(items, _lines(text, array, items), strict=True):
        yield record_of(item, file, line, kind, id_field, revises=changes)


def _lines(text: str, array: str, items: list[object]) -> list[str]:
    """Return the line on which each item of a page begins."""
    start = re.search(_ARRAY.format(name=re.escape(array)), text)
    at = start.end() if start else 0
    lines, line, counted = [], 1, 0
    for _ in items:
        while text[at] in " \t\r\n,":
            at += 1
        line += text.count("\n", counted, at)
        counted = at
        lines.append(str(line))
        at = _DECODER.raw_decode(text, at)[1]
    return lines
