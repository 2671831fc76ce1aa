"""SIGKILL of hub, database or broker under a stream of commands: nothing acknowledged is lost, nothing is doubled (design property 7)."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from hub.embedded import EmbeddedKafka, EmbeddedPostgres, Lifeline
from hub.ledger.migrate import migrate
from hub.messaging.cloudevents import decode
from hub.messaging.topics import physical
from tests.fixtures import messaging as exchange
from tests.fixtures.hub import migrated_database, open_hub
from tests.fixtures.kafka import Broker
from tests.fixtures.seeds import SEED
from tests.fixtures.traffic import open_traffic


def _moments(what: str) -> list[int]:
    """After how many more answers it is killed, and again."""
    dice = random.Random(f"{SEED}/{what}")
    return [dice.randint(60, 140) for _ in range(2)]


async def test_sigkill_of_the_hub(postgres_server: EmbeddedPostgres, embedded_kafka: EmbeddedKafka, tmp_path: Path) -> None:
    with migrated_database(postgres_server) as uri:
        async with open_hub(uri, embedded_kafka.bootstrap, tmp_path) as hub:
            traffic = await open_traffic(hub, SEED)
            async with traffic.flowing():
                for answers in _moments("hub"):
                    await traffic.more(answers)
                    await asyncio.to_thread(hub.process.restart)
                    await traffic.nothing_lost()
                await traffic.more(100)
            await traffic.settled_exactly()


class GuardedPostgres(EmbeddedPostgres):
    """A server to kill and start again. It goes, with its files, also when the test run is killed."""

    _lifeline: Lifeline | None = None

    def start(self) -> GuardedPostgres:
        super().start()
        assert self.pid is not None
        self._lifeline = Lifeline(self.pid, signal="QUIT", remove=str(self.data_dir))
        return self

    def kill(self) -> None:
        if self._lifeline is not None:
            self._lifeline.disarm()
        super().kill()


@pytest.fixture
def private_postgres() -> Iterator[GuardedPostgres]:
    server = GuardedPostgres(Path(tempfile.mkdtemp(prefix="yrd-pg-"))).start()
    yield server
    # Nobody reads the data again.
    server.kill()
    shutil.rmtree(server.data_dir)


async def test_sigkill_of_the_database(private_postgres: GuardedPostgres, embedded_kafka: EmbeddedKafka, tmp_path: Path) -> None:
    uri = private_postgres.uri()
    migrate(uri)
    async with open_hub(uri, embedded_kafka.bootstrap, tmp_path) as hub:
        traffic = await open_traffic(hub, SEED + 1)
        async with traffic.flowing():
            for answers in _moments("database"):
                await traffic.more(answers)
                await asyncio.to_thread(_kill_and_start, private_postgres)
                await traffic.nothing_lost()
            await traffic.more(100)
        await traffic.settled_exactly()
        assert hub.process.running, "the hub outlives its database"


def _kill_and_start(server: GuardedPostgres) -> None:
    server.kill()
    server.start()


async def test_sigkill_of_the_broker(private_kafka: Broker, postgres_server: EmbeddedPostgres, tmp_path: Path) -> None:
    with migrated_database(postgres_server) as uri:
        async with open_hub(uri, private_kafka.bootstrap, tmp_path) as hub:
            traffic = await open_traffic(hub, SEED + 2)
            async with traffic.flowing():
                await traffic.more(_moments("broker")[0])
                await asyncio.to_thread(private_kafka.kill)
                # No command waits for Kafka.
                await traffic.more(100)
                left = {row[0] for row in exchange.query(uri, "SELECT seq FROM outbox WHERE published_at IS NULL")}
                assert left
                await asyncio.to_thread(private_kafka.start)
                await traffic.more(100)
            await traffic.settled_exactly()
            await exchange.until(lambda: exchange.unpublished(uri) == 0, "everything to be published")
            await asyncio.to_thread(_told, private_kafka, hub.process.prefix, uri, left)


def _told(broker: Broker, prefix: str, uri: str, left: set[int]) -> None:
    """Every event that a broker can still hold is there, and those of one key came in the order of their commits."""
    rows = exchange.query(uri, "SELECT seq, topic, key, payload FROM outbox ORDER BY seq")
    for topic in sorted({row[1] for row in rows}):
        due = {seq: (key, bytes(payload)) for seq, logical, key, payload in rows if logical == topic}
        # A broker that keeps nothing has lost what it had acknowledged before.
        wanted = set(due) if broker.keeps_data else set(due) & left
        records = exchange.read_until(broker.bootstrap, physical(prefix, topic), partial(_holds, wanted))
        assert all(_as_committed(record, due) for record in records)
        told = [(record.key.decode(), number) for record, number in zip(records, exchange.ids(records), strict=True)]
        assert exchange.in_order(exchange.firsts_by_key(told))


def _holds(wanted: set[int], records: list[Any]) -> bool:
    return wanted <= set(exchange.ids(records))


def _as_committed(record: Any, due: dict[int, tuple[str, bytes]]) -> bool:
    event = decode(record)
    return due[int(event.id)] == (record.key.decode(), event.data)
