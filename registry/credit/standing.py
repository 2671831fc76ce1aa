"""Providers out of good standing because of a record: as clearing sees them, and so the pool shows them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from yrd.registry.v1 import registry_pb2 as pb

_SINCE = """
SELECT s.provider, min(s.since) FROM registry.suspension AS s JOIN registry.credit_record AS r ON r.record_id = s.record_id
WHERE s.provider = ANY(:providers) AND s.since <= :day AND (s.until IS NULL OR s.until > :day) AND r.entered_at <= :known_at
GROUP BY s.provider"""


async def mark_suspended(session: AsyncSession, providers: Sequence[pb.Provider], day: date, known_at: datetime) -> None:
    """Show as suspended whom a record, entered by an instant, keeps out of good standing on a day. A removed one stays removed."""
    found = await session.execute(text(_SINCE), {"providers": [item.uscc for item in providers], "day": day, "known_at": known_at})
    since: dict[str, date] = {row[0]: row[1] for row in found.all()}
    for item in providers:
        first = since.get(item.uscc)
        if first is not None and item.standing != pb.PROVIDER_STANDING_REMOVED:
            item.standing = pb.PROVIDER_STANDING_SUSPENDED
            item.suspended_on = min(item.suspended_on or first.isoformat(), first.isoformat())
