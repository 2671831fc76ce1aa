"""Columns of rows as PostgreSQL arrays, built a column at a time.

The driver's own list adapter looks at every element several times in Python; on full batches that was a quarter of the committer's time.
Texts are joined in one go into a literal (`str`), which the statement casts to its element type. Numbers and bytes travel in PostgreSQL's
binary form (`bytes`): neither side turns them into text and back.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any, Final

from hub.ledger.trip import Value

_BIGINT: Final = 20
_BYTEA: Final = 17
_SMALLINT: Final = 21
_HEADER: Final = struct.Struct(">iiiii")
"""Dimensions, whether there are NULLs, type of the elements, how many, number of the first."""


def texts(items: Iterable[str]) -> str:
    """Return texts as an array literal."""
    column = items if isinstance(items, (list, tuple)) else list(items)
    if not column:
        return "{}"
    joined = '","'.join(column)
    # Quotes between the elements only, and nothing that needs an escape: the join is the literal.
    if "\\" in joined or joined.count('"') != 2 * (len(column) - 1):
        joined = '","'.join([item.replace("\\", "\\\\").replace('"', '\\"') for item in column])
    return f'{{"{joined}"}}'


def literal(items: Iterable[int]) -> str:
    """Return whole numbers as an array literal: arrays of arrays do not unnest row by row, so each row's array travels as text."""
    return "{" + ",".join(map(str, items)) + "}"


def ints(column: Sequence[int]) -> bytes:
    """Return whole numbers as a `bigint[]`."""
    return _numbers(column, _BIGINT, 8, "iq")


def _smallints(column: Sequence[int]) -> bytes:
    return _numbers(column, _SMALLINT, 2, "ih")


def _numbers(column: Sequence[int], element: int, size: int, form: str) -> bytes:
    count = len(column)
    # Each number comes after its own length.
    laid = [size] * (2 * count)
    laid[1::2] = column
    return _head(element, count) + struct.pack(">" + form * count, *laid)


def _head(element: int, count: int) -> bytes:
    return _HEADER.pack(1, 0, element, count, 1) if count else struct.pack(">iii", 0, 0, element)


def _flags(column: Sequence[bool]) -> str:
    return "{" + ",".join(["t" if item else "f" for item in column]) + "}"


def _dates(column: Sequence[date | None]) -> str:
    """Dates or instants, None as NULL. Neighbours are mostly the very same one."""
    shown: list[str] = []
    last: date | None = None
    told = "NULL"
    for item in column:
        if item is not last:
            last, told = item, "NULL" if item is None else item.isoformat()
        shown.append(told)
    return "{" + ",".join(shown) + "}"


def _ids(column: Sequence[str | None]) -> str:
    """UUIDs as text, None as NULL."""
    return "{" + ",".join(["NULL" if item is None else item for item in column]) + "}"


def _bytes(column: Sequence[bytes]) -> bytes:
    parts = [_head(_BYTEA, len(column))]
    for item in column:
        parts.append(len(item).to_bytes(4, "big"))
        parts.append(item)
    return b"".join(parts)


_KINDS: dict[str, Callable[[Any], Value]] = {
    "t": texts, "i": ints, "s": _smallints, "f": _flags, "d": _dates, "u": _ids, "b": _bytes
}  # fmt: skip


def columns(table: Sequence[Sequence[object]], kinds: str) -> list[Value]:
    """Return the columns of `table` as arrays. `kinds` has a letter a column: t text, i bigint, s smallint, f flag, d date or
    instant, u UUID (the last two also None), b bytes. Raises ValueError where rows and kinds differ in length."""
    return [_KINDS[kind](column) for kind, column in zip(kinds, zip(*table, strict=True), strict=True)]
