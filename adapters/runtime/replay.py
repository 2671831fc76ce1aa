"""Sending again what an operator asks for: refused records as a new attempt, unanswered ones under their own request ids.

It may be asked for any number of times. A command that is still in the queue is not queued twice; one that was applied and only never heard
of is answered again and has one effect; what the hub took is left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from adapters.runtime.deciding import Verdict, command_of, decide
from adapters.runtime.effects import is_correction
from adapters.runtime.identity import source_again
from adapters.runtime.model import Adapter, Kind
from adapters.runtime.records import Delivered, Known, delivered_again
from adapters.runtime.rows import file_of, read_again
from adapters.runtime.state import State
from adapters.runtime.work import Work
from hub.domain.clock import Clock

CHUNK = 500

Progress = Callable[[int, int], None]
"""Told of (records done, records in all)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records, all conditions together: refused (with a code, or any), unanswered, of a file, or one by kind and native id."""

    refused: bool = False
    code: str = ""
    unanswered: bool = False
    file: str = ""
    record: tuple[Kind, str] | None = None

    def where(self) -> tuple[str, tuple[str, ...]]:
        """Return the condition in SQL and its values. What the hub took is never sent again, so it is left out."""
        parts, values = ["outcome != 'OK'"], []
        if self.refused and not self.unanswered:
            parts.append("outcome != ''")
        if self.unanswered and not self.refused:
            parts.append("outcome = ''")
        if self.code:
            parts.append("outcome IN ('', ?)" if self.unanswered else "outcome = ?")
            values.append(self.code)
        if self.file:
            parts.append("file = ?")
            values.append(self.file)
        if self.record is not None:
            parts.append("kind = ? AND native_id = ?")
            values.extend(self.record)
        return " AND ".join(parts), tuple(values)


@dataclass(slots=True)
class Replayed:
    """Counts. `again`: unanswered, sent under the same request id; `queued`: unanswered, but not yet sent a first time; `anew`: refused,
    sent as a new attempt; `waiting` for another command; `quarantined`; `left`: nothing to send any more; `gone`: the correction's file is
    no longer kept. `by_outcome` counts what was found, by refusal code or `UNANSWERED`.
    """

    found: int = 0
    again: int = 0
    queued: int = 0
    anew: int = 0
    waiting: int = 0
    quarantined: int = 0
    left: int = 0
    gone: int = 0
    by_outcome: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, object]:
        """Return the counts as plain data."""
        names = ("found", "again", "queued", "anew", "waiting", "quarantined", "left", "gone")
        return {name: getattr(self, name) for name in names} | {"by_outcome": dict(self.by_outcome)}


_VERDICTS = {Verdict.SENT: "anew", Verdict.PARKED: "waiting", Verdict.UNCHANGED: "left", Verdict.QUARANTINED: "quarantined"}


def replay(
    adapter: Adapter,
    state: State,
    folder: Path | None,
    clock: Clock,
    wanted: Wanted,
    *,
    dry_run: bool = False,
    progress: Progress | None = None,
) -> Replayed:
    """Send again what is wanted, in chunks of one transaction each; with `dry_run` only say what would be sent.

    `folder` is the adapter's, where corrections are read again from; without it a refused correction counts as sent anew.
    """
    where, values = wanted.where()
    # The list is fixed first: what is sent anew is unanswered then, and must not be found again.
    records = [(Kind(kind), str(native_id)) for kind, native_id in state.db.all(f"SELECT kind, native_id FROM sent WHERE {where}", values)]
    done = Replayed(found=len(records))
    for start in range(0, len(records), CHUNK):
        chunk = records[start : start + CHUNK]
        if dry_run:
            _chunk(adapter, state, folder, clock.now().isoformat(), wanted, chunk, done)
        else:
            with state.transaction():
                _chunk(adapter, state, folder, clock.now().isoformat(), wanted, chunk, done).write()
        if progress is not None:
            progress(start + len(chunk), len(records))
    return done


def _chunk(
    adapter: Adapter,
    state: State,
    folder: Path | None,
    now: str,
    wanted: Wanted,
    records: Sequence[tuple[Kind, str]],
    done: Replayed,
) -> Work:
    work = Work(state, adapter.name, now)
    work.load(records)
    queued = _queued(state, [known.request_id for record in records if (known := work.of(record)) is not None])
    for record in records:
        known = work.of(record)
        if known is None or known.outcome == "OK" or (wanted.code and known.outcome not in ("", wanted.code)):
            continue  # answered in between
        done.by_outcome[known.outcome or "UNANSWERED"] += 1
        if not known.outcome:
            _again(work, known, done, in_queue=known.request_id in queued)
            continue
        delivered = _edition(adapter, state, folder, work, known)
        if delivered is None:
            done.gone += 1
            continue
        count = _VERDICTS[decide(work, delivered, retry=True)]
        setattr(done, count, getattr(done, count) + 1)
    return work


def _again(work: Work, known: Known, done: Replayed, *, in_queue: bool) -> None:
    """Send a command again for its answer. The hub passes over an id of an event that it has read, so that is a new one."""
    if in_queue or not known.request:
        done.queued += 1
        return
    again = replace(known, sends=known.sends + 1, sent_at="")
    work.remember(again)
    command_of(work, again, source_again(known.source, again.sends))
    done.again += 1


def _queued(state: State, request_ids: Sequence[str]) -> set[str]:
    marks = ", ".join("?" * len(request_ids))
    return {str(row[0]) for row in state.db.all(f"SELECT request_id FROM queue WHERE request_id IN ({marks})", tuple(request_ids))}


def _edition(adapter: Adapter, state: State, folder: Path | None, work: Work, known: Known) -> Delivered | None:
    """Return the edition to try again: the one that waits, or the one last sent. A refused correction's is read from its file."""
    waiting = work.waiting((known.kind, known.native_id))
    if waiting is not None:
        return waiting
    if not is_correction(known.method) or folder is None:
        return delivered_again(known)
    return next(_from_file(adapter, state, folder, known), None)


def _from_file(adapter: Adapter, state: State, folder: Path, known: Known) -> Iterator[Delivered]:
    landed = state.deliveries.get(known.delivery)
    path = file_of(folder, landed) if landed is not None else None
    if landed is None or path is None or not path.is_file():
        return
    for row in read_again(adapter, path, landed.name, landed.number, {known.row}, historic=landed.historic):
        if isinstance(row.item, Delivered):
            yield row.item
