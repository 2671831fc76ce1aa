"""Lets go of old answers to requests. Who sent which request, its digest and what became of it stay for good, so that a repeat never has a
second effect, however late it comes (rules.md I1; docs/adr/0014-answers-are-forgotten-requests-are-not.md)."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.domain.clock import SHANGHAI, local_date

KIND = "answer"
"""Kind of the sweep mark: answers given on its day or before are forgotten."""

BLOCKS = 256
"""Pages of the table a transaction looks through: two thousand answers or so, a few hundredths of a second."""

BLOCKS_PER_RUN = 100 * BLOCKS
"""Pages a run looks through at most. What is left is the next run's, so that the scheduler's other work does not wait."""

_MARK = text("SELECT until FROM sweep_mark WHERE kind = :kind")
_SET_MARK = text(
    "INSERT INTO sweep_mark AS m (kind, until) VALUES (:kind, :until) "
    "ON CONFLICT (kind) DO UPDATE SET until = greatest(m.until, excluded.until)"
)
_SIZE = text("SELECT pg_relation_size('idempotency') / current_setting('block_size')::bigint")

# By place in the table, not by an index on the time, into which every clearing would have to write. Nobody waits for these locks:
# clearing reads such rows and inserts others.
_FORGET = text(
    "UPDATE idempotency SET body = NULL "
    "WHERE ctid >= CAST(:first AS tid) AND ctid < CAST(:end AS tid) AND body IS NOT NULL AND at < :before"
)


class AnswerForgetter:
    """Goes through the table once a day, piece by piece. Several processes may do so: each row is forgotten once."""

    def __init__(self, engine: AsyncEngine, days: int) -> None:
        """`days` is for how many days answers are kept, 0 for ever."""
        self._engine = engine
        self._days = days
        self._day: date | None = None
        self._next = 0

    async def run(self, now: datetime) -> int:
        """Forget answers given more than `days` days before today, the next piece of them; return how many. Raises SQLAlchemy's errors."""
        last = local_date(now) - timedelta(days=self._days + 1)
        if not self._days or await self._done(last):
            return 0
        if self._day != last:
            self._day, self._next = last, 0
        before = datetime.combine(last + timedelta(days=1), time(), SHANGHAI)
        forgotten, stop = 0, self._next + BLOCKS_PER_RUN
        # Rows that come while this runs are of today: the end of the table as it is now is far enough.
        size = await self._size()
        while self._next < min(size, stop):
            forgotten += await self._forget(before)
            self._next += BLOCKS
        if self._next >= size:
            await self._mark(last)
        return forgotten

    async def _forget(self, before: datetime) -> int:
        values = {"first": f"({self._next},0)", "end": f"({self._next + BLOCKS},0)", "before": before}
        async with self._engine.begin() as connection:
            return int((await connection.execute(_FORGET, values)).rowcount)

    async def _done(self, last: date) -> bool:
        async with self._engine.connect() as connection:
            mark = (await connection.execute(_MARK, {"kind": KIND})).scalar()
        return mark is not None and mark >= last

    async def _size(self) -> int:
        async with self._engine.connect() as connection:
            return int((await connection.execute(_SIZE)).scalar_one())

    async def _mark(self, last: date) -> None:
        async with self._engine.begin() as connection:
            await connection.execute(_SET_MARK, {"kind": KIND, "until": last})
