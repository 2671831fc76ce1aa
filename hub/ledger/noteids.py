"""Ids of notes, taken from the database in blocks so that a batch needs no round trip for them."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

BLOCK = 100_000
REFILL_BELOW = 20_000


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

    def next(self) -> int:
        """Return a fresh id."""
        assert self._next < self._end, "a batch needs more notes than a block holds"
        self._next += 1
        return self._next - 1
