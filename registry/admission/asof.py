"""Reads of the pool's past (bitemporal: the day that is asked for, and what was known of it when)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from hub.application.within import stem
from registry.admission.domain import Member
from registry.store import member

# The last word recorded by then that counts on that day or earlier: later words supersede earlier ones from the day they count from.
_AS_OF = """
SELECT v.provider, v.name, v.home, v.categories, v.admitted_on, v.rating, v.valid_until, v.suspended_on, v.removed_on
FROM registry.provider AS p CROSS JOIN LATERAL (
  SELECT * FROM registry.provider_version AS v
  WHERE v.provider = p.uscc AND v.effective_on <= :day AND v.recorded_at <= :known_at
  ORDER BY v.version_id DESC LIMIT 1) AS v"""


@dataclass(frozen=True, slots=True)
class Moment:
    """What is asked for of the past: the pool on `day`, as the hub knew it at `known_at`."""

    day: date
    known_at: datetime


async def provider_as_of(session: AsyncSession, uscc: str, moment: Moment) -> Member | None:
    """Return a provider as it was on a day, or None where nothing was known of it then."""
    params = {"uscc": uscc, "day": moment.day, "known_at": moment.known_at}
    row = (await session.execute(text(f"{_AS_OF} WHERE p.uscc = :uscc"), params)).first()
    return member(row) if row else None


async def page_as_of(session: AsyncSession, home: str, page: Page, moment: Moment) -> list[Member]:
    """Return the pool of a day by code: who was admitted by then and not removed."""
    (after,) = page.after or ("",)
    where = (
        "WHERE starts_with(v.home, :stem) AND p.uscc > :after AND v.admitted_on <= :day AND (v.removed_on IS NULL OR v.removed_on > :day) "
        "ORDER BY p.uscc LIMIT :fetch"
    )
    params = {"stem": stem(home), "after": after, "fetch": page.fetch, "day": moment.day, "known_at": moment.known_at}
    return [member(row) for row in (await session.execute(text(f"{_AS_OF} {where}"), params)).all()]
