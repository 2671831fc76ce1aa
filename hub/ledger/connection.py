"""Connections of the ledger: psycopg 3, explicit transactions, UTC, prompt detection of a dead server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import psycopg
from psycopg import AsyncConnection, AsyncPipeline
from psycopg.abc import PQGen
from psycopg.types.json import set_json_loads
from psycopg.waiting import Ready, Wait
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

CONNECT_SECONDS = 5

OUTAGES = (psycopg.OperationalError, OperationalError, InterfaceError, PoolTimeout, OSError)
"""What the ledger raises while its database is away or has no connection left: later the same command will get its answer."""

# Every statement of a batch is a lookup by key: a plan that reads a whole table is never right, however small the table still is,
# and no plan depends on the values, so none is made twice.
_OPTIONS = (
    "-c enable_seqscan=off -c plan_cache_mode=force_generic_plan -c timezone=UTC -c synchronous_commit=on "
    "-c idle_in_transaction_session_timeout=60s -c statement_timeout=60s"
)


class Trip(AsyncPipeline):
    """A pipeline whose statements all wait in memory until `send`: the driver's own asks the event loop after each of them whether the
    socket is ready, which on small batches took half of the committer's time."""

    def __init__(self, connection: AsyncConnection[Any]) -> None:
        super().__init__(connection)
        self._connection = connection
        self._queueing = True

    def _communicate_gen(self) -> PQGen[None]:
        if not self._queueing:
            yield from super()._communicate_gen()
            return
        while self.command_queue:
            self.command_queue.popleft()()

    async def send(self) -> None:
        """Send everything, reading what comes back meanwhile.

        psycopg waits for answers after one attempt to send; with more queued than the socket takes at once, server and client would
        each wait for the other for ever.
        """
        self._queueing = False
        pgconn = self._connection.pgconn

        def drain() -> PQGen[None]:
            while pgconn.flush():
                if (yield Wait.RW) & Ready.R:
                    pgconn.consume_input()

        await self._connection.wait(drain())


@asynccontextmanager
async def round_trip(connection: AsyncConnection[Any]) -> AsyncIterator[Trip]:
    """Queue statements inside, and read their answers afterwards: they travel together when the block ends, or at `Trip.send`."""
    trip = Trip(connection)
    # Where psycopg finds a pipeline it goes on in it.
    connection._pipeline = trip
    async with connection.pipeline():
        yield trip
        if trip._queueing:
            await trip.send()


def sqlalchemy_url(database_url: str) -> str:
    """Return a `postgresql://` URL as SQLAlchemy wants it: with psycopg 3 named."""
    return database_url.replace("postgresql://", "postgresql+psycopg://", 1)


async def connect(database_url: str) -> AsyncConnection[Any]:
    """Open a connection for batches. Raises psycopg.OperationalError."""
    connection = await AsyncConnection.connect(
        database_url, connect_timeout=CONNECT_SECONDS, options=_OPTIONS, prepare_threshold=2, application_name="deltahub committer"
    )
    set_json_loads(orjson.loads, connection)
    return connection
