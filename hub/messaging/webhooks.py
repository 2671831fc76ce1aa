"""Posts events to webhooks: at least once, in order for each key. One process at a time does, by a lock of PostgreSQL.

A webhook's cursor moves past an event only once that and all before it were taken. Of a page of events those of one key are posted one
after the other, keys side by side; where one is not taken, the rest of its key waits for the next attempt, and what was taken behind the
cursor meanwhile is remembered, in this process, and not posted twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import namedtuple_row

from hub.application.subscribing import Page, Row, Tail
from hub.application.webhooks import ACTIVE, DISABLED, message_of
from hub.codec.encode import timestamp
from hub.codec.events import POOL, event, out
from hub.domain.clock import Clock
from hub.domain.webhooks import given_up, pause_after
from hub.failpoints import failpoint
from hub.messaging.posting import GONE, Poster
from yrd.events.v1 import webhook_pb2

log = structlog.get_logger(__name__)

WEBHOOK_LOCK = 0x7972645F686F6F6B
"""Advisory lock of the process that posts (`yrd_hook` in ASCII); one per database."""

EXPIRED = "CURSOR_EXPIRED"
_KEYS_AT_ONCE = 8
_PASSED_OVER = 1_000
_DUE = "SELECT * FROM webhook WHERE state = 'ACTIVE' AND (next_attempt_at IS NULL OR next_attempt_at <= %s) ORDER BY webhook_id"
_SAVE = """
UPDATE webhook SET cursor = %(cursor)s, state = %(state)s, attempts = %(attempts)s, last_error = %(last_error)s,
    failing_since = %(failing_since)s, next_attempt_at = %(next_attempt_at)s, ended_at = %(ended_at)s
WHERE webhook_id = %(webhook_id)s AND state = 'ACTIVE' RETURNING *"""
_TELL = "INSERT INTO outbox (topic, key, type, payload, occurred_at) VALUES (%s, %s, %s, %s, %s)"


@dataclass(frozen=True, slots=True)
class _Attempt:
    """What became of a page: the number everything up to which was taken, and what was wrong with the rest."""

    reached: int
    taken: bool
    problem: str


class WebhookSender:
    """`run` is one task."""

    def __init__(self, database_url: str, tail: Tail, poster: Poster, clock: Clock, *, poll_seconds: float = 1.0) -> None:
        self._url, self._tail, self._poster, self._clock, self._poll_seconds = database_url, tail, poster, clock, poll_seconds
        self._taken: dict[UUID, set[int]] = {}

    async def run(self) -> None:
        """Post until cancelled, through any outage of the database."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(
                    self._url, autocommit=True, connect_timeout=5, application_name="deltahub webhooks", row_factory=namedtuple_row
                ) as connection:
                    await self._stand_by(connection)
            except Exception as error:
                # Nothing may end it but being cancelled: what was not taken is posted again.
                log.warning("webhooks_interrupted", error=repr(error))
            self._taken.clear()
            await asyncio.sleep(self._poll_seconds)

    async def _stand_by(self, connection: psycopg.AsyncConnection[Any]) -> None:
        while True:
            row = await (await connection.execute("SELECT pg_try_advisory_lock(%s) AS got", (WEBHOOK_LOCK,))).fetchone()
            if row is not None and row.got:
                break
            await asyncio.sleep(self._poll_seconds)
        async with self._tail.listening():
            while True:
                if not await self.run_once(connection):
                    await asyncio.sleep(self._poll_seconds)

    async def run_once(self, connection: psycopg.AsyncConnection[Any]) -> bool:
        """Post one page to each webhook that is due; return whether any event was taken. Raises psycopg.Error, SQLAlchemy's errors."""
        due = await (await connection.execute(_DUE, (self._clock.now(),))).fetchall()
        attempts = await asyncio.gather(*(self._attempt(hook) for hook in due))
        taken = any(attempt.taken for attempt in attempts)
        if taken:
            failpoint("webhooks.after_post_before_save")
        for hook, attempt in zip(due, attempts, strict=True):
            await self._save(connection, hook, attempt)
        if taken:
            failpoint("webhooks.after_save")
        return taken

    async def _attempt(self, hook: Any) -> _Attempt:
        page = await self._tail.read([out(hook.division), POOL], hook.types, hook.cursor)
        if page.trimmed > hook.cursor:
            return _Attempt(hook.cursor, False, EXPIRED)
        if not page.events:
            return _Attempt(page.reached, False, "")
        return await self._post(hook, page)

    async def _post(self, hook: Any, page: Page) -> _Attempt:
        taken = self._taken.setdefault(hook.webhook_id, set())
        lanes: dict[str, list[Row]] = {}
        for row in page.events:
            if row[0] not in taken:
                lanes.setdefault(row[2], []).append(row)
        slots, problems = asyncio.Semaphore(_KEYS_AT_ONCE), list[str]()
        before = len(taken)

        async def post(lane: Sequence[Row]) -> None:
            for row in lane:
                async with slots:
                    # Once something fails nothing more is begun: the receiver is likely in trouble with all.
                    problem = "" if problems else await self._poster.post(hook.url, row, self._clock.now())
                if problem or problems:
                    problems.extend([problem] if problem else [])
                    return
                taken.add(row[0])

        await asyncio.gather(*(post(lane) for lane in lanes.values()))
        missing = next((row[0] for row in page.events if row[0] not in taken), None)
        reached = page.reached if missing is None else missing - 1
        progress = len(taken) > before
        self._taken[hook.webhook_id] = {number for number in taken if number > reached}
        return _Attempt(reached, progress, problems[0] if problems else "")

    async def _save(self, connection: psycopg.AsyncConnection[Any], hook: Any, attempt: _Attempt) -> None:
        if not attempt.problem and not hook.attempts and not attempt.taken and attempt.reached < hook.cursor + _PASSED_OVER:
            # Passing over what is no event of its own is not worth a write each time.
            return
        now = self._clock.now()
        values = {"webhook_id": hook.webhook_id, "cursor": attempt.reached, **_state(hook, attempt, now)}
        async with connection.transaction():
            row = await (await connection.execute(_SAVE, values)).fetchone()
            if row is not None and row.state == DISABLED:
                message = webhook_pb2.WebhookDisabled(webhook=message_of(row), occurred_at=timestamp(now))
                await connection.execute(_TELL, (*event(out(row.division), str(row.webhook_id), message), now))
                await connection.execute("NOTIFY outbox")
                log.warning("webhook_disabled", webhook=str(row.webhook_id), error=row.last_error)


def _state(hook: Any, attempt: _Attempt, now: datetime) -> dict[str, Any]:
    """Return what is kept of a webhook after an attempt."""
    if not attempt.problem:
        return {"state": ACTIVE, "attempts": 0, "last_error": "", "failing_since": None, "next_attempt_at": None, "ended_at": None}
    # Where some of a page was taken the receiver lives: the count of failures begins anew, and so do the days.
    attempts = 1 if attempt.taken else hook.attempts + 1
    since = now if attempt.taken else hook.failing_since or now
    ends = attempt.problem in (GONE, EXPIRED) or given_up(since, now)
    return {
        "state": DISABLED if ends else ACTIVE,
        "attempts": attempts,
        "last_error": attempt.problem,
        "failing_since": since,
        "next_attempt_at": now + pause_after(attempts),
        "ended_at": now if ends else None,
    }
