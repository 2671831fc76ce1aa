"""What is done again on the ledger, and how often: the same for a batch and for a command that is a batch by itself (`alone`).

A connection lost at COMMIT leaves it open whether the work was applied. Doing it again looks it up: idempotency records are written by the
same transaction, so either the outcome is found there or nothing was applied. A COMMIT that PostgreSQL is still at holds the record's key,
and the repeat waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TypeVar

import psycopg
import structlog
from psycopg import errors
from sqlalchemy.exc import DBAPIError

from hub.ledger.connection import connect
from hub.ledger.noteids import IdsGone
from hub.ledger.trip import LedgerConnection

log = structlog.get_logger(__name__)

ATTEMPTS_MAX = 20
TOGETHER_MET_MAX = 3
"""Of several commands one may meet another transaction for ever: after so many times it is known only by trying each by itself."""
RECONNECT_SECONDS = 0.1
RECONNECT_ATTEMPTS_MAX = 100

T = TypeVar("T")

# Another process made the same row, or waits in a circle with us; or another batch left this one no ids.
_MET = (errors.UniqueViolation, errors.DeadlockDetected, errors.SerializationFailure, IdsGone)


class Fate(Enum):
    """Why work is to be done again."""

    MET = "it met another transaction and was rolled back: what is there now decides"
    LOST = "the connection was lost, nobody knows when: it may have been applied"


class NeverDone(Exception):
    """Work met another transaction each time, or too often, and was rolled back: none of it was applied.

    `lasting` says that it would again: a row that is there is seen by whoever tries after it was met, so to meet one for ever is a defect.
    """

    def __init__(self, last: Exception, times: int) -> None:
        super().__init__(f"met another transaction {times} times: {type(_cause(last)).__name__}")
        self.lasting = isinstance(_cause(last), errors.UniqueViolation)


def fate_of(error: Exception) -> Fate | None:
    """Return why work that failed is to be done again, None where that would not help: a defect."""
    cause = _cause(error)
    if isinstance(cause, _MET):
        return Fate.MET
    if isinstance(cause, psycopg.OperationalError | OSError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return Fate.LOST
    return None


def _cause(error: Exception) -> BaseException:
    """Return what the driver said, of which SQLAlchemy may have made an error of its own."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


async def until_done(
    ready: Callable[[], Awaitable[object]], once: Callable[[], Awaitable[T]], undo: Callable[[Fate], Awaitable[None]], *, items: int = 1
) -> T:
    """Return what `once` returns, which is begun when `ready` has returned, and done again where it failed by a fate, after `undo`.

    `items` is how many commands' work it is. Raises NeverDone where it met another too often: TOGETHER_MET_MAX times where it is the work
    of several, ATTEMPTS_MAX times otherwise; psycopg.OperationalError where ATTEMPTS_MAX attempts, of which one lost the connection, were
    in vain; what `ready` raises, and what else `once` raises.
    """
    met, met_max = 0, ATTEMPTS_MAX if items == 1 else min(TOGETHER_MET_MAX, ATTEMPTS_MAX)
    for attempt in range(ATTEMPTS_MAX):
        await ready()
        try:
            return await once()
        except Exception as error:
            fate = fate_of(error)
            if fate is None:
                raise
            if fate is Fate.MET:
                log.info("batch_retried", items=items, attempt=attempt, error=type(_cause(error)).__name__)
            else:
                log.warning("connection_lost", items=items, attempt=attempt, error=str(_cause(error)).strip())
            await undo(fate)
            met += fate is Fate.MET
            if met >= met_max:
                raise NeverDone(error, met) from error
    raise psycopg.OperationalError(f"gave up after {ATTEMPTS_MAX} attempts")


async def connected(database_url: str) -> LedgerConnection:
    """Return a new connection as soon as the server gives one. Raises psycopg.OperationalError after about ten seconds without."""
    for _ in range(RECONNECT_ATTEMPTS_MAX - 1):
        try:
            return await connect(database_url)
        except psycopg.OperationalError:
            await asyncio.sleep(RECONNECT_SECONDS)
    return await connect(database_url)
