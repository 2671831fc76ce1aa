"""What an operator does with the quarantine: look through it, try rows again, set rows aside for good, hand it on as a file."""

from __future__ import annotations

import csv
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from adapters.runtime.deciding import Verdict, decide
from adapters.runtime.model import Adapter, Broken, Kind, Phase
from adapters.runtime.quarantining import QuarantinedRow
from adapters.runtime.remedies import remedy
from adapters.runtime.rows import Row, file_of, read_again
from adapters.runtime.state import State
from adapters.runtime.work import Work
from hub.domain.clock import Clock

WHY_CHARS_MAX = 500
"""Longest reason of a row set aside."""

Progress = Callable[[int, int], None]
"""Told of (rows done, rows in all)."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows; what is empty does not matter. `ids` are the numbers that a list shows."""

    reason: str = ""
    kind: str = ""
    file: str = ""
    ids: frozenset[int] = frozenset()

    def takes(self, row: QuarantinedRow) -> bool:
        """Say whether a row is asked for."""
        return (
            (not self.reason or row.reason == self.reason)
            and (not self.kind or row.kind == self.kind)
            and (not self.file or row.file == self.file)
            and (not self.ids or row.id in self.ids)
        )


@dataclass(frozen=True, slots=True)
class Discarded:
    """A row set aside for good: what it was, who did it, when (ISO 8601) and why."""

    file: str
    line: str
    field: str
    value: str
    native_id: str
    reason: str
    kind: str
    delivery: int
    row: int
    seen_at: str
    discarded_at: str
    who: str
    why: str


@dataclass(slots=True)
class Retried:
    """What became of the rows that were tried again. `gone` are rows whose file is no longer kept: it must be delivered again."""

    sent: int = 0
    waiting: int = 0
    unchanged: int = 0
    still: int = 0
    gone: int = 0

    def as_dict(self) -> dict[str, int]:
        """Return the counts as plain data."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def find(state: State, wanted: Filter) -> list[QuarantinedRow]:
    """Return the rows asked for, in the order they came."""
    return [row for row in state.quarantine.rows() if wanted.takes(row)]


def shown(row: QuarantinedRow) -> dict[str, object]:
    """Return a row as plain data, with what to do about it."""
    zh, en = remedy(row.reason)
    return {field.name: getattr(row, field.name) for field in fields(row)} | {"do_zh": zh, "do_en": en}


def export(state: State, path: Path, rows: Iterable[QuarantinedRow] | None = None) -> Path:
    """Write the quarantine, or some rows of it, as CSV (UTF-8 with a byte order mark, for spreadsheets) and return the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*(field.name for field in fields(QuarantinedRow)), "do_zh", "do_en"])
        writer.writerows((*astuple(row), *remedy(row.reason)) for row in (state.quarantine.rows() if rows is None else rows))
    return path


def discard(state: State, rows: Sequence[QuarantinedRow], *, who: str, why: str, clock: Clock) -> int:
    """Set rows aside for good; they stay in the log with who, when and why. Raises ValueError for a reason that is missing or too long."""
    if not why.strip() or len(why) > WHY_CHARS_MAX or not who.strip():
        raise ValueError(f"say who sets them aside and why, in 1 to {WHY_CHARS_MAX} characters")
    at = clock.now().isoformat()
    kept = [
        (each.file, each.line, each.field, each.value, each.native_id, each.reason, each.kind, each.delivery, each.row, each.seen_at)
        for each in rows
    ]
    with state.transaction(durable=True):
        state.db.many(f"INSERT INTO discarded VALUES ({', '.join('?' * 13)})", [(*row, at, who.strip(), why.strip()) for row in kept])
        state.db.many("DELETE FROM quarantine WHERE id = ?", [(each.id,) for each in rows])
        # What a person gave up is not taken up again by an answer that comes later.
        state.parking.remove([(Kind(each.kind), each.native_id) for each in rows if each.kind and each.native_id])
    return len(rows)


def discarded(state: State) -> list[Discarded]:
    """Return the log of what was set aside, the oldest first."""
    columns = ", ".join(field.name for field in fields(Discarded))
    return [Discarded(*row) for row in state.db.all(f"SELECT {columns} FROM discarded ORDER BY rowid")]


def retry(
    adapter: Adapter, state: State, folder: Path, clock: Clock, rows: Sequence[QuarantinedRow], progress: Progress | None = None
) -> Retried:
    """Read rows again from their files in the adapter's folder, with the code lists and the mapping of today, and decide on them anew.

    A row that is sent, or needs no sending any more, leaves the quarantine; one that is still broken stays, with its reason of today.
    """
    done, count = Retried(), 0
    by_delivery: dict[int, list[QuarantinedRow]] = {}
    for each in rows:
        by_delivery.setdefault(each.delivery, []).append(each)
    for delivery, held in sorted(by_delivery.items()):
        _retry_delivery(adapter, state, folder, clock, delivery, held, done)
        count += len(held)
        if progress is not None:
            progress(count, len(rows))
    return done


def _retry_delivery(
    adapter: Adapter, state: State, folder: Path, clock: Clock, delivery: int, held: Sequence[QuarantinedRow], done: Retried
) -> None:
    landed = state.deliveries.get(delivery)
    path = file_of(folder, landed) if landed is not None else None
    if landed is None or path is None or not path.is_file():
        done.gone += len(held)
        return
    again = list(read_again(adapter, path, landed.name, delivery, {each.row for each in held}, historic=landed.historic))
    with state.transaction():
        work = Work(state, adapter.name, clock.now().isoformat())
        standing = {each.id for each in state.quarantine.rows()}
        fresh = [each for each in held if each.id in standing]
        state.db.many("DELETE FROM quarantine WHERE id = ?", [(each.id,) for each in fresh])
        rows = {each.row for each in fresh}
        for row in again:
            if row.number in rows:
                _count(done, _again(work, row, delivery, _phase(held, row.number)))
        # A row that the file of today does not hold any more, for reading changed: only the file, delivered again, can say more.
        done.gone += len(rows - {row.number for row in again})
        work.write()


def _phase(held: Collection[QuarantinedRow], row: int) -> Phase:
    return Phase(next(each.phase for each in held if each.row == row))


def _again(work: Work, row: Row, delivery: int, phase: Phase) -> Verdict:
    if isinstance(row.item, Broken):
        work.hold(row.item, phase, row.kind or "", delivery, row.number)
        return Verdict.QUARANTINED
    return decide(work, row.item, retry=True)


def _count(done: Retried, verdict: Verdict) -> None:
    match verdict:
        case Verdict.SENT:
            done.sent += 1
        case Verdict.PARKED:
            done.waiting += 1
        case Verdict.UNCHANGED:
            done.unchanged += 1
        case _:
            done.still += 1
