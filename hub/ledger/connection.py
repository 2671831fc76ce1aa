"""Connections of the ledger: psycopg 3, explicit transactions, UTC, prompt detection of a dead server."""

from __future__ import annotations

from typing import Any

import orjson
import psycopg
from psycopg import AsyncConnection
from psycopg.abc import PQGen
from psycopg.types.json import set_json_loads
from psycopg.waiting import Ready, Wait
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

CONNECT_SECONDS = 5

OUTAGES = (psycopg.OperationalError, OperationalError, InterfaceError, PoolTimeout, OSError)
"""What the ledger raises while its database is away or has no connection left: later the same command will get its answer."""

# Every statement of a batch is a lookup by key: a plan that reads a whole table is never right, however small the table still is.
_OPTIONS = (
    "-c enable_seqscan=off -c timezone=UTC -c synchronous_commit=on -c idle_in_transaction_session_timeout=60s -c statement_timeout=60s"
)


async def flush(connection: AsyncConnection[Any]) -> None:
    """Send everything that is queued in a pipeline, reading what comes back meanwhile.

    psycopg waits for answers after one attempt to send; with more queued than the socket takes at once, server and client would
    each wait for the other for ever. Call it before a pipeline synchronises.
    """

    def drain() -> PQGen[None]:
        while connection.pgconn.flush():
            if (yield Wait.RW) & Ready.R:
                connection.pgconn.consume_input()

    await connection.wait(drain())


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
