"""What the pool's topic is told of the catalogue. Entries are named, not quoted: no name of an expert stays in the topic."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from hub.codec.encode import timestamp
from hub.codec.events import POOL, Event, event
from hub.domain.divisions import province_of
from registry.catalogue.codec import KIND_OUT, STATE_OUT
from registry.catalogue.domain import EntryState, Kind
from registry.catalogue.store import Written
from registry.catalogue.tables import EntryRow
from yrd.events.v1 import events_pb2
from yrd.registry.v1 import catalogue_pb2

CHANGES_MAX = 1_000
"""Entries told of in one event; a bulk import leaves as many events as it needs."""

Change = events_pb2.EntriesChanged.Change


def changes_of(written: Iterable[Written]) -> list[Change]:
    """Return what to tell of entries that were written."""
    return [_change(item.entry_id, item.provider, item.kind, item.code, EntryState.ACTIVE, item.version) for item in written]


def change_of(row: EntryRow) -> Change:
    """Return what to tell of one entry as it is now."""
    assert row.entry_id is not None
    change = _change(row.entry_id, row.provider, row.kind, row.code, EntryState(row.state), row.version)
    change.merged_into = row.merged_into or 0
    return change


def _change(entry_id: int, provider: str, kind: str, code: str, state: EntryState, version: int) -> Change:
    return Change(entry_id=entry_id, provider=provider, kind=KIND_OUT[Kind(kind)], code=code, state=STATE_OUT[state], version=version)


def entries_changed(division: str, changes: Sequence[Change], cause: str, now: datetime) -> list[Event]:
    """Tell everyone of changed entries of one province, which is the key: its changes stay in order."""
    return [
        event(
            POOL,
            province_of(division),
            events_pb2.EntriesChanged(changes=changes[start : start + CHANGES_MAX], cause=cause, occurred_at=timestamp(now)),
        )
        for start in range(0, len(changes), CHANGES_MAX)
    ]


def providers_merged(proposal: catalogue_pb2.MergeProposal, merged: str, now: datetime) -> Event:
    """Tell everyone that two providers are one institution."""
    body = events_pb2.ProvidersMerged(provider=merged, kept=proposal.kept, proposal_id=proposal.proposal_id, occurred_at=timestamp(now))
    return event(POOL, merged, body)
