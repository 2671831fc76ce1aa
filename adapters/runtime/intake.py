"""Deliveries into the memory, row by row in chunks: each chunk with its commands, its quarantine and its place, or not at all."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from itertools import islice

from adapters.runtime.deciding import Verdict, decide
from adapters.runtime.deliveries import Counts, Landed
from adapters.runtime.failpoints import failpoint
from adapters.runtime.landing import FileLanding
from adapters.runtime.model import PHASE_OF, Adapter, Broken, Kind, Phase
from adapters.runtime.queueing import ORDER
from adapters.runtime.reading import kinds_in, records_in
from adapters.runtime.reasons import describe
from adapters.runtime.records import Delivered
from adapters.runtime.repeats import Repeats
from adapters.runtime.rows import Item, Place, Row, row_of
from adapters.runtime.state import State
from adapters.runtime.vanishing import missing_rows
from adapters.runtime.work import Work
from hub.domain.clock import Clock

log = logging.getLogger(__name__)

_WAITING_MAX = 1000


class Intake:
    """Reads what has landed into the memory. One thread calls it.

    Deliveries are read in the order of their phases, so that a firm is known before its orders; two that hold records of one kind are
    read in the order in which they landed, so that the later edition of a record counts. A full queue pauses it.
    """

    def __init__(
        self,
        adapter: Adapter,
        state: State,
        landing: FileLanding,
        clock: Clock,
        *,
        queue_limit: int = 50_000,
        chunk_rows: int = 500,
    ) -> None:
        self._adapter, self._state, self._landing, self._clock = adapter, state, landing, clock
        self._queue_limit, self._chunk_rows = queue_limit, chunk_rows
        self._open: tuple[int, int, Iterator[Item], Repeats] | None = None
        self.counted: Counter[tuple[str, str]] = Counter()
        """Rows by (kind, verdict) since the start."""

    @property
    def full(self) -> bool:
        """True while the queue holds as much as it may."""
        return self._state.queue.depth() >= self._queue_limit

    def step(self) -> bool:
        """Take a chunk in; say False where nothing has landed, or the queue is full."""
        if self.full:
            return False
        landed = self._next()
        if landed is None:
            self._open = None
            return False
        try:
            self._chunk(landed)
        except BaseException:
            self._open = None  # it is read again from where the memory says
            raise
        return True

    def _next(self) -> Landed | None:
        """Return the delivery to read: of the earliest phase among those that overtake none that holds the same kinds."""
        seen: set[Kind] = set()
        found: tuple[int, Landed] | None = None
        for landed in self._state.deliveries.waiting(_WAITING_MAX):
            kinds = kinds_in(self._adapter, landed.name)
            phase = min((ORDER[PHASE_OF[kind]] for kind in kinds), default=0)
            if not seen & set(kinds) and (found is None or phase < found[0]):
                found = phase, landed
            seen |= set(kinds)
        return found[1] if found else None

    def _chunk(self, landed: Landed) -> None:
        items, repeats = self._opened(landed)
        rows = list(self._rows(landed, items))
        self._open = (landed.number, landed.next_row + self._chunk_rows, items, repeats)
        counts, ended = Counts(rows=len(rows)), len(rows) < self._chunk_rows
        gone = missing_rows(self._adapter, self._state.db, landed, self._all(landed)) if ended else []
        with self._state.transaction(durable=ended):
            work = Work(self._state, self._adapter.name, self._clock.now().isoformat())
            editions = [row.item for row in rows if isinstance(row.item, Delivered)]
            work.load([each.record for each in editions], authorizations=[each.refers_to for each in editions if each.refers_to])
            if landed.next_row == 0:
                self._state.quarantine.release_nameless(landed.name)
            verdicts = [(row.kind, self._take(work, landed, row, repeats)) for row in rows]
            for kind, broken in gone:
                work.hold(broken, PHASE_OF[kind], kind, landed.number, 0)
            work.write()
            counts.sent = sum(verdict in (Verdict.SENT, Verdict.PARKED) for _, verdict in verdicts)
            counts.unchanged = sum(verdict is Verdict.UNCHANGED for _, verdict in verdicts)
            counts.quarantined = len(verdicts) - counts.sent - counts.unchanged
            taken_at = work.now if ended else ""
            self._state.deliveries.progress(landed.number, landed.next_row + len(rows), counts, taken_at=taken_at)
            failpoint("intake.before_commit")
        failpoint("intake.after_taken" if ended else "intake.after_commit")
        self.counted.update((kind or "", verdict.value) for kind, verdict in verdicts)

    def _opened(self, landed: Landed) -> tuple[Iterator[Item], Repeats]:
        """Return the items of a delivery from the next row on, and what judges those that repeat an id."""
        if self._open is not None and self._open[:2] == (landed.number, landed.next_row):
            return self._open[2:]
        repeats = Repeats(self._adapter, landed.number, lambda: self._all(landed), historic=landed.historic, resumed=bool(landed.next_row))
        return islice(self._all(landed), landed.next_row, None), repeats

    def _rows(self, landed: Landed, items: Iterator[Item]) -> Iterator[Row]:
        """Yield the next rows of a delivery, mapped."""
        for number, item in enumerate(islice(items, self._chunk_rows), start=landed.next_row):
            yield row_of(self._adapter, Place(landed.number, number, landed.historic), item)

    def _all(self, landed: Landed) -> Iterator[Item]:
        return _unbroken(landed.name, self._items(landed))

    def _items(self, landed: Landed) -> Iterator[Item]:
        if not kinds_in(self._adapter, landed.name):
            zh, en = describe("UNKNOWN_FILE")
            yield Broken(landed.name, "1", "*", "UNKNOWN_FILE", zh, en)
            return
        yield from records_in(self._adapter, self._landing.delivery(landed).path, landed.name)

    def _take(self, work: Work, landed: Landed, row: Row, repeats: Repeats) -> Verdict:
        if isinstance(row.item, Broken):
            kinds = kinds_in(self._adapter, landed.name)
            phase = (
                PHASE_OF[row.kind] if row.kind else min((PHASE_OF[kind] for kind in kinds), key=ORDER.__getitem__, default=Phase.PARTIES)
            )
            work.hold(row.item, phase, row.kind or "", landed.number, row.number)
            return Verdict.QUARANTINED
        judged = repeats.judge(work, row.item)
        if isinstance(judged, Broken):
            work.hold(judged, PHASE_OF[row.item.edition.kind], row.item.edition.kind, landed.number, row.number)
            return Verdict.QUARANTINED
        return judged or decide(work, row.item)


def _unbroken(name: str, items: Iterator[Item]) -> Iterator[Item]:
    """Yield items; where reading itself fails, the rest of the delivery becomes one broken row and stops nothing else."""
    try:
        yield from items
    except OSError:
        raise  # the disk's trouble, not the file's: it is read again later
    except Exception as error:
        log.exception("%s could not be read to its end", name)
        zh, en = describe("FAULT", f"{type(error).__name__}")
        yield Broken(name, "*", "*", "FAULT", zh, en)
