"""What happens to one polled batch of inbound records: decode, drop what was seen, handle in order per key and concurrently across keys."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from hub.messaging.cloudevents import CloudEvent, MalformedEvent, decode
from hub.messaging.deadletters import DeadLetter, of_record
from hub.messaging.inbox import Inbox, Receipt
from hub.messaging.ports import CommandPort, InboundCommand, Unavailable, Undeliverable

log = logging.getLogger(__name__)

Partition = tuple[str, int]
"""Topic and partition number."""

_OUTAGES = (Unavailable, psycopg.OperationalError, TimeoutError, ConnectionError)


@dataclass(frozen=True, slots=True)
class HandlingLimits:
    """Bounds of handling. Times are seconds."""

    concurrency_max: int = 128
    attempts_max: int = 3
    """Attempts at a record whose handling fails in an unforeseen way, before it is a dead letter."""
    attempt_backoff_seconds: float = 0.2
    handle_seconds_max: float = 60.0


@dataclass(slots=True)
class BatchOutcome:
    """What became of a batch. `stuck` names, for each partition with a command that has to wait, the offset to read again from."""

    handled: list[Receipt] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    duplicates: int = 0
    deferred: int = 0
    stuck: dict[Partition, int] = field(default_factory=dict)

    def defer(self, record: Any) -> None:
        """Note that `record` has to come again."""
        self.deferred += 1
        place = (record.topic, record.partition)
        self.stuck[place] = min(record.offset, self.stuck.get(place, record.offset))


class BatchHandler:
    """Handles batches through the port. Holds no state between batches but the inbox."""

    def __init__(self, port: CommandPort, inbox: Inbox, divisions: Mapping[str, str], limits: HandlingLimits) -> None:
        """`divisions` gives the division of each inbound topic."""
        self._port = port
        self._inbox = inbox
        self._divisions = divisions
        self._limits = limits
        self._slots = asyncio.Semaphore(limits.concurrency_max)

    async def handle(self, records: Sequence[Any]) -> BatchOutcome:
        """Handle `records`, which are in order per partition. Raise psycopg.Error if the inbox cannot be read; nothing was done then."""
        outcome = BatchOutcome()
        events = self._decode(records, outcome)
        seen = await self._inbox.seen(list({receipt_of(record, event) for record, event in events}))
        lanes: dict[tuple[str, int, bytes | None], list[tuple[Any, CloudEvent]]] = {}
        for record, event in events:
            receipt = receipt_of(record, event)
            if receipt in seen:
                outcome.duplicates += 1
                continue
            # The same event twice in one batch is a duplicate too, even before the first of them is in the inbox: should the first have
            # to wait, the partition is read again from it, and so is the second.
            seen.add(receipt)
            lanes.setdefault((record.topic, record.partition, record.key), []).append((record, event))
        async with asyncio.TaskGroup() as group:
            for lane in lanes.values():
                group.create_task(self._run_lane(lane, outcome))
        return outcome

    def _decode(self, records: Sequence[Any], outcome: BatchOutcome) -> list[tuple[Any, CloudEvent]]:
        events = []
        for record in records:
            try:
                events.append((record, decode(record)))
            except MalformedEvent as error:
                outcome.dead.append(of_record(record, self._divisions[record.topic], str(error)))
        return events

    async def _run_lane(self, lane: Sequence[tuple[Any, CloudEvent]], outcome: BatchOutcome) -> None:
        """Handle the records of one key in order; the first that has to wait makes those behind it wait."""
        for position, (record, event) in enumerate(lane):
            async with self._slots:
                reason = await self._deliver(record, event)
            if reason is _WAIT:
                for waiting, _ in lane[position:]:
                    outcome.defer(waiting)
                return
            if reason is not None:
                outcome.dead.append(of_record(record, self._divisions[record.topic], reason))
            outcome.handled.append(receipt_of(record, event))

    async def _deliver(self, record: Any, event: CloudEvent) -> str | None:
        """Return None if it is done, `_WAIT` if it has to wait, or the reason why it never can be."""
        command = command_of(record, event, self._divisions[record.topic])
        for attempt in itertools.count(1):
            try:
                async with asyncio.timeout(self._limits.handle_seconds_max):
                    await self._port.handle(command)
                return None
            except Undeliverable as error:
                return str(error)
            except _OUTAGES as error:
                log.warning("%s has to wait: %r", _place(record), error)
                return _WAIT
            except Exception as error:
                # A fault of ours, not of the sender. It must not stop everybody behind it, nor be lost: tried again, then kept.
                log.exception("%s failed, attempt %d of %d", _place(record), attempt, self._limits.attempts_max)
                if attempt >= self._limits.attempts_max:
                    return f"UNEXPECTED: {error!r}"
            await asyncio.sleep(self._limits.attempt_backoff_seconds * attempt)
        raise AssertionError("the loop above only ends by returning")


_WAIT = "\x00wait"


def command_of(record: Any, event: CloudEvent, division: str) -> InboundCommand:
    """Return the command that `record` carries as `event`, sent by `division`."""
    return InboundCommand(
        division=division,
        method=event.type,
        source_id=event.id,
        payload=event.data,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
    )


def receipt_of(record: Any, event: CloudEvent) -> Receipt:
    """Return what the inbox knows the event by."""
    # CloudEvents: source and id together are unique. Two systems of one province may well count from one each.
    return (record.topic, f"{event.source} {event.id}")


def _place(record: Any) -> str:
    return f"{record.topic}[{record.partition}]@{record.offset}"
