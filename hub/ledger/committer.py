"""The group committer: every ledger mutation of a process passes here (design: Batch committer).

While one batch commits, the next one fills; there is no timer. A batch is one transaction in two round trips: lock and read
(`loading`), decide in memory, write and commit (`writing`). Each item gets its own outcome; one refusal never aborts its neighbours.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from psycopg import AsyncConnection, errors

from hub.application.batch import Keys, RequestKey, StoredOutcome, WorkingSet
from hub.application.commands import LedgerCommand
from hub.codec.events import Reply, command_outcome
from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller
from hub.domain.clock import Clock
from hub.domain.refusals import Refusal, RefusalCode
from hub.failpoints import failpoint
from hub.ledger.connection import connect
from hub.ledger.loading import load
from hub.ledger.noteids import NoteIds
from hub.ledger.policies import PolicyCache
from hub.ledger.writing import write

log = structlog.get_logger(__name__)

BATCH_ITEMS_MAX = 500
QUEUE_ITEMS_MAX = 4_096
ATTEMPTS_MAX = 20
RECONNECT_SECONDS = 0.1
RECONNECT_ATTEMPTS_MAX = 100

# Another process made the same row, or waits in a circle with us: run the batch again on what is there now.
_RETRYABLE = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure)


@dataclass(slots=True, eq=False)
class _Item:
    command: LedgerCommand
    caller: Caller
    request: RequestKey | None
    digest: bytes
    reply: Reply | None
    future: asyncio.Future[Outcome]


class GroupCommitter:
    """One per process. `submit` may be called from any task of the loop that runs `run`."""

    def __init__(self, database_url: str, clock: Clock, *, queue_items_max: int = QUEUE_ITEMS_MAX) -> None:
        self._url = database_url
        self._clock = clock
        self._queue: deque[_Item] = deque()
        self._queue_items_max = queue_items_max
        self._wake = asyncio.Event()
        self._policies = PolicyCache()
        self._note_ids = NoteIds()
        self._connection: AsyncConnection[Any] | None = None
        self.on_batch: Callable[[int], None] = lambda _size: None

    @property
    def queued(self) -> int:
        """How many commands wait for the next batch."""
        return len(self._queue)

    async def submit(
        self, command: LedgerCommand, caller: Caller, *, request_id: str = "", digest: bytes = b"", reply: Reply | None = None
    ) -> Outcome:
        """Return the durable outcome. Beyond the queue's bound the answer is OVERLOADED, and nothing is kept of the command.

        The caller may be cancelled while it waits: the command is then applied and findable by its request id, or not at all.
        """
        if len(self._queue) >= self._queue_items_max:
            return refused(Refusal(RefusalCode.OVERLOADED))
        request = RequestKey(caller.participant_id, request_id) if request_id else None
        item = _Item(command, caller, request, digest, reply, asyncio.get_running_loop().create_future())
        self._queue.append(item)
        self._wake.set()
        return await asyncio.shield(item.future)

    async def run(self) -> None:
        """Commit batches until cancelled."""
        try:
            while True:
                if not self._queue:
                    self._wake.clear()
                    await self._wake.wait()
                batch = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH_ITEMS_MAX))]
                await self._settle(batch)
        finally:
            await self._drop_connection()

    async def _settle(self, batch: list[_Item]) -> None:
        """Give every item of a batch its outcome, whatever happens."""
        try:
            outcomes = await self._commit(batch)
        except psycopg.OperationalError:
            log.exception("ledger_unreachable", items=len(batch))
            outcomes = [refused(Refusal(RefusalCode.UNAVAILABLE))] * len(batch)
        except Exception as error:  # a defect in one command must not take its neighbours with it
            await self._drop_connection()
            if len(batch) > 1:
                for item in batch:
                    await self._settle([item])
                return
            log.exception("command_failed", command=type(batch[0].command).__name__)
            _fail(batch[0], error)
            return
        self.on_batch(len(batch))
        for item, outcome in zip(batch, outcomes, strict=True):
            if not item.future.done():
                item.future.set_result(outcome)

    async def _commit(self, batch: list[_Item]) -> list[Outcome]:
        """Commit a batch, again and again where it met another process or lost the connection.

        A connection lost at COMMIT leaves it open whether the batch was applied. Running it again looks it up: the idempotency
        records are written by the same transaction, so each item either finds its outcome there or was not applied.
        """
        for attempt in range(ATTEMPTS_MAX):
            connection = await self._connected()
            try:
                return await self._once(connection, batch)
            except _RETRYABLE as error:
                log.info("batch_retried", items=len(batch), attempt=attempt, error=type(error).__name__)
                await connection.rollback()
            except psycopg.OperationalError as error:
                log.warning("connection_lost", items=len(batch), attempt=attempt, error=str(error).strip())
                await self._drop_connection()
        raise psycopg.OperationalError(f"gave up after {ATTEMPTS_MAX} attempts")

    async def _once(self, connection: AsyncConnection[Any], batch: list[_Item]) -> list[Outcome]:
        failpoint("committer.before_lock")
        await self._note_ids.refill(connection)
        keys = Keys()
        for item in batch:
            item.command.touch(keys)
        requests = {item.request for item in batch if item.request is not None}
        ws = await load(connection, keys, requests, self._policies, self._clock.now(), self._note_ids.next)
        failpoint("committer.after_load")
        outcomes = [_decide(item, ws) for item in batch]
        failpoint("committer.after_decide")
        await write(connection, ws)
        failpoint("committer.after_commit_before_reply")
        return outcomes

    async def _connected(self) -> AsyncConnection[Any]:
        for attempt in range(RECONNECT_ATTEMPTS_MAX):
            if self._connection is not None and not self._connection.closed:
                return self._connection
            try:
                self._connection = await connect(self._url)
            except psycopg.OperationalError:
                if attempt == RECONNECT_ATTEMPTS_MAX - 1:
                    raise
                await asyncio.sleep(RECONNECT_SECONDS)
        assert self._connection is not None
        return self._connection

    async def _drop_connection(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(psycopg.Error):
                await connection.close()


def _decide(item: _Item, ws: WorkingSet) -> Outcome:
    """Answer one item: from its record if it has one (rules.md I1), else by running it."""
    stored = (ws.outcomes.get(item.request) or ws.records.get(item.request)) if item.request else None
    if stored is not None and stored.digest != item.digest:
        outcome = refused(Refusal(RefusalCode.REQUEST_ID_REUSED))
    elif stored is not None:
        outcome = stored.outcome
    else:
        outcome = item.command.run(ws, item.caller)
        if item.request is not None:
            ws.records[item.request] = StoredOutcome(item.digest, outcome)
    if item.reply is not None:
        ws.events.append(command_outcome(item.reply, item.request.request_id if item.request else "", outcome))
    return outcome


def _fail(item: _Item, error: Exception) -> None:
    if not item.future.done():
        item.future.set_exception(error)
        # Nobody may be waiting any more; the failure is logged already.
        item.future.exception()
