"""The facts that ratings rest on, read from the ledger's redemptions in one statement; ratings, runs and the list, kept and read."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from hub.application.within import stem
from registry.quality.domain import Formula, Listing, OrderFact, Part, PartScore, Score
from registry.quality.tables import ReviewRow, ScoreRow

# An order counts once something of it was cleared or rejected, from the day the last of that happened. An institution that serves itself
# says nothing of how it serves. What is cleared is kept net of refunds.
_FACTS = """
WITH ended AS (
  SELECT provider, order_no, enterprise,
    max(coalesce(settled_on, delivered_on, (authorized_at AT TIME ZONE 'Asia/Shanghai')::date)) AS ended_on,
    greatest(max(delivered_on) - min((authorized_at AT TIME ZONE 'Asia/Shanghai')::date), 0) AS days,
    coalesce(sum(subsidy) FILTER (WHERE state IN ('CLEARED', 'SETTLED')), 0)::bigint AS cleared, sum(refunded)::bigint AS refunded,
    sum(CASE WHEN state = 'REJECTED' THEN authorized ELSE subsidy + refunded END)::bigint AS stake, bool_or(state = 'REJECTED') AS rejected
  FROM redemption WHERE state IN ('CLEARED', 'SETTLED', 'REFUNDED', 'REJECTED') AND provider <> enterprise
  GROUP BY provider, order_no, enterprise
  HAVING max(coalesce(settled_on, delivered_on, (authorized_at AT TIME ZONE 'Asia/Shanghai')::date)) > :after),
widely AS (SELECT enterprise FROM ended GROUP BY enterprise HAVING min(provider) <> max(provider))
SELECT e.provider, e.order_no, e.enterprise, e.ended_on, e.days, e.cleared, e.refunded, e.stake, e.rejected, v.stars,
  coalesce(v.disputed, false), e.enterprise IN (SELECT enterprise FROM widely)
FROM ended AS e JOIN registry.provider AS p ON p.uscc = e.provider
LEFT JOIN registry.review AS v ON v.provider = e.provider AND v.order_no = e.order_no AND v.annulled_at IS NULL
ORDER BY e.provider COLLATE "C", e.order_no COLLATE "C", e.enterprise COLLATE "C" """


async def facts(session: AsyncSession, formula: Formula, today: date) -> dict[str, list[OrderFact]]:
    """Return the orders that count today, by provider."""
    found = await session.execute(text(_FACTS), {"after": today - timedelta(days=formula.days_counted)})
    by_provider: dict[str, list[OrderFact]] = defaultdict(list)
    for row in found.all():
        fact = OrderFact(*row)
        by_provider[fact.provider].append(fact)
    return by_provider


def inputs_digest(own: Iterable[OrderFact], means: Mapping[Part, int], formula: Formula, today: date) -> bytes:
    """Return the digest of all that a rating is computed from."""
    parts = [repr(formula), today.isoformat(), repr(sorted(means.items())), *(repr(tuple(fact)) for fact in own)]
    return hashlib.sha256("\n".join(parts).encode()).digest()


_LATEST = """
SELECT DISTINCT ON (provider) provider, formula_version, rating, orders, enterprises, cleared, refunded, delivery_days_median, parts
FROM registry.quality_score ORDER BY provider, computed_on DESC, id DESC"""


async def latest_scores(session: AsyncSession) -> dict[str, tuple[str, Score]]:
    """Return the latest rating of each provider ever rated, with the version of its formula."""
    return {row[0]: (row[1], _score(row[2:])) for row in (await session.execute(text(_LATEST))).all()}


def _score(row: Sequence[Any]) -> Score:
    parts = {Part(name): PartScore(**numbers) for name, numbers in row[6].items()}
    return Score(row[0], row[1], row[2], row[3], row[4], row[5], parts)


async def keep_scores(session: AsyncSession, rows: list[dict[str, Any]]) -> None:
    """Add ratings."""
    if rows:
        await session.execute(insert(ScoreRow), rows)


def score_row(provider: str, item: Score, formula: Formula, digest: bytes, today: date) -> dict[str, Any]:
    """A rating as it is stored."""
    return {
        "provider": provider,
        "computed_on": today,
        "formula_version": formula.version,
        "inputs_sha256": digest,
        "rating": item.rating,
        "orders": item.orders,
        "enterprises": item.enterprises,
        "cleared": item.cleared_fen,
        "refunded": item.refunded_fen,
        "delivery_days_median": item.delivery_days_median,
        "parts": {part.value: value._asdict() for part, value in item.parts.items()},
    }


async def score_on(session: AsyncSession, provider: str, day: date) -> tuple[ScoreRow, Score] | None:
    """Return the rating of a provider as it was on a day, or None."""
    known = select(ScoreRow).where(ScoreRow.provider == provider, col(ScoreRow.computed_on) <= day)
    row = (await session.exec(known.order_by(col(ScoreRow.computed_on).desc(), col(ScoreRow.id).desc()).limit(1))).first()
    if row is None:
        return None
    head = (row.rating, row.orders, row.enterprises, row.cleared, row.refunded, row.delivery_days_median, row.parts)
    return row, _score(head)


# Who is out of good standing, removed, or kept off the list by a record may not be listed.
_BARRED = """
SELECT provider FROM registry.suspension WHERE since <= :today AND (until IS NULL OR until > :today)
UNION SELECT subject_id FROM registry.credit_sanction
WHERE effect IN ('BAR_QUALITY_LIST', 'SUSPEND_PROVIDER') AND since <= :today AND (until IS NULL OR until > :today)"""


async def barred(session: AsyncSession, today: date) -> set[str]:
    """Return the providers that may not be on the list today."""
    return set((await session.execute(text(_BARRED), {"today": today})).scalars().all())


_LISTINGS = """
SELECT DISTINCT ON (provider) provider, listed_from, listed_until FROM registry.quality_listing ORDER BY provider, listed_from DESC"""


async def listings(session: AsyncSession) -> dict[str, Listing]:
    """Return the latest period of each provider ever listed."""
    return {row[0]: Listing(row[1], row[2]) for row in (await session.execute(text(_LISTINGS))).all()}


async def begin_listing(session: AsyncSession, provider: str, today: date) -> None:
    """Put a provider on the list from today on. One that left it today goes on as if it had not."""
    statement = (
        "INSERT INTO registry.quality_listing (provider, listed_from) VALUES (:provider, :today) "
        "ON CONFLICT (provider, listed_from) DO UPDATE SET listed_until = NULL"
    )
    await session.execute(text(statement), {"provider": provider, "today": today})


async def end_listing(session: AsyncSession, provider: str, today: date) -> None:
    """Take a provider off the list from today on."""
    statement = "UPDATE registry.quality_listing SET listed_until = :today WHERE provider = :provider AND listed_until IS NULL"
    await session.execute(text(statement), {"provider": provider, "today": today})


async def listed_from(session: AsyncSession, provider: str, day: date) -> date | None:
    """Return since when a provider was on the list on a day, or None."""
    statement = (
        "SELECT listed_from FROM registry.quality_listing "
        "WHERE provider = :provider AND listed_from <= :day AND (listed_until IS NULL OR listed_until > :day)"
    )
    since: date | None = (await session.execute(text(statement), {"provider": provider, "day": day})).scalar()
    return since


_LISTED = """
SELECT p.uscc, p.name, p.home, p.rating, q.listed_from FROM registry.quality_listing AS q JOIN registry.provider AS p ON p.uscc = q.provider
WHERE q.listed_from <= :day AND (q.listed_until IS NULL OR q.listed_until > :day) AND starts_with(p.home, :stem) AND p.uscc > :after
ORDER BY p.uscc LIMIT :fetch"""


async def page_of_listed(session: AsyncSession, home: str, day: date, page: Page) -> Sequence[Any]:
    """Return (code, name, home, rating, first day) of who was on the list on a day, by code."""
    (after,) = page.after or ("",)
    found = await session.execute(text(_LISTED), {"day": day, "stem": stem(home), "after": after, "fetch": page.fetch})
    return found.all()


async def page_of_reviews(session: AsyncSession, provider: str, side: str, page: Page) -> Sequence[ReviewRow]:
    """Return reviews of a provider by enterprises whose divisions begin with `side`, newest first."""
    own = text("EXISTS (SELECT FROM enterprise AS e WHERE e.uscc = review.enterprise AND starts_with(e.division, :side))")
    order = (col(ReviewRow.filed_at), col(ReviewRow.order_no))
    statement = select(ReviewRow).where(ReviewRow.provider == provider)
    if side:
        statement = statement.where(own.bindparams(side=side))
    if page.after is not None:
        at, order_no = page.after
        earlier = (order[0] < at) | ((order[0] == at) & (order[1] < order_no))
        statement = statement.where(earlier)
    return (await session.exec(statement.order_by(order[0].desc(), order[1].desc()).limit(page.fetch))).all()


async def last_run(session: AsyncSession) -> date | None:
    """Return the day of the latest run, or None."""
    day: date | None = (await session.execute(text("SELECT max(ran_on) FROM registry.quality_run"))).scalar()
    return day
