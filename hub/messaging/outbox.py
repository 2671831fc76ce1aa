"""The outbox as the relay sees it: one database session that holds the lock, reads what is unpublished, and marks it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from hub.messaging.schema import OUTBOX_CHANNEL

RELAY_LOCK = 0x7972645F6F757462
"""Advisory lock of the active relay (`yrd_outb` in ASCII); one per database."""

# A relay whose machine vanished must lose its lock soon, not after the two hours that TCP takes by default.
_KEEPALIVE = "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"

_WRITERS = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()"""
_WRITERS_SECONDS_MAX = 0.5
_WRITERS_PAUSE_SECONDS = 0.002


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row to publish. `topic` is logical: `<division>.out`, `<division>.dlt` or `pool`."""

    seq: int
    topic: str
    key: str
    type: str
    occurred_at: datetime
    payload: bytes


class Outbox:
    """One session on the outbox. Blocks. All methods raise psycopg.Error; the session is then to be closed."""

    def __init__(self, dsn: str) -> None:
        self.locked = False
        self._reached = 0
        """Up to which number no row can come any more that was not returned."""
        self._connection = psycopg.connect(dsn, autocommit=True, connect_timeout=5, application_name="deltahub-relay")

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The session, for what else belongs to publishing."""
        return self._connection

    def try_lock(self) -> bool:
        """Become the active relay if nobody else is, and say whether this session is. The lock ends with the session."""
        if not self.locked:
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (RELAY_LOCK,)).fetchone()
            self.locked = row is not None and bool(row[0])
            if self.locked:
                self._connection.execute(_KEEPALIVE)
                self._connection.execute(f"LISTEN {OUTBOX_CHANNEL}")
        return self.locked

    def unpublished(self, rows_max: int) -> list[OutboxRow]:
        """Return the first unpublished rows in sequence order, of which none with a lower number can come any more.

        Numbers are drawn before transactions commit. Where one is missing, whoever may have drawn it holds a lock on the table until its
        row can be seen or never comes (`hub/ledger/tail.py`), and is waited for; what it keeps back too long comes with the next call.
        """
        rows = self._read(rows_max)
        if self._follow_on(rows) == len(rows):
            return self._reach(rows)
        highest, writers, deadline = rows[-1].seq, self._writers(), time.monotonic() + _WRITERS_SECONDS_MAX
        while writers:
            if time.monotonic() > deadline:
                return self._reach(rows[: self._follow_on(rows)])
            time.sleep(_WRITERS_PAUSE_SECONDS)
            writers &= self._writers()
        return self._reach([row for row in self._read(rows_max) if row.seq <= highest])

    def _read(self, rows_max: int) -> list[OutboxRow]:
        cursor = self._connection.execute(
            "SELECT seq, topic, key, type, occurred_at, payload FROM outbox WHERE published_at IS NULL ORDER BY seq LIMIT %s",
            (rows_max,),
            prepare=True,
        )
        return [OutboxRow(*row) for row in cursor]

    def _follow_on(self, rows: Sequence[OutboxRow]) -> int:
        """Return how many of the rows were returned before or follow those, one another, without a gap."""
        reached = self._reached
        for place, row in enumerate(rows):
            if row.seq > reached + 1:
                return place
            reached = max(reached, row.seq)
        return len(rows)

    def _reach(self, rows: list[OutboxRow]) -> list[OutboxRow]:
        self._reached = max(self._reached, rows[-1].seq if rows else 0)
        return rows

    def _writers(self) -> set[str]:
        return {row[0] for row in self._connection.execute(_WRITERS, prepare=True)}

    def mark_published(self, seqs: Sequence[int], at: datetime) -> None:
        """Mark rows as published at `at`."""
        self._connection.execute("UPDATE outbox SET published_at = %s WHERE seq = ANY(%s)", (at, list(seqs)), prepare=True)

    def pending(self) -> int:
        """Return how many rows are unpublished."""
        row = self._connection.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone()
        return int(row[0]) if row is not None else 0

    def open_dead_letters(self) -> dict[str, int]:
        """Return how many dead letters of each province nobody has closed."""
        cursor = self._connection.execute("SELECT division, count(*) FROM dead_letter WHERE state = 'OPEN' GROUP BY division")
        return {division: int(count) for division, count in cursor}

    def wait(self, seconds: float) -> None:
        """Wait until a transaction announces new rows, at most `seconds`."""
        for _ in self._connection.notifies(timeout=seconds, stop_after=1):
            pass
        # Many commits may have announced themselves meanwhile; one look at the table serves them all.
        for _ in self._connection.notifies(timeout=0):
            pass

    def close(self) -> None:
        """End the session, and with it the lock."""
        self.locked = False
        with contextlib.suppress(psycopg.Error):
            self._connection.close()
