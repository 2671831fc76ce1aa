"""The pool, the policies and the dealings of a day: what a verdict rests on, as it stood on that day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.codec.fields import Fields
from hub.codec.policies import decode_policy
from hub.domain.model import Agreement, ClassRule
from hub.domain.model import Recognition as Named
from hub.domain.policy import Category, Policy, policy_in_force
from hub.domain.recognition import Dealings
from registry.recognition import store
from registry.recognition.domain import PoolMember
from registry.recognition.tables import ClassRecognitionRow
from registry.store import member
from yrd.policy.v1 import policy_pb2

PROVIDERS_ON = """
SELECT p.uscc, coalesce(v.name, p.name) AS name, p.home, coalesce(v.categories, p.categories) AS categories,
  coalesce(v.admitted_on, p.admitted_on) AS admitted_on, coalesce(v.rating, p.rating) AS rating,
  CASE WHEN v.provider IS NULL THEN p.valid_until ELSE v.valid_until END AS valid_until, s.suspended_on,
  CASE WHEN v.provider IS NULL THEN p.removed_on ELSE v.removed_on END AS removed_on,
  s.absent_since, q.listed_from AS quality_listed_on
FROM registry.provider AS p
LEFT JOIN (
  SELECT DISTINCT ON (provider) * FROM registry.provider_version WHERE :past AND effective_on <= :day
  ORDER BY provider, version_id DESC) AS v ON v.provider = p.uscc
LEFT JOIN (
  SELECT provider, min(since) AS absent_since, min(since) FILTER (WHERE kind = 'SUSPENSION') AS suspended_on
  FROM registry.suspension WHERE since <= :day AND (until IS NULL OR until > :day) GROUP BY provider) AS s ON s.provider = p.uscc
LEFT JOIN (
  SELECT provider, min(listed_from) AS listed_from FROM registry.quality_listing
  WHERE listed_from <= :day AND (listed_until IS NULL OR listed_until > :day) GROUP BY provider) AS q ON q.provider = p.uscc"""
"""Every provider as it was on `:day`: of a day gone by (`:past`) by its history, else by what clearing reads. Days out of good standing and
on the quality-provider list count as clearing counts them; `absent_since` and `quality_listed_on` are NULL where there is none in force."""

_POLICIES = """
SELECT issuer, policy_id, body FROM policy
WHERE issuer = ANY(:issuers) AND effective_from <= :day AND (effective_until IS NULL OR effective_until > :day)"""


@dataclass(frozen=True, slots=True)
class OnDay:
    """A day that is asked about, seen from today."""

    day: date
    today: date

    @property
    def parameters(self) -> dict[str, object]:
        """Parameters of PROVIDERS_ON."""
        return {"day": self.day, "past": self.day < self.today}


async def members_on(session: AsyncSession, uscc: Sequence[str], on: OnDay) -> dict[str, PoolMember]:
    """Return these providers as they were on a day, by code; also those who were not in the pool yet, or no longer."""
    found = await session.execute(text(f"{PROVIDERS_ON} WHERE p.uscc = ANY(:uscc)"), {"uscc": list(uscc), **on.parameters})
    return {row[0]: PoolMember(member(row), row[9], row[10]) for row in found}


async def issuers(session: AsyncSession) -> list[str]:
    """Return every issuer that has ever published a policy."""
    return list((await session.execute(text("SELECT DISTINCT issuer FROM policy ORDER BY issuer"))).scalars())


async def policies_on(session: AsyncSession, among: Sequence[str], day: date) -> dict[str, Policy]:
    """Return the policies in force on a day by issuer; an issuer without one is left out."""
    covering: dict[str, list[Policy]] = defaultdict(list)
    for issuer, policy_id, body in await session.execute(text(_POLICIES), {"issuers": list(among), "day": day}):
        # It was checked when it was published.
        policy = decode_policy(policy_pb2.Policy.FromString(body), Fields())
        covering[issuer].append(replace(policy, policy_id=policy_id))
    chosen = ((issuer, policy_in_force(found, day)) for issuer, found in covering.items())
    return {issuer: policy for issuer, policy in chosen if policy is not None}


class Book:
    """What some issuers have laid down that may concern some providers."""

    def __init__(
        self,
        named: Mapping[tuple[str, str], tuple[Named, ...]],
        classes: Sequence[ClassRecognitionRow],
        agreements: Mapping[tuple[str, str], tuple[Agreement, ...]],
    ) -> None:
        self._named, self._agreements = named, agreements
        self.classes = {str(row.class_id): row for row in classes}
        self._rules: dict[str, tuple[ClassRule, ...]] = _by((row.issuer, class_rule(row)) for row in classes)

    def dealings(self, issuer: str, provider: str) -> Dealings:
        """Return what concerns one pair."""
        pair = (issuer, provider)
        return Dealings(self._named.get(pair, ()), self._rules.get(issuer, ()), self._agreements.get(pair, ()))


async def book(session: AsyncSession, among: Sequence[str], providers: Sequence[str]) -> Book:
    """Read what these issuers have laid down that may concern these providers, past and to come included."""
    named = await store.recognitions_of(session, among, providers)
    classes = await store.classes_of(session, among)
    signed = await store.agreements_of(session, among, providers)
    return Book(
        _by(((row.issuer, row.provider), Named(row.valid_from, row.valid_until, row.agreement, row.require_agreement)) for row in named),
        classes,
        _by(((row.issuer, row.provider), Agreement(row.signed_on, row.valid_until)) for row in signed),
    )


def class_rule(row: ClassRecognitionRow) -> ClassRule:
    """A stored class as a decision reads it."""
    return ClassRule(
        class_id=str(row.class_id),
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        home=row.home,
        category=Category(row.category) if row.category else None,
        min_rating=row.min_rating,
        quality_listed=row.quality_listed,
        require_agreement=row.require_agreement,
    )


def _by(pairs: Iterable[tuple[Any, Any]]) -> dict[Any, tuple[Any, ...]]:
    grouped: dict[Any, list[Any]] = defaultdict(list)
    for key, value in pairs:
        grouped[key].append(value)
    return {key: tuple(values) for key, values in grouped.items()}
