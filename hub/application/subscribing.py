"""Subscribing to events: those of the caller's province and those of the pool, from a cursor on and then as they come."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import NamedTuple, Protocol

from google.protobuf import descriptor_pool

from hub.application.paging import read_token, write_token
from hub.application.preparing import parse
from hub.application.sessions import Session
from hub.codec.encode import timestamp
from hub.codec.events import POOL, out
from hub.codec.fields import Fields
from hub.codec.outcome import Outcome, answer, refused
from hub.domain.caller import Caller, Role
from hub.domain.divisions import province_of
from hub.domain.refusals import Refusal, RefusalCode, invalid, not_permitted
from yrd.events.v1 import subscription_pb2 as pb

EVENTS_MAX = 100
"""Most events in one message."""

BYTES_MAX = 1024 * 1024
"""A message is closed once its events have this many bytes."""

TYPES_MAX = 50
STREAMS_PER_PARTICIPANT_MAX = 16
HEARTBEAT_SECONDS = 15
HEARTBEAT_SECONDS_MAX = 300

_EVENTS_PACKAGE = "yrd.events.v1."

Row = tuple[int, str, str, str, datetime, bytes]
"""Number, logical topic, key, type, instant and payload of an event."""

Waiting = Callable[[int], Awaitable[int]]
"""Waits until an event after a number is settled and returns the number of the last that is."""


class Page(NamedTuple):
    """Events in order; everything up to `reached` was looked at; what is up to `trimmed` is no longer kept."""

    events: Sequence[Row]
    reached: int
    trimmed: int


class Tail(Protocol):
    """The outbox, followed."""

    def listening(self) -> AbstractAsyncContextManager[Waiting]:
        """Follow while the context is open."""
        ...

    async def bounds(self) -> tuple[int, int]:
        """Return up to which number events are no longer kept, and the highest number given so far."""
        ...

    async def read(self, topics: Sequence[str], types: Sequence[str], after: int) -> Page:
        """Return settled events after a number, of these topics and these types (all, if none)."""
        ...


def write_cursor(number: int) -> str:
    """Return the cursor that goes on after event `number`."""
    return write_token([str(number)])


def read_cursor(cursor: str) -> int | Refusal | None:
    """Return the number a cursor goes on after, None for an empty one, INVALID_ARGUMENT for what is none of ours."""
    position = read_token(cursor, 1)
    if position is None:
        return None
    if isinstance(position, Refusal) or not position[0].isdecimal() or len(position[0]) > 18:
        return invalid("cursor", "is no cursor of this hub; subscribe without one")
    return int(position[0])


def topics_of(caller: Caller) -> list[str] | Refusal:
    """Return the logical topics that a caller may hear, or NOT_PERMITTED: an out-topic is the whole province's."""
    if caller.role is not Role.PLATFORM or province_of(caller.division) != caller.division:
        return not_permitted("仅省级平台可以订阅事件", "only the platform of a whole province subscribes to its events")
    return [out(caller.division), POOL]


def read_types(types: Sequence[str], fields: Fields) -> list[str]:
    """Return the types asked for, each once; note what is no type of event."""
    if len(types) > TYPES_MAX:
        fields.wrong("types", f"at most {TYPES_MAX}")
    for i, name in enumerate(types[:TYPES_MAX]):
        if not _is_event(name):
            fields.wrong(f"types[{i}]", "must be the full name of an event, such as yrd.events.v1.RedemptionChanged")
    return sorted(set(types))


def _is_event(name: str) -> bool:
    try:
        descriptor_pool.Default().FindMessageTypeByName(name)
    except KeyError:
        return False
    return name.startswith(_EVENTS_PACKAGE)


class Subscribing:
    """Serves subscriptions. `source` is the CloudEvents source of every event."""

    def __init__(self, tail: Tail, source: str) -> None:
        self._tail = tail
        self._source = source
        self._open: Counter[str] = Counter()

    async def serve(self, session: Session) -> AsyncIterator[Outcome]:
        """Yield events as they are settled, and a heartbeat where none come; end with a refusal only."""
        caller, request = session.caller(), await _request(session)
        if isinstance(caller, Refusal):
            yield refused(caller)
            return
        if isinstance(request, Refusal):
            yield refused(request)
            return
        if self._open[caller.participant_id] >= STREAMS_PER_PARTICIPANT_MAX:
            yield refused(Refusal(RefusalCode.OVERLOADED))
            return
        self._open[caller.participant_id] += 1
        try:
            async for outcome in self._serve(session, caller, request):
                yield outcome
        finally:
            self._open[caller.participant_id] -= 1

    async def _serve(self, session: Session, caller: Caller, request: pb.SubscribeRequest) -> AsyncIterator[Outcome]:
        async with self._tail.listening() as settled:
            topics, position = topics_of(caller), await self._start(request, settled)
            if isinstance(topics, Refusal):
                yield refused(topics)
                return
            if isinstance(position, Refusal):
                yield refused(position)
                return
            beat = float(request.heartbeat_seconds or HEARTBEAT_SECONDS)
            loop = asyncio.get_running_loop()
            # The first message comes at once: from then on the caller has a cursor to come back with.
            due = loop.time()
            while True:
                # Asked anew each time: a token that has expired since hears nothing more.
                again = session.caller()
                page = await self._tail.read(topics, request.types, position)
                if isinstance(again, Refusal) or page.trimmed > position:
                    yield refused(again if isinstance(again, Refusal) else Refusal(RefusalCode.CURSOR_EXPIRED))
                    return
                events, reached = self._cut(page)
                moved, position = reached > position, reached
                if events or loop.time() >= due:
                    yield answer(pb.SubscribeResponse(events=events, cursor=write_cursor(position)))
                    due = loop.time() + beat
                elif not moved:
                    await _within(settled(position), due - loop.time())

    async def _start(self, request: pb.SubscribeRequest, settled: Waiting) -> int | Refusal:
        given = read_cursor(request.cursor)
        if isinstance(given, Refusal):
            return given
        trimmed, highest = await self._tail.bounds()
        if given is None:
            return await settled(-1) if request.only_new else trimmed
        if given > highest:
            return invalid("cursor", "is ahead of every event of this hub; subscribe without one")
        return given

    def _cut(self, page: Page) -> tuple[list[pb.Event], int]:
        """Return the events that go into one message, and the number they reach."""
        events: list[pb.Event] = []
        size = 0
        for row in page.events:
            if size >= BYTES_MAX:
                return events, int(events[-1].id)
            events.append(self._event(row))
            size += len(row[5])
        return events, page.reached

    def _event(self, row: Row) -> pb.Event:
        number, topic, key, type_, at, payload = row
        return pb.Event(
            id=str(number),
            source=self._source,
            type=type_,
            time=timestamp(at),
            key=key,
            pool=topic == POOL,
            data=payload,
            cursor=write_cursor(number),
        )


async def _request(session: Session) -> pb.SubscribeRequest | Refusal:
    message = await anext(session.messages(), b"")
    request = message if isinstance(message, Refusal) else parse(pb.SubscribeRequest, message)
    if isinstance(request, Refusal):
        return request
    fields = Fields()
    read_types(request.types, fields)
    if not 0 <= request.heartbeat_seconds <= HEARTBEAT_SECONDS_MAX:
        fields.wrong("heartbeat_seconds", f"must be 1 to {HEARTBEAT_SECONDS_MAX}, or 0 for {HEARTBEAT_SECONDS}")
    if request.cursor and request.only_new:
        fields.wrong("only_new", "goes without a cursor only")
    return fields.refusal or request


async def _within(waiting: Awaitable[int], seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await waiting
    except TimeoutError:
        pass
