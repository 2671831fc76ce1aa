"""Round trips of the ledger: statements that travel together, prepared once a connection, straight through libpq.

psycopg's cursors cost more than PostgreSQL does for a small batch: each makes a hundred objects that refer to one another in circles, and
asks the event loop whether the socket is ready (docs/adr/0011-clearing-speed.md). What they are for, adapting values of any type, is not
needed here: parameters are text or, as `bytes`, in PostgreSQL's binary form (`arrays`). Reading rows is left to psycopg.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from types import TracebackType
from typing import Any

from psycopg import pq
from psycopg.errors import error_from_result

from hub.ledger.link import LedgerConnection

__all__ = ["LedgerConnection", "Rows", "Take", "Trip", "Value", "numbered", "round_trip"]

PREPARED_MAX = 256

Rows = list[tuple[Any, ...]]
Take = Callable[[Rows], None]
"""Takes the rows of one answer in."""

Value = str | bytes | int | datetime | date | None
"""A parameter. `bytes` are a value in PostgreSQL's binary form, anything else travels as text."""

_PARAMETER = re.compile(r"%s|%\((\w+)\)s")
_FAILED = (pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.PIPELINE_ABORTED)
_OFF, _IDLE = pq.PipelineStatus.OFF, pq.TransactionStatus.IDLE
_TEXT, _BINARY = int(pq.Format.TEXT), int(pq.Format.BINARY)


class Trip:
    """Statements gathered by `ask`; `push` sends what was gathered so far, the end of the block sends the rest and takes the answers in."""

    def __init__(self, connection: LedgerConnection) -> None:
        self._connection = connection
        self._asked: list[tuple[str, list[bytes | None], list[int], Take | None]] = []
        self._sent: list[Take | None] = []
        self._fresh: dict[str, bytes] = {}

    async def __aenter__(self) -> Trip:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if error is None:
            await self.end()
        else:
            await self.abandon()

    def ask(self, statement: str, params: Sequence[Value] | Mapping[str, Value] = (), take: Take | None = None) -> None:
        """Add a statement with `%s` or `%(name)s` parameters, each of which the statement casts to its type where that is not plain."""
        sql, names = numbered(statement)
        given = [params[name] for name in names] if isinstance(params, Mapping) else params
        values: list[bytes | None] = []
        formats: list[int] = []
        for value in given:
            if isinstance(value, bytes):
                values.append(value)
                formats.append(_BINARY)
            else:
                values.append(_text(value))
                formats.append(_TEXT)
        self._asked.append((sql, values, formats, take))

    async def push(self) -> None:
        """Send what was asked so far; PostgreSQL begins with it."""
        self._send()
        await self._connection.flush()

    def _send(self) -> None:
        pgconn = self._connection.pgconn
        if pgconn.pipeline_status == _OFF:
            if pgconn.transaction_status == _IDLE and not self._connection.autocommit:
                self._asked.insert(0, ("BEGIN", [], [], None))
            pgconn.enter_pipeline_mode()
        for sql, values, formats, take in self._asked:
            pgconn.send_query_prepared(self._named(sql), values, formats)
            self._sent.append(take)
        self._asked.clear()

    def _named(self, sql: str) -> bytes:
        """Return the name of a prepared statement; one not met before is prepared on the way."""
        connection = self._connection
        name: bytes | None = connection.statements.get(sql) or self._fresh.get(sql)
        if name is None:
            connection.numbered += 1
            name = self._fresh[sql] = f"l{connection.numbered}".encode()
            connection.pgconn.send_prepare(name, sql.encode())
            self._sent.append(None)
        return name

    async def end(self) -> None:
        """Send the rest and take all answers in. Raises psycopg errors: then nothing was taken in."""
        if not self._asked and not self._sent:
            return
        self._send()
        if self._fresh:
            self._let_go()
        # Sends all that is queued as well.
        self._connection.pgconn.pipeline_sync()
        results = await self._connection.answers()
        self._connection.pgconn.exit_pipeline_mode()
        for result in results:
            if result.status in _FAILED:
                raise error_from_result(result, encoding="utf-8")
        reader = self._connection.reader
        for take, result in zip(self._sent, results, strict=True):
            if take is not None:
                count = result.ntuples
                if count:
                    reader.set_pgresult(result)
                take(reader.load_rows(0, count, tuple) if count else [])
        self._connection.statements.update(self._fresh)

    async def abandon(self) -> None:
        """Read what came back of statements sent, so that the connection can be used again."""
        if self._sent and not self._connection.closed:
            self._connection.pgconn.pipeline_sync()
            await self._connection.answers()
            self._connection.pgconn.exit_pipeline_mode()

    def _let_go(self) -> None:
        """Forget the oldest statements where there are too many."""
        kept = self._connection.statements
        for sql in list(kept)[: max(0, len(kept) + len(self._fresh) - PREPARED_MAX)]:
            self._connection.pgconn.send_query_params(b"DEALLOCATE " + kept.pop(sql), None)
            self._sent.append(None)


def round_trip(connection: LedgerConnection) -> Trip:
    """Queue statements inside; they travel together when the block ends, in a transaction that is begun where there is none."""
    return Trip(connection)


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


def _text(value: str | int | date | None) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    if value is None:
        return None
    return (str(value) if isinstance(value, int) else value.isoformat()).encode()
