"""Outbox to Kafka: what is committed arrives, whole, in order per key, by one relay at a time."""

from __future__ import annotations

import threading
from contextlib import closing

import psycopg
import pytest
from prometheus_client import CollectorRegistry

from hub.domain.clock import SimulatedClock
from hub.messaging.cloudevents import decode
from hub.messaging.metrics import RelayMetrics
from hub.messaging.outbox import Outbox
from hub.messaging.topics import out_topic, pool_topic
from tests.fixtures import messaging as exchange
from tests.fixtures.kafka import Broker


@pytest.fixture
def outbox(database: str) -> str:
    exchange.prepare_database(database)
    return database


def test_a_row_arrives_as_a_cloud_event_on_the_topic_of_its_province(kafka: Broker, outbox: str) -> None:
    plan = exchange.new_plan()
    clock = SimulatedClock(exchange.AT)
    relay = exchange.make_relay(outbox, kafka.bootstrap, plan, clock=clock)
    own = exchange.add_rows(outbox, ["91310118MA1JTERT16"])
    exchange.add_rows(outbox, ["企业"], topic=f"{exchange.ZHEJIANG}.out")
    exchange.add_rows(outbox, [""], topic="pool", type_="yrd.events.v1.PolicyPublished")
    assert relay.pending() == 3
    assert relay.run_once() == 3
    assert relay.run_once() == 0
    assert relay.pending() == 0
    relay.close()

    [record] = exchange.read_until(kafka.bootstrap, out_topic(plan.prefix, exchange.SHANGHAI), lambda records: len(records) >= 1)
    assert dict(record.headers) == {
        "ce_specversion": b"1.0",
        "ce_id": str(own[0]).encode(),
        "ce_source": exchange.SOURCE.encode(),
        "ce_type": exchange.METHOD.encode(),
        "ce_time": b"2026-03-02T01:02:03.456789Z",
        "content-type": b"application/protobuf",
    }
    assert (record.key, record.value) == (b"91310118MA1JTERT16", b"91310118MA1JTERT16")
    event = decode(record)
    assert (event.id, event.time, event.data) == (str(own[0]), exchange.AT, b"91310118MA1JTERT16")
    [other] = exchange.read_until(kafka.bootstrap, out_topic(plan.prefix, exchange.ZHEJIANG), lambda records: len(records) >= 1)
    assert decode(other).key == "企业"
    [everyone] = exchange.read_until(kafka.bootstrap, pool_topic(plan.prefix), lambda records: len(records) >= 1)
    assert decode(everyone).type == "yrd.events.v1.PolicyPublished"
    assert exchange.query(outbox, "SELECT DISTINCT published_at FROM outbox") == [(exchange.AT,)]


def test_each_key_stays_in_order_while_rows_keep_coming(kafka: Broker, outbox: str) -> None:
    plan = exchange.new_plan()
    keys = [f"enterprise-{number % 7}" for number in range(600)]
    with exchange.running_relay(outbox, kafka.bootstrap, plan):
        seqs = [seq for _ in range(3) for seq in exchange.add_rows(outbox, keys)]
        topic = out_topic(plan.prefix, exchange.SHANGHAI)
        records = exchange.read_until(kafka.bootstrap, topic, lambda records: len(records) >= len(seqs))
        exchange.wait_for(lambda: exchange.unpublished(outbox) == 0, "the last rows to be marked")
    assert sorted(exchange.ids(records)) == seqs, "each row exactly once while nothing fails"
    pairs = [(record.key.decode(), number) for record, number in zip(records, exchange.ids(records), strict=True)]
    # A key's rows share a partition, so their offsets tell the order in which they were sent.
    assert exchange.in_order(exchange.firsts_by_key(pairs))


def test_one_relay_is_active_and_another_takes_over_when_it_is_killed(kafka: Broker, outbox: str) -> None:
    plan = exchange.new_plan()
    topic = out_topic(plan.prefix, exchange.SHANGHAI)
    with exchange.relay_process(outbox, kafka.bootstrap, plan) as first:
        seqs = exchange.add_rows(outbox, ["a"] * 20)
        exchange.read_until(kafka.bootstrap, topic, lambda records: len(records) >= 20)
        with exchange.running_relay(outbox, kafka.bootstrap, plan) as second:
            seqs += exchange.add_rows(outbox, ["a"] * 20)
            exchange.wait_for(lambda: exchange.unpublished(outbox) == 0, "the first relay to publish")
            assert not second.active
            first.kill()
            exchange.wait_for(lambda: second.active, "the second relay to take over")
            seqs += exchange.add_rows(outbox, ["a"] * 20)
            records = exchange.read_until(kafka.bootstrap, topic, lambda records: set(exchange.ids(records)) >= set(seqs))
    assert exchange.in_order(exchange.firsts_by_key([("a", number) for number in exchange.ids(records)]))


def test_a_row_that_cannot_be_sent_is_never_overtaken(kafka: Broker, outbox: str) -> None:
    plan = exchange.new_plan()
    registry = CollectorRegistry()
    before = exchange.add_rows(outbox, ["a", "b"])
    [stuck] = exchange.add_rows(outbox, ["a"], topic="nowhere")
    after = exchange.add_rows(outbox, ["a", "b"])
    topic = out_topic(plan.prefix, exchange.SHANGHAI)
    with exchange.running_relay(outbox, kafka.bootstrap, plan, metrics=RelayMetrics(registry)):
        exchange.wait_for(lambda: exchange.unpublished(outbox) == 3, "the rows before it")
        failures = ("deltahub_relay_failures_total", {"part": "kafka"})
        exchange.wait_for(lambda: (registry.get_sample_value(*failures) or 0) >= 3, "further attempts")
        assert set(exchange.ids(exchange.read_until(kafka.bootstrap, topic, lambda records: len(records) >= 2))) == set(before)
        assert (registry.get_sample_value("deltahub_relay_oldest_age_seconds") or 0) > 0
        with psycopg.connect(outbox) as connection:
            connection.execute("UPDATE outbox SET topic = %s WHERE seq = %s", (f"{exchange.SHANGHAI}.out", stuck))
        records = exchange.read_until(kafka.bootstrap, topic, lambda records: len(records) >= 5)
        exchange.wait_for(lambda: registry.get_sample_value("deltahub_relay_pending") == 0, "the gauge to see it")
    assert sorted(exchange.ids(records)) == [*before, stuck, *after]
    pairs = [(record.key.decode(), number) for record, number in zip(records, exchange.ids(records), strict=True)]
    assert exchange.in_order(exchange.firsts_by_key(pairs))
    assert registry.get_sample_value("deltahub_relay_published_total") == 5


def test_a_relay_stops_while_kafka_is_away(outbox: str) -> None:
    plan = exchange.new_plan()
    exchange.add_rows(outbox, ["a"])
    relay = exchange.make_relay(outbox, "127.0.0.1:1", plan, client_config={"bootstrap_timeout_ms": 500})
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    exchange.wait_for(lambda: relay.active, "the relay to start")
    stop.set()
    thread.join(exchange.DEADLINE_SECONDS)
    assert not thread.is_alive()
    assert exchange.unpublished(outbox) == 1


def test_a_row_waits_for_a_lower_number_that_may_still_be_committed(database: str) -> None:
    """A payment tells of an enterprise's redemptions without its wallet's lock, so a batch may commit a higher number of the key first."""
    exchange.prepare_database(database)
    row = "INSERT INTO outbox (topic, key, type, occurred_at, payload) VALUES ('310000.out', 'firm', 't', now(), '') RETURNING seq"
    with closing(Outbox(database)) as outbox:
        before = exchange.add_rows(database, ["firm"])
        assert [item.seq for item in outbox.unpublished(10)] == before
        outbox.mark_published(before, exchange.AT)
        with psycopg.connect(database) as payment, psycopg.connect(database) as rolled_back:
            lower = payment.execute(row).fetchone()
            rolled_back.execute(row)
            higher = exchange.add_rows(database, ["firm"])
            assert outbox.unpublished(10) == []
            payment.commit()
            assert [item.seq for item in outbox.unpublished(10)] == [*(lower or ())]
            rolled_back.rollback()
            assert [item.seq for item in outbox.unpublished(10)] == [*(lower or ()), *higher]
