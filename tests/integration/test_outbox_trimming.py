"""Old events go from the beginning on, never one that Kafka does not have, and it is kept up to where."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest

from hub.ledger import trimming
from hub.ledger.trimming import trim
from tests.support_usecases import START, Desk


def leave(desk: Desk, count: int, age_days: int, *, published: bool = True) -> None:
    at = START - timedelta(days=age_days)
    with psycopg.connect(desk.uri) as connection:
        connection.execute(
            "INSERT INTO outbox (topic, key, type, occurred_at, payload, published_at) "
            "SELECT 'pool', 'k', 't', %s, 'x', %s FROM generate_series(1, %s)",
            (at, at if published else None, count),
        )


async def test_what_is_old_and_published_goes_and_only_from_the_beginning(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimming, "BATCH", 7)
    leave(desk, 25, 40)
    leave(desk, 1, 39, published=False)
    leave(desk, 5, 38)
    assert await trim(desk.work.engine, START - timedelta(days=30), START) == 25
    assert desk.rows("SELECT min(seq), count(*) FROM outbox") == [(26, 6)]
    assert desk.rows("SELECT until_seq FROM outbox_trim") == [(25,)]
    with psycopg.connect(desk.uri) as connection:
        connection.execute("UPDATE outbox SET published_at = now()")
    assert await trim(desk.work.engine, START - timedelta(days=39), START) == 0, "not yet older"
    assert await trim(desk.work.engine, START - timedelta(days=30), START) == 6
    assert desk.rows("SELECT until_seq FROM outbox_trim") == [(31,)]
    assert await trim(desk.work.engine, START, START) == 0
