"""PostgreSQL array literals, built a column at a time.

The driver's own list adapter looks at every element several times in Python; on full batches that was a quarter of the committer's time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date


def array_literal(column: Sequence[object]) -> str:
    """Return a column of one type as an array literal; the statement casts it to its element type."""
    return "{" + ",".join([_element(item) for item in column]) + "}"


def text_array(items: Iterable[str]) -> str:
    """Return texts as an array literal."""
    return "{" + ",".join([_quoted(item) for item in items]) + "}"


def _element(item: object) -> str:
    if isinstance(item, str):
        return _quoted(item)
    if item is None:
        return "NULL"
    if isinstance(item, bool):
        return "t" if item else "f"
    if isinstance(item, int):
        return str(item)
    if isinstance(item, bytes):
        return f'"\\\\x{item.hex()}"'
    if isinstance(item, date):
        return f'"{item.isoformat()}"'
    raise TypeError(f"no array literal for {type(item).__name__}")


def _quoted(item: str) -> str:
    if "\\" in item or '"' in item:
        item = item.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{item}"'
