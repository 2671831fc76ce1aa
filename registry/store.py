"""Reads and locks of providers. Whatever changes one provider's rows holds the lock on its row, so changes of one provider are in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from hub.application.within import stem
from hub.domain.policy import Category
from registry.admission.domain import Member

_PROVIDERS = """
SELECT p.uscc, p.name, p.home, p.categories, p.admitted_on, p.rating, p.valid_until,
  (SELECT min(s.since) FROM registry.suspension AS s
   WHERE s.provider = p.uscc AND s.kind = 'SUSPENSION' AND s.since <= :today AND (s.until IS NULL OR s.until > :today)),
  p.removed_on
FROM registry.provider AS p"""


async def lock_provider(session: AsyncSession, uscc: str) -> bool:
    """Lock a provider's row until the transaction ends; False where there is none. Foreign keys to it are not held up."""
    statement = text("SELECT 1 FROM registry.provider WHERE uscc = :uscc FOR NO KEY UPDATE")
    return (await session.execute(statement, {"uscc": uscc})).first() is not None


async def find_provider(session: AsyncSession, uscc: str, today: date) -> Member | None:
    """Return a provider with its standing of today, or None."""
    row = (await session.execute(text(f"{_PROVIDERS} WHERE p.uscc = :uscc"), {"uscc": uscc, "today": today})).first()
    return member(row) if row else None


async def locked_provider(session: AsyncSession, uscc: str, today: date) -> Member | None:
    """Lock a provider and return it as it is now, or None. The read comes after the lock, so it shows what the lock waited for."""
    return await find_provider(session, uscc, today) if await lock_provider(session, uscc) else None


async def page_of_providers(session: AsyncSession, home: str, page: Page, today: date) -> list[Member]:
    """Return providers that are not removed by code, of `home` and below it; empty `home` means all."""
    (after,) = page.after or ("",)
    where = "WHERE starts_with(p.home, :stem) AND p.uscc > :after AND p.removed_on IS NULL ORDER BY p.uscc LIMIT :fetch"
    found = await session.execute(text(f"{_PROVIDERS} {where}"), {"stem": stem(home), "after": after, "fetch": page.fetch, "today": today})
    return [member(row) for row in found.all()]


def member(row: Sequence[Any]) -> Member:
    """A row of (uscc, name, home, categories, admitted_on, rating, valid_until, suspended_on, removed_on)."""
    return Member(row[0], row[1], row[2], tuple(Category(name) for name in row[3]), *row[4:9])
