"""Keeps the index as long as the process lives: woken by each commit that changes the pool, it catches up at once."""

from __future__ import annotations

import asyncio

import psycopg
import structlog
from psycopg import AsyncConnection

from registry.search.indexing import LOCK, Connection, catch_up, rebuild
from registry.search.text import prepare

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 1.0
"""How long after an outage it tries again, and how often it looks without being woken."""


class Keeper:
    """One of any number: they take turns by a lock, and who finds the queue empty has nothing to do."""

    def __init__(self, database_url: str) -> None:
        self._database_url = database_url

    async def run(self) -> None:
        """Run until cancelled. An outage of the database is waited out."""
        # Reading the dictionary takes a moment, which nobody else in the process should wait for.
        await asyncio.to_thread(prepare)
        while True:
            try:
                async with await AsyncConnection.connect(
                    self._database_url, autocommit=True, application_name="deltahub search"
                ) as connection:
                    await self._keep(connection)
            except psycopg.OperationalError:
                log.warning("search_keeper_waits", exc_info=True)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _keep(self, connection: Connection) -> None:
        await connection.execute("LISTEN search")
        await self._first(connection)
        while True:
            while done := await catch_up(connection):
                log.debug("search_indexed", changes=done)
            async for _ in connection.notifies(timeout=PAUSE_SECONDS, stop_after=1):
                break

    async def _first(self, connection: Connection) -> None:
        """Make the index at one go where there is none yet but much to index: many times faster than by the queue."""
        statement = """
        SELECT (SELECT count(*) FROM (SELECT 1 FROM registry.search_queue LIMIT 5000) AS q) = 5000
          AND NOT EXISTS (SELECT FROM registry.search_document) AND pg_try_advisory_lock(%s)"""
        row = await (await connection.execute(statement, (LOCK + 1,))).fetchone()
        if row is not None and row[0]:
            log.info("search_index_made", documents=await rebuild(connection))
            await connection.execute("SELECT pg_advisory_unlock(%s)", (LOCK + 1,))
