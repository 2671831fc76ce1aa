"""A connection of the ledger, and waiting on it: psycopg's connection, with the exchange of a round trip straight through libpq.

psycopg waits by generators and, at each wait, a timer; of a small batch that was a tenth. What is sent here goes out at once nearly
always, and what comes back is waited for once or twice.
"""

from __future__ import annotations

import asyncio
from typing import Any

from psycopg import AsyncConnection, OperationalError, adapt, pq
from psycopg.abc import PQGen, Transformer
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

_SYNC = pq.ExecStatus.PIPELINE_SYNC


class LedgerConnection(AsyncConnection[Any]):
    """A connection that remembers what it prepared and how rows are read. Round trips on it go one after the other."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.statements: dict[str, bytes] = {}
        self.numbered = 0
        self._reader: Transformer | None = None

    @property
    def reader(self) -> Transformer:
        """What turns results into rows."""
        if self._reader is None:
            self._reader = adapt.Transformer(self)
        return self._reader

    async def flush(self) -> None:
        """Send what libpq has queued. Raises psycopg.OperationalError."""
        if self.pgconn.flush():
            await self.wait(_flushed(self.pgconn))

    async def answers(self) -> list[PGresult]:
        """Return the result of each statement, in their order, up to the end of the pipeline. Raises psycopg.OperationalError.

        Whoever stops waiting leaves a connection of which nobody knows what comes next: it is closed.
        """
        await self.flush()
        try:
            return await self._answers(self.pgconn)
        except asyncio.CancelledError:
            self.pgconn.finish()
            raise

    async def _answers(self, pgconn: PGconn) -> list[PGresult]:
        results: list[PGresult] = []
        ended = False
        while True:
            while pgconn.is_busy():
                await _readable(pgconn.socket)
                pgconn.consume_input()
            result = pgconn.get_result()
            if result is None:
                # One ends the results of a statement; two in a row, that nothing more comes.
                if ended:
                    raise OperationalError("the server ended the round trip early")
                ended = True
            elif result.status == _SYNC:
                return results
            else:
                ended = False
                results.append(result)


async def _readable(socket: int) -> None:
    """Wait until there is something to read, or nothing will come any more."""
    loop = asyncio.get_running_loop()
    ready = loop.create_future()
    try:
        loop.add_reader(socket, _wake, ready)
    except OSError as error:
        raise OperationalError("connection socket closed") from error
    try:
        await ready
    finally:
        loop.remove_reader(socket)


def _wake(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _flushed(pgconn: PGconn) -> PQGen[None]:
    """Send all, reading what comes back meanwhile: with more queued than the socket takes, both sides would wait for ever."""
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()
