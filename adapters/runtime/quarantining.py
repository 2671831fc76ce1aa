"""The quarantine as the memory keeps it: rows that could not be used, each with its place, its field and its reason."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields

from adapters.runtime.database import Database
from adapters.runtime.model import Broken, Phase


@dataclass(frozen=True, slots=True)
class QuarantinedRow:
    """A quarantined row as the adapter's operator sees it. `delivery` and `row` say where in what landed it stands."""

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
    kind: str = ""
    delivery: int = 0
    row: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A broken row on its way into quarantine, with its place. `kind` is empty for what is not even a record."""

    broken: Broken
    phase: Phase
    kind: str
    delivery: int
    row: int


class Quarantine:
    """Table `quarantine`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, rows: Iterable[Held], seen_at: str) -> None:
        """Put rows into quarantine."""
        values = [
            (
                *(held.phase, held.broken.file, held.broken.line, held.broken.field, held.broken.value, held.broken.native_id),
                *(held.broken.reason_code, held.broken.reason_zh, held.broken.reason_en, seen_at, held.kind, held.delivery, held.row),
            )
            for held in rows
        ]
        self._db.many(
            "INSERT INTO quarantine (phase, file, line, field, value, native_id, reason, zh, en, seen_at, kind, delivery, row)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        )

    def release(self, records: Sequence[tuple[str, str]]) -> None:
        """Let go of the rows of records (kind, native id): they came again, and what they say now counts."""
        if records:
            self._db.run(
                "DELETE FROM quarantine WHERE id IN (SELECT q.id FROM json_each(?) j CROSS JOIN quarantine q"
                " ON q.native_id = j.value ->> 1 AND q.kind = j.value ->> 0 WHERE q.native_id != '')",
                (json.dumps(list(dict.fromkeys(records)), ensure_ascii=False),),
            )

    def release_nameless(self, file: str) -> None:
        """Let go of the rows of a file that carry no native id: the file came again, and only it can say whether they were mended."""
        self._db.run("DELETE FROM quarantine WHERE file = ? AND native_id = ''", (file,))

    def rows(self) -> list[QuarantinedRow]:
        """Return all of it, in the order it was filled."""
        columns = ", ".join(each.name for each in fields(QuarantinedRow))
        return [QuarantinedRow(*row) for row in self._db.all(f"SELECT {columns} FROM quarantine ORDER BY id")]

    def tally(self) -> dict[str, int]:
        """Return how many rows there are of each reason."""
        return {str(reason): int(count) for reason, count in self._db.all("SELECT reason, count(*) FROM quarantine GROUP BY reason")}

    def depth(self) -> int:
        """Return how many rows there are."""
        found = self._db.one("SELECT count(*) FROM quarantine")
        return int(found[0]) if found else 0
