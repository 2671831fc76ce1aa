"""Sums of the issuers' accounts over the part of the journal that is closed, so that a position costs what came since, not the whole past.

The journal's rows never change, so a sum over a closed range stays right for ever. No row is hot: clearing writes none of this, and a
position is the closed sums with the transfers after them (`reading.account_sums`). What is closed is known as the outbox's tail knows it
(`tail.py`): numbers are drawn before transactions commit, under a lock on the table that is held until then.
"""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

RANGE = 100_000
"""Transfers a transaction sums."""

PAUSE_SECONDS = 0.05
LOOKS_MAX = 100
"""How often to look whether those who write now are done; where one takes longer, the next run closes what this one leaves."""

_HIGHEST = text("SELECT coalesce(max(seq), 0) FROM journal")
_WRITERS = text(
    "SELECT virtualtransaction FROM pg_locks "
    "WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
    "AND relation = 'journal'::regclass AND mode = 'RowExclusiveLock' AND pid <> pg_backend_pid()"
)
_UNTIL = text("SELECT until_seq FROM account_sum_until")
# The row's lock lets one process at a time go on; who finds it moved has nothing to add.
_MOVE = text("UPDATE account_sum_until SET until_seq = :until WHERE until_seq = :after")
_ADD = text(
    "INSERT INTO account_sum AS a (issuer, account, amount) SELECT issuer, account, sum(amount) FROM ("
    "SELECT issuer, credit AS account, amount FROM journal WHERE seq > :after AND seq <= :until "
    "UNION ALL SELECT issuer, debit, -amount FROM journal WHERE seq > :after AND seq <= :until) AS sides "
    "GROUP BY issuer, account ON CONFLICT (issuer, account) DO UPDATE SET amount = a.amount + excluded.amount"
)


async def close_sums(engine: AsyncEngine) -> int:
    """Sum the transfers that were settled since the last time; return up to which number all are summed. Raises SQLAlchemy's errors."""
    async with engine.connect() as connection:
        connection = await connection.execution_options(isolation_level="AUTOCOMMIT")
        highest = await _number(connection, highest=True)
        settled = await _settled(connection)
        after = await _number(connection, highest=False)
    while settled and after < highest:
        until = min(after + RANGE, highest)
        async with engine.begin() as connection:
            if not (await connection.execute(_MOVE, {"after": after, "until": until})).rowcount:
                break
            await connection.execute(_ADD, {"after": after, "until": until})
        after = until
    return after


async def _number(connection: AsyncConnection, *, highest: bool) -> int:
    return int((await connection.execute(_HIGHEST if highest else _UNTIL)).scalar_one())


async def _settled(connection: AsyncConnection) -> bool:
    """Wait until all who write to the journal now are done; False where one takes too long."""
    writers = await _writers(connection)
    for _ in range(LOOKS_MAX):
        if not writers:
            return True
        await asyncio.sleep(PAUSE_SECONDS)
        writers &= await _writers(connection)
    return not writers


async def _writers(connection: AsyncConnection) -> set[str]:
    return set((await connection.execute(_WRITERS)).scalars())
