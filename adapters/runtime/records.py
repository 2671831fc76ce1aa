"""What the memory knows of native records: the edition delivered last, the command sent last, and what the hub holds by it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from adapters.runtime.database import Database
from adapters.runtime.edition import Edition
from adapters.runtime.model import Kind, Phase


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
class Known:
    """A native record for which a command was sent: the last one, what became of it, and what the hub holds by all of them.

    `outcome` is empty while unanswered, `OK`, or a refusal code. `request` is the command without its request id. `held` is the request
    whose effect stands at the hub, `ever` whether any ever did, `spent` whether a note that was cancelled had been used, `state` the
    redemption's; `historic`: the edition came by a backfill. `delivery` and `row` say where the edition stood, `refers_to` the
    authorization that a capture is about. `retries` counts new attempts after refusals, `sends` the times the command was sent again
    for want of an answer. A withdrawn record that was never sent has no `method`, and is before its first attempt. Instants are ISO
    8601, empty where there was none.
    """

    kind: Kind
    native_id: str
    phase: Phase
    file: str
    line: str
    digest: str
    attempt: int
    request_id: str
    method: str
    outcome: str = ""
    message_zh: str = ""
    message_en: str = ""
    redemption_id: str = ""
    delivery: int = 0
    row: int = 0
    deleted: bool = False
    request: bytes = b""
    key: str = ""
    source: str = ""
    retries: int = 0
    due_at: str = ""
    sent_at: str = ""
    last_answered_at: str = ""
    sends: int = 0
    id_field: str = ""
    refers_to: str = ""
    held: bytes = b""
    ever: bool = False
    spent: bool = False
    state: str = ""
    historic: bool = False

    @property
    def place(self) -> str:
        """Where the record stood."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Delivered:
    """An edition of a record with its place in what landed. `refers_to` is the authorization that a capture is about.

    `revises`: in its delivery it takes the place of what stands before it. That is judged while reading and not kept.
    """

    edition: Edition
    file: str
    line: str
    delivery: int = 0
    row: int = 0
    refers_to: str = ""
    refers_field: str = ""
    revises: bool = False

    @property
    def record(self) -> tuple[Kind, str]:
        """Kind and native id."""
        return self.edition.kind, self.edition.native_id


def delivered_again(known: Known) -> Delivered:
    """Return the edition that a record's last command was sent for."""
    command = (known.method, known.key, known.request)
    edition = Edition(known.kind, known.native_id, known.digest, known.deleted, known.id_field, *command, historic=known.historic)
    return Delivered(edition, known.file, known.line, known.delivery, known.row, known.refers_to, known.id_field)


_NAMES = [each.name for each in fields(Known)]
_COLUMNS = ", ".join(_NAMES)
# What the hub holds is nearly always the last request itself: a mark says so, and the bytes are kept once.
_SELECTED = _COLUMNS.replace("held", "CASE holds WHEN 1 THEN request ELSE held END")
_JOINED = ", ".join(f"s.{name}" for name in _NAMES).replace("s.held", "CASE s.holds WHEN 1 THEN s.request ELSE s.held END")
_UPSERT = (
    f"INSERT INTO sent ({_COLUMNS}, holds) VALUES ({', '.join('?' * (len(_NAMES) + 1))}) ON CONFLICT (kind, native_id) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in (*_NAMES[2:], "holds"))
)


class Records:
    """Table `sent`."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def get(self, kind: Kind, native_id: str) -> Known | None:
        """Return what is known of a record, or None."""
        return self.many([(kind, native_id)]).get((kind, native_id))

    def many(self, records: Iterable[tuple[Kind, str]]) -> dict[tuple[Kind, str], Known]:
        """Return what is known of records, by kind and native id."""
        # From the ids to the rows, each by the primary key: a list of any length is one statement.
        query = f"SELECT {_JOINED} FROM json_each(?) j CROSS JOIN sent s ON s.kind = j.value ->> 0 AND s.native_id = j.value ->> 1"
        found = (_known(row) for row in self._db.all(query, (_pairs(records),)))
        return {(known.kind, known.native_id): known for known in found}

    def by_requests(self, request_ids: Sequence[str]) -> dict[str, Known]:
        """Return the records that requests were last sent for, by request id."""
        query = f"SELECT {_JOINED} FROM json_each(?) j CROSS JOIN sent s ON s.request_id = j.value"
        found = (_known(row) for row in self._db.all(query, (json.dumps(list(request_ids)),)))
        return {known.request_id: known for known in found}

    def of_key(self, kind: Kind, key: str) -> list[Known]:
        """Return the records of a kind that are about one firm."""
        return [_known(row) for row in self._db.all(f"SELECT {_SELECTED} FROM sent WHERE kind = ? AND key = ?", (kind, key))]

    def referring(self, authorization: str) -> list[Known]:
        """Return the captures about an authorization, by its native id."""
        return [
            _known(row) for row in self._db.all(f"SELECT {_SELECTED} FROM sent WHERE refers_to = ? AND refers_to != ''", (authorization,))
        ]

    def remember(self, records: Iterable[Known]) -> None:
        """Note what is known now over what was known. It comes before any sending: what may have left is never forgotten."""
        self._db.many(_UPSERT, [_values(record) for record in records])

    def due(self, now: str, limit: int) -> list[Known]:
        """Return refused records whose time to be tried again has come, the longest due first."""
        query = f"SELECT {_SELECTED} FROM sent WHERE due_at != '' AND due_at <= ? ORDER BY due_at LIMIT ?"
        return [_known(row) for row in self._db.all(query, (now, limit))]

    def unheard(self, before: str, limit: int) -> list[Known]:
        """Return records whose command left before an instant and was never answered, the oldest first."""
        query = f"SELECT {_SELECTED} FROM sent WHERE outcome = '' AND sent_at != '' AND sent_at <= ? ORDER BY sends, sent_at LIMIT ?"
        return [_known(row) for row in self._db.all(query, (before, limit))]

    def unanswered(self, phase: Phase) -> int:
        """Return how many records of a phase wait for their outcome, sent or not."""
        found = self._db.one("SELECT count(*) FROM sent WHERE outcome = '' AND phase = ?", (phase,))
        return int(found[0]) if found else 0

    def oldest_unanswered(self) -> tuple[int, str]:
        """Return how many commands left and were not answered, and when the oldest of them left."""
        found = self._db.one("SELECT count(*), coalesce(min(sent_at), '') FROM sent WHERE outcome = '' AND sent_at != ''")
        return (int(found[0]), str(found[1])) if found else (0, "")

    def scheduled(self) -> int:
        """Return how many refused records are to be tried again."""
        found = self._db.one("SELECT count(*) FROM sent WHERE due_at != ''")
        return int(found[0]) if found else 0

    def waited_for(self, phases: Sequence[Phase], since: str) -> bool:
        """Say whether a command of these phases left after an instant and is unanswered."""
        query = f"SELECT 1 FROM sent WHERE outcome = '' AND phase IN ({', '.join('?' * len(phases))}) AND sent_at > ? LIMIT 1"
        return bool(phases) and self._db.one(query, (*phases, since)) is not None

    def tally(self) -> list[tuple[str, str, str, int]]:
        """Return (phase, kind, outcome, count) of all records for which anything was sent."""
        rows = self._db.all(
            "SELECT phase, kind, outcome, count(*) FROM sent WHERE method != '' GROUP BY phase, kind, outcome ORDER BY phase, kind, outcome"
        )
        return [(str(phase), str(kind), str(outcome), int(count)) for phase, kind, outcome, count in rows]

    def rows(self, since: str = "") -> Iterator[SentRow]:
        """Yield the records sent, by file, kind and native id; with `since` only those answered from then on, or not yet."""
        columns = ", ".join(each.name for each in fields(SentRow))
        asked = "method != '' AND (last_answered_at = '' OR last_answered_at >= ?)"
        query = f"SELECT {columns} FROM sent WHERE {asked} ORDER BY file, kind, native_id"
        yield from (SentRow(*row) for row in self._db.all(query, (since,)))


class Parking:
    """Table `parked`: editions that cannot be brought to the hub yet, or not wholly; one a record."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def many(self, records: Iterable[tuple[Kind, str]]) -> dict[tuple[Kind, str], Delivered]:
        """Return what is parked of records, by kind and native id."""
        query = "SELECT p.* FROM json_each(?) j CROSS JOIN parked p ON p.kind = j.value ->> 0 AND p.native_id = j.value ->> 1"
        found = (_delivered(row) for row in self._db.all(query, (_pairs(records),)))
        return {each.record: each for each in found}

    def referring(self, authorizations: Sequence[str]) -> list[Delivered]:
        """Return the captures that wait for authorizations, by their native ids; the first parked first."""
        query = "SELECT p.* FROM json_each(?) j CROSS JOIN parked p ON p.refers_to = j.value WHERE p.refers_to != '' ORDER BY p.rowid"
        return [_delivered(row) for row in self._db.all(query, (json.dumps(list(authorizations), ensure_ascii=False),))]

    def add(self, editions: Iterable[Delivered], at: str) -> None:
        """Park editions, each over an earlier one of its record."""
        self._db.many(f"INSERT OR REPLACE INTO parked VALUES ({', '.join('?' * 16)})", [_parked(each, at) for each in editions])

    def remove(self, records: Iterable[tuple[Kind, str]]) -> None:
        """Forget what is parked of records."""
        self._db.many("DELETE FROM parked WHERE kind = ? AND native_id = ?", records)

    def depth(self) -> int:
        """Return how many editions are parked."""
        found = self._db.one("SELECT count(*) FROM parked")
        return int(found[0]) if found else 0


def _pairs(records: Iterable[tuple[Kind, str]]) -> str:
    return json.dumps(list(dict.fromkeys(records)), ensure_ascii=False)


def _known(row: Sequence[Any]) -> Known:
    values = list(row)
    for at in _FLAGS:
        values[at] = bool(values[at])
    return Known(Kind(values[0]), values[1], Phase(values[2]), *values[3:])


def _values(known: Known) -> tuple[Any, ...]:
    holds = bool(known.held) and known.held == known.request
    # Not astuple: it copies every value, and a chunk has many.
    values = list(_ALL(known))
    values[_HELD] = b"" if holds else known.held
    return (*values, int(holds))


_ALL = attrgetter(*_NAMES)
_HELD = _NAMES.index("held")
_FLAGS = [_NAMES.index(name) for name in ("deleted", "ever", "spent", "historic")]


def _delivered(row: Sequence[Any]) -> Delivered:
    kind, native_id, file, line, delivery, at, digest, deleted, id_field, method, key, request, refers_to, refers_field, historic, _ = row
    edition = Edition(Kind(kind), native_id, digest, bool(deleted), id_field, method, key, request, bool(historic))
    return Delivered(edition, file, line, delivery, at, refers_to, refers_field)


def _parked(each: Delivered, at: str) -> tuple[Any, ...]:
    edition = each.edition
    return (
        *(edition.kind, edition.native_id, each.file, each.line, each.delivery, each.row, edition.digest, int(edition.deleted)),
        *(edition.id_field, edition.method, edition.key, edition.request, each.refers_to, each.refers_field, int(edition.historic), at),
    )
