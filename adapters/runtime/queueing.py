"""What is to leave: the queue, on disk and in order."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from adapters.runtime.database import Database
from adapters.runtime.model import Phase

ORDER: Mapping[Phase, int] = {phase: at for at, phase in enumerate(Phase)}
"""Place of a phase among all, as the queue keeps it."""


@dataclass(frozen=True, slots=True)
class Queued:
    """A command that is to leave. `value` is the whole request, `seq` its place, given by the queue."""

    phase: Phase
    key: str
    headers: Mapping[str, str]
    value: bytes
    request_id: str
    seq: int = 0


class Queue:
    """Table `queue`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, commands: Iterable[Queued]) -> None:
        """Put commands at the end, in this order."""
        rows = [(ORDER[each.phase], each.key, orjson.dumps(dict(each.headers)).decode(), each.value, each.request_id) for each in commands]
        self._db.many("INSERT INTO queue (phase, key, headers, value, request_id) VALUES (?, ?, ?, ?, ?)", rows)

    def head(self, limit: int) -> list[Queued]:
        """Return the first commands of the earliest phase there is, in order."""
        rows = self._db.all(
            "SELECT phase, key, headers, value, request_id, seq FROM queue"
            " WHERE phase = (SELECT min(phase) FROM queue) ORDER BY seq LIMIT ?",
            (limit,),
        )
        phases = tuple(Phase)
        return [Queued(phases[at], key, orjson.loads(headers), value, identity, seq) for at, key, headers, value, identity, seq in rows]

    def forget(self, commands: Sequence[Queued], at: str) -> None:
        """Take commands out that the broker has acknowledged, and note when they left."""
        seqs = json.dumps([command.seq for command in commands])
        self._db.run(
            "UPDATE sent SET sent_at = ? WHERE request_id IN (SELECT request_id FROM queue WHERE seq IN (SELECT value FROM json_each(?)))",
            (at, seqs),
        )
        self._db.run("DELETE FROM queue WHERE seq IN (SELECT value FROM json_each(?))", (seqs,))

    def depth(self) -> int:
        """Return how many commands wait."""
        found = self._db.one("SELECT count(*) FROM queue")
        return int(found[0]) if found else 0
