"""Use cases played on a migrated database of a test's own: callers, outcomes, what is stored, what will be published."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import psycopg
from google.protobuf.message_factory import GetMessageClass
from stdnum.cn import uscc

from hub.application.paging import asked_by, write_token
from hub.application.transaction import UseCase
from hub.codec.outcome import Outcome, refusal_of
from hub.domain.caller import Caller, Role
from hub.domain.clock import SimulatedClock
from hub.domain.divisions import COORDINATION, province_of
from hub.embedded import EmbeddedPostgres
from hub.ledger.unitofwork import UnitOfWork
from tests.fixtures.hub import migrated_database
from yrd.common.v1 import refusal_pb2
from yrd.events.v1 import events_pb2

# 09:00 of 2026-03-02 in Shanghai.
START = datetime(2026, 3, 2, 1, tzinfo=UTC)

_REMEMBERED = ("alembic_version", "idempotency", "outbox")


def platform(division: str) -> Caller:
    return Caller(f"spiffe://{province_of(division)}/{division}/platform", division, Role.PLATFORM)


COORDINATOR = Caller(f"spiffe://{COORDINATION}/{COORDINATION}/coordination", COORDINATION, Role.COORDINATOR)


def forged(caller: Caller, request: Any, *position: str) -> Any:
    """Return `request` with a page token of its own list, made by hand."""
    request.page_token = write_token([asked_by(caller, request), *position])
    return request


def credit_code(number: int, prefix: str = "91310118") -> str:
    """Return the `number`-th valid, fictitious credit code of a prefix."""
    stem = f"{prefix}{number:09d}"
    return stem + str(uscc.calc_check_digit(stem))


@dataclass(frozen=True, slots=True)
class Told:
    """A row of the outbox, read."""

    topic: str
    key: str
    message: Any


class Desk:
    """Plays use cases as a caller and says what came of it."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.clock = SimulatedClock(START)
        self.work = UnitOfWork(uri, self.clock)

    def advance_to(self, day: str) -> None:
        """Move to 09:00 Shanghai time of a day."""
        self.clock.advance_to(datetime.fromisoformat(f"{day}T09:00:00+08:00"))

    async def send(self, use_case: UseCase, caller: Caller, request: Any) -> Outcome:
        """Mutate; a request without an id gets a fresh one."""
        request.request_id = request.request_id or str(uuid.uuid4())
        digest = hashlib.sha256(request.SerializeToString(deterministic=True)).digest()
        return await self.work.mutate(use_case, caller, request, request_id=request.request_id, digest=digest)

    async def do(self, use_case: UseCase, caller: Caller, request: Any) -> Any:
        """Mutate and return the response."""
        return response(request, await self.send(use_case, caller, request))

    async def ask(self, use_case: UseCase, caller: Caller, request: Any) -> Any:
        """Query and return the response."""
        return response(request, await self.work.query(use_case, caller, request))

    async def refused(self, use_case: UseCase, caller: Caller, request: Any) -> tuple[str, list[str]]:
        """Mutate, check that nothing changed and nobody was told, and return the code and the wrong fields."""
        before = self.state(), self.told()
        outcome = await self.send(use_case, caller, request)
        assert (self.state(), self.told()) == before
        return refusal(outcome)

    async def unanswered(self, use_case: UseCase, caller: Caller, request: Any) -> tuple[str, list[str]]:
        """Query and return the code of the refusal and the wrong fields."""
        return refusal(await self.work.query(use_case, caller, request))

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """Return what a statement finds."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            return connection.execute(statement.encode()).fetchall()

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return every row of every table, but for what remembers requests and what tells of them."""
        with psycopg.connect(self.uri, autocommit=True) as connection:
            tables = connection.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname IN ('public', 'registry')").fetchall()
            return {
                f"{schema}.{table}": sorted(connection.execute(f"SELECT t::text FROM {schema}.{table} AS t").fetchall())
                for schema, table in tables
                if table not in _REMEMBERED
            }

    def told(self, count: int = 0) -> list[Told]:
        """Return the events left, oldest first; the last `count` where asked."""
        found = [
            Told(topic, key, GetMessageClass(events_pb2.DESCRIPTOR.message_types_by_name[type_.rsplit(".", 1)[1]]).FromString(payload))
            for topic, key, type_, payload in self.rows("SELECT topic, key, type, payload FROM outbox ORDER BY seq")
        ]
        return found[-count:] if count else found


def response(request: Any, outcome: Outcome) -> Any:
    """Return the response message of an answered request."""
    assert outcome.ok, refusal_of(outcome)
    name = request.DESCRIPTOR.name.removesuffix("Request") + "Response"
    return GetMessageClass(request.DESCRIPTOR.file.message_types_by_name[name]).FromString(outcome.body)


def refusal(outcome: Outcome) -> tuple[str, list[str]]:
    """Return the code of a refusal and the wrong fields."""
    assert not outcome.ok, "this should have been refused"
    message = refusal_of(outcome)
    code = refusal_pb2.RefusalCode.Name(message.code).removeprefix("REFUSAL_CODE_")
    return code, [violation.field for violation in message.violations]


def codes(outcomes: Iterable[Outcome]) -> list[str]:
    """Return what became of each request, sorted: `OK` or the code."""
    return sorted("OK" if outcome.ok else refusal(outcome)[0] for outcome in outcomes)


@asynccontextmanager
async def open_desk(server: EmbeddedPostgres) -> AsyncIterator[Desk]:
    """A desk at a migrated, empty database."""
    with migrated_database(server) as uri:
        desk = Desk(uri)
        try:
            yield desk
        finally:
            await desk.work.close()
