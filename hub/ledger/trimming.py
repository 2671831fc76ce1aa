"""Deletes old events of the outbox, from its beginning on, and keeps up to where: who comes with an older cursor is told so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

BATCH = 5_000

_OLDEST = text("SELECT seq, published_at IS NOT NULL AND occurred_at < :before AS old FROM outbox ORDER BY seq LIMIT :batch")
_DELETE = text("DELETE FROM outbox WHERE seq <= :until")
_KEEP = text(
    "INSERT INTO outbox_trim (id, until_seq, trimmed_at) VALUES (1, :until, :now) "
    "ON CONFLICT (id) DO UPDATE SET until_seq = greatest(outbox_trim.until_seq, excluded.until_seq), trimmed_at = excluded.trimmed_at"
)


async def trim(engine: AsyncEngine, before: datetime, now: datetime) -> int:
    """Delete the events before the first that is not yet in Kafka or not older than `before`; return how many. Raises SQLAlchemy's errors.

    A few thousand at a time, each in a transaction of its own, so that nobody waits for it.
    """
    deleted = 0
    while True:
        async with engine.begin() as connection:
            until = None
            for seq, old in (await connection.execute(_OLDEST, {"before": before, "batch": BATCH})).all():
                if not old:
                    break
                until = seq
            if until is None:
                return deleted
            deleted += (await connection.execute(_DELETE, {"until": until})).rowcount
            await connection.execute(_KEEP, {"until": until, "now": now})
