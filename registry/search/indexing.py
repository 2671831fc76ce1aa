"""Keeps the index: what the queue names is cut into words again; or all of it at once. One keeper at a time, by an advisory lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from psycopg import AsyncConnection
from psycopg.rows import TupleRow

from registry.search.correcting import forms, sound
from registry.search.documents import Document, Source, correctable, document_of
from registry.search.lexemes import HIGH, HIGH_RATING, is_word, quoted

Connection = AsyncConnection[TupleRow]

LOCK = 7_306
BATCH = 1_000
"""Lines of the queue in one transaction."""

_ENTRIES = """
SELECT e.entry_id, e.provider, p.name, e.kind, ARRAY[e.category], p.home, p.rating, e.name,
  e.keywords || ARRAY[e.model, e.maker, e.title, e.source, e.code], concat_ws(' ', e.description, e.institution), e.price_from, e.price_to
FROM registry.catalogue_entry AS e JOIN registry.provider AS p ON p.uscc = e.provider
WHERE e.state = 'ACTIVE' AND {}"""
_PROVIDERS = """
SELECT coalesce((SELECT d.doc_id FROM registry.search_document AS d WHERE d.provider = p.uscc AND d.doc_id < 0),
    -nextval('registry.search_provider_no')),
  p.uscc, '', 'PROVIDER', p.categories, p.home, p.rating, p.name, ARRAY[p.uscc], '', NULL, NULL
FROM registry.provider AS p
WHERE NOT EXISTS (SELECT FROM registry.provider_merge AS m WHERE m.provider = p.uscc) AND {}"""

_RATE = """
UPDATE registry.search_document AS d
SET rating = p.rating, lexemes = CASE WHEN (p.rating >= %(least)s) = (d.rating >= %(least)s) THEN d.lexemes
  WHEN p.rating >= %(least)s THEN d.lexemes || array_to_tsvector(ARRAY[%(high)s]) ELSE ts_delete(d.lexemes, %(high)s) END
FROM registry.provider AS p WHERE p.uscc = d.provider AND d.provider = ANY(%(rated)s) AND d.rating <> p.rating"""

_CLAIM = """
DELETE FROM registry.search_queue WHERE queue_no IN (SELECT queue_no FROM registry.search_queue ORDER BY queue_no LIMIT %s)
RETURNING entry_id, provider, rating_only"""

_DOCUMENTS = "doc_id, provider, kind, categories, division, price_from, price_to, band, rating, lexemes"
_TEXTS = "doc_id, name, keywords, provider, description"
_INDEX = "registry.search_document, registry.search_text, registry.search_term, registry.search_neighbour"
_COUNT = """
INSERT INTO registry.search_term AS t (term, documents, sound) SELECT * FROM unnest(%s::text[], %s::int[], %s::text[])
ON CONFLICT (term) DO UPDATE SET documents = t.documents + excluded.documents"""
_NEIGHBOURS = "INSERT INTO registry.search_neighbour SELECT * FROM unnest(%s::text[], %s::text[]) ON CONFLICT DO NOTHING"


@dataclass(frozen=True, slots=True)
class _Claimed:
    """What the queue named: entries, providers as a whole, and providers whose rating alone changed."""

    entries: list[int]
    providers: list[str]
    rated: list[str]


async def catch_up(connection: Connection, batch: int = BATCH) -> int:
    """Index one batch of the queue in one transaction and return how many of its lines are done; 0 where it is empty."""
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        lines = await (await connection.execute(_CLAIM, (batch,))).fetchall()
        if lines:
            await _index(connection, await _claimed(connection, lines))
        return len(lines)


async def _claimed(connection: Connection, lines: Sequence[Sequence[Any]]) -> _Claimed:
    providers = {provider for entry, provider, rating_only in lines if entry is None and not rating_only}
    rated = {provider for entry, provider, rating_only in lines if rating_only} - providers
    entries = {entry for entry, _, _ in lines if entry is not None}
    # What an entry's document says of its provider changes with the provider.
    found = await connection.execute("SELECT entry_id FROM registry.catalogue_entry WHERE provider = ANY(%s)", (list(providers),))
    entries.update(row[0] for row in await found.fetchall())
    return _Claimed(sorted(entries), sorted(providers), sorted(rated))


async def _index(connection: Connection, claimed: _Claimed) -> None:
    sources = [Source(*row) async for row in await connection.execute(_ENTRIES.format("e.entry_id = ANY(%s)"), (claimed.entries,))]
    sources += [Source(*row) async for row in await connection.execute(_PROVIDERS.format("p.uscc = ANY(%s)"), (claimed.providers,))]
    await _replace(connection, claimed, [document_of(_plain(source)) for source in sources])
    if claimed.rated:
        await connection.execute(_RATE, {"rated": claimed.rated, "high": HIGH, "least": HIGH_RATING})


async def _replace(connection: Connection, claimed: _Claimed, documents: Sequence[Document]) -> None:
    gone = "doc_id = ANY(%s) OR doc_id < 0 AND provider = ANY(%s)"
    parameters = (claimed.entries, claimed.providers)
    found = await connection.execute(f"SELECT doc_id, tsvector_to_array(lexemes) FROM registry.search_document WHERE {gone}", parameters)
    delta: Counter[str] = Counter()
    before = await found.fetchall()
    for _, lexemes in before:
        delta.subtract(filter(is_word, lexemes))
    keys = [row[0] for row in before]
    await connection.execute("DELETE FROM registry.search_document WHERE doc_id = ANY(%s)", (keys,))
    await connection.execute("DELETE FROM registry.search_text WHERE doc_id = ANY(%s)", (keys,))
    for document in documents:
        delta.update(document.words)
    delta[""] = len(documents) - len(before)
    await _copy(connection, documents)
    await _count(connection, delta)


async def _copy(connection: Connection, documents: Iterable[Document]) -> None:
    made = list(documents)
    async with connection.cursor() as cursor, cursor.copy(f"COPY registry.search_document ({_DOCUMENTS}) FROM STDIN") as copy:
        for item in made:
            await copy.write_row(document_row(item))
    async with connection.cursor() as cursor, cursor.copy(f"COPY registry.search_text ({_TEXTS}) FROM STDIN") as copy:
        for item in made:
            await copy.write_row((item.source.doc_id, *item.texts))


def document_row(item: Document) -> tuple[Any, ...]:
    """A row of `search_document` for COPY."""
    s = item.source
    vector = " ".join(quoted(lexeme) for lexeme in item.lexemes)
    return (
        s.doc_id, s.provider, s.kind, list(s.categories), s.division, s.price_from, s.price_to, item.band, s.rating, vector,
    )  # fmt: skip


async def _count(connection: Connection, delta: Counter[str]) -> None:
    """Count words. Each batch does it in the order of the words; nobody else does."""
    changed = sorted((term, change) for term, change in delta.items() if change)
    words = [term for term, _ in changed]
    correct = set(correctable([word for word in words if delta[word] > 0]))
    sounds = [sound(word) if word in correct else "" for word in words]
    await connection.execute(_COUNT, (words, [change for _, change in changed], sounds))
    pairs = sorted({(form, word) for word in correct for form in forms(word)})
    await connection.execute(_NEIGHBOURS, ([form for form, _ in pairs], [word for _, word in pairs]))


async def rebuild(connection: Connection) -> int:
    """Index all that is in force from nothing, in one transaction, and return how many documents there are.

    Searches wait while it runs; for the first load of a pool and for repair.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        # The queue first: what is committed from now on is queued again, and what was before is read below.
        await connection.execute("LOCK TABLE registry.search_queue IN EXCLUSIVE MODE")
        await connection.execute("SET LOCAL maintenance_work_mem = '256MB'")
        await connection.execute(f"TRUNCATE {_INDEX}, registry.search_queue")
        await connection.execute("DROP INDEX registry.search_document_lexemes")
        counts: Counter[str] = Counter()
        total = 0
        async for part in _all_documents(connection):
            total += len(part)
            for document in part:
                counts.update(document.words)
            await _copy(connection, part)
        counts[""] = total
        await _count_all(connection, counts)
        await connection.execute("CREATE INDEX search_document_lexemes ON registry.search_document USING gin (lexemes)")
    await connection.execute(f"ANALYZE {_INDEX}")
    return total


async def _all_documents(connection: Connection) -> AsyncIterator[list[Document]]:
    # What is found together lies together: a search for 高分子 then reads few pages.
    for statement in (_ENTRIES.format("true ORDER BY e.name, e.entry_id"), _PROVIDERS.format("true")):
        async with connection.cursor(name="search_sources") as cursor:
            await cursor.execute(statement)
            while rows := await cursor.fetchmany(2_000):
                yield [document_of(_plain(Source(*row))) for row in rows]


async def _count_all(connection: Connection, counts: Counter[str]) -> None:
    correct = set(correctable(list(counts)))
    async with connection.cursor() as cursor, cursor.copy("COPY registry.search_term (term, documents, sound) FROM STDIN") as copy:
        for term, documents in counts.items():
            await copy.write_row((term, documents, sound(term) if term in correct else ""))
    async with connection.cursor() as cursor, cursor.copy("COPY registry.search_neighbour (form, term) FROM STDIN") as copy:
        for word in correct:
            for form in forms(word):
                await copy.write_row((form, word))


def _plain(source: Source) -> Source:
    """A source as the domain takes it: tuples for arrays, no empty keywords."""
    return replace(source, categories=tuple(source.categories), keywords=tuple(word for word in source.keywords if word))
