"""Round trips straight through libpq: what is asked is answered in order, and whatever goes wrong leaves a connection that works."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest
from psycopg import errors, pq

from hub.ledger import trip as trips
from hub.ledger.connection import connect
from hub.ledger.trip import LedgerConnection, Rows, numbered, round_trip
from tests.fixtures.ledger import Book


@pytest.fixture
async def connection(book: Book) -> AsyncIterator[LedgerConnection]:
    opened = await connect(book.uri)
    yield opened
    await opened.close()


async def ask(connection: LedgerConnection, statement: str, *params: trips.Value) -> Rows:
    found: Rows = []
    async with round_trip(connection) as trip:
        trip.ask(statement, params, found.extend)
    return found


def test_parameters_are_numbered_in_order_and_a_name_once() -> None:
    assert numbered("SELECT %s, %s") == ("SELECT $1, $2", ())
    assert numbered("SELECT %(b)s, %(a)s, %(b)s") == ("SELECT $1, $2, $1", ("b", "a"))


async def test_values_of_each_kind_arrive_as_they_are(connection: LedgerConnection) -> None:
    now, day = datetime(2026, 2, 3, 4, 5, 6, 789, tzinfo=UTC), date(2026, 2, 3)
    sent = (now, day, 7, "券 '\\\"", None)
    (row,) = await ask(connection, "SELECT %s::timestamptz, %s::date, %s::int, %s::text, %s::text", *sent)
    assert row == sent


async def test_answers_come_in_the_order_of_the_questions_each_to_its_own(connection: LedgerConnection) -> None:
    told: list[int] = []
    async with round_trip(connection) as trip:
        for number in range(20):
            trip.ask("SELECT %s::int", (number,), lambda rows: told.append(rows[0][0]))
    assert told == list(range(20))


async def test_what_fails_is_raised_and_nothing_of_the_trip_is_taken_in(connection: LedgerConnection) -> None:
    told: Rows = []
    with pytest.raises(errors.DivisionByZero):
        async with round_trip(connection) as trip:
            trip.ask("SELECT 1", (), told.extend)
            trip.ask("SELECT 1 / %s::int", (0,), told.extend)
            trip.ask("SELECT 2", (), told.extend)
    assert told == []
    await connection.rollback()
    assert await ask(connection, "SELECT 1 / %s::int", 1) == [(1,)]


async def test_an_error_of_the_caller_after_sending_leaves_a_connection_that_works(connection: LedgerConnection) -> None:
    with pytest.raises(RuntimeError):
        async with round_trip(connection) as trip:
            trip.ask("SELECT pg_advisory_xact_lock(1)")
            await trip.push()
            raise RuntimeError
    await connection.rollback()
    assert await ask(connection, "SELECT count(*)::int FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


async def test_a_transaction_begins_by_itself_and_ends_when_asked(connection: LedgerConnection) -> None:
    await ask(connection, "SELECT 1")
    assert connection.pgconn.transaction_status == pq.TransactionStatus.INTRANS
    async with round_trip(connection) as trip:
        trip.ask("COMMIT")
    assert connection.pgconn.transaction_status == pq.TransactionStatus.IDLE


async def test_no_more_statements_are_kept_than_the_limit(connection: LedgerConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trips, "PREPARED_MAX", 5)
    for number in range(12):
        assert await ask(connection, f"SELECT {number}") == [(number,)]
    assert len(connection.statements) == 5
    assert await ask(connection, "SELECT 0") == [(0,)], "one that was let go is prepared again"
    prepared = await ask(connection, "SELECT count(*)::int FROM pg_prepared_statements")
    assert prepared[0][0] <= 6


async def test_a_trip_larger_than_the_sockets_both_ways_ends(connection: LedgerConnection) -> None:
    large, sizes = "x" * 3_000_000, []
    async with round_trip(connection) as trip:
        for _ in range(6):
            trip.ask("SELECT %s::text", (large,), lambda rows: sizes.append(len(rows[0][0])))
    assert sizes == [len(large)] * 6
