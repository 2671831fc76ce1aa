"""Reads the outbox in order while it is written, so that no event is passed over: one connection a process, however many listen.

Numbers are given out before transactions commit, so a higher number may be seen before a lower one. Whoever inserts holds a lock on the
table from before the number is drawn until after its rows can be seen. So: look which number is the highest, look who holds that lock,
and wait until all of those are gone. Every number up to the highest is then settled: its row can be seen, or it never comes. What depends
on what came before has the higher number (row locks see to that), so the order of numbers is one that could have happened.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.application.subscribing import EVENTS_MAX, Page, Waiting

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.1
"""Shortest time between two looks: however busy the ledger, following it costs twenty small queries a second."""

LOOK_SECONDS = 2.0
"""Longest time between two looks, for announcements that a connection pooler swallows."""

WINDOW = 5_000
"""How many numbers one query passes over at most. Most events are of other provinces; without an index of its own, which every commit
would pay for, a query reads these rows in a few milliseconds."""

READERS_MAX = 2
"""How many queries may run at once, so that subscribers who catch up leave the database to those who clear."""

_RETRY_SECONDS = 0.5
_HIGHEST = "SELECT greatest((SELECT max(seq) FROM outbox), (SELECT until_seq FROM outbox_trim), 0)"
_WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()"""
_READ = text("""
SELECT t.until_seq, o.seq, o.topic, o.key, o.type, o.occurred_at, o.payload
FROM (SELECT coalesce((SELECT until_seq FROM outbox_trim), 0) AS until_seq) AS t
LEFT JOIN LATERAL (
    SELECT * FROM outbox
    WHERE seq > :after AND seq <= :until AND topic = ANY(:topics) AND (:every OR type = ANY(:types))
    ORDER BY seq LIMIT :limit
) AS o ON true
ORDER BY o.seq""")
_BOUNDS = text(
    "SELECT coalesce((SELECT until_seq FROM outbox_trim), 0), "
    "coalesce(pg_sequence_last_value(pg_get_serial_sequence('outbox', 'seq')::regclass), 0)"
)


class OutboxTail:
    """Follows the outbox while anybody listens."""

    def __init__(self, database_url: str, engine: AsyncEngine) -> None:
        self._url = database_url
        self._engine = engine
        self._reading = asyncio.Semaphore(READERS_MAX)
        self._listeners = 0
        self._listened = asyncio.Event()
        self._moved = asyncio.Event()
        self._settled: int | None = None

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Waiting]:
        """Follow while the context is open; what it yields waits until an event after a number is settled, and returns the last."""
        self._listeners += 1
        self._listened.set()
        try:
            yield self._wait
        finally:
            self._listeners -= 1

    async def bounds(self) -> tuple[int, int]:
        """Return the number up to which events were deleted, and the highest number ever drawn. Raises SQLAlchemy's errors."""
        async with self._engine.connect() as connection:
            row = (await connection.execute(_BOUNDS)).one()
        return int(row[0]), int(row[1])

    async def read(self, topics: Sequence[str], types: Sequence[str], after: int) -> Page:
        """Return the settled events after a number that are of these topics and types (all, if none). Raises SQLAlchemy's errors."""
        until = min(self._settled or 0, after + WINDOW)
        values = {"after": after, "until": until, "topics": list(topics), "types": list(types), "every": not types, "limit": EVENTS_MAX}
        async with self._reading, self._engine.connect() as connection:
            rows = (await connection.execute(_READ, values)).all()
        events = [tuple(row[1:]) for row in rows if row[1] is not None]
        reached = events[-1][0] if len(events) == EVENTS_MAX else max(until, after)
        return Page(events, reached, int(rows[0][0]))

    async def _wait(self, after: int) -> int:
        while self._settled is None or self._settled <= after:
            await self._moved.wait()
        return self._settled

    async def run(self) -> None:
        """Follow until cancelled. A database that goes away is waited for."""
        while True:
            self._listened.clear()
            if not self._listeners:
                await self._listened.wait()
            try:
                await self._follow()
            except psycopg.OperationalError as error:
                log.warning("following_interrupted", error=str(error).strip())
                await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        connection = await AsyncConnection.connect(self._url, autocommit=True, application_name="deltahub following")
        async with connection:
            await connection.execute("LISTEN outbox")
            while self._listeners:
                highest, writers = await self._highest(connection), await _writers(connection)
                while writers:
                    await asyncio.sleep(PAUSE_SECONDS)
                    writers &= await _writers(connection)
                self._settle(highest)
                await asyncio.sleep(PAUSE_SECONDS)
                async for _ in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                    pass

    async def _highest(self, connection: AsyncConnection[Any]) -> int:
        row = await (await connection.execute(_HIGHEST)).fetchone()
        return int(row[0]) if row is not None else 0

    def _settle(self, number: int) -> None:
        if self._settled is None or number > self._settled:
            self._settled = number
            moved, self._moved = self._moved, asyncio.Event()
            moved.set()


async def _writers(connection: AsyncConnection[Any]) -> set[str]:
    return {row[0] for row in await (await connection.execute(_WRITERS)).fetchall()}
