"""What the hub told, as it stands after the last event about each thing. Events themselves are not kept: Kafka and the hub keep them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from operator import attrgetter

from adapters.runtime.database import Database
from adapters.runtime.results import EVENTS, FACTS, DrawRow, FactRow, RedemptionRow, facts, merged

_ORDERLESS = -1
_VALUES = {what: attrgetter(*(each.name for each in fields(row))) for what, row in FACTS.items()}


class Told:
    """Table `told`: one row for each redemption, note, obligation and position the province may know of."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def take(self, arrived: Iterable[tuple[str, str, bytes]], at: str) -> int:
        """Take events (id, type, body) in; return how many said something. One that comes again, or late, changes nothing.

        The id of an event of the hub is its place in the hub's own order: what is known from a later event is not overwritten.
        """
        latest: dict[tuple[str, str], list[tuple[int, FactRow]]] = {}
        said = 0
        for event_id, name, body in arrived:
            kind = EVENTS.get(name)
            if kind is None:
                continue
            said += 1
            for what, fact_id, row in facts(kind.FromString(body)):
                latest.setdefault((what, fact_id), []).append((_order(event_id), row))
        if latest:
            self._merge(latest, at)
        return said

    def _merge(self, latest: dict[tuple[str, str], list[tuple[int, FactRow]]], at: str) -> None:
        stand = self._stand(list(latest))
        changed = []
        for key, rows in latest.items():
            seq, before = stand.get(key, (_ORDERLESS, None))
            for order, row in rows:
                if order == _ORDERLESS or order >= seq:
                    before, seq = merged(before, row), max(seq, order)
            if before is not None:
                changed.append((*key, seq, at, json.dumps(_VALUES[key[0]](before), ensure_ascii=False)))
        self._db.many("INSERT OR REPLACE INTO told VALUES (?, ?, ?, ?, ?)", changed)

    def _stand(self, keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], tuple[int, FactRow]]:
        query = (
            "SELECT t.what, t.id, t.seq, t.body FROM json_each(?) j CROSS JOIN told t ON t.what = j.value ->> 0 AND t.id = j.value ->> 1"
        )
        rows = self._db.all(query, (json.dumps(keys, ensure_ascii=False),))
        return {(what, fact_id): (seq, FACTS[what](*json.loads(body))) for what, fact_id, seq, body in rows}

    def redemptions(self, redemption_ids: Iterable[str]) -> dict[str, RedemptionRow]:
        """Return redemptions as they stand, by id; those of which nothing was told are left out."""
        found = self._stand([("redemption", each) for each in dict.fromkeys(redemption_ids)])
        return {fact_id: row for (_, fact_id), (_, row) in found.items() if isinstance(row, RedemptionRow)}

    def drawn_by(self, issuer: str, numbers: Iterable[str]) -> set[str]:
        """Return the redemptions by which notes of an issuer were drawn on last; the hub alone knows all of them."""
        found = self._stand([("draw", f"{issuer}/{number}") for number in numbers])
        return {row.redemption_id for _, row in found.values() if isinstance(row, DrawRow)}

    def rows(self, since: str = "") -> Iterator[FactRow]:
        """Yield how things stand; with `since` only what changed from then on."""
        for what, body in self._db.all("SELECT what, body FROM told WHERE changed_at >= ?", (since,)):
            yield FACTS[what](*json.loads(body))

    def depth(self) -> dict[str, int]:
        """Return how many things are known of each kind."""
        return {str(what): int(count) for what, count in self._db.all("SELECT what, count(*) FROM told GROUP BY what")}

    def take_over(self) -> None:
        """Take in the events that the first release kept as such, and let them go."""
        if self._db.one("SELECT 1 FROM sqlite_master WHERE name = 'event' AND type = 'table'") is None:
            return
        with self._db.transaction():
            kept = self._db.all("SELECT id, type, body FROM event ORDER BY rowid")
            self.take([(str(event_id), str(name), bytes(body)) for event_id, name, body in kept], "")
            self._db.run("DROP TABLE event")


def _order(event_id: str) -> int:
    """Return an event's place in the hub's order: its id is `<source>#<number>`."""
    number = event_id.rpartition("#")[2]
    return int(number) if number.isascii() and number.isdecimal() else _ORDERLESS
