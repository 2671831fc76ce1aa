"""What an adapter remembers between runs: records sent and their outcomes, quarantine, events, positions. SQLite, local to it.

The ledger is elsewhere: losing this file loses no money. A rerun then sends everything again under the same ids, and nothing doubles.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.runtime.identity import Sent
from adapters.runtime.model import Broken, Kind, NativeRecord, Phase

_SCHEMA = """
CREATE TABLE IF NOT EXISTS sent (
    kind TEXT NOT NULL, native_id TEXT NOT NULL, phase TEXT NOT NULL, file TEXT NOT NULL, line TEXT NOT NULL, digest TEXT NOT NULL,
    attempt INTEGER NOT NULL, request_id TEXT NOT NULL UNIQUE, method TEXT NOT NULL, outcome TEXT NOT NULL DEFAULT '',
    message_zh TEXT NOT NULL DEFAULT '', message_en TEXT NOT NULL DEFAULT '', redemption_id TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (kind, native_id)
) STRICT;
CREATE TABLE IF NOT EXISTS quarantine (
    phase TEXT NOT NULL, file TEXT NOT NULL, line TEXT NOT NULL, field TEXT NOT NULL, value TEXT NOT NULL, native_id TEXT NOT NULL,
    reason TEXT NOT NULL, zh TEXT NOT NULL, en TEXT NOT NULL, seen_at TEXT NOT NULL, PRIMARY KEY (file, line, field, reason)
) STRICT;
CREATE TABLE IF NOT EXISTS event (id TEXT PRIMARY KEY, type TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS position (topic TEXT NOT NULL, part INTEGER NOT NULL, next INTEGER NOT NULL, last TEXT NOT NULL,
    PRIMARY KEY (topic, part)) STRICT;
"""


@dataclass(frozen=True, slots=True)
class SentRow:
    """A record sent, with its outcome so far."""

    kind: str
    native_id: str
    file: str
    line: str
    outcome: str
    message_zh: str
    message_en: str
    redemption_id: str


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A quarantined row as the adapter's operator sees it."""

    phase: str
    file: str
    line: str
    field: str
    value: str
    native_id: str
    reason: str
    zh: str
    en: str
    seen_at: str


class State:
    """An adapter's memory. One adapter process owns it; calls come one at a time."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Phases of one adapter may run on different threads, one after the other.
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.executescript(_SCHEMA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Keep all that is written inside together, or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def sent(self, kind: Kind, native_id: str) -> Sent | None:
        """Return what is known of a record sent before."""
        found = self._db.execute("SELECT digest, attempt, outcome FROM sent WHERE kind = ? AND native_id = ?", (kind, native_id)).fetchone()
        return Sent(*found) if found else None

    def redemption_of(self, native_id: str) -> tuple[str, str] | None:
        """Return (outcome, redemption id) of an authorization by its native id, or None if it was never sent."""
        query = "SELECT outcome, redemption_id FROM sent WHERE kind = ? AND native_id = ?"
        found = self._db.execute(query, (Kind.AUTHORIZATION, native_id)).fetchone()
        return (str(found[0]), str(found[1])) if found else None

    def remember(self, record: NativeRecord, phase: Phase, digest: str, attempt: int, request_id: str, method: str) -> None:
        """Note a record as about to be sent. It comes before the sending: what may have left is never forgotten."""
        row = (record.kind, record.native_id, phase, record.file, record.line, digest, attempt, request_id, method)
        self._db.execute(
            "INSERT OR REPLACE INTO sent (kind, native_id, phase, file, line, digest, attempt, request_id, method)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    def answer(self, request_id: str, outcome: str, zh: str, en: str, redemption_id: str) -> None:
        """Note the outcome of a command. One of an earlier revision finds no row and is dropped: it no longer matters."""
        self._db.execute(
            "UPDATE sent SET outcome = ?, message_zh = ?, message_en = ?, redemption_id = ? WHERE request_id = ?",
            (outcome, zh, en, redemption_id, request_id),
        )

    def unanswered(self, phase: Phase) -> int:
        """Return how many records of a phase wait for their outcome."""
        return int(self._db.execute("SELECT count(*) FROM sent WHERE phase = ? AND outcome = ''", (phase,)).fetchone()[0])

    def tally(self, phase: Phase) -> list[tuple[str, str, int]]:
        """Return (kind, outcome, count) of a phase."""
        query = "SELECT kind, outcome, count(*) FROM sent WHERE phase = ? GROUP BY kind, outcome ORDER BY kind, outcome"
        return [(str(kind), str(outcome), int(count)) for kind, outcome, count in self._db.execute(query, (phase,))]

    def all_sent(self) -> list[SentRow]:
        """Return all records sent, by file, kind and native id."""
        columns = "kind, native_id, file, line, outcome, message_zh, message_en, redemption_id"
        return [SentRow(*row) for row in self._db.execute(f"SELECT {columns} FROM sent ORDER BY file, kind, native_id")]

    def quarantine(self, phase: Phase, rows: Sequence[Broken], seen_at: str) -> None:
        """Replace what a phase has in quarantine: a row that was mended since leaves it."""
        self._db.execute("DELETE FROM quarantine WHERE phase = ?", (phase,))
        values = [(phase, r.file, r.line, r.field, r.value, r.native_id, r.reason_code, r.reason_zh, r.reason_en, seen_at) for r in rows]
        self._db.executemany("INSERT OR REPLACE INTO quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", values)

    def quarantined(self) -> list[QuarantinedRow]:
        """Return the quarantine, in the order it was filled."""
        return [QuarantinedRow(*row) for row in self._db.execute("SELECT * FROM quarantine ORDER BY rowid")]

    def keep_event(self, event_id: str, event_type: str, body: bytes) -> bool:
        """Keep an event; say False if it was kept before (the broker delivers at least once)."""
        return self._db.execute("INSERT OR IGNORE INTO event VALUES (?, ?, ?)", (event_id, event_type, body)).rowcount == 1

    def events(self) -> Iterator[tuple[str, bytes]]:
        """Yield (type, body) of all events kept, in the order of arrival."""
        yield from self._db.execute("SELECT type, body FROM event ORDER BY rowid")

    def position(self, topic: str, part: int) -> tuple[int, str] | None:
        """Return the next offset to read and the id of the event before it, or None."""
        found = self._db.execute("SELECT next, last FROM position WHERE topic = ? AND part = ?", (topic, part)).fetchone()
        return (int(found[0]), str(found[1])) if found else None

    def advance(self, topic: str, part: int, next_offset: int, last_id: str) -> None:
        """Note how far a partition was read, in the transaction that keeps what was read."""
        self._db.execute("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?)", (topic, part, next_offset, last_id))
