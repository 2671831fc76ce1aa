"""The benchmark's population: 10,000 enterprises with ten 1,000-yuan notes each, 500 providers, four issuers of both modes."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from hub.application.issuing import IssueCommand
from hub.cli.filling_parties import NOTE_FEN, NOTES, Firm, firms, labs, policies, register
from hub.domain.caller import Caller, Role
from hub.domain.clock import SystemClock, add_months, local_date
from hub.domain.issue import IssueItem
from hub.ledger.committer import GroupCommitter

PROVINCES = ("310000", "320000", "330000", "340000")
ACQUIRER = PROVINCES[0]
_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class Population:
    """Who takes part: enterprises and the providers of one acquirer."""

    firms: list[Firm]
    providers: list[str]

    def pick(self, rng: random.Random, *, zipf: bool) -> Firm:
        """Return an enterprise, uniformly or with a few that do most."""
        if not zipf:
            return rng.choice(self.firms)
        # Zipf by inversion of 1/rank: the first of n firms has the share 1/ln(n).
        return self.firms[min(int(len(self.firms) ** rng.random()) - 1, len(self.firms) - 1)]


async def populate(url: str, enterprises: int, providers: int, tell: Callable[[str], None]) -> Population:
    """Register enterprises that nobody has cleared for yet, and issue every note through the committer, as a hub would.

    In a filled database they stand beside those of its redemptions: what is compared is the size of the tables, not how many notes a firm
    still has.
    """
    now = datetime.now(UTC)
    with psycopg.connect(url) as connection:
        row = connection.execute("SELECT count(*) FROM enterprise").fetchone()
        assert row is not None
        known = int(row[0])
        holders, pool = firms(PROVINCES, known + enterprises)[known:], labs((ACQUIRER,), providers)
        register(connection, policies(PROVINCES, add_months(local_date(now), -12)), holders, pool, now)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ANALYZE enterprise, policy, registry.provider")
    tell(f"registered {enterprises:,} enterprises and {providers:,} providers")
    committer = GroupCommitter(url, SystemClock())
    running = asyncio.create_task(committer.run())
    for first in range(0, len(holders), _AT_ONCE):
        outcomes = await asyncio.gather(*(_issue(committer, firm) for firm in holders[first : first + _AT_ONCE]))
        assert all(outcomes)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) voucher, wallet, quota, journal, idempotency, outbox")
    tell(f"issued {enterprises * NOTES:,} notes")
    return Population(holders, [lab.uscc for lab in pool])


async def _issue(committer: GroupCommitter, firm: Firm) -> bool:
    command = IssueCommand(firm.issuer, (IssueItem(firm.uscc, NOTE_FEN, NOTES),))
    caller = Caller("bench", firm.issuer, Role.PLATFORM)
    return (await committer.submit(command, caller, request_id=str(uuid.uuid4()), digest=b"bench")).ok
