"""Tells watchers when redemptions change: one connection a process, however many watch."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection

from hub.application.watching import Changed

log = structlog.get_logger(__name__)

PAUSE_SECONDS = 0.25
"""Shortest time between two looks at the rows: however busy the ledger, watching costs it four small queries a second."""

LOOK_SECONDS = 2.0
"""Longest time between two looks, for changes that nobody announces and announcements that a connection pooler swallows."""

_RETRY_SECONDS = 0.5

# `xmin` is the transaction that wrote the row as it is: it differs after every change, and no other column need be compared.
_VERSIONS = """
SELECT r.redemption_id::text, concat(r.xmin, '/', w.window_id) FROM redemption AS r
LEFT JOIN window_issuer AS w ON w.issuer = r.issuer AND w.window_no = r.window_no
WHERE r.redemption_id = ANY(%s::uuid[])"""


class RedemptionChanges:
    """Looks at the watched rows whenever a batch was committed, and wakes who watches one that differs."""

    def __init__(self, database_url: str) -> None:
        self._url = database_url
        self._watchers: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self._versions: dict[str, str] = {}
        self._watched = asyncio.Event()

    @asynccontextmanager
    async def of(self, redemption_id: str) -> AsyncIterator[Changed]:
        """Follow one redemption while the context is open. The first wait may end without a change."""
        changed = asyncio.Event()
        self._watchers[redemption_id].add(changed)
        self._watched.set()

        async def wait() -> None:
            await changed.wait()
            changed.clear()

        try:
            yield wait
        finally:
            self._leave(redemption_id, changed)

    def _leave(self, redemption_id: str, changed: asyncio.Event) -> None:
        watchers = self._watchers[redemption_id]
        watchers.discard(changed)
        if not watchers:
            del self._watchers[redemption_id]
            self._versions.pop(redemption_id, None)

    async def run(self) -> None:
        """Look until cancelled, while anybody watches. A database that goes away is waited for."""
        while True:
            self._watched.clear()
            if not self._watchers:
                await self._watched.wait()
            try:
                await self._follow()
            except psycopg.OperationalError as error:
                log.warning("watching_interrupted", error=str(error).strip())
                await asyncio.sleep(_RETRY_SECONDS)

    async def _follow(self) -> None:
        connection = await AsyncConnection.connect(self._url, autocommit=True, application_name="deltahub watching")
        async with connection:
            await connection.execute("LISTEN outbox")
            while self._watchers:
                await self._look(connection)
                await asyncio.sleep(PAUSE_SECONDS)
                async for _ in connection.notifies(timeout=LOOK_SECONDS, stop_after=1):
                    pass

    async def _look(self, connection: AsyncConnection[Any]) -> None:
        cursor = await connection.execute(_VERSIONS, (list(self._watchers),))
        for redemption_id, version in await cursor.fetchall():
            if self._versions.get(redemption_id) != version and redemption_id in self._watchers:
                self._versions[redemption_id] = version
                for changed in self._watchers[redemption_id]:
                    changed.set()
