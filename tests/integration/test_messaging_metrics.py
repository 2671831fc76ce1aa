"""What the exchange tells Prometheus is so: what waits, how old it is, how much went through, what could not be handled."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from hub.domain.clock import SimulatedClock
from hub.messaging.metrics import ConsumerMetrics, RelayMetrics
from hub.messaging.ports import InboundCommand, Unavailable, Undeliverable
from hub.messaging.topics import in_topic
from tests.fixtures import messaging as exchange
from tests.fixtures.kafka import Broker


@pytest.fixture
def hub_database(database: str) -> str:
    exchange.prepare_database(database)
    return database


def lag(registry: CollectorRegistry, topic: str) -> dict[str, float]:
    """Return the lag of each partition of a topic."""
    (family,) = [each for each in registry.collect() if each.name == "deltahub_consumer_lag"]
    return {sample.labels["partition"]: sample.value for sample in family.samples if sample.labels["topic"] == topic}


async def test_lag_age_and_throughput_of_the_consumer(kafka: Broker, hub_database: str) -> None:
    plan = exchange.new_plan()
    exchange.make_topics(kafka.bootstrap, plan)
    topic, registry, released = in_topic(plan.prefix, exchange.SHANGHAI), CollectorRegistry(), asyncio.Event()

    async def react(command: InboundCommand) -> None:
        if command.payload == b"held" and not released.is_set():
            raise Unavailable("not now")
        if command.payload == b"poison":
            raise Undeliverable("UNKNOWN_METHOD", "x")

    port = exchange.Recorder(react)
    exchange.send_commands(kafka.bootstrap, plan, ["held"] * 30)
    exchange.send_commands(kafka.bootstrap, plan, ["poison", "poison"], division=exchange.ZHEJIANG, first_id=100)
    async with exchange.running_consumer(hub_database, kafka.bootstrap, plan, port, metrics=ConsumerMetrics(registry)):
        await exchange.until(lambda: sum(lag(registry, topic).values()) == 30, "the lag of what is held back")
        assert sorted(lag(registry, topic).values())[-1] == 30, "it is all in the partition of its key"
        assert (registry.get_sample_value("deltahub_consumer_age_seconds") or 0) > 0
        assert (registry.get_sample_value("deltahub_consumer_records_total", {"outcome": "deferred"}) or 0) >= 30
        dead = ("deltahub_consumer_dead_letters_total", {"code": "UNKNOWN_METHOD"})
        await exchange.until(lambda: registry.get_sample_value(*dead) == 2, "the dead letters")
        released.set()
        await exchange.until(lambda: registry.get_sample_value("deltahub_consumer_records_total", {"outcome": "handled"}) == 32, "the rest")
        await exchange.until(lambda: sum(lag(registry, topic).values()) == 0, "no lag")
        await exchange.until(lambda: registry.get_sample_value("deltahub_consumer_age_seconds") == 0, "nothing waits")


async def test_what_the_relay_has_before_it(private_kafka: Broker, hub_database: str) -> None:
    plan, registry, clock = exchange.new_plan(), CollectorRegistry(), SimulatedClock(exchange.AT + timedelta(minutes=7))
    with psycopg.connect(hub_database) as connection:
        connection.execute(
            "INSERT INTO dead_letter (topic, partition, record_offset, headers, reason, failed_at, division) "
            "SELECT 't', 0, n, '[]', 'X: x', now(), %s FROM generate_series(1, 3) AS n",
            (exchange.SHANGHAI,),
        )
    open_letters = ("deltahub_dead_letters_open", {"division": exchange.SHANGHAI})
    with exchange.running_relay(hub_database, private_kafka.bootstrap, plan, metrics=RelayMetrics(registry), clock=clock):
        exchange.add_rows(hub_database, ["a", "b"])
        await exchange.until(lambda: registry.get_sample_value("deltahub_relay_published_total") == 2, "the first two")
        assert registry.get_sample_value("deltahub_relay_active") == 1
        await exchange.until(lambda: registry.get_sample_value(*open_letters) == 3, "the dead letters")
        private_kafka.kill()
        exchange.add_rows(hub_database, [f"k{number % 5}" for number in range(40)])
        failed = ("deltahub_relay_failures_total", {"part": "kafka"})
        await exchange.until(lambda: (registry.get_sample_value(*failed) or 0) >= 1, "the relay to notice")
        # While it fails it takes one row at a time, and counts what waits behind it every few seconds.
        await exchange.until(lambda: registry.get_sample_value("deltahub_relay_pending") == 40, "what waits")
        assert registry.get_sample_value("deltahub_relay_oldest_age_seconds") == 7 * 60
        with psycopg.connect(hub_database) as connection:
            connection.execute("UPDATE dead_letter SET state = 'DISCARDED'")
        private_kafka.start()
        await exchange.until(lambda: registry.get_sample_value("deltahub_relay_published_total") == 42, "the rest")
        await exchange.until(lambda: registry.get_sample_value("deltahub_relay_pending") == 0, "nothing waits")
        assert registry.get_sample_value("deltahub_relay_oldest_age_seconds") == 0
        await exchange.until(lambda: registry.get_sample_value(*open_letters) == 0, "no dead letter is open")
    assert b"deltahub_relay_published_total 42.0" in generate_latest(registry)
