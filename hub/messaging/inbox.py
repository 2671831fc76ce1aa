"""The consumer's memory in PostgreSQL: what it has handled (`inbox`) and what nobody could (`dead_letter`)."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from hub.messaging.deadletters import TYPE, DeadLetter, told
from hub.messaging.schema import OUTBOX_CHANNEL
from hub.messaging.topics import DEAD_SUFFIX

Receipt = tuple[str, str]
"""Topic and source id of a record that was handled."""

_SEEN = """
SELECT i.topic, i.source_id FROM inbox i
JOIN unnest(%s::text[], %s::text[]) AS asked (topic, source_id) USING (topic, source_id)
WHERE i.consumer = %s
"""
_RECEIVE = """
INSERT INTO inbox (consumer, topic, source_id, received_at)
SELECT %s, topic, source_id, %s FROM unnest(%s::text[], %s::text[]) AS handled (topic, source_id)
ON CONFLICT DO NOTHING
"""
# A record comes again where the process died between this insert and the commit of its offset. The value is compared as well because
# offsets start over with a broker that keeps nothing.
_BURY = """
INSERT INTO dead_letter (topic, partition, record_offset, key, headers, value, reason, failed_at, division, code, source_id)
SELECT %(topic)s, %(partition)s, %(offset)s, %(key)s, %(headers)s, %(value)s, %(reason)s, %(at)s, %(division)s, %(code)s, %(source_id)s
WHERE NOT EXISTS (
    SELECT 1 FROM dead_letter
    WHERE topic = %(topic)s AND partition = %(partition)s AND record_offset = %(offset)s AND value IS NOT DISTINCT FROM %(value)s
)
RETURNING id
"""
_TELL = "INSERT INTO outbox (topic, key, type, occurred_at, payload) VALUES (%s, %s, %s, %s, %s)"


class Inbox:
    """The two tables, for one consumer by name. Connects when first used and again after a failure; methods raise psycopg.Error."""

    def __init__(self, dsn: str, consumer: str) -> None:
        self._dsn = dsn
        self._consumer = consumer
        self._connection: psycopg.AsyncConnection[Any] | None = None

    async def seen(self, receipts: Sequence[Receipt]) -> set[Receipt]:
        """Return those of `receipts` that were handled before."""
        connection = await self._connect()
        topics, source_ids = _columns(receipts)
        cursor = await connection.execute(_SEEN, (topics, source_ids, self._consumer), prepare=True)
        return {(topic, source_id) async for topic, source_id in cursor}

    async def record(self, handled: Sequence[Receipt], dead: Sequence[DeadLetter], at: datetime) -> None:
        """Keep what was handled and what could not be, in one transaction; the provinces are told of the latter, in the same one."""
        connection = await self._connect()
        async with connection.transaction():
            if handled:
                await receive(connection, self._consumer, handled, at)
            for letter in dead:
                await self._bury(connection, letter, at)

    async def _bury(self, connection: psycopg.AsyncConnection[Any], letter: DeadLetter, at: datetime) -> None:
        row = await (await connection.execute(_BURY, _values(letter, at))).fetchone()
        if row is None:
            return
        # Its own partition orders a province's dead letters as its records were.
        event = (f"{letter.division}{DEAD_SUFFIX}", str(letter.partition), TYPE, at, told(letter, row[0], at))
        await connection.execute(_TELL, event)
        await connection.execute(f"NOTIFY {OUTBOX_CHANNEL}")

    async def forget(self, before: datetime) -> int:
        """Delete what this consumer handled before `before` and return how many; keep at least what Kafka itself still holds."""
        connection = await self._connect()
        cursor = await connection.execute("DELETE FROM inbox WHERE consumer = %s AND received_at < %s", (self._consumer, before))
        return cursor.rowcount

    async def close(self) -> None:
        """End the session; the next use begins another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(psycopg.Error):
                await connection.close()

    async def _connect(self) -> psycopg.AsyncConnection[Any]:
        if self._connection is not None and (self._connection.closed or self._connection.broken):
            await self.close()
        if self._connection is None:
            self._connection = await psycopg.AsyncConnection.connect(
                self._dsn, autocommit=True, connect_timeout=5, application_name="deltahub-consumer"
            )
        return self._connection


async def receive(connection: psycopg.AsyncConnection[Any], consumer: str, handled: Sequence[Receipt], at: datetime) -> None:
    """Have the inbox of `consumer` know what was handled at `at`. Raises psycopg.Error."""
    topics, source_ids = _columns(handled)
    await connection.execute(_RECEIVE, (consumer, at, topics, source_ids), prepare=True)


def _columns(receipts: Iterable[Receipt]) -> tuple[list[str], list[str]]:
    pairs = list(receipts)
    return [topic for topic, _ in pairs], [source_id for _, source_id in pairs]


def _values(letter: DeadLetter, at: datetime) -> dict[str, Any]:
    return {
        "topic": letter.topic,
        "partition": letter.partition,
        "offset": letter.offset,
        "key": letter.key,
        "headers": Jsonb([_header(name, value) for name, value in letter.headers]),
        "value": letter.value,
        "reason": letter.reason,
        "division": letter.division,
        "code": letter.code,
        "source_id": letter.source_id,
        "at": at,
    }


def read_headers(kept: Sequence[dict[str, str | None]]) -> list[tuple[str, bytes | None]]:
    """Return the headers of a record as they were, from what is kept of them."""
    return [(str(each["name"]), _header_value(each)) for each in kept]


def _header_value(kept: dict[str, str | None]) -> bytes | None:
    if "base64" in kept:
        return base64.b64decode(kept["base64"] or "")
    text = kept["value"]
    return None if text is None else text.encode()


def _header(name: str, value: bytes | None) -> dict[str, str | None]:
    """Return a header as JSON that loses nothing: what is no text without zeros goes as base64."""
    safe_name = name.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    try:
        text = None if value is None else value.decode()
    except UnicodeDecodeError:
        text = "\x00"
    if text is not None and "\x00" in text:
        return {"name": safe_name, "base64": base64.b64encode(value or b"").decode()}
    return {"name": safe_name, "value": text}
