"""Rows that a newer edition of a file no longer has. They are told to an officer and never taken for withdrawn: half a file is not less."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from adapters.runtime.database import Database
from adapters.runtime.deliveries import Landed
from adapters.runtime.documents import unusable
from adapters.runtime.model import Adapter, Broken, Kind, Mapped, NativeRecord

Row = tuple[NativeRecord, Mapped | None] | Broken
"""What reading a delivery yields."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A row of an earlier edition: what it was about and where it stood."""

    kind: Kind
    native_id: str
    line: str


def vanished(
    file: str, earlier: Iterable[Earlier], present: Collection[tuple[Kind, str]], unread: Collection[str]
) -> Iterator[tuple[Kind, Broken]]:
    """Yield the rows that are missing from an edition as rows for an officer to decide. Pure.

    `present` names the records that were read, `unread` the native ids of rows that are there and could not be used.
    """
    for row in earlier:
        if (row.kind, row.native_id) not in present and row.native_id not in unread:
            yield row.kind, unusable(file, row.line, "*", "ROW_VANISHED", row.line, row.native_id)


def missing_rows(adapter: Adapter, db: Database, landed: Landed, items: Iterable[Row]) -> list[tuple[Kind, Broken]]:
    """Return the missing rows of a delivery that was read to its end; `items` are its rows, read once more.

    There are none where a part of it could not be read at all: that proves nothing.
    """
    if not adapter.editions or landed.historic:
        return []
    known = db.all("SELECT kind, native_id, line FROM sent WHERE file = ? AND deleted = 0 ORDER BY kind, native_id", (landed.name,))
    if not known:
        return []
    present: set[tuple[Kind, str]] = set()
    unread: set[str] = set()
    for item in items:
        if not isinstance(item, Broken):
            present.add((item[0].kind, item[0].native_id))
        elif item.native_id:
            unread.add(item.native_id)
        elif item.reason_code in _UNREAD:
            return []
    return list(vanished(landed.name, (Earlier(Kind(kind), native_id, line) for kind, native_id, line in known), present, unread))


_UNREAD = {"UNPARSEABLE", "TOO_LARGE", "HIDDEN_SHEET", "FORMULA_UNSAVED", "FAULT"}
