"""Whom an issuer recognises, all at once, and the matrix of coverage between all regions: set-based, the same rules as `judge`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from hub.application.within import stem
from hub.domain.policy import Category, Policy, RecognitionDefault
from registry.recognition.pool import PROVIDERS_ON, OnDay

_IN_FORCE = "valid_from <= :day AND ({0}.valid_until IS NULL OR {0}.valid_until > :day)"

# `ground` is every way in which a provider could be recognised, and whether it needs an agreement; the rest is asked of all of them alike.
_RECOGNIZED = f"""
WITH rule AS (
  SELECT * FROM unnest(CAST(:issuers AS text[]), CAST(:pool AS boolean[]), CAST(:agreement AS boolean[]), CAST(:min_rating AS int[]))
    AS r(issuer, pool, agreement, min_rating)),
member AS MATERIALIZED (
  SELECT * FROM ({PROVIDERS_ON}) AS p WHERE p.admitted_on <= :day AND (p.removed_on IS NULL OR p.removed_on > :day)),
agreed AS (
  SELECT DISTINCT a.issuer, a.provider FROM registry.agreement AS a JOIN rule AS r ON r.issuer = a.issuer
  WHERE a.signed_on <= :day AND (a.valid_until IS NULL OR a.valid_until > :day)),
class AS (
  SELECT c.*,
    CASE WHEN right(c.home, 4) = '0000' THEN left(c.home, 2) WHEN right(c.home, 2) = '00' THEN left(c.home, 4) ELSE c.home END AS stem
  FROM registry.class_recognition AS c WHERE c.{_IN_FORCE.format("c")}),
ground AS (
  SELECT r.issuer, m.uscc, r.agreement AS needed FROM rule AS r CROSS JOIN member AS m WHERE r.pool
  UNION ALL
  SELECT r.issuer, n.provider, NOT n.agreement AND (r.agreement OR n.require_agreement)
  FROM rule AS r JOIN registry.recognition AS n ON n.issuer = r.issuer WHERE n.{_IN_FORCE.format("n")}
  UNION ALL
  SELECT r.issuer, m.uscc, r.agreement OR c.require_agreement
  FROM rule AS r JOIN class AS c ON c.issuer = r.issuer JOIN member AS m
    ON starts_with(m.home, c.stem) AND (c.category = '' OR c.category = ANY(m.categories)) AND m.rating >= c.min_rating
    AND (NOT c.quality_listed OR m.quality_listed_on IS NOT NULL)),
recognized AS (
  SELECT DISTINCT g.issuer, g.uscc FROM ground AS g
  JOIN rule AS r ON r.issuer = g.issuer JOIN member AS m ON m.uscc = g.uscc
  LEFT JOIN agreed AS a ON a.issuer = g.issuer AND a.provider = g.uscc
  WHERE m.rating >= r.min_rating AND (NOT g.needed OR a.issuer IS NOT NULL))"""

_PAGE = f"""{_RECOGNIZED}
SELECT m.uscc FROM recognized AS k JOIN member AS m ON m.uscc = k.uscc
WHERE m.uscc > :after AND starts_with(m.home, :stem) AND (:category = '' OR :category = ANY(m.categories))
ORDER BY m.uscc LIMIT :fetch"""

_MATRIX = f"""{_RECOGNIZED},
good AS (SELECT m.uscc, left(m.home, 2) || '0000' AS home, m.categories FROM member AS m WHERE m.absent_since IS NULL),
known AS (SELECT k.issuer, g.home, g.categories FROM recognized AS k JOIN good AS g ON g.uscc = k.uscc)
SELECT '' AS issuer, home, '' AS category, count(*) FROM good GROUP BY home
UNION ALL SELECT '', home, unnest(categories) AS listed, count(*) FROM good GROUP BY home, listed
UNION ALL SELECT issuer, home, '', count(*) FROM known GROUP BY issuer, home
UNION ALL SELECT issuer, home, unnest(categories) AS listed, count(*) FROM known GROUP BY issuer, home, listed"""

Counts = dict[tuple[str, str, str], int]
"""Providers by (issuer, home province, category). Issuer '' is the pool itself; category '' is any."""


async def page_of_recognized(
    session: AsyncSession, policy: Policy, on: OnDay, home: str, category: Category | None, page: Page
) -> list[str]:
    """Return the codes of those whom the policy's issuer recognises on a day, in order; `home` and `category` narrow the list."""
    (after,) = page.after or ("",)
    wanted = {"after": after, "stem": stem(home), "category": category.value if category else "", "fetch": page.fetch}
    return list((await session.execute(text(_PAGE), _parameters({policy.issuer: policy}, on) | wanted)).scalars())


async def count_coverage(session: AsyncSession, policies: Mapping[str, Policy], on: OnDay) -> Counts:
    """Count providers in good standing, and by issuer those of them recognised, on a day."""
    found = await session.execute(text(_MATRIX), _parameters(policies, on))
    return {(issuer, home, category): count for issuer, home, category, count in found}


def _parameters(policies: Mapping[str, Policy], on: OnDay) -> dict[str, Any]:
    rules = [(issuer, policy.recognition) for issuer, policy in policies.items()]
    return {
        **on.parameters,
        "issuers": [issuer for issuer, _ in rules],
        "pool": [rule.default is RecognitionDefault.POOL for _, rule in rules],
        "agreement": [rule.require_agreement for _, rule in rules],
        "min_rating": [rule.min_rating for _, rule in rules],
    }
