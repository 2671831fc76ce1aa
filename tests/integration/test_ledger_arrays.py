"""Arrays of our own against the server that reads them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.embedded import EmbeddedPostgres
from hub.ledger.arrays import columns, ints, texts
from hub.ledger.connection import connect
from hub.ledger.trip import LedgerConnection, Rows, Value, round_trip

_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def connection(postgres_server: EmbeddedPostgres) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgres_server.uri("postgres"), options="-c timezone=UTC") as opened:
        yield opened


@pytest.fixture
async def ledger(postgres_server: EmbeddedPostgres) -> AsyncIterator[LedgerConnection]:
    opened = await connect(postgres_server.uri("postgres"))
    yield opened
    await opened.close()


async def _sent(ledger: LedgerConnection, statement: str, value: Value) -> Rows:
    found: Rows = []
    async with round_trip(ledger) as trip:
        trip.ask(statement, (value,), found.extend)
    return found


@given(items=st.lists(_TEXT))
def test_texts_come_back_as_they_were(connection: psycopg.Connection[tuple[object, ...]], items: list[str]) -> None:
    row = connection.execute("SELECT %s::text[]", (texts(items),)).fetchone()
    assert row == (items,)


@given(items=st.lists(_TEXT, min_size=1))
def test_nested_texts_come_back_as_they_were(connection: psycopg.Connection[tuple[object, ...]], items: list[str]) -> None:
    row = connection.execute("SELECT (x.t)::text[] FROM unnest(%s::text[]) AS x(t)", (texts([texts(items)]),)).fetchone()
    assert row == (items,)


@pytest.mark.parametrize(
    ("column", "kind", "type_name"),
    [
        ([1, 0, -(2**62)], "i", "bigint"),
        ([1, 0, -(2**15)], "s", "smallint"),
        ([True, False], "f", "bool"),
        ([date(2026, 2, 28), None, date(2026, 2, 28), date(2026, 3, 1)], "d", "date"),
        ([datetime(2026, 2, 28, 1, 2, 3, 456789, tzinfo=UTC), None], "d", "timestamptz"),
        ([None, date(2026, 2, 28)], "d", "date"),
        ([b"", b"\x00\xff\\", b"text", b"x" * 70_000], "b", "bytea"),
        (["0198c5b0-0000-7000-8000-000000000001", None], "u", "uuid"),
    ],
)
async def test_columns_come_back_as_they_were(ledger: LedgerConnection, column: list[object], kind: str, type_name: str) -> None:
    (sent,) = columns([(item,) for item in column], kind)
    shown = "text" if kind == "u" else type_name
    assert await _sent(ledger, f"SELECT %s::{type_name}[]::{shown}[]", sent) == [(column,)]


async def test_no_numbers_are_an_empty_array(ledger: LedgerConnection) -> None:
    assert await _sent(ledger, "SELECT %s::bigint[]", ints([])) == [([],)]


def test_rows_that_do_not_fit_the_kinds_are_a_defect() -> None:
    with pytest.raises(ValueError, match="zip"):
        columns([(1, 2)], "i")
