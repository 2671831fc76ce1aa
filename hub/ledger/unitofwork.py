"""Runs use cases in one transaction each, with idempotency records and outbox rows (rules.md I1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.generators import fetch_many
from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.commands import LedgerCommand
from hub.application.transaction import Foresee, Transaction, UseCase
from hub.codec.events import Event, Reply, command_outcome
from hub.codec.outcome import Outcome, answer, recorded, refused
from hub.domain.caller import Caller
from hub.domain.clock import Clock
from hub.domain.refusals import Refusal, RefusalCode
from hub.failpoints import FailpointError, armed, failpoint
from hub.ledger.connection import sqlalchemy_url
from hub.ledger.tables import IdempotencyRow, OutboxRow

_PENDING = -1
_SNAPSHOT = {"postgresql_readonly": True, "isolation_level": "REPEATABLE READ"}
_EVENTS_PER_INSERT = 5_000
"""PostgreSQL takes 65,535 parameters a statement; an event has five. Rating a whole pool leaves more events than that."""


class UnitOfWork:
    """One engine a process. Queries run in read-only transactions."""

    def __init__(self, database_url: str, clock: Clock, *, pool_size: int = 8) -> None:
        self.engine: AsyncEngine = create_async_engine(sqlalchemy_url(database_url), pool_size=pool_size, pool_pre_ping=True)
        self._clock = clock

    async def close(self) -> None:
        """Close the pool."""
        await self.engine.dispose()

    async def answers(self) -> bool:
        """Say whether the database answers; raises SQLAlchemy's errors where it does not."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        return True

    async def foresee(self, look: Foresee, caller: Caller, request: Any, request_id: str) -> LedgerCommand | None:
        """Return what a mutation needs on the ledger before it, read from one snapshot; None where the request id is known already."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            await session.connection(execution_options=_SNAPSHOT)
            if await _known(session, caller, request_id) is not None:
                return None
            return await look(Transaction(session, caller, self._clock.now()), request)

    async def query(self, use_case: UseCase, caller: Caller, request: Any) -> Outcome:
        """Answer a query from one snapshot. Nothing it does can change anything."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            # One snapshot for all its statements: an answer shows a state that was, not half of one and half of the next.
            await session.connection(execution_options=_SNAPSHOT)
            return _outcome(await use_case(Transaction(session, caller, self._clock.now()), request))

    async def mutate(
        self, use_case: UseCase, caller: Caller, request: Any, *, request_id: str, digest: bytes, reply: Reply | None = None
    ) -> Outcome:
        """Run a mutation once per request id and return its outcome, stored in the same transaction (rules.md I1)."""
        async with AsyncSession(self.engine, expire_on_commit=False) as session, session.begin():
            tx = Transaction(session, caller, self._clock.now())
            stored = await self._claim(tx, request_id, digest)
            if stored is not None:
                outcome = stored.outcome if stored.digest == digest else refused(Refusal(RefusalCode.REQUEST_ID_REUSED))
            else:
                outcome = await self._run(tx, use_case, request)
                await self._record(tx, request_id, outcome)
            if reply is not None:
                tx.emit(command_outcome(reply, request_id, outcome))
            await self._publish(session, tx.events, tx.now)
            failpoint("unitofwork.before_commit")
            if armed("unitofwork.commit_in_flight"):
                await _commit_in_steps(session)
        failpoint("unitofwork.after_commit")
        return outcome

    async def publish(self, events: list[Event]) -> None:
        """Leave events in the outbox, in a transaction of their own."""
        async with AsyncSession(self.engine) as session, session.begin():
            await self._publish(session, events, self._clock.now())

    async def _run(self, tx: Transaction, use_case: UseCase, request: Any) -> Outcome:
        savepoint = await tx.session.begin_nested()
        result = await use_case(tx, request)
        if isinstance(result, Refusal):
            # A refusal changes nothing, but it is remembered.
            tx.events.clear()
            await savepoint.rollback()
        else:
            await savepoint.commit()
        return _outcome(result)

    async def _claim(self, tx: Transaction, request_id: str, digest: bytes) -> _Stored | None:
        """Insert a placeholder, or wait for whoever inserted first and return what it stored."""
        values = {
            "participant_id": tx.caller.participant_id,
            "request_id": UUID(request_id),
            "digest": digest,
            "status": _PENDING,
            "body": b"",
            "at": tx.now,
        }
        statement = insert(IdempotencyRow).values(values).on_conflict_do_nothing().returning(col(IdempotencyRow.status))
        if (await tx.session.execute(statement)).first() is not None:
            return None
        stored = await _known(tx.session, tx.caller, request_id)
        assert stored is not None, "records are never deleted"
        return stored

    async def _record(self, tx: Transaction, request_id: str, outcome: Outcome) -> None:
        await tx.session.execute(
            update(IdempotencyRow)
            .where(col(IdempotencyRow.participant_id) == tx.caller.participant_id, col(IdempotencyRow.request_id) == UUID(request_id))
            .values(status=outcome.status, body=outcome.body)
        )

    async def _publish(self, session: AsyncSession, events: list[Event], now: datetime) -> None:
        if not events:
            return
        for start in range(0, len(events), _EVENTS_PER_INSERT):
            rows = [{**event._asdict(), "occurred_at": now} for event in events[start : start + _EVENTS_PER_INSERT]]
            await session.execute(insert(OutboxRow).values(rows))
        await session.execute(text("NOTIFY outbox"))


@dataclass(frozen=True, slots=True)
class _Stored:
    digest: bytes
    outcome: Outcome


async def _commit_in_steps(session: AsyncSession) -> None:
    """Commit as a rehearsal wants it: there is an instant at which COMMIT is on its way, and its answer may be lost."""
    await session.flush()
    connection = (await (await session.connection()).get_raw_connection()).driver_connection
    assert isinstance(connection, AsyncConnection)
    connection.pgconn.send_query(b"COMMIT")
    connection.pgconn.flush()
    try:
        failpoint("unitofwork.commit_in_flight")
    except FailpointError:
        connection.pgconn.finish()
        raise
    await connection.wait(fetch_many(connection.pgconn))


async def _known(session: AsyncSession, caller: Caller, request_id: str) -> _Stored | None:
    statement = select(IdempotencyRow.digest, IdempotencyRow.status, IdempotencyRow.body, IdempotencyRow.at).where(
        IdempotencyRow.participant_id == caller.participant_id, IdempotencyRow.request_id == UUID(request_id)
    )
    row = (await session.exec(statement)).first()
    return _Stored(row[0], recorded(*row[1:])) if row is not None else None


def _outcome(result: Any) -> Outcome:
    return refused(result) if isinstance(result, Refusal) else answer(result)
