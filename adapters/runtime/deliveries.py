"""The deliveries of a province as the memory knows them: what landed, how far it was read, what was taken and told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from adapters.runtime.database import Database


@dataclass(frozen=True, slots=True)
class Landed:
    """A delivery. `next_row` is where reading goes on; `rows` to `quarantined` count what was read so far.

    `told` says that the province was told that the delivery was taken, `removed` that its file is no longer kept,
    `historic` that it came by a backfill.
    """

    number: int
    name: str
    digest: str
    landed_at: str
    state: str
    next_row: int
    rows: int
    sent: int
    unchanged: int
    quarantined: int
    taken_at: str
    told: bool
    removed: bool
    historic: bool


@dataclass(slots=True)
class Counts:
    """What came of some rows of a delivery."""

    rows: int = 0
    sent: int = 0
    unchanged: int = 0
    quarantined: int = 0


_COLUMNS = "number, name, digest, landed_at, state, next_row, rows, sent, unchanged, quarantined, taken_at, told, removed, historic"


class Deliveries:
    """Table `delivery`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def add(self, number: int, name: str, digest: str, at: str, *, historic: bool = False) -> None:
        """Note that a delivery has landed; `historic` where it came by a backfill."""
        values = (number, name, digest, at, int(historic))
        self._db.run("INSERT INTO delivery (number, name, digest, landed_at, historic) VALUES (?, ?, ?, ?, ?)", values)

    def get(self, number: int) -> Landed | None:
        """Return a delivery by its number."""
        found = self._select("WHERE number = ?", (number,))
        return found[0] if found else None

    def last_digest(self, name: str) -> str:
        """Return the digest of what landed last under a name, or nothing."""
        found = self._db.one("SELECT digest FROM delivery WHERE name = ? ORDER BY number DESC LIMIT 1", (name,))
        return str(found[0]) if found else ""

    def last_number(self) -> int:
        """Return the highest number there is, 0 where there is none."""
        found = self._db.one("SELECT coalesce(max(number), 0) FROM delivery")
        return int(found[0]) if found else 0

    def waiting(self, limit: int) -> list[Landed]:
        """Return deliveries that are not wholly read, the oldest first."""
        return self._select("WHERE state = 'LANDED' ORDER BY number LIMIT ?", (limit,))

    def untold(self, limit: int) -> list[Landed]:
        """Return deliveries that were taken and of which the province does not know it, the oldest first."""
        return self._select("WHERE state = 'TAKEN' AND told = 0 ORDER BY number LIMIT ?", (limit,))

    def kept_before(self, instant: str, limit: int) -> list[Landed]:
        """Return deliveries taken before an instant whose files are still kept."""
        return self._select("WHERE told = 1 AND removed = 0 AND taken_at < ? ORDER BY taken_at LIMIT ?", (instant, limit))

    def all(self) -> list[Landed]:
        """Return all deliveries by number."""
        return self._select("ORDER BY number", ())

    def progress(self, number: int, next_row: int, counts: Counts, *, taken_at: str = "") -> None:
        """Note how far a delivery was read and what came of it; `taken_at` where nothing is left of it."""
        self._db.run(
            "UPDATE delivery SET next_row = ?, rows = rows + ?, sent = sent + ?, unchanged = unchanged + ?, quarantined = quarantined + ?,"
            " state = CASE ? WHEN '' THEN state ELSE 'TAKEN' END, taken_at = ? WHERE number = ?",
            (next_row, counts.rows, counts.sent, counts.unchanged, counts.quarantined, taken_at, taken_at, number),
        )

    def told(self, number: int) -> None:
        """Note that the province knows that a delivery was taken."""
        self._db.run("UPDATE delivery SET told = 1 WHERE number = ?", (number,))

    def removed(self, number: int) -> None:
        """Note that a delivery's file is no longer kept."""
        self._db.run("UPDATE delivery SET removed = 1 WHERE number = ?", (number,))

    def open(self) -> int:
        """Return how many deliveries are not wholly read."""
        found = self._db.one("SELECT count(*) FROM delivery WHERE state = 'LANDED'")
        return int(found[0]) if found else 0

    def counts(self) -> tuple[int, int, int]:
        """Return how many deliveries there are, how many are not wholly read, and how many rows were read."""
        found = self._db.one("SELECT count(*), coalesce(sum(state = 'LANDED'), 0), coalesce(sum(rows), 0) FROM delivery")
        return (int(found[0]), int(found[1]), int(found[2])) if found else (0, 0, 0)

    def _select(self, rest: str, values: Sequence[str | int]) -> list[Landed]:
        rows = self._db.all(f"SELECT {_COLUMNS} FROM delivery {rest}", values)
        return [Landed(*row[:-3], *map(bool, row[-3:])) for row in rows]
