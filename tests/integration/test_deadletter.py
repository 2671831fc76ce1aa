"""What cannot be handled: told to its province on a topic of its own, and dealt with by an operator without anything being deleted."""

from __future__ import annotations

import asyncio
import base64
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.embedded import EmbeddedPostgres
from hub.messaging.cloudevents import CloudEvent, decode, encode
from hub.messaging.consumer import GROUP
from hub.messaging.deadletters import TOLD_BYTES_MAX, DeadLetter, of_record, told
from hub.messaging.inbox import Inbox
from hub.messaging.ports import InboundCommand, Undeliverable
from hub.messaging.topics import dead_topic, in_topic
from tests.fixtures import messaging as exchange
from tests.fixtures.hub import migrated_database
from tests.fixtures.kafka import Broker
from tests.support_usecases import credit_code
from yrd.common.v1 import types_pb2
from yrd.events.v1 import events_pb2
from yrd.participant.v1 import participant_pb2

AT = datetime(2026, 3, 2, 1, 2, 3, tzinfo=UTC)
REGISTER = "yrd.participant.v1.EnterpriseService.RegisterEnterprise"
SECRET = "not for a list"


async def test_a_province_is_told_of_its_dead_letters_on_a_topic_of_its_own(kafka: Broker, database: str) -> None:
    exchange.prepare_database(database)
    plan = exchange.new_plan()
    exchange.make_topics(kafka.bootstrap, plan)

    async def react(command: InboundCommand) -> None:
        if command.payload.startswith(b"poison"):
            raise Undeliverable("UNKNOWN_METHOD", "no such method")

    keys = ["poison-1", "good", "poison-2", "good"]
    exchange.send_commands(kafka.bootstrap, plan, keys, first_id=10)
    exchange.send_commands(kafka.bootstrap, plan, ["poison-3"], division=exchange.ZHEJIANG)
    source = in_topic(plan.prefix, exchange.SHANGHAI)
    exchange.send(kafka.bootstrap, source, [(b"k", b"no event", [("ce_id", b"\xff"), ("bin", b"\x00\xff")])])
    port = exchange.Recorder(react)
    with exchange.running_relay(database, kafka.bootstrap, plan):
        async with exchange.running_consumer(database, kafka.bootstrap, plan, port):
            own = dead_topic(plan.prefix, exchange.SHANGHAI)
            records = await asyncio.to_thread(exchange.read_until, kafka.bootstrap, own, lambda found: len(found) >= 3)
            other = dead_topic(plan.prefix, exchange.ZHEJIANG)
            (foreign,) = await asyncio.to_thread(exchange.read_until, kafka.bootstrap, other, lambda found: len(found) >= 1)
    assert len(records) == 3
    letters = {letter.value: (letter, dict(record.headers)) for record in records for letter in [_letter(record)]}
    assert set(letters) == {b"poison-1", b"poison-2", b"no event"}
    letter, headers = letters[b"poison-1"]
    assert (letter.reason, letter.detail, letter.topic, letter.source_id, letter.key) == (
        "UNKNOWN_METHOD",
        "no such method",
        source,
        "10",
        b"poison-1",
    )
    assert {name: headers[name].decode() for name in headers if name.startswith("dlt_")} == {
        "dlt_reason": "UNKNOWN_METHOD",
        "dlt_topic": source,
        "dlt_partition": str(letter.partition),
        "dlt_offset": str(letter.offset),
        "dlt_source_id": "10",
    }
    assert [header.name for header in letter.headers][:2] == ["ce_specversion", "ce_id"]
    broken, _ = letters[b"no event"]
    assert broken.reason == "HEADER_MISSING" or broken.reason == "HEADER_INVALID"
    assert [(header.name, header.value) for header in broken.headers] == [("ce_id", b"\xff"), ("bin", b"\x00\xff")]
    assert _letter(foreign).value == b"poison-3"
    rows = exchange.query(database, "SELECT division, code, source_id, state FROM dead_letter ORDER BY division, source_id")
    assert rows[-1] == (exchange.ZHEJIANG, "UNKNOWN_METHOD", "0", "OPEN")


def _letter(record: Any) -> events_pb2.DeadLettered:
    event = decode(record)
    assert event.type == "yrd.events.v1.DeadLettered"
    return events_pb2.DeadLettered.FromString(event.data)


async def test_the_same_record_again_is_one_dead_letter_told_once(database: str) -> None:
    exchange.prepare_database(database)
    inbox = Inbox(database, "c")
    letter = DeadLetter("310000", "t.310000.in.v1", 2, 7, b"k", [], b"v", "HEADER_MISSING", "HEADER_MISSING: ce_id is missing")
    await inbox.record([], [letter, letter], AT)
    await inbox.record([], [letter], AT)
    await inbox.close()
    assert exchange.query(database, "SELECT count(*) FROM dead_letter") == [(1,)]
    assert exchange.query(database, "SELECT topic, key FROM outbox") == [("310000.dlt", "2")]


def test_a_record_as_large_as_kafka_takes_does_not_hold_up_the_outbox() -> None:
    letter = DeadLetter("310000", "t", 0, 0, None, [("h", b"x")], b"v" * TOLD_BYTES_MAX, "UNKNOWN_METHOD", "UNKNOWN_METHOD: x")
    message = events_pb2.DeadLettered.FromString(told(letter, 5, AT))
    assert (message.truncated, message.value, list(message.headers), message.dead_letter_id) == (True, b"", [], 5)
    assert len(told(letter, 5, AT)) < 1_000


# -- what the operator does ------------------------------------------------------------------------------------------------


@pytest.fixture
def hub_database(postgres_server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with migrated_database(postgres_server) as uri:
        for name, value in {"DATABASE_URL": uri, "DATA_DIR": str(tmp_path), "TOPIC_PREFIX": "t"}.items():
            monkeypatch.setenv(f"DELTAHUB_{name}", value)
        yield uri


def _registration(name: str, division: str = "310115") -> bytes:
    enterprise = participant_pb2.Enterprise(
        uscc=credit_code(7, "91310115"), name=name, division=division, kind=types_pb2.ENTERPRISE_KIND_START_UP_TECH, staff=3
    )
    return participant_pb2.RegisterEnterpriseRequest(request_id=str(uuid.uuid4()), enterprise=enterprise).SerializeToString()


def _bury(uri: str, payload: bytes, reason: str, *, method: str = REGISTER, offset: int = 1, division: str = "310000") -> None:
    key, value, headers = encode(CloudEvent(f"src-{offset}", "//adapter.test", method, AT, payload, "k"))
    record = SimpleNamespace(topic=f"t.{division}.in.v1", partition=0, offset=offset, key=key, value=value, headers=headers)
    _bury_record(uri, record, division, reason)


def _bury_record(uri: str, record: Any, division: str, reason: str) -> None:
    async def bury() -> None:
        inbox = Inbox(uri, GROUP)
        await inbox.record([], [of_record(record, division, reason)], AT)
        await inbox.close()

    asyncio.run(bury())


def run(*arguments: str, code: int = 0) -> Any:
    result = CliRunner().invoke(app, ["deadletter", *arguments, "--json"])
    assert result.exit_code == code, result.output
    return json.loads(result.stdout) if result.stdout else result.stderr


def rows(uri: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(uri) as connection:
        return connection.execute(statement.encode()).fetchall()


def _numbers(answer: Any) -> list[int]:
    return [each["id"] for each in answer["dead_letters"]]


def test_a_list_comes_in_pages_can_be_narrowed_and_shows_no_content(hub_database: str) -> None:
    for offset in range(5):
        _bury(hub_database, SECRET.encode(), "UNKNOWN_METHOD: x", offset=offset)
    _bury(hub_database, b"", "NOT_A_COMMAND: y", offset=9, division="330000")
    first = run("list", "--limit", "4")
    second = run("list", "--limit", "4", "--after", str(first["next_after"]))
    assert len(first["dead_letters"]) == 4 and second["next_after"] is None
    assert _numbers(first) + _numbers(second) == sorted(_numbers(first) + _numbers(second))
    assert len(_numbers(first) + _numbers(second)) == 6
    assert _numbers(run("list", "--reason", "NOT_A_COMMAND")) == _numbers(second)[-1:]
    assert _numbers(run("list", "--topic", "t.330000.in.v1")) == _numbers(run("list", "--province", "330000")) == _numbers(second)[-1:]
    assert _numbers(run("list", "--state", "discarded")) == []
    every = CliRunner().invoke(app, ["deadletter", "list"])
    assert every.exit_code == 0 and "t.310000.in.v1[0]@3" in every.stdout
    assert SECRET not in json.dumps([first, second]) + every.stdout
    assert base64.b64encode(SECRET.encode()).decode() not in json.dumps([first, second])
    shown = run("show", str(_numbers(first)[0]))
    assert base64.b64decode(shown["value_base64"]) == SECRET.encode()
    assert {"name": "ce_type", "value": REGISTER} in shown["headers"]
    assert "no dead letter 999" in run("show", "999", code=2)
    assert "no state" in run("list", "--state", "lost", code=2)


def test_a_retry_has_one_effect_however_often_it_is_repeated(hub_database: str) -> None:
    _bury(hub_database, _registration("示例科技"), "UNKNOWN_METHOD: this hub was older once")
    [number] = _numbers(run("list"))
    assert run("retry", str(number), "--by", "王工")["results"] == [{"id": number, "done": True, "problem": ""}]
    assert rows(hub_database, "SELECT name, division FROM enterprise") == [("示例科技", "310115")]
    before = rows(hub_database, "SELECT count(*) FROM outbox")
    assert run("retry", str(number))["results"][0]["done"]
    assert rows(hub_database, "SELECT count(*) FROM outbox") == before, "what is resolved is not offered again"
    assert rows(hub_database, "SELECT state FROM dead_letter") == [("RESOLVED",)]
    actions = run("show", str(number))["actions"]
    assert [(each["action"], each["outcome"], each["acted_by"]) for each in actions] == [("RETRY", "HANDLED", "王工")]
    [outcome] = rows(hub_database, "SELECT topic, payload FROM outbox WHERE type = 'yrd.events.v1.CommandOutcome'")
    assert outcome[0] == "310000.out"
    assert events_pb2.CommandOutcome.FromString(outcome[1]).source_id == "src-1"
    assert rows(hub_database, "SELECT topic, source_id FROM inbox") == [("t.310000.in.v1", "//adapter.test src-1")]
    assert "handled" in json.dumps(run("discard", str(number), "--reason", "x", code=1))


def test_a_retry_after_a_crash_between_effect_and_record_repeats_nothing(hub_database: str) -> None:
    _bury(hub_database, _registration("示例科技"), "UNKNOWN_METHOD: x")
    [number] = _numbers(run("list"))
    run("retry", str(number))
    with psycopg.connect(hub_database) as connection:
        connection.execute("UPDATE dead_letter SET state = 'OPEN'")
        connection.execute("UPDATE enterprise SET name = 'changed since'")
    assert run("retry", str(number))["results"][0]["done"]
    assert rows(hub_database, "SELECT name FROM enterprise") == [("changed since",)], "the request id knew it"


def test_what_still_cannot_be_handled_stays_open_and_each_attempt_is_kept(hub_database: str) -> None:
    _bury(hub_database, b"", "UNKNOWN_METHOD: x", method="yrd.clearing.v1.ClearingService.Nothing")
    bare = SimpleNamespace(topic="t.310000.in.v1", partition=1, offset=4, key=None, value=None, headers=[("a", None)])
    _bury_record(hub_database, bare, "310000", "HEADER_MISSING: ce_id is missing")
    first, second = _numbers(run("list"))
    answer = run("retry", str(first), str(second), code=1)
    assert [each["problem"].partition(":")[0] for each in answer["results"]] == ["UNKNOWN_METHOD", "HEADER_MISSING"]
    run("retry", str(first), code=1)
    assert [each["outcome"] for each in run("show", str(first))["actions"]] == ["UNKNOWN_METHOD", "UNKNOWN_METHOD"]
    assert _numbers(run("list")) == [first, second]
    assert "no dead letter 999" in run("retry", "999", code=2)


def test_a_discarded_letter_stays_with_reason_name_and_time(hub_database: str) -> None:
    _bury(hub_database, _registration("示例科技"), "UNKNOWN_METHOD: x")
    [number] = _numbers(run("list"))
    assert "reason" in run("discard", str(number), "--reason", "  ", code=2)
    assert _numbers(run("list")) == [number], "without a reason nothing happened"
    run("discard", str(number), "--reason", "sent by mistake", "--by", "李工")
    run("discard", str(number), "--reason", "again", "--by", "somebody else")
    shown = run("show", str(number))
    assert shown["state"] == "DISCARDED" and shown["value_base64"]
    assert [(each["action"], each["note"], each["acted_by"]) for each in shown["actions"]] == [("DISCARD", "sent by mistake", "李工")]
    assert datetime.fromisoformat(shown["actions"][0]["acted_at"]).tzinfo is not None
    assert _numbers(run("list")) == [] and _numbers(run("list", "--state", "all")) == [number]
    assert "discarded" in json.dumps(run("retry", str(number), code=1))
    assert rows(hub_database, "SELECT count(*) FROM enterprise") == [(0,)]


@pytest.mark.parametrize(
    "statement", ["DELETE FROM dead_letter", "TRUNCATE dead_letter CASCADE", "UPDATE dead_letter_action SET note = ''"]
)
def test_the_database_itself_deletes_nothing(hub_database: str, statement: str) -> None:
    with psycopg.connect(hub_database) as connection, pytest.raises(psycopg.errors.RaiseException, match="never deleted"):
        connection.execute(statement.encode())
