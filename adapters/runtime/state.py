"""What an adapter remembers: deliveries, records sent and their outcomes, the queue, quarantine, positions, what the hub told. SQLite.

The ledger is elsewhere: losing this file loses no money. A rerun then sends everything again under the same ids, and nothing doubles.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

from adapters.runtime.database import Database
from adapters.runtime.deliveries import Deliveries
from adapters.runtime.quarantining import Quarantine
from adapters.runtime.queueing import Queue
from adapters.runtime.records import Parking, Records
from adapters.runtime.source import Notice
from adapters.runtime.told import Told

_NOTICES = "source/notices"


class State:
    """An adapter's memory. Safe to call from several threads of the one process that owns it; `read_only` for another process's look."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.db = Database(path, read_only=read_only)
        self.deliveries = Deliveries(self.db)
        self.records = Records(self.db)
        self.queue = Queue(self.db)
        self.parking = Parking(self.db)
        self.quarantine = Quarantine(self.db)
        self.told = Told(self.db)
        if not read_only:
            self.told.take_over()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self.db.close()

    def transaction(self, *, durable: bool = False) -> AbstractContextManager[None]:
        """Keep all that is written inside together, or nothing; `durable` outlives a loss of power as well."""
        return self.db.transaction(durable=durable)

    def cursor(self, key: str) -> str:
        """Return what was last kept under a key, or nothing."""
        found = self.db.one("SELECT value FROM cursor WHERE key = ?", (key,))
        return str(found[0]) if found else ""

    def keep(self, key: str, value: str) -> None:
        """Keep a value under a key."""
        self.db.run("INSERT OR REPLACE INTO cursor VALUES (?, ?)", (key, value))

    def position(self, topic: str, part: int) -> tuple[int, str] | None:
        """Return the next offset to read and the id of the event before it, or None."""
        found = self.db.one("SELECT next, last FROM position WHERE topic = ? AND part = ?", (topic, part))
        return (int(found[0]), str(found[1])) if found else None

    def advance(self, topic: str, part: int, next_offset: int, last_id: str) -> None:
        """Note how far a partition was read, in the transaction that keeps what was read."""
        self.db.run("INSERT OR REPLACE INTO position VALUES (?, ?, ?, ?)", (topic, part, next_offset, last_id))

    def contact(self, loop: str, *, up: bool, at: str, error: str = "") -> None:
        """Note that a loop reached its counterpart, or that it did not and why."""
        self.db.run(
            "INSERT INTO contact (loop, up, last_success_at, error, since) VALUES (?1, ?2, CASE WHEN ?2 THEN ?3 ELSE '' END, ?4, ?3)"
            " ON CONFLICT (loop) DO UPDATE SET since = CASE WHEN up = ?2 THEN since ELSE ?3 END, up = ?2, error = ?4,"
            " last_success_at = CASE WHEN ?2 THEN ?3 ELSE last_success_at END",
            (loop, int(up), at, error),
        )

    def contacts(self) -> list[tuple[str, bool, str, str, str]]:
        """Return (loop, up, last success, error, since) of each loop."""
        rows = self.db.all("SELECT loop, up, last_success_at, error, since FROM contact ORDER BY loop")
        return [(str(name), bool(up), str(success), str(error), str(since)) for name, up, success, error, since in rows]

    def notice(self, notices: Sequence[Notice]) -> None:
        """Keep what the source leaves lying at the province, in place of what it did before."""
        self.keep(_NOTICES, json.dumps([asdict(each) for each in notices], ensure_ascii=False))

    def notices(self) -> list[dict[str, str]]:
        """Return what the source leaves lying at the province: name, code, text, since."""
        found: list[dict[str, str]] = json.loads(self.cursor(_NOTICES) or "[]")
        return found

    def pushed(self) -> dict[str, str]:
        """Return the digests of the result files that the province has, by name."""
        return {str(name): str(digest) for name, digest in self.db.all("SELECT name, digest FROM pushed")}

    def push(self, digests: dict[str, str]) -> None:
        """Note that the province has these result files."""
        with self.transaction():
            self.db.many("INSERT OR REPLACE INTO pushed VALUES (?, ?)", list(digests.items()))
