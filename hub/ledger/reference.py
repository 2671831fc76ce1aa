"""Reference data that clearing reads: policies, enterprises with their sanctions, providers with standing, recognition.

Kept in memory by version. Triggers raise a kind's version in the transaction that changes its rows (revision 0002), and each batch reads
the versions after it has its locks: what it decides on is never older than a commit that came before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

from psycopg import AsyncConnection

from hub.application.batch import Keys, WorkingSet
from hub.domain.model import Agreement, ClassRule, Enterprise, Provider, Recognition
from hub.domain.policy import Policy
from hub.ledger import rows
from hub.ledger.arrays import texts
from hub.ledger.connection import round_trip
from hub.ledger.policies import decode_stored

ENTRIES_MAX = 50_000
"""How many entries of a kind are kept; beyond, the kind is read anew as it is needed."""

_VERSIONS = "SELECT kind, version FROM reference_version"

_POLICIES = "SELECT policy_id, body FROM policy"

_ENTERPRISES = """
SELECT e.uscc, e.name, e.division, e.kind, e.sme_no, e.sme_valid_from, e.sme_valid_until, e.staff,
  (SELECT min(n.since) FROM registry.negative_list AS n
   WHERE n.enterprise = e.uscc AND n.since <= %(today)s AND (n.until IS NULL OR n.until > %(today)s))
FROM enterprise AS e WHERE e.uscc = ANY(%(uscc)s::text[])"""

_PROVIDERS = """
SELECT p.uscc, p.name, p.home, p.categories, p.admitted_on, p.rating,
  (SELECT min(s.since) FROM registry.suspension AS s
   WHERE s.provider = p.uscc AND s.since <= %(today)s AND (s.until IS NULL OR s.until > %(today)s)),
  (SELECT min(q.listed_from) FROM registry.quality_listing AS q
   WHERE q.provider = p.uscc AND q.listed_from <= %(today)s AND (q.listed_until IS NULL OR q.listed_until > %(today)s))
FROM registry.provider AS p WHERE p.uscc = ANY(%(uscc)s::text[])"""

_RECOGNITIONS = f"""
SELECT issuer, provider, {rows.RECOGNITION_COLUMNS} FROM registry.recognition
WHERE (issuer, provider) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"""

_AGREEMENTS = f"""
SELECT issuer, provider, {rows.AGREEMENT_COLUMNS} FROM registry.agreement
WHERE (issuer, provider) IN (SELECT * FROM unnest(%s::text[], %s::text[]))"""

_CLASS_RULES = f"SELECT issuer, {rows.CLASS_RULE_COLUMNS} FROM registry.class_recognition ORDER BY issuer, class_id"

Pair = tuple[str, str]
Key = TypeVar("Key", str, Pair)
_Fetched = Callable[[], Awaitable[None]]


class Wanted:
    """What a batch needs of each kind."""

    def __init__(self, keys: Keys) -> None:
        self.enterprises = keys.enterprises.union([wallet.enterprise for wallet in keys.wallets])
        self.providers = set(keys.providers)
        self.pairs = keys.recognitions

    def add(self, enterprises: Iterable[str], providers: Iterable[str]) -> None:
        """Want those too that the rows of the batch name."""
        self.enterprises.update(enterprises)
        self.providers.update(providers)


class Reference:
    """One for each sequence of batches. Absent things are remembered as absent."""

    def __init__(self) -> None:
        self._versions: dict[str, int] = {}
        self._day = date.min
        self._policies: dict[int, Policy] | None = None
        self._enterprises: dict[str, Enterprise | None] = {}
        self._providers: dict[str, Provider | None] = {}
        self._pairs: dict[Pair, tuple[tuple[Recognition, ...], tuple[Agreement, ...]]] = {}
        self._class_rules: dict[str, tuple[ClassRule, ...]] | None = None

    async def ask(self, connection: AsyncConnection[Any], wanted: Wanted, today: date) -> _Fetched:
        """Queue the question for the versions, and for what is not known here; the result takes in the answers."""
        if today != self._day:
            # Standing and sanctions are read as of a day.
            self._forget(("enterprise", "pool"))
            self._day = today
        cursor = await connection.execute(_VERSIONS)
        fetched = await self._fetch(connection, wanted)

        async def take() -> None:
            versions = dict(await cursor.fetchall())
            self._forget([kind for kind, version in versions.items() if self._versions.get(kind) != version])
            self._versions = versions
            await fetched()

        return take

    async def complete(self, connection: AsyncConnection[Any], wanted: Wanted, ws: WorkingSet) -> None:
        """Give `ws` what is wanted, reading first what is still unknown: data met for the first time, or changed since it was read."""
        while not self._knows(wanted):
            async with round_trip(connection):
                fetched = await self._fetch(connection, wanted)
            await fetched()
        assert self._policies is not None and self._class_rules is not None
        ws.policies = self._policies
        ws.enterprises = _present(self._enterprises, wanted.enterprises)
        ws.providers = _present(self._providers, wanted.providers)
        ws.class_rules = self._class_rules
        for pair in wanted.pairs:
            ws.recognitions[pair], ws.agreements[pair] = self._pairs[pair]

    def _knows(self, wanted: Wanted) -> bool:
        return (
            self._policies is not None
            and self._class_rules is not None
            and self._enterprises.keys() >= wanted.enterprises
            and self._providers.keys() >= wanted.providers
            and self._pairs.keys() >= wanted.pairs
        )

    def _forget(self, kinds: Iterable[str]) -> None:
        for kind in kinds:
            if kind == "policy":
                self._policies = None
            elif kind == "enterprise":
                self._enterprises = {}
            elif kind == "pool":
                self._providers, self._pairs, self._class_rules = {}, {}, None

    async def _fetch(self, connection: AsyncConnection[Any], wanted: Wanted) -> _Fetched:
        """Queue the reads of what is unknown; the result takes in the answers."""
        self._bound()
        steps = [
            await self._fetch_policies(connection),
            await self._fetch_enterprises(connection, _unknown(wanted.enterprises, self._enterprises)),
            await self._fetch_providers(connection, _unknown(wanted.providers, self._providers)),
            await self._fetch_pairs(connection, _unknown(wanted.pairs, self._pairs)),
            await self._fetch_class_rules(connection),
        ]

        async def take() -> None:
            for step in steps:
                if step is not None:
                    await step()

        return take

    def _bound(self) -> None:
        for kept in (self._enterprises, self._providers, self._pairs):
            if len(kept) > ENTRIES_MAX:
                kept.clear()

    async def _fetch_policies(self, connection: AsyncConnection[Any]) -> _Fetched | None:
        if self._policies is not None:
            return None
        cursor = await connection.execute(_POLICIES)

        async def take() -> None:
            self._policies = {policy_id: decode_stored(policy_id, body) for policy_id, body in await cursor.fetchall()}

        return take

    async def _fetch_enterprises(self, connection: AsyncConnection[Any], unknown: Sequence[str]) -> _Fetched | None:
        if not unknown:
            return None
        cursor = await connection.execute(_ENTERPRISES, {"uscc": texts(unknown), "today": self._day})

        async def take() -> None:
            self._enterprises.update(dict.fromkeys(unknown))
            self._enterprises.update((row[0], rows.enterprise(row)) for row in await cursor.fetchall())

        return take

    async def _fetch_providers(self, connection: AsyncConnection[Any], unknown: Sequence[str]) -> _Fetched | None:
        if not unknown:
            return None
        cursor = await connection.execute(_PROVIDERS, {"uscc": texts(unknown), "today": self._day})

        async def take() -> None:
            self._providers.update(dict.fromkeys(unknown))
            self._providers.update((row[0], rows.provider(row)) for row in await cursor.fetchall())

        return take

    async def _fetch_pairs(self, connection: AsyncConnection[Any], unknown: Sequence[Pair]) -> _Fetched | None:
        if not unknown:
            return None
        params = (texts(pair[0] for pair in unknown), texts(pair[1] for pair in unknown))
        recognitions = await connection.execute(_RECOGNITIONS, params)
        agreements = await connection.execute(_AGREEMENTS, params)

        async def take() -> None:
            by_name: dict[Pair, tuple[Recognition, ...]] = {}
            for issuer, provider, *rest in await recognitions.fetchall():
                by_name[issuer, provider] = (*by_name.get((issuer, provider), ()), Recognition(*rest))
            signed: dict[Pair, tuple[Agreement, ...]] = {}
            for issuer, provider, *rest in await agreements.fetchall():
                signed[issuer, provider] = (*signed.get((issuer, provider), ()), Agreement(*rest))
            self._pairs.update((pair, (by_name.get(pair, ()), signed.get(pair, ()))) for pair in unknown)

        return take

    async def _fetch_class_rules(self, connection: AsyncConnection[Any]) -> _Fetched | None:
        if self._class_rules is not None:
            return None
        cursor = await connection.execute(_CLASS_RULES)

        async def take() -> None:
            rules: dict[str, tuple[ClassRule, ...]] = {}
            for issuer, *rest in await cursor.fetchall():
                rules[issuer] = (*rules.get(issuer, ()), rows.class_rule(rest))
            self._class_rules = rules

        return take


def _unknown(wanted: Iterable[Key], kept: Mapping[Key, object]) -> list[Key]:
    """Return what is not kept, in order. Taking the kept keys off a set would look at every one of them."""
    return sorted(key for key in wanted if key not in kept)


def _present(kept: Mapping[str, Any], wanted: Collection[str]) -> dict[str, Any]:
    return {key: item for key in wanted if (item := kept[key]) is not None}
