"""What an operator does about dead letters: look at them, offer them once more, or set them aside for good. Nothing is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from hub.messaging.batch import command_of, receipt_of
from hub.messaging.cloudevents import MalformedEvent, decode
from hub.messaging.inbox import read_headers, receive
from hub.messaging.ports import CommandPort, Unavailable, Undeliverable

OPEN, RESOLVED, DISCARDED = "OPEN", "RESOLVED", "DISCARDED"
STATES = (OPEN, RESOLVED, DISCARDED)
NOTE_CHARS_MAX = 2_000

_COLUMNS = (
    "id, division, topic, partition, record_offset AS offset, source_id, code, reason, failed_at, state, octet_length(value) AS value_bytes"
)
_PAGE = f"""
SELECT {_COLUMNS} FROM dead_letter
WHERE id > %(after)s AND (%(state)s = '' OR state = %(state)s) AND (%(topic)s = '' OR topic = %(topic)s)
  AND (%(code)s = '' OR code = %(code)s) AND (%(division)s = '' OR division = %(division)s)
ORDER BY id LIMIT %(limit)s"""
_ACTIONS = "SELECT action, outcome, note, acted_by, acted_at FROM dead_letter_action WHERE dead_letter_id = %s ORDER BY id"
_ACT = """
INSERT INTO dead_letter_action (dead_letter_id, action, outcome, note, acted_by, acted_at) VALUES (%s, %s, %s, %s, %s, %s)"""


@dataclass(frozen=True, slots=True)
class Letter:
    """A dead letter without what was in it."""

    id: int
    division: str
    topic: str
    partition: int
    offset: int
    source_id: str
    code: str
    reason: str
    failed_at: datetime
    state: str
    value_bytes: int | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which letters to list; an empty text means any."""

    state: str = OPEN
    topic: str = ""
    code: str = ""
    division: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """A dead letter with everything: what was in it, and what was done about it, oldest first."""

    letter: Letter
    key: bytes | None
    headers: Sequence[tuple[str, bytes | None]]
    value: bytes | None
    actions: Sequence[dict[str, Any]] = field(default_factory=list)

    # So that the codec of Kafka's records reads it like the record that it was.
    @property
    def topic(self) -> str:
        """Topic of the record."""
        return self.letter.topic

    @property
    def partition(self) -> int:
        """Partition of the record."""
        return self.letter.partition

    @property
    def offset(self) -> int:
        """Offset of the record."""
        return self.letter.offset


class UnknownLetter(LookupError):
    """There is no dead letter of that number."""


class WrongState(Exception):
    """The letter is closed: what was asked no longer makes sense. `state` says how."""

    def __init__(self, number: int, state: str) -> None:
        super().__init__(f"dead letter {number} is {state}")
        self.state = state


class DeadLetterDesk:
    """Works on one connection (autocommit). Methods raise psycopg.Error."""

    def __init__(self, connection: psycopg.AsyncConnection[Any], consumer: str, by: str) -> None:
        """`consumer` is the group whose inbox remembers what was handled; `by` who acts."""
        self._connection = connection
        self._consumer = consumer
        self._by = by

    async def page(self, wanted: Filter, after: int, limit: int) -> list[Letter]:
        """Return at most `limit` letters with numbers above `after`, in order."""
        values = {"after": after, "limit": limit, **{name: getattr(wanted, name) for name in ("state", "topic", "code", "division")}}
        async with self._connection.cursor(row_factory=class_row(Letter)) as cursor:
            return await (await cursor.execute(_PAGE, values)).fetchall()

    async def show(self, number: int) -> Whole:
        """Return one letter whole. Raises UnknownLetter."""
        return await self._read(number, "")

    async def retry(self, number: int, port: CommandPort, at: datetime) -> str:
        """Offer the record to `port` once more and return what came of it: empty where it was handled, else why it was not.

        A letter that was handled since stays so and nothing happens. The command's request id keeps a repetition to one effect. Raises
        UnknownLetter, WrongState for one that was discarded, Unavailable where the hub cannot say now; nothing is recorded then.
        """
        async with self._connection.transaction():
            # The lock keeps a second operator waiting until it is known what came of the first attempt.
            whole = await self._read(number, "FOR UPDATE")
            if whole.letter.state == RESOLVED:
                return ""
            if whole.letter.state == DISCARDED:
                raise WrongState(number, DISCARDED)
            problem = await self._offer(whole, port, at)
            outcome = "HANDLED" if not problem else problem.partition(":")[0]
            await self._act(number, "RETRY", outcome, problem, at)
            if not problem:
                await self._set_state(number, RESOLVED)
        return problem

    async def discard(self, number: int, reason: str, at: datetime) -> bool:
        """Close a letter that nobody will retry; return whether it was open. Raises UnknownLetter, WrongState for one that was handled."""
        if not reason.strip() or len(reason) > NOTE_CHARS_MAX:
            raise ValueError(f"a reason of 1 to {NOTE_CHARS_MAX} characters is needed")
        async with self._connection.transaction():
            whole = await self._read(number, "FOR UPDATE")
            if whole.letter.state == RESOLVED:
                raise WrongState(number, RESOLVED)
            if whole.letter.state == DISCARDED:
                return False
            await self._act(number, "DISCARD", DISCARDED, reason.strip(), at)
            await self._set_state(number, DISCARDED)
        return True

    async def _read(self, number: int, lock: str) -> Whole:
        async with self._connection.cursor(row_factory=dict_row) as cursor:
            found = await (
                await cursor.execute(f"SELECT {_COLUMNS}, key, headers, value FROM dead_letter WHERE id = %s {lock}", (number,))
            ).fetchone()
            if found is None:
                raise UnknownLetter(f"there is no dead letter {number}")
            actions = await (await cursor.execute(_ACTIONS, (number,))).fetchall()
        key, headers, value = found.pop("key"), read_headers(found.pop("headers")), found.pop("value")
        return Whole(Letter(**found), key, headers, value, actions)

    async def _offer(self, whole: Whole, port: CommandPort, at: datetime) -> str:
        try:
            event = decode(whole)
        except MalformedEvent as error:
            return str(error)
        try:
            await port.handle(command_of(whole, event, whole.letter.division))
        except Undeliverable as error:
            return str(error)
        except Unavailable:
            raise
        except Exception as error:
            return f"UNEXPECTED: {error!r}"
        await receive(self._connection, self._consumer, [receipt_of(whole, event)], at)
        return ""

    async def _act(self, number: int, action: str, outcome: str, note: str, at: datetime) -> None:
        await self._connection.execute(_ACT, (number, action, outcome, note.replace("\x00", "")[:NOTE_CHARS_MAX], self._by, at))

    async def _set_state(self, number: int, state: str) -> None:
        await self._connection.execute("UPDATE dead_letter SET state = %s WHERE id = %s", (state, number))
