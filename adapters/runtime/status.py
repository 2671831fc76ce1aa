"""How an adapter is, read from its memory while it runs or after: for a person, and for a script."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from adapters.runtime.state import State

LOOPS = ("province", "intake", "sending", "receiving")


@dataclass(slots=True)
class LoopStatus:
    """A loop as it was last written down: what it reaches, when it last did, what is wrong and since when."""

    name: str
    up: bool
    last_success_at: str
    error: str
    since: str


@dataclass(slots=True)
class Status:
    """Counts of an adapter's memory. `oldest_unanswered_seconds` is 0 where nothing is unanswered; `attention` says what needs a person."""

    province: str
    division: str
    running: bool = False
    deliveries: int = 0
    deliveries_open: int = 0
    rows_read: int = 0
    records: int = 0
    accepted: int = 0
    queue: int = 0
    parked: int = 0
    unanswered: int = 0
    oldest_unanswered_seconds: float = 0.0
    refused: dict[str, int] = field(default_factory=dict)
    retries_due: int = 0
    quarantined: dict[str, int] = field(default_factory=dict)
    told: dict[str, int] = field(default_factory=dict)
    loops: list[LoopStatus] = field(default_factory=list)
    notices: list[dict[str, str]] = field(default_factory=list)
    attention: list[str] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return the status as plain data for `--json`."""
        return {"ok": not self.attention, **asdict(self)}


def status_of(name: str, division: str, state: State, now: datetime, *, running: bool, unheard_seconds: float = 3600.0) -> Status:
    """Return the status of an adapter from its memory, which may be open read-only."""
    status = Status(name, division, running)
    status.deliveries, status.deliveries_open, status.rows_read = state.deliveries.counts()
    outcomes: Counter[str] = Counter()
    for _, _, outcome, count in state.records.tally():
        outcomes[outcome] += count
    status.records, status.accepted = outcomes.total(), outcomes.pop("OK", 0)
    outcomes.pop("", None)
    status.refused = dict(sorted(outcomes.items()))
    status.queue, status.parked = state.queue.depth(), state.parking.depth()
    status.unanswered, oldest = state.records.oldest_unanswered()
    if oldest:
        status.oldest_unanswered_seconds = max(0.0, (now - datetime.fromisoformat(oldest)).total_seconds())
    status.retries_due = state.records.scheduled()
    status.quarantined, status.told = state.quarantine.tally(), state.told.depth()
    contacts = {contact[0]: contact for contact in state.contacts()}
    status.loops = [LoopStatus(loop, *contacts[loop][1:]) for loop in LOOPS if loop in contacts]
    status.notices = state.notices()
    status.attention = list(_attention(status, unheard_seconds))
    return status


def _attention(status: Status, unheard_seconds: float) -> list[str]:
    found = [f"{loop.name}: {loop.error} (since {loop.since})" for loop in status.loops if not loop.up]
    if status.quarantined:
        found.append(f"{sum(status.quarantined.values())} rows in quarantine")
    if status.refused:
        found.append(f"{sum(status.refused.values())} records refused")
    if status.oldest_unanswered_seconds > unheard_seconds:
        found.append(f"{status.unanswered} commands unanswered, the oldest for {status.oldest_unanswered_seconds:,.0f} s")
    found += [f"{notice['name']}: {notice['text']} (since {notice['since']})" for notice in status.notices]
    return found
