"""Ids of notes, taken from the database in blocks so that a batch needs no round trip for them."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

BLOCK = 100_000
REFILL_BELOW = 20_000


class IdsGone(Exception):
    """No id is left of those that were ahead when the batch was read: it is to be read again, with others ahead of it."""


class NoteIds:
    """Hands out ids from blocks reserved by this process. Ids lost in a crash are never used; gaps mean nothing."""

    def __init__(self) -> None:
        self._next = 0
        self._end = 0

    async def refill(self, connection: AsyncConnection[Any]) -> None:
        """Reserve another block when few ids are left."""
        if self._end - self._next >= REFILL_BELOW:
            return
        cursor = await connection.execute("SELECT nextval('note_block')")
        row = await cursor.fetchone()
        assert row is not None
        self._next = int(row[0]) * BLOCK
        self._end = self._next + BLOCK

    @property
    def ahead(self) -> tuple[int, int]:
        """The first and the last of the ids that are left."""
        return self._next, self._end - 1

    def next(self, last: int) -> int:
        """Return a fresh id of those up to `last`, which were ahead when the batch was read. Raises IdsGone where none is left of them."""
        if self._next >= self._end or self._end - 1 != last:
            raise IdsGone
        self._next += 1
        return self._next - 1
