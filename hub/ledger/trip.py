"""Round trips of the ledger: statements that travel together, prepared once a connection, straight through libpq.

psycopg's cursors cost more than PostgreSQL does for a small batch: each makes a hundred objects that refer to one another in circles, and
asks the event loop whether the socket is ready (docs/adr/0011-clearing-speed.md). What they are for, adapting values of any type, is not
needed here: parameters are text, mostly array literals (`arrays`). Reading rows is left to psycopg.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import date, datetime
from functools import lru_cache
from typing import Any

from psycopg import AsyncConnection, OperationalError, adapt, pq
from psycopg.abc import PQGen, Transformer
from psycopg.errors import error_from_result
from psycopg.generators import fetch_many
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

PREPARED_MAX = 256

Rows = list[tuple[Any, ...]]
Take = Callable[[Rows], None]
"""Takes the rows of one answer in."""

Value = str | bytes | int | datetime | date | None

_PARAMETER = re.compile(r"%s|%\((\w+)\)s")
_FAILED = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.PIPELINE_ABORTED)


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


class Trip:
    """Statements gathered by `ask`; `push` sends what was gathered so far, the end of the block sends the rest and takes the answers in."""

    def __init__(self, connection: LedgerConnection) -> None:
        self._connection = connection
        self._asked: list[tuple[str, list[bytes | None], Take]] = []
        self._sent: list[Take] = []
        self._fresh: dict[str, bytes] = {}

    def ask(self, statement: str, params: Sequence[Value] | Mapping[str, Value] = (), take: Take | None = None) -> None:
        """Add a statement with `%s` or `%(name)s` parameters, each of which the statement casts to its type where that is not plain."""
        sql, names = numbered(statement)
        values = [params[name] for name in names] if isinstance(params, Mapping) else params
        self._asked.append((sql, [_wire(value) for value in values], take or _nothing))

    async def push(self) -> None:
        """Send what was asked so far; PostgreSQL begins with it."""
        pgconn = self._connection.pgconn
        if pgconn.pipeline_status == pq.PipelineStatus.OFF:
            if pgconn.transaction_status == pq.TransactionStatus.IDLE and not self._connection.autocommit:
                self._asked.insert(0, ("BEGIN", [], _nothing))
            pgconn.enter_pipeline_mode()
        for sql, values, take in self._asked:
            pgconn.send_query_prepared(self._named(sql), values)
            self._sent.append(take)
        self._asked.clear()
        await self._connection.wait(_flushed(pgconn))

    def _named(self, sql: str) -> bytes:
        """Return the name of a prepared statement; one not met before is prepared on the way."""
        connection = self._connection
        name = connection.statements.get(sql) or self._fresh.get(sql)
        if name is None:
            connection.numbered += 1
            name = self._fresh[sql] = f"l{connection.numbered}".encode()
            connection.pgconn.send_prepare(name, sql.encode())
            self._sent.append(_nothing)
        return name

    async def end(self) -> None:
        """Send the rest and take all answers in. Raises psycopg errors: then nothing was taken in."""
        if not self._asked and not self._sent:
            return
        await self.push()
        for name in self._outdated():
            self._connection.pgconn.send_query_params(b"DEALLOCATE " + name, None)
            self._sent.append(_nothing)
        self._connection.pgconn.pipeline_sync()
        results = await self._results()
        reader = self._connection.reader
        for take, result in zip(self._sent, results, strict=True):
            if take is not _nothing:
                reader.set_pgresult(result)
                take(reader.load_rows(0, result.ntuples, tuple))
        self._connection.statements.update(self._fresh)

    async def abandon(self) -> None:
        """Read what came back of statements sent, so that the connection can be used again."""
        if self._sent and not self._connection.closed:
            self._connection.pgconn.pipeline_sync()
            await self._connection.wait(_answers(self._connection.pgconn, len(self._sent)))
            self._connection.pgconn.exit_pipeline_mode()

    async def _results(self) -> list[PGresult]:
        pgconn = self._connection.pgconn
        results = await self._connection.wait(_answers(pgconn, len(self._sent)))
        pgconn.exit_pipeline_mode()
        for result in results:
            if result.status in _FAILED:
                raise error_from_result(result, encoding="utf-8")
        return results

    def _outdated(self) -> list[bytes]:
        """Forget the oldest statements where there are too many, and return their names."""
        kept = self._connection.statements
        return [kept.pop(sql) for sql in list(kept)[: max(0, len(kept) + len(self._fresh) - PREPARED_MAX)]]


@asynccontextmanager
async def round_trip(connection: LedgerConnection) -> AsyncIterator[Trip]:
    """Queue statements inside; they travel together when the block ends, in a transaction that is begun where there is none."""
    trip = Trip(connection)
    try:
        yield trip
    except BaseException:
        await trip.abandon()
        raise
    await trip.end()


@lru_cache(512)
def numbered(statement: str) -> tuple[str, tuple[str, ...]]:
    """Return a statement with its parameters numbered, and the names of `%(name)s` parameters in that order."""
    names: list[str] = []
    count = 0

    def number(found: re.Match[str]) -> str:
        nonlocal count
        name = found[1]
        if name is None:
            count += 1
            return f"${count}"
        if name not in names:
            names.append(name)
        return f"${names.index(name) + 1}"

    return _PARAMETER.sub(number, statement), tuple(names)


def _wire(value: Value) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    if value is None or isinstance(value, bytes):
        return value
    return (str(value) if isinstance(value, int) else value.isoformat()).encode()


def _nothing(_rows: Rows) -> None:
    return None


def _flushed(pgconn: PGconn) -> PQGen[None]:
    """Send all, reading what comes back meanwhile: with more queued than the socket takes, both sides would wait for ever."""
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()


def _answers(pgconn: PGconn, count: int) -> PQGen[list[PGresult]]:
    """Return the result of each statement, and read up to the end of the pipeline."""
    yield from _flushed(pgconn)
    results: list[PGresult] = []
    for _ in range(count):
        found = yield from fetch_many(pgconn)
        if not found:
            raise OperationalError("the server ended the round trip early")
        results.append(found[-1])
    yield from fetch_many(pgconn)
    return results
