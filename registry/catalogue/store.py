"""Reads and writes of entries. One entry and a hundred thousand are written by the same statement, their history with them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from hub.application.within import stem
from registry.catalogue.domain import Entry, EntryState, digest_of, kept_content
from registry.catalogue.tables import EntryRow, ProviderMergeRow, VersionRow

ROWS_PER_STATEMENT = 2_000

_TYPES = {
    "provider": "text",
    "kind": "text",
    "code": "text",
    "name": "text",
    "description": "text",
    "category": "text",
    "keywords": "text[]",
    "price_model": "text",
    "unit": "text",
    "price_from": "bigint",
    "price_to": "bigint",
    "delivery_days": "integer",
    "model": "text",
    "maker": "text",
    "serial_no": "text",
    "original_value": "bigint",
    "institution": "text",
    "owner": "text",
    "place": "text",
    "hours_per_year": "integer",
    "open_since": "date",
    "title": "text",
    "source": "text",
    "link": "text",
    "division": "text",
}
_COLUMNS = ", ".join(_TYPES)
_RENEWED = ", ".join(f"{name} = excluded.{name}" for name in _TYPES if name not in ("provider", "kind", "code"))

# What says the same as the entry in force is not written: no version, no event. A merged entry is changed where it was merged into.
_WRITE = f"""
WITH given AS (
  SELECT * FROM json_to_recordset(CAST(:rows AS json))
    AS r({", ".join(f"{name} {kind}" for name, kind in _TYPES.items())}, digest text, kept jsonb)
), written AS (
  INSERT INTO registry.catalogue_entry AS e ({_COLUMNS}, state, version, changed_at, changed_by, digest)
  SELECT {_COLUMNS}, 'ACTIVE', 1, :now, :by, decode(digest, 'hex') FROM given
  ON CONFLICT (provider, kind, code) DO UPDATE
    SET {_RENEWED}, state = 'ACTIVE', version = e.version + 1,
        changed_at = excluded.changed_at, changed_by = excluded.changed_by, digest = excluded.digest
    WHERE e.state = 'RETIRED' OR e.state = 'ACTIVE' AND (e.digest <> excluded.digest OR e.division <> excluded.division)
  RETURNING e.entry_id, e.provider, e.kind, e.code, e.version
), history AS (
  INSERT INTO registry.catalogue_version (entry_id, version, state, content, cause, changed_at, changed_by)
  SELECT w.entry_id, w.version, 'ACTIVE', g.kept, :cause, :now, :by
  FROM written AS w JOIN given AS g ON (g.provider, g.kind, g.code) = (w.provider, w.kind, w.code)
)
SELECT entry_id, provider, kind, code, version FROM written"""

_MERGED = """
SELECT e.provider, e.kind, e.code, e.merged_into FROM registry.catalogue_entry AS e
JOIN unnest(CAST(:providers AS text[]), CAST(:kinds AS text[]), CAST(:codes AS text[])) AS g(provider, kind, code)
  ON (e.provider, e.kind, e.code) = (g.provider, g.kind, g.code)
WHERE e.state = 'MERGED'"""


@dataclass(frozen=True, slots=True)
class Written:
    """An entry that a write created (`version` 1) or changed."""

    entry_id: int
    provider: str
    kind: str
    code: str
    version: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """When, by whom and by which command entries are written."""

    now: datetime
    by: str
    cause: str


async def write(session: AsyncSession, entries: Iterable[tuple[Entry, str]], stamp: Stamp) -> list[Written]:
    """Create or renew entries, each with its provider's home division, and return those that are new or say something else now.

    Keys must not repeat. Entries are written in the order of their keys, so that concurrent writers wait for each other in order.
    """
    rows = [_row(entry, division) for entry, division in sorted(entries, key=lambda item: item[0].key)]
    written: list[Written] = []
    for start in range(0, len(rows), ROWS_PER_STATEMENT):
        given = {"rows": json.dumps(rows[start : start + ROWS_PER_STATEMENT], ensure_ascii=False)}
        found = await session.execute(text(_WRITE), {**given, "now": stamp.now, "by": stamp.by, "cause": stamp.cause})
        written.extend(Written(*row) for row in found.all())
    # Rows of these entries that the session knows are not what the database holds now.
    session.expire_all()
    return written


def _row(entry: Entry, division: str) -> dict[str, Any]:
    content = entry.content()
    return {**content, "division": division, "digest": digest_of(content).hex(), "kept": kept_content(content)}


async def merged_keys(session: AsyncSession, keys: Sequence[tuple[str, str, str]]) -> dict[tuple[str, str, str], int]:
    """Of the keys of entries, return those that were merged, with the entry each was merged into."""
    found: dict[tuple[str, str, str], int] = {}
    for start in range(0, len(keys), ROWS_PER_STATEMENT):
        providers, kinds, codes = zip(*keys[start : start + ROWS_PER_STATEMENT], strict=True)
        rows = await session.execute(text(_MERGED), {"providers": list(providers), "kinds": list(kinds), "codes": list(codes)})
        found.update({(row[0], row[1], row[2]): row[3] for row in rows.all()})
    return found


async def homes_of(session: AsyncSession, providers: Iterable[str]) -> dict[str, str]:
    """Return the home division of each of the providers that is in the pool."""
    statement = text("SELECT uscc, home FROM registry.provider WHERE uscc = ANY(:providers)")
    return {row[0]: row[1] for row in (await session.execute(statement, {"providers": sorted(set(providers))})).all()}


async def entry_by_key(session: AsyncSession, key: tuple[str, str, str], *, lock: bool = False) -> EntryRow | None:
    """Return the entry of a key, locked where asked, or None."""
    provider, kind, code = key
    statement = select(EntryRow).where(EntryRow.provider == provider, EntryRow.kind == kind, EntryRow.code == code)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def entry_by_id(session: AsyncSession, entry_id: int, *, lock: bool = False) -> EntryRow | None:
    """Return the entry of a number, locked where asked, or None."""
    statement = select(EntryRow).where(EntryRow.entry_id == entry_id)
    return (await session.exec(statement.with_for_update() if lock else statement)).one_or_none()


async def end(session: AsyncSession, row: EntryRow, state: EntryState, stamp: Stamp, merged_into: int | None = None) -> None:
    """Take an entry out of force, with a version that says so. The name of an expert goes with it."""
    row.state, row.merged_into = state.value, merged_into
    if row.kind == "EXPERT":
        row.name = ""
    row.version, row.changed_at, row.changed_by = row.version + 1, stamp.now, stamp.by
    session.add(row)
    assert row.entry_id is not None
    session.add(
        VersionRow(
            entry_id=row.entry_id,
            version=row.version,
            state=row.state,
            content=_content(row),
            cause=stamp.cause,
            changed_at=stamp.now,
            changed_by=stamp.by,
        )
    )
    await session.flush()


def _content(row: EntryRow) -> dict[str, Any]:
    content: Mapping[str, Any] = row.model_dump(mode="json", include=set(_TYPES) - {"division"})
    return dict(content)


async def page_of_entries(
    session: AsyncSession,
    page: Page,
    *,
    provider: str = "",
    division: str = "",
    kind: str = "",
    without: str = "",
    include_retired: bool = False,
) -> Sequence[EntryRow]:
    """Return entries by number, without those of the kind `without`.

    Those of a provider that was merged count as those of the one it was merged into, and vice versa.
    """
    statement = select(EntryRow).order_by(col(EntryRow.entry_id)).limit(page.fetch)
    states = [EntryState.ACTIVE, EntryState.RETIRED] if include_retired else [EntryState.ACTIVE]
    statement = statement.where(col(EntryRow.state).in_([state.value for state in states]))
    if provider:
        statement = statement.where(col(EntryRow.provider).in_(await same_institution(session, provider)))
    if division:
        statement = statement.where(col(EntryRow.division).startswith(stem(division)))
    if kind:
        statement = statement.where(EntryRow.kind == kind)
    if without:
        statement = statement.where(EntryRow.kind != without)
    if page.after is not None:
        statement = statement.where(col(EntryRow.entry_id) > page.after[0])
    return (await session.exec(statement)).all()


async def same_institution(session: AsyncSession, provider: str) -> list[str]:
    """Return the codes under which one institution is in the pool: the one that is kept first, then those merged into it."""
    kept = (await session.exec(select(ProviderMergeRow.kept).where(ProviderMergeRow.provider == provider))).one_or_none() or provider
    merged = select(ProviderMergeRow.provider).where(ProviderMergeRow.kept == kept).order_by(col(ProviderMergeRow.provider))
    return [kept, *(await session.exec(merged)).all()]


async def page_of_versions(session: AsyncSession, entry_id: int, page: Page) -> Sequence[VersionRow]:
    """Return the versions of an entry, oldest first."""
    statement = select(VersionRow).where(VersionRow.entry_id == entry_id).order_by(col(VersionRow.version)).limit(page.fetch)
    if page.after is not None:
        statement = statement.where(VersionRow.version > page.after[0])
    return (await session.exec(statement)).all()
