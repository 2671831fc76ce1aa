"""Array literals of our own against the server that reads them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.embedded import EmbeddedPostgres
from hub.ledger.arrays import array_literal, text_array

_TEXT = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


@pytest.fixture(scope="module")
def connection(postgres_server: EmbeddedPostgres) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    with psycopg.connect(postgres_server.uri("postgres"), options="-c timezone=UTC") as opened:
        yield opened


@given(items=st.lists(st.none() | _TEXT))
def test_texts_come_back_as_they_were(connection: psycopg.Connection[tuple[object, ...]], items: list[str | None]) -> None:
    row = connection.execute("SELECT %s::text[]", (array_literal(items),)).fetchone()
    assert row == (items,)


@given(items=st.lists(_TEXT))
def test_nested_texts_come_back_as_they_were(connection: psycopg.Connection[tuple[object, ...]], items: list[str]) -> None:
    row = connection.execute("SELECT (x.t)::text[] FROM unnest(%s::text[]) AS x(t)", (array_literal([text_array(items)]),)).fetchone()
    assert row == (items,)


@given(items=st.lists(st.none() | st.binary()))
def test_bytes_come_back_as_they_were(connection: psycopg.Connection[tuple[object, ...]], items: list[bytes | None]) -> None:
    row = connection.execute("SELECT %s::bytea[]", (array_literal(items),)).fetchone()
    assert row == (items,)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ([1, None, -(2**62)], "bigint"),
        ([True, False, None], "bool"),
        ([date(2026, 2, 28), None], "date"),
        ([datetime(2026, 2, 28, 1, 2, 3, 456789, tzinfo=UTC), None], "timestamptz"),
    ],
)
def test_other_columns_come_back_as_they_were(connection: psycopg.Connection[tuple[object, ...]], column: list[object], kind: str) -> None:
    row = connection.execute(f"SELECT %s::{kind}[]", (array_literal(column),)).fetchone()
    assert row == (column,)


def test_a_type_without_a_literal_is_a_defect() -> None:
    with pytest.raises(TypeError, match="float"):
        array_literal([1.5])
