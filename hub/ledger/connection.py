"""Connections of the ledger: psycopg 3, explicit transactions, UTC, prompt detection of a dead server."""

from __future__ import annotations

from typing import Any

import orjson
from psycopg import AsyncConnection
from psycopg.types.json import set_json_loads

CONNECT_SECONDS = 5

_OPTIONS = "-c timezone=UTC -c synchronous_commit=on -c idle_in_transaction_session_timeout=60s -c statement_timeout=60s"


async def connect(database_url: str) -> AsyncConnection[Any]:
    """Open a connection for batches. Raises psycopg.OperationalError."""
    connection = await AsyncConnection.connect(
        database_url, connect_timeout=CONNECT_SECONDS, options=_OPTIONS, prepare_threshold=2, application_name="deltahub committer"
    )
    set_json_loads(orjson.loads, connection)
    return connection
