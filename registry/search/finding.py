"""Finds and ranks: what search and the matching of demands share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from registry.recognition import coverage, pool
from registry.recognition.domain import judge
from registry.recognition.pool import OnDay
from registry.search import correcting, lexemes, places, store
from registry.search.domain import (
    ALL_WORDS_MAX,
    FEW_HITS,
    Circumstances,
    Part,
    Word,
    frequency,
    rarest,
    read_query,
    relaxed,
    score,
    telling,
    total,
    weight,
)
from registry.search.store import Judged, Matches, Wanted
from registry.search.text import fold, squeeze

_EVERYONE = 1_000_000
_PAIRED_MAX = 3
_HIGH = lexemes.quoted(lexemes.HIGH)


@dataclass(frozen=True, slots=True)
class Asked:
    """A search. Empty texts and zeros ask for nothing; prices are fen, ratings hundredths; `km` counts from `near`."""

    query: str
    division: str = ""
    category: str = ""
    kind: str = ""
    price_from: int = 0
    price_to: int = 0
    min_rating: int = 0
    recognized: bool = False
    km: int = 0
    issuer: str = ""
    near: str = ""
    facets: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """A hit and the parts of its score."""

    found: Judged
    parts: list[Part]
    around: Circumstances

    @property
    def points(self) -> int:
        """The score."""
        return total(self.parts)


@dataclass(slots=True)
class Found:
    """What was found, best first, and how the query was understood. `mode` is how words were taken: ALL of them or SOME."""

    hits: list[Hit] = field(default_factory=list)
    matches: Matches = field(default_factory=Matches)
    words: list[Word] = field(default_factory=list)
    corrected: str = ""
    mode: str = "ALL"


async def find(session: AsyncSession, asked: Asked, today: date, mode: str = "") -> Found:
    """Find what is asked for and rank it. `mode` and a corrected query come from the page before."""
    words = read_query(asked.query)
    documents = await store.documents_of(session, _terms(words))
    found = Found(words=rarest(words, documents, documents.get("", 0)), mode=mode)
    narrowed = await _narrowed(session, asked, today)
    if mode:
        if mode == "SOME":
            found.words = relaxed(found.words)
            documents.update(await store.documents_of(session, _terms(found.words)))
        found.matches = await _matches(session, found, documents, asked, narrowed, today)
    else:
        await _widen(session, found, documents, asked, narrowed, today)
    weights = [weight(frequency(word, documents), documents.get("", 0)) * word.share for word in found.words]
    candidates = await store.judged(session, found.matches.documents)
    recognized = await _recognized(session, asked.issuer, candidates, today) if asked.issuer else None
    query = squeeze(fold(asked.query))
    for item in candidates:
        km = places.distance_km(asked.near, item.division) if asked.near else None
        known = None if recognized is None else item.provider in recognized
        around = Circumstances(item.rating, known, km)
        found.hits.append(Hit(item, score(found.words, weights, query, item.texts, around), around))
    found.hits.sort(key=lambda hit: (-hit.points, hit.found.doc_id))
    return found


async def _widen(
    session: AsyncSession, found: Found, documents: dict[str, int], asked: Asked, narrowed: Sequence[str] | None, today: date
) -> None:
    """Take all words; with few hits correct the query, and then take some of the words."""
    found.mode = "ALL"
    if len(found.words) <= ALL_WORDS_MAX:
        found.matches = await _matches(session, found, documents, asked, narrowed, today)
    if found.matches.total >= FEW_HITS or not found.words:
        return
    if len(found.words) <= ALL_WORDS_MAX:
        await _correct(session, found, documents, asked, narrowed, today)
    if found.matches.total < FEW_HITS:
        found.mode = "SOME"
        found.words = relaxed(found.words)
        documents.update(await store.documents_of(session, _terms(found.words)))
        found.matches = await _matches(session, found, documents, asked, narrowed, today)


async def _correct(
    session: AsyncSession, found: Found, documents: dict[str, int], asked: Asked, narrowed: Sequence[str] | None, today: date
) -> None:
    """Look for the query as it was meant, where it was mistyped; what was found stays where that finds no more."""
    if all(documents.get(word.variants[0].terms[0]) for word in found.words):
        return
    folded = fold(asked.query)
    spans = list(correcting.spans(folded))
    known = await store.documents_of(session, [*spans, *(squeeze(span) for span in spans)])
    corrected = correcting.correct(folded, await store.near(session, [span for span in spans if span not in known]), known)
    if not corrected:
        return
    words = read_query(corrected)
    counted = documents | await store.documents_of(session, _terms(words))
    meant = Found(words=rarest(words, counted, counted.get("", 0)), corrected=corrected, mode="ALL")
    meant.matches = await _matches(session, meant, counted, asked, narrowed, today)
    if meant.matches.total > found.matches.total:
        documents.update(counted)
        found.words, found.corrected, found.matches = meant.words, corrected, meant.matches


async def _matches(
    session: AsyncSession, found: Found, documents: dict[str, int], asked: Asked, narrowed: Sequence[str] | None, today: date
) -> Matches:
    some = found.mode == "SOME"
    words = telling(found.words, documents, documents.get("", 0)) if some else found.words
    query = lexemes.any_of(words) if some else lexemes.all_of(words)
    if found.words and not query:
        return Matches()
    near = list(places.within(asked.near, asked.km)) if asked.near and asked.km else None
    filters = lexemes.filter_query(asked.division, asked.category, asked.kind, near)
    wanted = Wanted(
        lexemes.joined(query, filters),
        _coarse(words, documents, some=some),
        asked.price_from,
        asked.price_to,
        asked.min_rating,
        narrowed,
        asked.facets,
    )
    matches = await store.matches(session, wanted, today)
    if matches.capped:
        named = lexemes.named(words)
        promising = [lexemes.any_two_of(_rare(words, documents))] if some else [lexemes.joined(named, _HIGH), named]
        await _choose(session, matches, wanted, [lexemes.joined(each, filters) for each in promising if each], today)
    return matches


def _coarse(words: Sequence[Word], documents: dict[str, int], *, some: bool) -> list[tuple[str, float]]:
    """Return what chooses whom to judge: words in the name where all have all words, else any words. It costs time for each match, so
    not where there are more matches than are looked at anyway."""
    if not some and all(frequency(word, documents) >= store.COUNTED_MAX for word in words):
        return []
    points = [weight(frequency(word, documents), documents.get("", 0)) * word.share for word in words]
    return [(lexemes.word_query(word, "" if some else "="), each) for word, each in zip(words, points, strict=True)]


def _rare(words: Sequence[Word], documents: dict[str, int]) -> list[Word]:
    return sorted(words, key=lambda word: (-word.share, frequency(word, documents), word.text))[:_PAIRED_MAX]


async def _choose(session: AsyncSession, matches: Matches, wanted: Wanted, promising: Sequence[str], today: date) -> None:
    """Of more matches than are looked at, judge those first that promise most: words in the name, and there the best rated."""
    chosen: list[int] = []
    for query in promising:
        found = await store.matches(session, replace(wanted, query=query, facets=False), today)
        chosen.extend(found.documents)
        if len(found.documents) >= store.JUDGED_MAX:
            break
    matches.documents = list(dict.fromkeys([*chosen, *matches.documents]))[: store.JUDGED_MAX]


async def _narrowed(session: AsyncSession, asked: Asked, today: date) -> Sequence[str] | None:
    """Return the only providers to find, None where any will do."""
    if not asked.recognized:
        return None
    policy = (await pool.policies_on(session, [asked.issuer], today)).get(asked.issuer)
    if policy is None:
        return []
    return await coverage.page_of_recognized(session, policy, OnDay(today, today), "", None, Page(_EVERYONE, None))


async def _recognized(session: AsyncSession, issuer: str, candidates: Sequence[Judged], today: date) -> set[str]:
    """Return whom of the candidates the issuer's vouchers can pay today."""
    policy = (await pool.policies_on(session, [issuer], today)).get(issuer)
    if policy is None:
        return set()
    providers = sorted({item.provider for item in candidates})
    members = await pool.members_on(session, providers, OnDay(today, today))
    book = await pool.book(session, [issuer], providers)
    return {uscc for uscc, member in members.items() if judge(policy, member, book.dealings(issuer, uscc), today).payable}


def _terms(words: Sequence[Word]) -> list[str]:
    return [term for word in words for variant in word.variants for term in variant.terms]
