"""The sweeps: authorizations that outlived their days, notes past their validity (rules.md C6, V2)."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import NamedTuple

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from hub.application.commands import Committer
from hub.application.issuing import ExpireWalletCommand
from hub.application.redeeming import lapse_command
from hub.domain.caller import Caller, Role
from hub.domain.clock import Clock, local_date
from hub.domain.divisions import COORDINATION
from hub.domain.model import WalletKey
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


class Sweeper:
    """Runs the sweeps through the committer, page by page, until nothing is due."""

    def __init__(self, engine: AsyncEngine, committer: Committer, clock: Clock) -> None:
        self._engine = engine
        self._committer = committer
        self._clock = clock

    async def sweep(self) -> Swept:
        """Run both sweeps. Authorizations go first: what they release to an expired note goes to the issuer, not to the note."""
        return Swept(await self._lapse(), await self._expire())

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

    async def _lapse(self) -> int:
        total, today = 0, local_date(self._clock.now())
        swept = await self._swept(REDEMPTIONS, today)
        while due := await self._due(_DUE_REDEMPTIONS, swept, today):
            done = await asyncio.gather(*(self._committer.submit(lapse_command(str(row[0])), SCHEDULER) for row in due))
            changed = sum(outcome.ok for outcome in done)
            total += changed
            if not changed:
                return total
        await self._mark(REDEMPTIONS, today)
        return total

    async def _expire(self) -> int:
        total, today = 0, local_date(self._clock.now())
        swept = await self._swept(NOTES, today)
        while due := await self._due(_DUE_WALLETS, swept, today):
            commands = [ExpireWalletCommand(WalletKey(str(issuer), str(enterprise))) for issuer, enterprise in due]
            done = await asyncio.gather(*(self._committer.submit(command, SCHEDULER) for command in commands))
            changed = sum(len(voucher_pb2.IssueVouchersResponse.FromString(outcome.body).vouchers) for outcome in done if outcome.ok)
            total += changed
            if not changed:
                return total
        await self._mark(NOTES, today)
        return total
