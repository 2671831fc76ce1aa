"""Reads and locks of the pool. Whatever changes one provider's rows holds the lock on its row, so changes of one provider are in order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import text, tuple_
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from hub.application.within import stem
from hub.domain.model import Provider
from hub.domain.policy import Category
from registry.domain import Period, Recognition
from registry.tables import RecognitionRow

# Standing as the clearing path reads it: the first day of the suspensions in force.
_PROVIDERS = """
SELECT p.uscc, p.name, p.home, p.categories, p.admitted_on, p.rating,
  (SELECT min(s.since) FROM registry.suspension AS s
   WHERE s.provider = p.uscc AND s.since <= :today AND (s.until IS NULL OR s.until > :today))
FROM registry.provider AS p"""


async def lock_provider(session: AsyncSession, uscc: str) -> bool:
    """Lock a provider's row until the transaction ends; False where there is none. Foreign keys to it are not held up."""
    statement = text("SELECT 1 FROM registry.provider WHERE uscc = :uscc FOR NO KEY UPDATE")
    return (await session.execute(statement, {"uscc": uscc})).first() is not None


async def find_provider(session: AsyncSession, uscc: str, today: date) -> Provider | None:
    """Return a provider with its standing of today, or None."""
    row = (await session.execute(text(f"{_PROVIDERS} WHERE p.uscc = :uscc"), {"uscc": uscc, "today": today})).first()
    return _provider(row) if row else None


async def locked_provider(session: AsyncSession, uscc: str, today: date) -> Provider | None:
    """Lock a provider and return it as it is now, or None. The read comes after the lock, so it shows what the lock waited for."""
    return await find_provider(session, uscc, today) if await lock_provider(session, uscc) else None


async def page_of_providers(session: AsyncSession, home: str, page: Page, today: date) -> list[Provider]:
    """Return providers by code, of `home` and below it; empty `home` means all."""
    statement = text(f"{_PROVIDERS} WHERE starts_with(p.home, :stem) AND p.uscc > :after ORDER BY p.uscc LIMIT :fetch")
    (after,) = page.after or ("",)
    found = await session.execute(statement, {"stem": stem(home), "after": after, "fetch": page.fetch, "today": today})
    return [_provider(row) for row in found.all()]


async def recognitions_of_pair(session: AsyncSession, issuer: str, provider: str) -> Sequence[RecognitionRow]:
    """Return all recognitions of one provider by one issuer, past ones included."""
    pair = select(RecognitionRow).where(RecognitionRow.issuer == issuer, RecognitionRow.provider == provider)
    return (await session.exec(pair.order_by(col(RecognitionRow.valid_from), col(RecognitionRow.id)))).all()


async def page_of_recognitions(session: AsyncSession, issuer: str, page: Page) -> Sequence[RecognitionRow]:
    """Return recognitions of an issuer by provider, then first day, then age."""
    order = (col(RecognitionRow.provider), col(RecognitionRow.valid_from), col(RecognitionRow.id))
    statement = select(RecognitionRow).where(RecognitionRow.issuer == issuer).order_by(*order).limit(page.fetch)
    if page.after is not None:
        statement = statement.where(tuple_(*order) > page.after)
    return (await session.exec(statement)).all()


def recognition(row: RecognitionRow) -> Recognition:
    """A stored recognition."""
    return Recognition(row.issuer, row.provider, Period(row.valid_from, row.valid_until), row.agreement)


def _provider(row: Sequence[Any]) -> Provider:
    return Provider(row[0], row[1], row[2], tuple(Category(name) for name in row[3]), row[4], row[5], row[6])
