"""Several consumers at once, one that dies, a broker that restarts, doubles and disorder, a week away: each command has one effect."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from kafka import KafkaAdminClient
from kafka.admin import ConfigResource, ConfigResourceType

from hub.messaging.admin import ensure_topics
from hub.messaging.ports import InboundCommand, Unavailable
from hub.messaging.topics import TopicPlan, in_topic
from tests.fixtures import messaging as exchange
from tests.fixtures.kafka import Broker

_EFFECTS = """
CREATE TABLE effect (n bigint GENERATED ALWAYS AS IDENTITY, member text, source_id text PRIMARY KEY, key text NOT NULL);
"""

# A port whose effect is a row of its own, once for each id, like the ledger's with its request ids.
_MEMBER = """
import asyncio, json, sys
import psycopg
from hub.messaging.topics import TopicPlan
from tests.fixtures import messaging as exchange

class Effects:
    def __init__(self, connection, name):
        self.connection, self.name = connection, name
    async def handle(self, command):
        await self.connection.execute(
            "INSERT INTO effect (member, source_id, key) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
            (self.name, command.source_id, command.payload.decode()),
        )

async def main(dsn, bootstrap, prefix, name):
    plan = TopicPlan(prefix, (exchange.SHANGHAI,), partitions=3)
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as connection:
        async with exchange.running_consumer(dsn, bootstrap, plan, Effects(connection, name)):
            await asyncio.Event().wait()

asyncio.run(main(*json.loads(sys.argv[1])))
"""


@contextmanager
def member(dsn: str, bootstrap: str, plan: TopicPlan, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """A consumer in a process of its own, to be killed or stopped."""
    process = subprocess.Popen([sys.executable, "-c", _MEMBER, json.dumps([dsn, bootstrap, plan.prefix, name])])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def hub_database(database: str) -> str:
    exchange.prepare_database(database)
    with psycopg.connect(database) as connection:
        connection.execute(_EFFECTS.encode())
    return database


def effects(dsn: str) -> int:
    return int(exchange.query(dsn, "SELECT count(*) FROM effect")[0][0])


def members(dsn: str) -> set[str]:
    return {row[0] for row in exchange.query(dsn, "SELECT DISTINCT member FROM effect")}


def kept_days(bootstrap: str, topic: str) -> float:
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        described = client.describe_configs([ConfigResource(ConfigResourceType.TOPIC, topic)])
    finally:
        client.close()
    return int(described["topic"][topic]["retention.ms"]["value"]) / (24 * 3600 * 1000)


def assert_in_order(dsn: str) -> None:
    rows = exchange.query(dsn, "SELECT key, source_id FROM effect ORDER BY n")
    assert exchange.in_order(exchange.firsts_by_key([(key, int(number)) for key, number in rows]))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_a_member_that_dies_leaves_its_partitions_to_the_other(kafka: Broker, hub_database: str, how: signal.Signals) -> None:
    plan = exchange.new_plan(divisions=(exchange.SHANGHAI,))
    exchange.make_topics(kafka.bootstrap, plan)
    keys = [f"enterprise-{number % 12}" for number in range(300)]
    with member(hub_database, kafka.bootstrap, plan, "first") as first, member(hub_database, kafka.bootstrap, plan, "second"):
        sent = 0
        while len(members(hub_database)) < 2:
            exchange.send_commands(kafka.bootstrap, plan, keys[:24], first_id=sent)
            sent += 24
            await exchange.until(lambda: effects(hub_database) >= sent, "both to take part")  # noqa: B023 — awaited at once
        exchange.send_commands(kafka.bootstrap, plan, keys, first_id=sent)
        first.send_signal(how)
        exchange.send_commands(kafka.bootstrap, plan, keys, first_id=sent + 300)
        await exchange.until(lambda: effects(hub_database) == sent + 600, "the second to handle all")
        if how is signal.SIGSTOP:
            # It wakes up believing that the partitions are its own: what it then repeats has no effect, and what it commits no weight.
            first.send_signal(signal.SIGCONT)
            exchange.send_commands(kafka.bootstrap, plan, keys, first_id=sent + 600)
            await exchange.until(lambda: effects(hub_database) == sent + 900, "all, with the first back")
    if how is signal.SIGKILL:
        assert_in_order(hub_database)


async def test_doubles_and_disorder_have_one_effect_each(kafka: Broker, hub_database: str) -> None:
    """A sender that repeats what it is unsure of, out of order, over and over."""
    plan = exchange.new_plan(divisions=(exchange.SHANGHAI,))
    exchange.make_topics(kafka.bootstrap, plan)
    chance = random.Random(20260302)
    records = exchange.commands([f"k{number % 7}" for number in range(200)])
    tripled = [record for record in records for _ in range(3)]
    chance.shuffle(tripled)
    exchange.send(kafka.bootstrap, in_topic(plan.prefix, exchange.SHANGHAI), tripled)
    flaky = Counter[str]()

    async def react(command: InboundCommand) -> None:
        flaky[command.source_id] += 1
        if flaky[command.source_id] == 1 and int(command.source_id) % 50 == 0:
            raise Unavailable("the first time never")

    port = exchange.Recorder(react)
    async with exchange.running_consumer(hub_database, kafka.bootstrap, plan, port):
        await exchange.until(lambda: len(port.handled) >= 200, "every command once")
        # A mark behind everything: once it is handled the doubles were dropped.
        exchange.send_commands(kafka.bootstrap, plan, [f"k{number}" for number in range(7)], first_id=1_000)
        await exchange.until(lambda: len(port.handled) >= 207, "the marks")
    assert Counter(port.numbers()) == Counter([*range(200), *range(1_000, 1_007)])
    # Per key the first copies of each were handled in the order in which they were sent.
    order: dict[str, list[int]] = {}
    for key, value, headers in tripled:
        assert key is not None and value is not None
        number = int(dict(headers)["ce_id"])
        if number not in order.setdefault(value.decode(), []):
            order[value.decode()].append(number)
    handled = {key: [number for number in numbers if number < 1_000] for key, numbers in port.by_key().items()}
    assert handled == order


async def test_the_broker_restarts_under_two_members(private_kafka: Broker, hub_database: str) -> None:
    plan = exchange.new_plan(divisions=(exchange.SHANGHAI,))
    exchange.make_topics(private_kafka.bootstrap, plan)
    keys = [f"enterprise-{number % 12}" for number in range(120)]
    with (
        member(hub_database, private_kafka.bootstrap, plan, "first"),
        member(hub_database, private_kafka.bootstrap, plan, "second"),
    ):
        exchange.send_commands(private_kafka.bootstrap, plan, keys)
        await exchange.until(lambda: effects(hub_database) == 120, "the first commands")
        private_kafka.kill()
        private_kafka.start()
        ensure_topics(private_kafka.bootstrap, {}, plan)
        exchange.send_commands(private_kafka.bootstrap, plan, keys, first_id=120)
        await exchange.until(lambda: effects(hub_database) == 240, "those after the restart")
    assert_in_order(hub_database)


async def test_a_week_away_is_caught_up_from_the_committed_offsets(kafka: Broker, hub_database: str) -> None:
    """Nobody reads for a week of commands, well within what the topics keep; then a member goes on where it stopped."""
    plan = exchange.new_plan(divisions=(exchange.SHANGHAI,))
    exchange.make_topics(kafka.bootstrap, plan)
    if kafka.keeps_data:
        assert kept_days(kafka.bootstrap, in_topic(plan.prefix, exchange.SHANGHAI)) == plan.retention_days > 7
    with member(hub_database, kafka.bootstrap, plan, "before"):
        exchange.send_commands(kafka.bootstrap, plan, [f"k{number % 9}" for number in range(100)])
        await exchange.until(lambda: effects(hub_database) == 100, "the week before")
        inbox = "SELECT count(*) FROM inbox"
        await exchange.until(lambda: exchange.query(hub_database, inbox) == [(100,)], "the inbox")
        # Their offsets are committed once these, behind them in every partition, were asked for.
        exchange.send_commands(kafka.bootstrap, plan, [f"k{number % 9}" for number in range(9)], first_id=100)
        await exchange.until(lambda: effects(hub_database) == 109, "what comes behind them")
    # The inbox is forgotten over the week: should the member start over from the beginning, the rows of the old commands would tell.
    with psycopg.connect(hub_database) as connection:
        connection.execute("DELETE FROM inbox")
        connection.execute("DELETE FROM effect WHERE source_id::bigint < 100")
    week = 2_000  # four full batches
    exchange.send_commands(kafka.bootstrap, plan, [f"k{number % 500}" for number in range(week)], first_id=109)
    with member(hub_database, kafka.bootstrap, plan, "after"):
        await exchange.until(lambda: effects(hub_database) >= week + 9, "the week to be caught up")
        exchange.send_commands(kafka.bootstrap, plan, ["last"], first_id=109 + week)
        await exchange.until(lambda: effects(hub_database) >= week + 10, "today")
    assert effects(hub_database) == week + 10
    assert_in_order(hub_database)
    received = exchange.query(hub_database, "SELECT count(*) FROM inbox")[0][0]
    assert week <= received <= week + 10, "nothing that was done before the week was offered again, but for what was in hand at its end"
