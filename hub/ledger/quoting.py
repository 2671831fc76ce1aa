"""Snapshots for quotes: the same rows as an authorization reads, without locks."""

from __future__ import annotations

from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool

from hub.application.batch import Keys, WorkingSet
from hub.application.redeeming import touch_authorize
from hub.domain.authorize import Authorize
from hub.domain.clock import Clock
from hub.ledger.loading import load
from hub.ledger.reference import Reference
from hub.ledger.trip import LedgerConnection


class SnapshotReader:
    """Reads what a quote rests on."""

    def __init__(self, database_url: str, clock: Clock, *, connections_max: int = 4) -> None:
        self._clock = clock
        self._reference = Reference()
        self._pool = AsyncConnectionPool(
            database_url, connection_class=LedgerConnection, min_size=1, max_size=connections_max, open=False, configure=_configure
        )

    async def open(self) -> None:
        """Open the pool."""
        await self._pool.open()

    async def close(self) -> None:
        """Close the pool."""
        await self._pool.close()

    async def read(self, command: Authorize) -> WorkingSet:
        """Return the rows that an authorization would read now."""
        keys = Keys()
        touch_authorize(keys, command)
        async with self._pool.connection() as connection:
            return await load(connection, keys, (), self._reference, self._clock.now(), lock=False)


async def _configure(connection: AsyncConnection[Any]) -> None:
    set_json_loads(orjson.loads, connection)
