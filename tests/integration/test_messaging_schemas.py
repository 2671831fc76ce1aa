"""Nothing is published that the topic's consumers could not read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from prometheus_client import CollectorRegistry

from hub.messaging.metrics import RelayMetrics
from hub.messaging.schemas import IncompatibleSchema, SchemaRegistry
from hub.messaging.topics import out_topic
from tests.fixtures import messaging as exchange
from tests.fixtures.kafka import Broker

TYPE, TOPIC = "yrd.events.v1.Told", f"{exchange.SHANGHAI}.out"
AT = datetime(2026, 3, 2, tzinfo=UTC)


def registry(**fields: int) -> SchemaRegistry:
    """Return a registry of a process whose contract has one message with these fields."""
    file = FileDescriptorProto(name="told.proto", package="yrd.events.v1", syntax="proto3")
    message = file.message_type.add(name="Told")
    for number, (name, kind) in enumerate(fields.items(), start=1):
        message.field.add(name=name, number=number, type=kind, label=FieldDescriptorProto.LABEL_OPTIONAL)
    pool: Any = DescriptorPool()
    pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return SchemaRegistry(pool)


TEXT, NUMBER = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_INT64


@pytest.fixture
def hub_database(database: str) -> str:
    exchange.prepare_database(database)
    return database


def test_forms_follow_one_another_and_an_older_replica_goes_on(hub_database: str) -> None:
    with psycopg.connect(hub_database, autocommit=True) as connection:
        older, newer, broken = registry(a=TEXT), registry(a=TEXT, b=NUMBER), registry(a=NUMBER)
        older.check(connection, TOPIC, TYPE, AT)
        newer.check(connection, TOPIC, TYPE, AT)
        registry(a=TEXT).check(connection, TOPIC, TYPE, AT)
        with pytest.raises(IncompatibleSchema, match=r"Told\.a = 1 changed its type"):
            broken.check(connection, TOPIC, TYPE, AT)
        broken.check(connection, "pool", TYPE, AT)  # nobody there knows it in another form
        with pytest.raises(IncompatibleSchema, match="no message of the contract"):
            older.check(connection, TOPIC, "yrd.events.v1.Nothing", AT)
    kept = exchange.query(hub_database, "SELECT topic, count(*) FROM exchange_schema GROUP BY topic ORDER BY topic")
    assert kept == [(TOPIC, 2), ("pool", 1)]


async def test_the_relay_holds_back_what_could_not_be_read(kafka: Broker, hub_database: str) -> None:
    plan, metrics = exchange.new_plan(), CollectorRegistry()
    with psycopg.connect(hub_database, autocommit=True) as connection:
        registry(a=TEXT, b=TEXT).check(connection, TOPIC, TYPE, AT)
    first = exchange.add_rows(hub_database, ["a"], type_=TYPE)
    broken = registry(a=NUMBER)
    with exchange.running_relay(hub_database, kafka.bootstrap, plan, schemas=broken, metrics=RelayMetrics(metrics)):
        failed = ("deltahub_relay_failures_total", {"part": "schema"})
        await exchange.until(lambda: (metrics.get_sample_value(*failed) or 0) >= 2, "two attempts")
        assert exchange.unpublished(hub_database) == 1
    with exchange.running_relay(hub_database, kafka.bootstrap, plan, schemas=registry(a=TEXT, b=TEXT)):
        second = exchange.add_rows(hub_database, ["b"], type_=TYPE)
        await exchange.until(lambda: exchange.unpublished(hub_database) == 0, "both, by a hub of the right form")
    topic = out_topic(plan.prefix, exchange.SHANGHAI)
    assert sorted(exchange.ids(exchange.read_until(kafka.bootstrap, topic, lambda found: len(found) >= 2))) == first + second
