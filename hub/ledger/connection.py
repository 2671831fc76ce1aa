"""Connections of the ledger: psycopg 3, explicit transactions, UTC, prompt detection of a dead server."""

from __future__ import annotations

import orjson
import psycopg
from psycopg.types.json import set_json_loads
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from hub.ledger.trip import LedgerConnection

CONNECT_SECONDS = 5

OUTAGES = (psycopg.OperationalError, OperationalError, InterfaceError, PoolTimeout, OSError)
"""What the ledger raises while its database is away or has no connection left: later the same command will get its answer."""

# Every statement of a batch is a lookup by key: a plan that reads a whole table is never right, however small the table still is,
# and no plan depends on the values, so none is made twice.
_OPTIONS = (
    "-c enable_seqscan=off -c plan_cache_mode=force_generic_plan -c timezone=UTC -c synchronous_commit=on "
    "-c idle_in_transaction_session_timeout=60s -c statement_timeout=60s"
)


def sqlalchemy_url(database_url: str) -> str:
    """Return a `postgresql://` URL as SQLAlchemy wants it: with psycopg 3 named."""
    return database_url.replace("postgresql://", "postgresql+psycopg://", 1)


async def connect(database_url: str) -> LedgerConnection:
    """Open a connection for batches. Raises psycopg.OperationalError."""
    connection = await LedgerConnection.connect(
        database_url, connect_timeout=CONNECT_SECONDS, options=_OPTIONS, application_name="deltahub committer"
    )
    set_json_loads(orjson.loads, connection)
    return connection
