"""Apache Kafka itself keeps the provinces apart: with the entries of `deltahub topics acl`, and passwords, on a broker of its own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import NewTopic
from kafka.errors import GroupAuthorizationFailedError, KafkaError, TopicAuthorizationFailedError, TransactionalIdAuthorizationFailedError
from typer.testing import CliRunner, Result

from hub.cli.main import app
from hub.messaging.acls import default_principal, groups_of, plan_grants
from hub.messaging.topics import TopicPlan, dead_topic, in_topic, out_topic, pool_topic
from tests.fixtures import apache_kafka
from tests.fixtures import messaging as exchange
from tests.fixtures.kafka import QUICK_GROUP
from tests.fixtures.messaging import SHANGHAI, ZHEJIANG
from tests.fixtures.secure_kafka import ADMIN, SecureKafka

PREFIX, HUB = "yrd", "deltahub"
PLAN = TopicPlan(PREFIX, (SHANGHAI, ZHEJIANG), partitions=1)


def user(division: str) -> str:
    return default_principal(PREFIX, division).removeprefix("User:")


@pytest.fixture(scope="module")
def kafka() -> Iterator[SecureKafka]:
    if not apache_kafka.available():
        pytest.skip("needs a JDK 17 and Maven")
    broker = SecureKafka([HUB, user(SHANGHAI), user(ZHEJIANG), "stranger"])
    try:
        broker.start()
        environment = {
            "KAFKA_BOOTSTRAP": broker.bootstrap,
            "KAFKA_CONFIG": json.dumps(broker.login(ADMIN)),
            "PROVINCES": json.dumps(PLAN.divisions),
            "PARTITIONS": "1",
        }
        result = CliRunner(env={f"DELTAHUB_{name}": value for name, value in environment.items()}).invoke(app, ["topics", "acl", "--apply"])
        assert result.exit_code == 0, result.output
        yield broker
    finally:
        broker.stop()


@pytest.fixture(scope="module")
def filled(kafka: SecureKafka) -> SecureKafka:
    """The topics, made by the hub's own principal, with a record in each that the hub writes."""
    from hub.messaging.admin import ensure_topics

    assert ensure_topics(kafka.bootstrap, kafka.login(HUB), PLAN) == PLAN.names()
    for division in PLAN.divisions:
        for topic in (out_topic(PREFIX, division), dead_topic(PREFIX, division)):
            send(kafka, HUB, topic)
    send(kafka, HUB, pool_topic(PREFIX))
    return kafka


def send(kafka: SecureKafka, name: str, topic: str, **settings: Any) -> None:
    """Write one record, as adapters do: idempotent, acknowledged by all. Raises KafkaError."""
    settings = {"acks": "all", "enable_idempotence": True, "max_block_ms": 5_000, **settings}
    producer = KafkaProducer(bootstrap_servers=kafka.bootstrap, **kafka.login(name), **settings)
    try:
        producer.send(topic, value=b"x").get(timeout=20)
    finally:
        producer.close(timeout=1)


def read(kafka: SecureKafka, name: str, topic: str, group: str | None = None) -> bytes:
    """Read the first record, with a group's own assignment where one is named. Raises KafkaError."""
    settings = {"enable_auto_commit": False, "auto_offset_reset": "earliest", "group_id": group, **QUICK_GROUP}
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, **kafka.login(name), **settings)
    try:
        if group is None:
            consumer.assign([TopicPartition(topic, 0)])
        else:
            consumer.subscribe([topic])
        return _first(consumer, topic)
    finally:
        consumer.close(autocommit=False)


def _first(consumer: Any, topic: str) -> bytes:
    for _ in range(200):
        for records in consumer.poll(timeout_ms=200).values():
            if consumer.config["group_id"]:
                consumer.commit()
            return bytes(records[0].value)
        # The client itself keeps asking in silence where the broker will not even say that there is such a topic.
        if topic in consumer._cluster.unauthorized_topics:
            raise TopicAuthorizationFailedError(topic)
    raise AssertionError("no record and no refusal")


OWN, OTHER = (SHANGHAI, ZHEJIANG)

pytestmark = pytest.mark.kafka_real


def test_a_province_writes_its_in_topic_and_reads_what_it_is_told(filled: SecureKafka) -> None:
    send(filled, user(OWN), in_topic(PREFIX, OWN))
    for topic in (out_topic(PREFIX, OWN), dead_topic(PREFIX, OWN), pool_topic(PREFIX)):
        assert read(filled, user(OWN), topic) == b"x"
        assert read(filled, user(OWN), topic, group=f"{groups_of(PREFIX, OWN)}anything.{topic}") == b"x"
    assert read(filled, HUB, in_topic(PREFIX, OWN), group=HUB) == b"x", "the hub reads it in its own group"


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        (user(OWN), in_topic(PREFIX, OTHER)),
        (user(OWN), out_topic(PREFIX, OTHER)),
        (user(OWN), out_topic(PREFIX, OWN)),
        (user(OWN), dead_topic(PREFIX, OWN)),
        (user(OWN), pool_topic(PREFIX)),
        (user(OWN), "yrd.new.topic"),
        ("stranger", in_topic(PREFIX, OWN)),
        (HUB, in_topic(PREFIX, OWN)),
    ],
)
def test_what_nobody_may_write(filled: SecureKafka, name: str, topic: str) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        send(filled, name, topic)


@pytest.mark.parametrize(
    ("name", "topic"),
    [
        (user(OWN), out_topic(PREFIX, OTHER)),
        (user(OWN), dead_topic(PREFIX, OTHER)),
        (user(OWN), in_topic(PREFIX, OTHER)),
        (user(OWN), in_topic(PREFIX, OWN)),
        ("stranger", pool_topic(PREFIX)),
        ("stranger", out_topic(PREFIX, OWN)),
    ],
)
def test_what_nobody_may_read(filled: SecureKafka, name: str, topic: str) -> None:
    send(filled, user(OTHER), in_topic(PREFIX, OTHER))
    with pytest.raises(TopicAuthorizationFailedError):
        read(filled, name, topic)


@pytest.mark.parametrize("group", [HUB, f"{groups_of(PREFIX, OTHER)}adapter", "any", f"x.{groups_of(PREFIX, OWN)}"])
def test_nobody_takes_part_in_the_groups_of_others(filled: SecureKafka, group: str) -> None:
    with pytest.raises(GroupAuthorizationFailedError):
        read(filled, user(OWN), pool_topic(PREFIX), group=group)


@pytest.mark.parametrize("identity", [user(OWN), user(OTHER), HUB])
def test_nobody_opens_a_transaction(filled: SecureKafka, identity: str) -> None:
    settings = {"acks": "all", "enable_idempotence": True, "transactional_id": identity, "max_block_ms": 5_000}
    producer = KafkaProducer(bootstrap_servers=filled.bootstrap, **filled.login(user(OWN)), **settings)
    try:
        with pytest.raises(TransactionalIdAuthorizationFailedError):
            producer.init_transactions()
    finally:
        producer.close(timeout=1)


def test_a_province_administers_nothing(filled: SecureKafka) -> None:
    client = KafkaAdminClient(bootstrap_servers=filled.bootstrap, **filled.login(user(OWN)))
    try:
        assert set(client.list_topics()) == {in_topic(PREFIX, OWN), out_topic(PREFIX, OWN), dead_topic(PREFIX, OWN), pool_topic(PREFIX)}
        with pytest.raises(KafkaError, match=r"(?i)authoriz"):
            client.create_topics([NewTopic("yrd.340000.in.v1", 1, 1)])
        with pytest.raises(KafkaError, match=r"(?i)authoriz"):
            client.delete_topics([out_topic(PREFIX, OWN)])
    finally:
        client.close()


def test_a_wrong_password_gets_nowhere(filled: SecureKafka) -> None:
    login = {**filled.login(user(OWN)), "sasl_plain_password": "guessed"}
    with pytest.raises(KafkaError):
        KafkaAdminClient(bootstrap_servers=filled.bootstrap, bootstrap_timeout_ms=3_000, **login).close()


def test_the_entries_are_the_same_however_often_they_are_applied(filled: SecureKafka) -> None:
    from kafka.admin import ACLFilter, ACLOperation, ACLPermissionType, ACLResourcePatternType, ResourcePatternFilter, ResourceType

    from hub.messaging.acls import apply_grants

    grants = plan_grants(PLAN, {}, f"User:{HUB}", HUB)
    apply_grants(filled.bootstrap, filled.login(ADMIN), grants)
    client = KafkaAdminClient(bootstrap_servers=filled.bootstrap, **filled.login(ADMIN))
    every = ACLFilter(
        None, None, ACLOperation.ANY, ACLPermissionType.ANY, ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    )
    try:
        found, _ = client.describe_acls(every)
    finally:
        client.close()
    assert len(found) == len(set(grants)) == len(grants)
    assert exchange.SHANGHAI in {entry.principal[-6:] for entry in found}


def adapter_run(kafka: SecureKafka, name: str, at: Path, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Run the province's adapter once, with the settings file an operator would write for that user."""
    monkeypatch.setenv("ADAPTER_PASSWORD", str(kafka.login(name)["sasl_plain_password"]))
    entry = {
        **{"bootstrap": kafka.bootstrap, "prefix": PREFIX, "security": "SASL_PLAINTEXT", "mechanism": "SCRAM-SHA-256"},
        **{"username": name, "password": {"env": "ADAPTER_PASSWORD"}},
    }
    (at / "adapter.yaml").write_text(yaml.safe_dump({"work_dir": str(at / "work"), "kafka": entry}), encoding="utf-8")
    (at / "native").mkdir()
    given = ["--settings", str(at / "adapter.yaml"), "--source", str(at / "native"), "--once", "--deadline", "1", "--json"]
    return CliRunner().invoke(app, ["adapter", "run", OWN, *given])


def commands_of(kafka: SecureKafka) -> list[str]:
    """Return the methods of the commands on the province's in-topic, as the hub reads them; others' test records have no headers."""
    place = TopicPartition(in_topic(PREFIX, OWN), 0)
    consumer = KafkaConsumer(bootstrap_servers=kafka.bootstrap, **kafka.login(HUB), enable_auto_commit=False)
    try:
        consumer.assign([place])
        consumer.seek_to_beginning(place)
        end, found = consumer.end_offsets([place])[place], []
        while consumer.position(place) < end:
            for records in consumer.poll(timeout_ms=200).values():
                found += [dict(record.headers)["ce_type"].decode() for record in records if record.headers]
        return found
    finally:
        consumer.close()


def test_an_adapter_goes_under_its_own_identity(filled: SecureKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    result = adapter_run(filled, user(OWN), tmp_path, monkeypatch)
    # No hub is here: its policies are on the topic, and unanswered.
    assert result.exit_code == 1, result.output
    assert json.loads(result.stdout)["unanswered"] >= 1
    assert set(commands_of(filled)) == {"yrd.policy.v1.PolicyService.PublishPolicy"}


def test_an_adapter_under_anothers_identity_gets_nothing_across(
    filled: SecureKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = commands_of(filled)
    result = adapter_run(filled, user(OTHER), tmp_path, monkeypatch)
    assert result.exit_code == 2, result.output
    assert "uthoriz" in result.output
    assert commands_of(filled) == before
