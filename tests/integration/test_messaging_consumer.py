"""Kafka to hub: every command is handled, in order per key, and what cannot be is kept aside."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry

from hub.messaging.inbox import Inbox
from hub.messaging.metrics import ConsumerMetrics
from hub.messaging.ports import InboundCommand, Unavailable, Undeliverable
from hub.messaging.topics import TopicPlan, in_topic
from tests.fixtures import messaging as exchange
from tests.fixtures.kafka import Broker


@pytest.fixture
def hub_database(database: str) -> str:
    exchange.prepare_database(database)
    return database


@pytest.fixture
def plan(kafka: Broker) -> TopicPlan:
    plan = exchange.new_plan()
    exchange.make_topics(kafka.bootstrap, plan)
    return plan


async def test_commands_of_all_provinces_are_handled_in_order_per_key_and_at_once_across_keys(
    kafka: Broker, hub_database: str, plan: TopicPlan
) -> None:
    running, peak = 0, 0

    async def react(command: InboundCommand) -> None:
        nonlocal running, peak
        running, peak = running + 1, max(peak, running + 1)
        # The earlier of a key's commands takes longer, so that only order kept on purpose passes.
        for _ in range(20 - int(command.source_id) % 20):
            await asyncio.sleep(0)
        running -= 1

    port = exchange.Recorder(react)
    registry = CollectorRegistry()
    exchange.send_commands(kafka.bootstrap, plan, [f"enterprise-{number % 9}" for number in range(300)])
    exchange.send_commands(kafka.bootstrap, plan, ["other"] * 30, division=exchange.ZHEJIANG)
    async with exchange.running_consumer(hub_database, kafka.bootstrap, plan, port, metrics=ConsumerMetrics(registry)):
        await exchange.until(lambda: len(port.handled) >= 330, "all commands")
        outcome = ("deltahub_consumer_records_total", {"outcome": "handled"})
        await exchange.until(lambda: registry.get_sample_value(*outcome) == 330, "the counter")
    assert len(port.handled) == 330
    assert exchange.in_order(port.by_key())
    assert 1 < peak <= 128
    first = next(command for command in port.handled if command.division == exchange.ZHEJIANG)
    assert (first.method, first.source_id, first.payload) == (exchange.METHOD, "0", b"other")
    assert first.topic == in_topic(plan.prefix, exchange.ZHEJIANG)
    assert exchange.query(hub_database, "SELECT count(*) FROM inbox") == [(330,)]


async def test_a_consumer_started_again_goes_on_where_it_stopped(kafka: Broker, hub_database: str, plan: TopicPlan) -> None:
    port = exchange.Recorder()
    exchange.send_commands(kafka.bootstrap, plan, [f"k{number % 5}" for number in range(50)])
    async with exchange.running_consumer(hub_database, kafka.bootstrap, plan, port):
        await exchange.until(lambda: len(port.handled) >= 50, "the first half")
    exchange.send_commands(kafka.bootstrap, plan, [f"k{number % 5}" for number in range(50)], first_id=50)
    async with exchange.running_consumer(hub_database, kafka.bootstrap, plan, port):
        await exchange.until(lambda: len(port.handled) >= 100, "the second half")
    assert sorted(port.numbers()) == list(range(100))
    assert set(port.offered.values()) == {1}, "offsets were committed, so nothing came twice"


async def test_what_was_handled_is_not_handled_again_even_if_its_offset_was_lost(kafka: Broker, hub_database: str, plan: TopicPlan) -> None:
    port = exchange.Recorder()
    records = exchange.commands(["a", "a", "b"])
    exchange.send(kafka.bootstrap, in_topic(plan.prefix, exchange.SHANGHAI), [*records, *records])
    async with exchange.running_consumer(hub_database, kafka.bootstrap, plan, port):
        await exchange.until(lambda: len(port.handled) >= 3, "the three")
        exchange.send(kafka.bootstrap, in_topic(plan.prefix, exchange.SHANGHAI), [*records, *exchange.commands(["c"], first_id=3)])
        await exchange.until(lambda: len(port.handled) >= 4, "the one after the doubles")
    assert sorted(port.numbers()) == [0, 1, 2, 3]
    [(at,)] = exchange.query(hub_database, "SELECT max(received_at) FROM inbox")
    inbox = Inbox(hub_database, plan.prefix)
    assert await inbox.forget(at) < 4, "the latest stay"
    await inbox.close()


async def test_poison_is_kept_aside_whole_and_the_flow_goes_on(kafka: Broker, hub_database: str, plan: TopicPlan) -> None:
    async def react(command: InboundCommand) -> None:
        if command.method.endswith(".Unknown"):
            raise Undeliverable("METHOD_UNKNOWN", command.method)
        if command.payload == b"fault":
            raise ZeroDivisionError("a fault of ours")

    port = exchange.Recorder(react)
    key, value, headers = exchange.commands(["a"])[0]
    without = [header for header in headers if header[0] != "ce_type"]
    unknown = [*without, ("ce_type", b"yrd.clearing.v1.ClearingService.Unknown")]
    poison = [
        (key, value, without),
        (key, value, [*without, ("ce_type", b"\xff\x00")]),
        (key, None, headers),
        (None, b"\x00\xff", []),
        (key, value, [*unknown[1:], ("ce_specversion", b"0.3")]),
        (key, value, [(name, b"100" if name == "ce_id" else text) for name, text in unknown]),
        *exchange.commands(["fault"], first_id=101),
    ]
    good = exchange.commands(["a", "b", "fault-not"], first_id=200)
    exchange.send(kafka.bootstrap, in_topic(plan.prefix, exchange.SHANGHAI), [*poison, *good])
    async with exchange.running_consumer(hub_database, kafka.bootstrap, plan, port):
        await exchange.until(lambda: len(port.handled) >= 3, "the good ones")
        count = "SELECT count(*) FROM dead_letter"
        await exchange.until(lambda: exchange.query(hub_database, count) == [(7,)], "the dead letters")
    assert sorted(port.numbers()) == [200, 201, 202]
    assert port.offered["101"] == 3, "a fault of ours is tried again before it is given up"
    reasons = sorted(row[0] for row in exchange.query(hub_database, "SELECT reason FROM dead_letter"))
    assert [reason.partition(":")[0] for reason in reasons] == [
        "HEADER_INVALID",
        "HEADER_MISSING",
        "HEADER_MISSING",
        "METHOD_UNKNOWN",
        "SPEC_VERSION_UNKNOWN",
        "UNEXPECTED",
        "VALUE_MISSING",
    ]
    rows = exchange.query(hub_database, "SELECT key, value, headers FROM dead_letter WHERE reason LIKE 'HEADER_INVALID%'")
    assert rows[0][:2] == (b"a", b"a")
    assert {"name": "ce_type", "base64": "/wA="} in rows[0][2]
    assert exchange.query(hub_database, "SELECT key, value, headers FROM dead_letter WHERE key IS NULL") == [(None, b"\x00\xff", [])]


async def test_a_command_that_has_to_wait_keeps_its_place_and_stops_no_other_province(
    kafka: Broker, hub_database: str, plan: TopicPlan
) -> None:
    released = asyncio.Event()

    async def react(command: InboundCommand) -> None:
        if command.source_id == "3" and not released.is_set():
            raise Unavailable("not now")

    port = exchange.Recorder(react)
    exchange.send_commands(kafka.bootstrap, plan, ["slow"] * 8)
    async with exchange.running_consumer(hub_database, kafka.bootstrap, plan, port):
        await exchange.until(lambda: port.offered["3"] >= 3, "some attempts")
        exchange.send_commands(kafka.bootstrap, plan, [f"k{number}" for number in range(20)], division=exchange.ZHEJIANG, first_id=100)
        await exchange.until(lambda: len(port.handled) >= 23, "the other province")
        assert [number for number in port.numbers() if number < 100] == [0, 1, 2]
        released.set()
        await exchange.until(lambda: len(port.handled) >= 28, "the rest")
    assert [number for number in port.numbers() if number < 100] == list(range(8))
    assert set(port.offered.values()) == {1, port.offered["3"]}, "those that did not wait were offered once"
