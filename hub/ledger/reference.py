"""Reference data that clearing reads: policies, enterprises with their sanctions, providers with standing, recognition.

Kept in memory by version. Triggers raise a kind's version in the transaction that changes its rows (revision 0002), and each batch reads
the versions after it has its locks: what it decides on is never older than a commit that came before.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

from hub.application.batch import Keys, WorkingSet
from hub.domain.model import Agreement, ClassRule, Enterprise, Provider, Recognition
from hub.domain.policy import Policy
from hub.ledger import rows
from hub.ledger.arrays import texts
from hub.ledger.policies import decode_stored
from hub.ledger.trip import LedgerConnection, Rows, Trip, round_trip

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

    def ask(self, trip: Trip, wanted: Wanted, today: date) -> None:
        """Ask for the versions, and for what is not known here."""
        if today != self._day:
            # Standing and sanctions are read as of a day.
            self._forget(("enterprise", "pool"))
            self._day = today
        # Taken in first: what was fetched beside them is kept under the versions it was read with.
        trip.ask(_VERSIONS, (), self._take_versions)
        self._fetch(trip, wanted)

    def _take_versions(self, found: Rows) -> None:
        versions: dict[str, int] = dict(found)
        self._forget([kind for kind, version in versions.items() if self._versions.get(kind) != version])
        self._versions = versions

    async def complete(self, connection: LedgerConnection, wanted: Wanted, ws: WorkingSet) -> None:
        """Give `ws` what is wanted, reading first what is still unknown: data met for the first time, or changed since it was read."""
        while not self._knows(wanted):
            async with round_trip(connection) as trip:
                self._fetch(trip, wanted)
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

    def _fetch(self, trip: Trip, wanted: Wanted) -> None:
        """Ask for what is unknown."""
        self._bound()
        if self._policies is None:
            trip.ask(_POLICIES, (), self._take_policies)
        self._fetch_parties(trip, _unknown(wanted.enterprises, self._enterprises), _unknown(wanted.providers, self._providers))
        self._fetch_pairs(trip, _unknown(wanted.pairs, self._pairs))
        if self._class_rules is None:
            trip.ask(_CLASS_RULES, (), self._take_class_rules)

    def _bound(self) -> None:
        for kept in (self._enterprises, self._providers, self._pairs):
            if len(kept) > ENTRIES_MAX:
                kept.clear()

    def _take_policies(self, found: Rows) -> None:
        self._policies = {policy_id: decode_stored(policy_id, body) for policy_id, body in found}

    def _take_class_rules(self, found: Rows) -> None:
        rules: dict[str, tuple[ClassRule, ...]] = {}
        for issuer, *rest in found:
            rules[issuer] = (*rules.get(issuer, ()), rows.class_rule(rest))
        self._class_rules = rules

    def _fetch_parties(self, trip: Trip, enterprises: Sequence[str], providers: Sequence[str]) -> None:
        def take_enterprises(found: Rows) -> None:
            self._enterprises.update(dict.fromkeys(enterprises))
            self._enterprises.update((row[0], rows.enterprise(row)) for row in found)

        def take_providers(found: Rows) -> None:
            self._providers.update(dict.fromkeys(providers))
            self._providers.update((row[0], rows.provider(row)) for row in found)

        if enterprises:
            trip.ask(_ENTERPRISES, {"uscc": texts(enterprises), "today": self._day}, take_enterprises)
        if providers:
            trip.ask(_PROVIDERS, {"uscc": texts(providers), "today": self._day}, take_providers)

    def _fetch_pairs(self, trip: Trip, unknown: Sequence[Pair]) -> None:
        signed: dict[Pair, tuple[Agreement, ...]] = {}

        def take_agreements(found: Rows) -> None:
            for issuer, provider, *rest in found:
                signed[issuer, provider] = (*signed.get((issuer, provider), ()), Agreement(*rest))

        def take_recognitions(found: Rows) -> None:
            by_name: dict[Pair, tuple[Recognition, ...]] = {}
            for issuer, provider, *rest in found:
                by_name[issuer, provider] = (*by_name.get((issuer, provider), ()), Recognition(*rest))
            self._pairs.update((pair, (by_name.get(pair, ()), signed.get(pair, ()))) for pair in unknown)

        if unknown:
            params = (texts(pair[0] for pair in unknown), texts(pair[1] for pair in unknown))
            trip.ask(_AGREEMENTS, params, take_agreements)
            trip.ask(_RECOGNITIONS, params, take_recognitions)


def _unknown(wanted: Iterable[Key], kept: Mapping[Key, object]) -> list[Key]:
    """Return what is not kept, in order. Taking the kept keys off a set would look at every one of them."""
    return sorted(key for key in wanted if key not in kept)


def _present(kept: Mapping[str, Any], wanted: Collection[str]) -> dict[str, Any]:
    return {key: item for key in wanted if (item := kept[key]) is not None}
