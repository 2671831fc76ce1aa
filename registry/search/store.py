"""Reads of the index. The first statement takes the matches and keeps the most promising, the second brings what those are judged by."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from registry.search import correcting
from registry.search.correcting import Known
from registry.search.domain import Texts

COUNTED_MAX = 3_000
"""Matches counted and chosen from in one statement: each is a row of a kilobyte, and 5 microseconds."""
JUDGED_MAX = 300
"""Matches judged in full: those with most words in the name, then the best rated."""

_SUSPENDED = """
SELECT provider FROM registry.suspension WHERE since <= :today AND (until IS NULL OR until > :today)
UNION ALL SELECT uscc FROM registry.provider WHERE admitted_on > :today"""

_MATCHES = """
WITH m AS MATERIALIZED (
  SELECT d.doc_id, d.kind, d.categories, d.division, d.band, d.rating, {coarse} AS coarse
  FROM registry.search_document AS d
  WHERE {conditions} AND d.provider NOT IN ({suspended})
  LIMIT :counted)
SELECT (SELECT count(*) FROM m),
  ARRAY(SELECT doc_id FROM m ORDER BY coarse DESC, rating DESC, doc_id LIMIT :judged),
  {facets}"""
_FACETS = """
ARRAY(SELECT ROW(division, kind, array_to_string(categories, ' '), band, count(*))::text FROM m
  GROUP BY division, kind, categories, band)"""

_JUDGED = """
SELECT d.doc_id, d.provider, d.division, d.rating, t.name, t.keywords, t.provider, t.description
FROM registry.search_document AS d JOIN registry.search_text AS t USING (doc_id) WHERE d.doc_id = ANY(:ids)"""

_SHOWN = """
SELECT d.doc_id, d.provider, p.name, d.division, d.kind, d.categories, d.rating, coalesce(e.name, p.name), coalesce(e.model, ''),
  coalesce(e.price_model, ''), coalesce(e.unit, ''), e.price_from, e.price_to
FROM registry.search_document AS d JOIN registry.provider AS p ON p.uscc = d.provider
LEFT JOIN registry.catalogue_entry AS e ON e.entry_id = d.doc_id
WHERE d.doc_id = ANY(:ids)"""

_NEAR = """
SELECT n.span, t.term, t.documents, true FROM unnest(CAST(:spans AS text[]), CAST(:sounds AS text[])) AS n(span, sound)
JOIN registry.search_term AS t ON t.sound = n.sound WHERE n.sound <> '' AND t.sound <> '' AND t.documents > 0
UNION ALL
SELECT DISTINCT n.span, t.term, t.documents, false FROM unnest(CAST(:of AS text[]), CAST(:forms AS text[])) AS n(span, form)
JOIN registry.search_neighbour AS b ON b.form = n.form JOIN registry.search_term AS t ON t.term = b.term WHERE t.documents > 0"""


@dataclass(slots=True)
class Wanted:
    """What to look for. `query` is a tsquery, empty for everything; `coarse` are (tsquery, points) that choose whom to judge."""

    query: str
    coarse: Sequence[tuple[str, float]] = ()
    price_from: int = 0
    price_to: int = 0
    min_rating: int = 0
    providers: Sequence[str] | None = None
    facets: bool = False


@dataclass(slots=True)
class Matches:
    """What matched: how many (at most COUNTED_MAX), the documents to judge, counts by (division, kind, categories, band)."""

    total: int = 0
    documents: Sequence[int] = ()
    facets: list[tuple[str, str, tuple[str, ...], int, int]] = field(default_factory=list)

    @property
    def capped(self) -> bool:
        """True where there may be more."""
        return self.total >= COUNTED_MAX


async def matches(session: AsyncSession, wanted: Wanted, today: date) -> Matches:
    """Return what matches of providers in good standing today."""
    parameters: dict[str, Any] = {"today": today, "counted": COUNTED_MAX, "judged": JUDGED_MAX}
    statement = _MATCHES.format(
        coarse=" + ".join(_coarse(wanted, parameters)) or "0",
        conditions=" AND ".join(_conditions(wanted, parameters)) or "true",
        suspended=_SUSPENDED,
        facets=_FACETS if wanted.facets else "NULL",
    )
    total, documents, facets = (await session.execute(text(statement), parameters)).one()
    return Matches(total, documents, [_facet(row) for row in facets or ()])


def _coarse(wanted: Wanted, parameters: dict[str, Any]) -> Iterable[str]:
    for i, (query, points) in enumerate(wanted.coarse):
        parameters[f"coarse{i}"], parameters[f"points{i}"] = query, points
        yield f"CASE WHEN d.lexemes @@ CAST(:coarse{i} AS tsquery) THEN CAST(:points{i} AS real) ELSE 0 END"


def _conditions(wanted: Wanted, parameters: dict[str, Any]) -> Iterable[str]:
    for name, value, condition in (
        ("query", wanted.query, "d.lexemes @@ CAST(:query AS tsquery)"),
        ("price_from", wanted.price_from, "d.price_to >= :price_from"),
        ("price_to", wanted.price_to, "d.price_from <= :price_to"),
        ("min_rating", wanted.min_rating, "d.rating >= :min_rating"),
    ):
        if value:
            parameters[name] = value
            yield condition
    if wanted.providers is not None:
        parameters["providers"] = list(wanted.providers)
        yield "d.provider = ANY(:providers)"


def _facet(row: str) -> tuple[str, str, tuple[str, ...], int, int]:
    division, kind, categories, band, count = row[1:-1].split(",")
    return division, kind, tuple(categories.strip('"').split()), int(band), int(count)


@dataclass(frozen=True, slots=True)
class Judged:
    """What a match is judged by."""

    doc_id: int
    provider: str
    division: str
    rating: int
    texts: Texts


async def judged(session: AsyncSession, documents: Sequence[int]) -> list[Judged]:
    """Return what these documents are judged by."""
    found = await session.execute(text(_JUDGED), {"ids": list(documents)})
    return [Judged(row[0], row[1], row[2], row[3], Texts(row[4], row[5], row[6], row[7], row[0] < 0)) for row in found.all()]


async def shown(session: AsyncSession, documents: Sequence[int]) -> dict[int, Sequence[Any]]:
    """Return what is shown of these documents, by number: (doc_id, provider, its name, division, kind, categories, rating, name, model,
    price model, unit, least price, most)."""
    return {row[0]: row for row in (await session.execute(text(_SHOWN), {"ids": list(documents)})).all()}


async def documents_of(session: AsyncSession, terms: Iterable[str]) -> dict[str, int]:
    """Return how many documents have each of these words, under the empty word how many there are. Those that none has are left out."""
    statement = text("SELECT term, documents FROM registry.search_term WHERE term = ANY(:terms) AND documents > 0")
    return {row[0]: row[1] for row in (await session.execute(statement, {"terms": ["", *terms]})).all()}


async def near(session: AsyncSession, spans: Sequence[str]) -> dict[str, list[Known]]:
    """Return the words of the pool that sound like these parts of a query, or are about one character apart."""
    forms = [(span, form) for span in spans if len(span) > 2 for form in correcting.forms(span)]
    parameters = {
        "spans": list(spans),
        "sounds": [correcting.sound(span) for span in spans],
        "of": [span for span, _ in forms],
        "forms": [form for _, form in forms],
    }
    found: dict[str, list[Known]] = {}
    for span, term, documents, alike in (await session.execute(text(_NEAR), parameters)).all():
        found.setdefault(span, []).append(Known(term, documents, alike))
    return found
