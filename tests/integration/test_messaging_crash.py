"""SIGKILL of relay, broker and database in mid-flow: what was committed arrives, in order per key, and has its effect once."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hub.embedded import EmbeddedPostgres
from hub.messaging.topics import out_topic
from tests.fixtures import messaging as exchange
from tests.fixtures.kafka import Broker
from tests.fixtures.seeds import SEED


def _in_flight() -> int:
    """How many rows are on their way when it is killed."""
    return random.Random(SEED).randint(1_500, 2_500)


def _keys(count: int) -> list[str]:
    return [f"enterprise-{number % 7}" for number in range(count)]


async def test_a_relay_killed_between_send_and_mark_sends_again_and_the_inbox_drops_the_doubles(kafka: Broker, database: str) -> None:
    exchange.prepare_database(database)
    plan = exchange.loopback()
    topic = out_topic(plan.prefix, exchange.SHANGHAI)
    seqs = exchange.add_rows(database, _keys(20))
    with psycopg.connect(database) as blocker:
        blocker.execute("SELECT 1 FROM outbox FOR UPDATE")
        with exchange.relay_process(database, kafka.bootstrap, plan) as relay:
            await exchange.until(lambda: len(exchange.read_until(kafka.bootstrap, topic, lambda records: len(records) >= 20)) >= 20, "all")
            relay.kill()
        # Its session would still mark the rows once they are free: the power cut takes that as well.
        blocker.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deltahub-relay'")
    assert exchange.unpublished(database) == 20
    port = exchange.Recorder()
    with exchange.running_relay(database, kafka.bootstrap, plan):
        async with exchange.running_consumer(database, kafka.bootstrap, plan, port):
            records = exchange.read_until(kafka.bootstrap, topic, lambda records: len(records) >= 40)
            seqs += exchange.add_rows(database, ["last"])
            await exchange.until(lambda: len(port.handled) >= 21, "the last row")
    assert sorted(exchange.ids(records)[:40]) == sorted(2 * seqs[:20])
    assert sorted(port.numbers()) == seqs
    assert exchange.in_order(port.by_key())


async def test_sigkill_of_the_broker(private_kafka: Broker, database: str) -> None:
    exchange.prepare_database(database)
    plan = exchange.loopback()
    port = exchange.Recorder()
    with exchange.running_relay(database, private_kafka.bootstrap, plan):
        async with exchange.running_consumer(database, private_kafka.bootstrap, plan, port):
            seqs = exchange.add_rows(database, _keys(100))
            await exchange.until(lambda: len(port.handled) >= 100, "the first rows")
            seqs += exchange.add_rows(database, _keys(_in_flight()))
            private_kafka.kill()
            seqs += exchange.add_rows(database, _keys(100))
            await exchange.until(lambda: _relay_waits(database), "the relay to notice")
            left = [row[0] for row in exchange.query(database, "SELECT seq FROM outbox WHERE published_at IS NULL")]
            assert len(left) >= 100
            private_kafka.start()
            await exchange.until(lambda: exchange.unpublished(database) == 0, "the relay to carry on")
            seqs += exchange.add_rows(database, _keys(20))
            # A broker that keeps nothing loses what it had acknowledged, and its offsets start over.
            expected = set(seqs if private_kafka.keeps_data else [*left, *seqs[-20:]])
            await exchange.until(lambda: expected <= set(port.numbers()), "the rows to be handled")
    assert max(port.offered.values()) == 1
    if private_kafka.keeps_data:
        assert exchange.in_order(port.by_key())
        topic = out_topic(plan.prefix, exchange.SHANGHAI)
        records = exchange.read_until(private_kafka.bootstrap, topic, lambda records: set(exchange.ids(records)) >= set(seqs))
        pairs = [(record.key.decode(), number) for record, number in zip(records, exchange.ids(records), strict=True)]
        assert exchange.in_order(exchange.firsts_by_key(pairs))


def _relay_waits(database: str) -> bool:
    """The relay holds a session and has nothing under way in it: whatever was acknowledged before the kill is marked."""
    rows = exchange.query(database, "SELECT state FROM pg_stat_activity WHERE application_name = 'deltahub-relay'")
    return rows == [("idle",)]


@pytest.fixture
def private_postgres() -> Iterator[EmbeddedPostgres]:
    directory = Path(tempfile.mkdtemp(prefix="yrd-pg-"))
    with EmbeddedPostgres(directory) as server:
        yield server
    shutil.rmtree(directory)


async def test_sigkill_of_the_database(kafka: Broker, private_postgres: EmbeddedPostgres) -> None:
    database = private_postgres.uri()
    exchange.prepare_database(database)
    plan = exchange.loopback()
    port = exchange.Recorder()
    with exchange.running_relay(database, kafka.bootstrap, plan):
        async with exchange.running_consumer(database, kafka.bootstrap, plan, port):
            seqs = exchange.add_rows(database, _keys(100))
            await exchange.until(lambda: len(port.handled) >= 100, "the first rows")
            seqs += exchange.add_rows(database, _keys(_in_flight()))
            private_postgres.kill()
            private_postgres.start()
            seqs += exchange.add_rows(database, _keys(20))
            await exchange.until(lambda: set(seqs) <= set(port.numbers()), "all rows to be handled")
            await exchange.until(lambda: exchange.unpublished(database) == 0, "all rows to be marked")
            received = "SELECT count(*) FROM inbox"
            await exchange.until(lambda: exchange.query(database, received) == [(len(seqs),)], "the inbox to know them all")
    assert exchange.in_order(port.by_key())
