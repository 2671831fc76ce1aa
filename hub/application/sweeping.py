"""The sweeps: authorizations that outlived their days, notes past their validity (rules.md C6, V2)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.application.commands import Committer, LedgerCommand
from hub.application.issuing import ExpireWalletCommand
from hub.application.redeeming import lapse_command
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller, Role
from hub.domain.clock import Clock, local_date
from hub.domain.divisions import COORDINATION
from hub.domain.model import WalletKey
from hub.failpoints import failpoint
from yrd.voucher.v1 import voucher_pb2

PAGE = 500
REDEMPTIONS, NOTES = "redemption", "voucher"
"""Kinds of sweep marks."""
SCHEDULER = Caller("deltahub/scheduler", COORDINATION, Role.COORDINATOR)

# What was due on the day of a mark or before is swept: years of rows that nothing is left of are not looked at again.
_DUE_REDEMPTIONS = """
SELECT redemption_id FROM redemption WHERE state = 'AUTHORIZED' AND expires_on > :swept AND expires_on <= :today
ORDER BY expires_on LIMIT :page"""
_DUE_WALLETS = """
SELECT DISTINCT issuer, enterprise FROM voucher WHERE available > 0 AND expires_on > :swept AND expires_on <= :today LIMIT :page"""

_MARK = "SELECT until FROM sweep_mark WHERE kind = :kind"
_SET_MARK = """
INSERT INTO sweep_mark AS m (kind, until) VALUES (:kind, :until)
ON CONFLICT (kind) DO UPDATE SET until = excluded.until WHERE m.until <> excluded.until"""


class Swept(NamedTuple):
    """How much a sweep changed."""

    authorizations: int
    vouchers: int


class _Kind(NamedTuple):
    """A kind of sweep: its mark, what is due, the command on a row of that, and how much an outcome says was changed."""

    name: str
    due: str
    command: Callable[[tuple[object, ...]], LedgerCommand]
    count: Callable[[Outcome], int]


_LAPSING = _Kind(REDEMPTIONS, _DUE_REDEMPTIONS, lambda row: lapse_command(str(row[0])), lambda _: 1)
_EXPIRING = _Kind(
    NOTES,
    _DUE_WALLETS,
    lambda row: ExpireWalletCommand(WalletKey(str(row[0]), str(row[1]))),
    lambda outcome: len(voucher_pb2.IssueVouchersResponse.FromString(outcome.body).vouchers),
)


class Sweeper:
    """Runs the sweeps through the committer, page by page, until nothing is due."""

    def __init__(self, engine: AsyncEngine, committer: Committer, clock: Clock) -> None:
        self._engine = engine
        self._committer = committer
        self._clock = clock
        self._looked: dict[str, date] = {}
        """On which day this process last looked at everything, by kind: a clock behind may have made what was due before the mark."""

    async def sweep(self) -> Swept:
        """Run both sweeps. Authorizations go first: what they release to an expired note goes to the issuer, not to the note."""
        return Swept(await self._pages(_LAPSING), await self._pages(_EXPIRING))

    async def _due(self, statement: str, swept: date, today: date) -> list[tuple[object, ...]]:
        async with self._engine.connect() as connection:
            found = await connection.execute(text(statement), {"swept": swept, "today": today, "page": PAGE})
            return [tuple(row) for row in found.all()]

    async def _swept(self, kind: str, today: date) -> date:
        """Return until when everything is swept. A mark that a clock ahead of its time left says nothing: all is looked at again."""
        async with self._engine.connect() as connection:
            mark = (await connection.execute(text(_MARK), {"kind": kind})).scalar()
        return mark if mark is not None and mark < today else date.min

    async def _mark(self, kind: str, today: date) -> None:
        """Note that everything due before today is swept. What is made today can still fall due today."""
        async with self._engine.begin() as connection:
            await connection.execute(text(_SET_MARK), {"kind": kind, "until": today - timedelta(days=1)})

    async def _pages(self, kind: _Kind) -> int:
        """Sweep one kind until nothing is due or nothing changes any more; return how much changed. Killed anywhere, it begins anew."""
        today = local_date(self._clock.now())
        marks = [await self._swept(kind.name, today)]
        if self._looked.get(kind.name) != today and marks[0] != date.min:
            marks.append(date.min)
        total = 0
        for swept in marks:
            changed, done = await self._until_nothing(kind, swept, today)
            total += changed
            if not done:
                return total
        await self._mark(kind.name, today)
        self._looked[kind.name] = today
        if total:
            failpoint("scheduler.after_mark")
        return total

    async def _until_nothing(self, kind: _Kind, swept: date, today: date) -> tuple[int, bool]:
        """Sweep page by page what fell due after `swept`; return how much changed, and whether nothing of it is left."""
        total = 0
        while due := await self._due(kind.due, swept, today):
            failpoint("scheduler.before_commands")
            done = await asyncio.gather(*(self._committer.submit(kind.command(row), SCHEDULER) for row in due))
            failpoint("scheduler.after_commands_before_mark")
            changed = sum(kind.count(outcome) for outcome in done if outcome.ok)
            total += changed
            if not changed:
                return total, False
        return total, True
