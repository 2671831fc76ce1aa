"""A chunk of work on the memory: what is known is read at once, decided on in memory, and written at once."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from adapters.runtime.model import Broken, Kind, Phase
from adapters.runtime.quarantining import Held
from adapters.runtime.queueing import Queued
from adapters.runtime.records import Delivered, Known
from adapters.runtime.state import State

Record = tuple[Kind, str]
"""A native record: its kind and native id."""


@dataclass(slots=True)
class Work:
    """What is known of some records, and what is to be written about them. It lives inside one transaction.

    `province` is the adapter's name, `now` the instant of the work.
    """

    state: State
    province: str
    now: str
    known: dict[Record, Known | None] = field(default_factory=dict)
    parked: dict[Record, Delivered | None] = field(default_factory=dict)
    _queued: list[Queued] = field(default_factory=list)
    _held: list[Held] = field(default_factory=list)
    _remembered: dict[Record, Known] = field(default_factory=dict)
    _parking: dict[Record, Delivered | None] = field(default_factory=dict)
    _released: dict[Record, None] = field(default_factory=dict)

    def load(self, records: Collection[Record], *, authorizations: Iterable[str] = ()) -> None:
        """Read what is known of records, and of the authorizations that some of them are about, in two queries."""
        wanted = dict.fromkeys((*records, *((Kind.AUTHORIZATION, order) for order in authorizations)))
        unknown = [each for each in wanted if each not in self.known]
        unparked = [each for each in wanted if each not in self.parked]
        self.known |= dict.fromkeys(unknown) | self.state.records.many(unknown)
        self.parked |= dict.fromkeys(unparked) | self.state.parking.many(unparked)

    def of(self, record: Record) -> Known | None:
        """Return what is known of a record."""
        if record not in self.known:
            self.load([record])
        return self.known[record]

    def waiting(self, record: Record) -> Delivered | None:
        """Return the edition of a record that is parked."""
        if record not in self.parked:
            self.load([record])
        return self.parked.get(record)

    def remember(self, known: Known) -> None:
        """Note what is known now."""
        record = (known.kind, known.native_id)
        self.known[record] = self._remembered[record] = known

    def queue(self, phase: Phase, key: str, headers: dict[str, str], value: bytes, request_id: str) -> None:
        """Put a command at the end of the queue."""
        self._queued.append(Queued(phase, key, headers, value, request_id))

    def park(self, delivered: Delivered) -> None:
        """Keep an edition until it can be brought to the hub."""
        self.parked[delivered.record] = self._parking[delivered.record] = delivered

    def unpark(self, record: Record) -> None:
        """Forget the edition of a record that was parked."""
        if self.waiting(record) is not None:
            self.parked[record] = self._parking[record] = None

    def hold(self, broken: Broken, phase: Phase, kind: str, delivery: int, row: int) -> None:
        """Put a row into quarantine, in place of what stands there of the same record."""
        self._held = [each for each in self._held if not broken.native_id or (each.kind, each.broken.native_id) != (kind, broken.native_id)]
        self._held.append(Held(broken, phase, kind, delivery, row))
        if broken.native_id and kind:
            self._released[(Kind(kind), broken.native_id)] = None

    def held_of(self, record: Record) -> Broken | None:
        """Return the row of a record that this work puts into quarantine."""
        return next((each.broken for each in self._held if (each.kind, each.broken.native_id) == record), None)

    def release(self, record: Record) -> None:
        """Let a record out of quarantine."""
        self._released[record] = None
        if self._held:
            self._held = [each for each in self._held if (each.kind, each.broken.native_id) != record]

    def write(self) -> None:
        """Write all of it."""
        self.state.records.remember(self._remembered.values())
        self.state.queue.add(self._queued)
        self.state.parking.remove([record for record, left in self._parking.items() if left is None])
        self.state.parking.add([left for left in self._parking.values() if left is not None], self.now)
        self.state.quarantine.release(list(self._released))
        self.state.quarantine.add(self._held, self.now)
