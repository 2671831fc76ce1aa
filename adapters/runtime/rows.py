"""One row of a delivery as an edition of a record, or why it is none. Whatever a row does to the code that reads it, it is one row."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from adapters.runtime.deliveries import Landed
from adapters.runtime.edition import Edition
from adapters.runtime.effects import packed
from adapters.runtime.identity import digest_of
from adapters.runtime.model import Adapter, Broken, Kind, Mapped, NativeRecord
from adapters.runtime.reading import records_in
from adapters.runtime.reasons import describe
from adapters.runtime.records import Delivered

log = logging.getLogger(__name__)

Item = tuple[NativeRecord, Mapped | None] | Broken
"""What reading yields: a record (a policy with its command), or a part of the file that is none."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands: the delivery's number, the row's in it, and whether it came by a backfill."""

    delivery: int
    row: int
    historic: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """A row on its way: an edition, or why there is none. `record` is the native record, where it is one."""

    number: int
    kind: Kind | None
    item: Delivered | Broken
    record: NativeRecord | None = None


def row_of(adapter: Adapter, place: Place, item: Item) -> Row:
    """Return what a row says."""
    if isinstance(item, Broken):
        return Row(place.row, None, item)
    record, mapped = item
    try:
        found = mapped or adapter.map(record)
        if isinstance(found, Broken) and not record.deleted:
            return Row(place.row, record.kind, found, record)
        return Row(place.row, record.kind, _delivered(adapter, place, record, found), record)
    except Exception as error:
        log.exception("%s:%s could not be handled", record.file, record.line)
        zh, en = describe("FAULT", f"{type(error).__name__}")
        return Row(place.row, record.kind, Broken(record.file, record.line, "*", "FAULT", zh, en, native_id=record.native_id), record)


def _delivered(adapter: Adapter, place: Place, record: NativeRecord, mapped: Mapped | Broken) -> Delivered:
    digest = digest_of(record, adapter.dropped)
    command = ("", "", b"") if isinstance(mapped, Broken) else (mapped.method, mapped.key, packed(mapped.request))
    refers = ("", "") if isinstance(mapped, Broken) else (mapped.refers_to, mapped.refers_field)
    edition = Edition(record.kind, record.native_id, digest, record.deleted, record.id_field, *command, historic=place.historic)
    return Delivered(edition, record.file, record.line, place.delivery, place.row, *refers, record.revises)


def file_of(work: Path, landed: Landed) -> Path:
    """Return the file of a delivery in an adapter's folder, wherever it is by now; there may be none any more."""
    path = work / "landing" / str(landed.number) / landed.name
    return path if path.exists() else work / "archive" / str(landed.number) / landed.name


def read_again(adapter: Adapter, path: Path, name: str, delivery: int, rows: Collection[int], *, historic: bool = False) -> Iterator[Row]:
    """Yield some rows of a delivered file as they read today. Raises OSError where the file is gone."""
    left = set(rows)
    for number, item in enumerate(records_in(adapter, path, name)):
        if number in left:
            left.discard(number)
            yield row_of(adapter, Place(delivery, number, historic), item)
        if not left:
            return
