"""Backfill of years: history landed beside the live feed, step by step, by whichever process of the province is at work.

What comes this way is marked as history. A record that the live feed brought is never overridden by it: what the feed said is at least as
new. Records known from history only follow one another in the order in which the province's system hands its history over. The same bytes
landed before, live or not, land no second time, and the same edition has one effect however it came.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path

from adapters.runtime.folder import FolderSource
from adapters.runtime.landing import FileLanding
from adapters.runtime.model import Adapter
from adapters.runtime.reading import kinds_in
from adapters.runtime.source import Delivery, Source
from adapters.runtime.state import State
from hub.domain.clock import Clock, local_date

_KEY = "backfill/request"


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill asked for, and how far it is. `since` and `until` are days, both included; `folder` stands in for the province's system.

    `landed` counts deliveries that were new, `steps` what was asked of the source. `done_at` is empty until there is no more.
    """

    since: str
    until: str
    folder: str = ""
    asked_at: str = ""
    landed: int = 0
    steps: int = 0
    done_at: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return it as plain data."""
        return asdict(self)


class HistoryLanding:
    """Implements `source.Landing` over the adapter's own: what is put is marked as history, and cursors are the backfill's alone."""

    def __init__(self, landing: FileLanding, asked: Backfill) -> None:
        self._landing = landing
        self._prefix = f"backfill/{asked.since}/{asked.until}/{asked.folder}/"
        self.landed = 0

    def part(self, name: str) -> Path:
        """Return where the bytes of an unfinished delivery are gathered, apart from those of the live feed."""
        return self._landing.part(f"backfill/{name}")

    def put(self, name: str, content: Path | Iterable[bytes], *, cursor: tuple[str, str] | None = None) -> Delivery | None:
        """Land a delivery as history."""
        kept = (self._prefix + cursor[0], cursor[1]) if cursor is not None else None
        delivery = self._landing.land(name, content, cursor=kept, historic=True)
        self.landed += delivery is not None
        return delivery

    def cursor(self, key: str) -> str:
        """Return what was last kept under a key by this backfill."""
        return self._landing.cursor(self._prefix + key)

    def keep(self, key: str, value: str) -> None:
        """Keep a cursor of this backfill."""
        self._landing.keep(self._prefix + key, value)


def asked(state: State) -> Backfill | None:
    """Return the backfill that was last asked for, done or not."""
    found = state.cursor(_KEY)
    return Backfill(**json.loads(found)) if found else None


def ask(state: State, since: str, until: str, clock: Clock, *, folder: str = "") -> Backfill:
    """Ask for a backfill; one of the same days and folder that is under way goes on. `until` empty means today.

    Raises ValueError for days that are none, in the wrong order or in the future, and for another backfill that is not done.
    """
    today = local_date(clock.now())
    first, last = _day(since), _day(until) if until else today
    if first > last or last > today:
        raise ValueError(f"--since {first} must not be after --until {last}, nor that after today ({today})")
    wanted = Backfill(first.isoformat(), last.isoformat(), folder, clock.now().isoformat())
    with state.transaction(durable=True):
        before = asked(state)
        if before is not None and not before.done_at:
            if (before.since, before.until, before.folder) == (wanted.since, wanted.until, wanted.folder):
                return before
            raise ValueError(f"a backfill from {before.since} to {before.until} is under way; let it end, or take it back with --cancel")
        _keep(state, wanted)
    return wanted


def cancel(state: State, clock: Clock) -> Backfill | None:
    """Take a backfill back that is not done; what has landed stays. Asked for again, it goes on where it was."""
    with state.transaction(durable=True):
        before = asked(state)
        if before is None or before.done_at:
            return None
        ended = replace(before, done_at=clock.now().isoformat())
        _keep(state, ended)
    return ended


def step(adapter: Adapter, state: State, landing: FileLanding, source: Source, clock: Clock) -> Backfill | None:
    """Land a piece of the backfill that is under way, and return how far it is; None where none is. Raises SourceDown and SourceFault."""
    under_way = asked(state)
    if under_way is None or under_way.done_at:
        return None
    history = HistoryLanding(landing, under_way)
    before = FolderSource(Path(under_way.folder), lambda name: kinds_in(adapter, name)) if under_way.folder else source
    more = before.backfill(history, under_way.since, under_way.until)
    with state.transaction(durable=True):
        current = asked(state)
        if current is None or current.asked_at != under_way.asked_at or current.done_at:
            return current  # taken back in between
        done_at = "" if more else clock.now().isoformat()
        after = replace(current, landed=current.landed + history.landed, steps=current.steps + 1, done_at=done_at)
        _keep(state, after)
    return after


def run(
    adapter: Adapter, state: State, landing: FileLanding, source: Source, clock: Clock, progress: Callable[[Backfill], None]
) -> Backfill | None:
    """Do all of the backfill that is under way. It may be broken off at any moment and goes on where it was."""
    last = asked(state)
    while (now := step(adapter, state, landing, source, clock)) is not None:
        last = now
        progress(now)
    return last


def _keep(state: State, backfill: Backfill) -> None:
    state.keep(_KEY, json.dumps(asdict(backfill)))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a day of the form YYYY-MM-DD") from None
