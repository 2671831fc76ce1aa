"""Events without Kafka: the same ones, in order, none missed and none doubled, whatever breaks in between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc
import psycopg
import pytest

from hub.application.subscribing import EVENTS_MAX, STREAMS_PER_PARTICIPANT_MAX, write_cursor
from hub.client import HubRefused
from hub.domain.divisions import COORDINATION
from hub.ledger.tail import WINDOW
from tests.fixtures import delta
from tests.fixtures.delta import ANHUI, CHANGXING, JIANGSU, SHANGHAI, SHANGHAI_LAB, ZHEJIANG
from tests.fixtures.forked import Ground
from tests.fixtures.hub import RunningHub
from tests.fixtures.wire import Wire
from yrd.events.v1 import events_pb2
from yrd.events.v1 import subscription_pb2 as pb

CHANGED = "yrd.events.v1.RedemptionChanged"
SUBSCRIBE = "/yrd.events.v1.EventService/Subscribe"
DEADLINE_SECONDS = 60.0


@pytest.fixture
def uri(ground: Ground) -> Any:
    with ground.database() as made:
        yield made


@pytest.fixture
async def hub(ground: Ground, uri: str) -> AsyncIterator[RunningHub]:
    async with ground.hub(uri) as running:
        yield running


def leave(uri: str, topic: str, count: int, *, type_: str = CHANGED, payload: bytes = b"x") -> list[int]:
    """Commit events as the ledger would; return their numbers."""
    with psycopg.connect(uri) as connection:
        rows = connection.execute(
            "INSERT INTO outbox (topic, key, type, occurred_at, payload) "
            "SELECT %s, 'k' || n %% 3, %s, now(), %s FROM generate_series(1, %s) AS n RETURNING seq",
            (topic, type_, payload, count),
        ).fetchall()
        connection.execute("NOTIFY outbox")
    return [row[0] for row in rows]


async def take(hub: RunningHub, division: str, count: int, **how: Any) -> list[pb.Event]:
    """Return the first events of a new subscription."""
    client = (await hub.wire(division)).client
    found: list[pb.Event] = []
    async with asyncio.timeout(DEADLINE_SECONDS):
        async with aclosing(client.subscribe(**how)) as events:  # type: ignore[type-var]  # an async generator
            async for event in events:
                found.append(event)
                if len(found) >= count:
                    break
    return found


def numbers(events: list[pb.Event]) -> list[int]:
    return [int(event.id) for event in events]


async def test_what_kafka_would_tell_is_told_and_nothing_of_another_province(hub: RunningHub, uri: str, ground: Ground) -> None:
    firm = ground.firms(CHANGXING)[0]
    answer = await hub.call(SHANGHAI, f"{delta.CLEARING}.Authorize", delta.authorize(CHANGXING, firm, SHANGHAI_LAB, "SUB-1", 1_000))
    leave(uri, f"{JIANGSU}.out", 3)
    leave(uri, f"{SHANGHAI}.dlt", 1)
    pool = leave(uri, "pool", 1, type_="yrd.events.v1.PolicyPublished")
    for division in (SHANGHAI, ZHEJIANG):
        told, shared = await take(hub, division, 2)
        assert told.type == CHANGED and not told.pool
        assert events_pb2.RedemptionChanged.FromString(told.data).redemption == answer.redemption
        assert (told.source, told.key) == ("//hub.yrd/ledger", firm)
        assert (shared.pool, int(shared.id)) == (True, pool[0])
        with psycopg.connect(uri) as connection:
            row = connection.execute("SELECT topic, payload, occurred_at FROM outbox WHERE seq = %s", (int(told.id),)).fetchone()
        assert row is not None and row[:2] == (f"{division}.out", told.data)
        assert told.time.ToDatetime(row[2].tzinfo) == row[2]
    assert numbers(await take(hub, ANHUI, 1)) == pool


async def test_it_goes_on_after_any_cursor_and_can_be_narrowed(hub: RunningHub, uri: str) -> None:
    first, second = leave(uri, f"{SHANGHAI}.out", 250), leave(uri, "pool", 5, type_="yrd.events.v1.PolicyPublished")
    everything = await take(hub, SHANGHAI, 255)
    assert numbers(everything) == first + second
    for place in (0, 99, 100, 253):
        rest = await take(hub, SHANGHAI, 254 - place, cursor=everything[place].cursor)
        assert numbers(rest) == (first + second)[place + 1 :]
    assert numbers(await take(hub, SHANGHAI, 5, types=["yrd.events.v1.PolicyPublished"])) == second


async def test_what_does_not_concern_the_caller_is_passed_over_however_much_it_is(hub: RunningHub, uri: str) -> None:
    leave(uri, f"{JIANGSU}.out", WINDOW * 2 + 10)
    mine = leave(uri, f"{SHANGHAI}.out", 1)
    assert numbers(await take(hub, SHANGHAI, 1)) == mine


async def test_only_new_events_and_heartbeats_with_a_cursor(hub: RunningHub, uri: str) -> None:
    leave(uri, f"{SHANGHAI}.out", 10)
    client = (await hub.wire(SHANGHAI)).client
    cursors: list[str] = []
    beaten = asyncio.Event()

    def heard(cursor: str) -> None:
        cursors.append(cursor)
        if len(cursors) >= 3:
            beaten.set()

    found: list[pb.Event] = []

    async def listen() -> None:
        async for event in client.subscribe(only_new=True, heartbeat_seconds=1, heard=heard):
            found.append(event)
            return

    async with asyncio.timeout(DEADLINE_SECONDS):
        listening = asyncio.create_task(listen())
        await beaten.wait()
        assert not found
        new = leave(uri, f"{SHANGHAI}.out", 1)
        await listening
    assert numbers(found) == new
    assert numbers(await take(hub, SHANGHAI, 1, cursor=cursors[0])) == new


async def test_a_number_that_commits_late_is_not_passed_over(hub: RunningHub, uri: str) -> None:
    insert = "INSERT INTO outbox (topic, key, type, occurred_at, payload) VALUES (%s, 'k', %s, now(), 'x') RETURNING seq"
    topic = f"{SHANGHAI}.out"
    earlier = leave(uri, topic, 1)
    client = (await hub.wire(SHANGHAI)).client
    found: asyncio.Queue[pb.Event] = asyncio.Queue()

    async def listen() -> None:
        async for event in client.subscribe():
            found.put_nowait(event)

    listening = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            assert int((await found.get()).id) == earlier[0]
            with psycopg.connect(uri) as slow:
                late = slow.execute(insert, (topic, CHANGED)).fetchone()
                given_up = psycopg.connect(uri)
                given_up.execute(insert, (topic, CHANGED))
                overtaking = leave(uri, topic, 2)
                with psycopg.connect(uri, autocommit=True) as watching:
                    # The hub looks again and again while the late one is open, and keeps what overtook it to itself.
                    await _looks(watching, 5)
                assert found.empty()
            given_up.rollback()
            given_up.close()
            got = [int((await found.get()).id) for _ in range(3)]
    finally:
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)
    assert late is not None and got == [late[0], *overtaking]


async def _looks(connection: psycopg.Connection[Any], count: int) -> None:
    """Wait until the hub has looked at the locks so often."""
    seen: set[Any] = set()
    while len(seen) < count:
        rows = connection.execute("SELECT query_start FROM pg_stat_activity WHERE application_name = 'deltahub following'").fetchall()
        seen.update(row[0] for row in rows)
        await asyncio.sleep(0.02)


async def test_concurrent_writers_and_a_hub_killed_again_and_again(hub: RunningHub, uri: str) -> None:
    """Every event of the province comes exactly once, in order of its number."""
    client = (await hub.wire(SHANGHAI)).client
    found: list[int] = []
    written = asyncio.Event()
    expected: list[int] = []

    def write(part: int) -> None:
        for step in range(40):
            topic = f"{SHANGHAI}.out" if (part + step) % 2 else f"{ZHEJIANG}.out"
            numbers = leave(uri, topic, 1 + step % 5)
            if topic.startswith(SHANGHAI):
                expected.extend(numbers)

    async def listen() -> None:
        async for event in client.subscribe():
            found.append(int(event.id))
            if written.is_set() and len(found) >= len(expected):
                return

    async with asyncio.timeout(DEADLINE_SECONDS):
        listening = asyncio.create_task(listen())
        for _ in range(3):
            await asyncio.gather(*(asyncio.to_thread(write, part) for part in range(4)))
            await asyncio.to_thread(hub.process.restart)
        written.set()
        expected.extend(leave(uri, f"{SHANGHAI}.out", 1))
        await listening
    assert found == sorted(expected)


_READING = """
SELECT pid, query_start FROM pg_stat_activity
WHERE datname = current_database() AND query LIKE '%LEFT JOIN LATERAL%outbox%' AND pid <> pg_backend_pid()"""


async def test_a_slow_reader_is_waited_for(hub: RunningHub, uri: str) -> None:
    """Sixty megabytes wait in the database, not in the hub's memory: it sends no further than the connection takes."""
    leave(uri, f"{SHANGHAI}.out", 600, payload=b"y" * 100_000)
    wire = await hub.wire(SHANGHAI)
    call: Any = open_stream(wire)(
        pb.SubscribeRequest().SerializeToString(), metadata=(("authorization", f"Bearer {await wire.client.tokens.get()}"),)
    )
    first = await _first(call)
    assert 1 <= len(first.events) <= 11, "a message ends once its events have a megabyte"
    with psycopg.connect(uri, autocommit=True) as watching:
        queries: set[tuple[int, Any]] = set()
        seen, since = 0, time.monotonic()
        async with asyncio.timeout(DEADLINE_SECONDS):
            while time.monotonic() - since < 2:
                queries.update(watching.execute(_READING).fetchall())
                seen, since = (len(queries), time.monotonic()) if len(queries) > seen else (seen, since)
                await asyncio.sleep(0)
        # Each of the 55 messages costs a query.
        assert 1 <= seen <= 30
        found = list(first.events)
        while len(found) < 600:
            found.extend(pb.SubscribeResponse.FromString(await call.read()).events)
            queries.update(watching.execute(_READING).fetchall())
    assert len(queries) > seen + 10, "what is counted goes on as soon as somebody reads"
    call.cancel()
    assert numbers(found) == list(range(numbers(found)[0], numbers(found)[0] + 600))


def open_stream(wire: Wire) -> Any:
    """Return what opens a subscription by hand: bytes in, bytes out."""
    return wire.channel.unary_stream(SUBSCRIBE)


async def _first(call: Any) -> pb.SubscribeResponse:
    """Return the first message with events; heartbeats may come before it."""
    while True:
        message = pb.SubscribeResponse.FromString(await call.read())
        if message.events:
            return message


async def test_a_cursor_whose_events_are_gone(hub: RunningHub, uri: str) -> None:
    old = leave(uri, f"{SHANGHAI}.out", 5)
    kept = leave(uri, f"{SHANGHAI}.out", 2)
    with psycopg.connect(uri) as connection:
        connection.execute("DELETE FROM outbox WHERE seq <= %s", (old[-1],))
        connection.execute("INSERT INTO outbox_trim VALUES (1, %s, now())", (old[-1],))
    with pytest.raises(HubRefused) as refusal:
        await take(hub, SHANGHAI, 1, cursor=write_cursor(old[2]))
    assert refusal.value.result.code == "CURSOR_EXPIRED"
    assert refusal.value.result.status is grpc.StatusCode.OUT_OF_RANGE
    assert numbers(await take(hub, SHANGHAI, 2, cursor=write_cursor(old[-1]))) == kept
    assert numbers(await take(hub, SHANGHAI, 2)) == kept


@pytest.mark.parametrize(
    ("how", "field"),
    [
        ({"cursor": "nonsense"}, "cursor"),
        ({"cursor": write_cursor(10**12)}, "cursor"),
        ({"types": ["yrd.clearing.v1.Redemption"]}, "types[0]"),
        ({"types": ["yrd.events.v1.Nothing"]}, "types[0]"),
        ({"heartbeat_seconds": 301}, "heartbeat_seconds"),
        ({"cursor": write_cursor(0), "only_new": True}, "only_new"),
    ],
)
async def test_what_cannot_be_asked(hub: RunningHub, how: dict[str, Any], field: str) -> None:
    with pytest.raises(HubRefused) as refusal:
        await take(hub, SHANGHAI, 1, **how)
    found = refusal.value.result
    assert found.code == "INVALID_ARGUMENT" and found.refusal is not None
    assert [violation.field for violation in found.refusal.violations] in ([field], [])
    assert found.metadata["field"] == field


@pytest.mark.parametrize("division", [CHANGXING, COORDINATION])
async def test_only_the_platform_of_a_whole_province_may(hub: RunningHub, division: str) -> None:
    with pytest.raises(HubRefused) as refusal:
        await take(hub, division, 1)
    assert refusal.value.result.status is grpc.StatusCode.PERMISSION_DENIED or refusal.value.result.code in (
        "UNAUTHENTICATED",
        "SCOPE_MISSING",
    )


async def test_one_participant_cannot_take_every_stream(hub: RunningHub, uri: str) -> None:
    leave(uri, "pool", 1)
    wire = await hub.wire(SHANGHAI)
    metadata = (("authorization", f"Bearer {await wire.client.tokens.get()}"),)
    open_call = open_stream(wire)
    calls: list[Any] = [open_call(b"", metadata=metadata) for _ in range(STREAMS_PER_PARTICIPANT_MAX)]
    for call in calls:
        assert pb.SubscribeResponse.FromString(await call.read()).cursor
    one_more = open_call(b"", metadata=metadata)
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await one_more.read()
    assert refusal.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert numbers(await take(hub, ANHUI, 1)), "others are not concerned"
    for call in calls:
        call.cancel()


async def test_a_message_holds_no_more_than_it_should(hub: RunningHub, uri: str) -> None:
    leave(uri, f"{SHANGHAI}.out", EVENTS_MAX + 1)
    wire = await hub.wire(SHANGHAI)
    call: Any = open_stream(wire)(b"", metadata=(("authorization", f"Bearer {await wire.client.tokens.get()}"),))
    sizes = [len((await _first(call)).events) for _ in range(2)]
    call.cancel()
    assert sizes == [EVENTS_MAX, 1]
