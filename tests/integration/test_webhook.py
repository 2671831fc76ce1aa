"""Webhooks: who may register what, and that every event is posted, signed, in order, until it is taken."""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from fastapi import FastAPI, Request, Response
from psycopg.rows import namedtuple_row

from hub.application.subscribing import read_cursor
from hub.application.webhooks import PER_DIVISION_MAX, Webhooks
from hub.domain.webhooks import GIVE_UP_AFTER
from hub.embedded import EmbeddedPostgres
from hub.ledger.tail import OutboxTail
from hub.messaging.posting import Poster, resolve
from hub.messaging.webhooks import WebhookSender
from hub.security.authority import DevelopmentAuthority
from hub.security.webhook_keys import WebhookKeys
from tests.fixtures.hub import migrated_database
from tests.support_hub import free_socket, web_server
from tests.support_usecases import COORDINATOR, Desk, platform
from tests.unit.test_webhook_rules import verify
from yrd.events.v1 import webhook_pb2 as pb

SHANGHAI, ZHEJIANG, CHANGXING = platform("310000"), platform("330000"), platform("330522")
TYPE = "yrd.events.v1.RedemptionChanged"
LOCAL = ["127.0.0.0/8", "::1/128"]


class Receiver:
    """A province's web server. `answer` gives the status of each post by the event's id."""

    def __init__(self) -> None:
        self.posts: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[int], int] = lambda _number: 204
        self.app = FastAPI()
        self.app.post("/events")(self._take)

    async def _take(self, request: Request) -> Response:
        headers = dict(request.headers.items())
        status = self.answer(int(headers["ce-id"]))
        self.posts.append((headers, await request.body()))
        return Response(status_code=status, headers={"location": "https://127.0.0.1/elsewhere"})

    def numbers(self) -> list[int]:
        return [int(headers["ce-id"]) for headers, _ in self.posts]


class Scene:
    """A database, a receiver, and a sender run step by step."""

    def __init__(self, desk: Desk, receiver: Receiver, url: str, keys: WebhookKeys, context: ssl.SSLContext) -> None:
        self.desk, self.receiver, self.url, self.keys = desk, receiver, url, keys
        self.tail = OutboxTail(desk.uri, desk.work.engine)
        self.context = context
        self.use = Webhooks(lambda: keys.public, LOCAL)

    async def register(self, types: Sequence[str] = (), caller: Any = SHANGHAI) -> pb.Webhook:
        request = pb.RegisterWebhookRequest(url=self.url, types=types)
        webhook: pb.Webhook = (await self.desk.do(self.use.register, caller, request)).webhook
        return webhook

    def leave(self, keys: Sequence[str], topic: str = "310000.out", type_: str = TYPE) -> list[int]:
        with psycopg.connect(self.desk.uri) as connection:
            rows = connection.execute(
                "INSERT INTO outbox (topic, key, type, occurred_at, payload) "
                "SELECT %s, key, %s, %s, convert_to(key, 'UTF8') "
                "FROM unnest(%s::text[]) WITH ORDINALITY AS k (key, n) ORDER BY n RETURNING seq",
                (topic, type_, self.desk.clock.now(), list(keys)),
            ).fetchall()
            connection.execute("NOTIFY outbox")
        return [row[0] for row in rows]

    async def step(self, times: int = 1, *, networks: Sequence[str] = LOCAL, **poster: Any) -> None:
        """Let a sender, made anew as after a restart, post what is due; everything left so far is settled first."""
        highest = (await self.tail.bounds())[1]
        following = asyncio.create_task(self.tail.run())
        made = Poster(self.keys, "//hub.test", networks, authorities=self.context, **poster)
        sender = WebhookSender(self.desk.uri, self.tail, made, self.desk.clock)
        try:
            async with self.tail.listening() as settled:
                if highest:
                    await settled(highest - 1)
                async with await psycopg.AsyncConnection.connect(self.desk.uri, autocommit=True, row_factory=namedtuple_row) as connection:
                    for _ in range(times):
                        await sender.run_once(connection)
        finally:
            await made.close()
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)

    async def shown(self, caller: Any = SHANGHAI) -> list[pb.Webhook]:
        return list((await self.desk.ask(self.use.list, caller, pb.ListWebhooksRequest())).webhooks)

    def advance(self, by: timedelta) -> None:
        self.desk.clock.advance_to(self.desk.clock.now() + by)


@asynccontextmanager
async def staged(desk: Desk, identity: Path) -> AsyncIterator[Scene]:
    DevelopmentAuthority(identity).ensure(["310000"])
    receiver, bound = Receiver(), free_socket()
    async with web_server(receiver.app, identity, bound):
        context = ssl.create_default_context(cafile=str(identity / "ca.pem"))
        url = f"https://localhost:{bound.getsockname()[1]}/events"
        yield Scene(desk, receiver, url, WebhookKeys.load(identity, make=True), context)


@pytest.fixture
async def scene(postgres_server: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Scene]:
    with migrated_database(postgres_server) as uri:
        desk = Desk(uri)
        try:
            async with staged(desk, tmp_path) as made:
                yield made
        finally:
            await desk.work.close()


async def test_an_event_arrives_as_a_signed_cloudevent_and_nobody_elses_does(scene: Scene) -> None:
    scene.leave(["before"])
    await scene.register()
    first, second = scene.leave(['企业 "%" 1', "b"])
    scene.leave(["x"], topic="330000.out")
    shared = scene.leave(["p"], topic="pool")
    await scene.step(2)
    assert sorted(scene.receiver.numbers()) == [first, second, *shared]
    headers, body = next(post for post in scene.receiver.posts if post[0]["ce-id"] == str(first))
    assert body == '企业 "%" 1'.encode()
    assert {name: headers[name] for name in ("ce-specversion", "ce-source", "ce-type", "content-type", "webhook-id")} == {
        "ce-specversion": "1.0",
        "ce-source": "//hub.test",
        "ce-type": TYPE,
        "content-type": "application/protobuf",
        "webhook-id": f"evt_{first}",
    }
    assert headers["ce-partitionkey"] == "%E4%BC%81%E4%B8%9A%20%22%25%22%201"
    assert datetime.fromisoformat(headers["ce-time"]) == scene.desk.clock.now()
    assert headers["host"].startswith("localhost:")
    assert all(verify(scene.keys.public[0], *post) for post in scene.receiver.posts)
    (webhook,) = await scene.shown()
    assert read_cursor(webhook.cursor) == shared[0] and webhook.state == pb.WEBHOOK_STATE_ACTIVE


async def test_only_the_types_asked_for(scene: Scene) -> None:
    await scene.register(types=["yrd.events.v1.WindowClosed"])
    scene.leave(["a"])
    wanted = scene.leave(["b"], type_="yrd.events.v1.WindowClosed")
    await scene.step()
    assert scene.receiver.numbers() == wanted


async def test_what_is_not_taken_comes_again_later_and_later_in_order_for_each_key(scene: Scene) -> None:
    await scene.register()
    numbers = scene.leave([f"k{n % 3}" for n in range(12)])
    failing = {numbers[4]}
    scene.receiver.answer = lambda number: 500 if number in failing else 200
    await scene.step()
    (webhook,) = await scene.shown()
    assert read_cursor(webhook.cursor) == numbers[3] or read_cursor(webhook.cursor) < numbers[4]  # type: ignore[operator]  # a number
    assert (webhook.attempts, webhook.last_error) == (1, "status 500")
    count = len(scene.receiver.posts)
    await scene.step()
    assert len(scene.receiver.posts) == count, "not before its time"
    for pause in (5, 10, 20):
        scene.advance(timedelta(seconds=pause))
        await scene.step()
        posted = scene.receiver.numbers()
        assert numbers[7] not in posted and numbers[10] not in posted, "what is behind it under its key waits"
    failing.clear()
    scene.advance(timedelta(hours=1))
    await scene.step(2)
    firsts: dict[str, list[int]] = {}
    for headers, _ in scene.receiver.posts:
        seen = firsts.setdefault(headers["ce-partitionkey"], [])
        if int(headers["ce-id"]) not in seen:
            seen.append(int(headers["ce-id"]))
    assert firsts == {f"k{key}": [numbers[n] for n in range(12) if n % 3 == key] for key in range(3)}
    (webhook,) = await scene.shown()
    assert (webhook.attempts, webhook.last_error, read_cursor(webhook.cursor)) == (0, "", numbers[-1])


async def test_after_five_days_it_is_disabled_and_its_province_is_told(scene: Scene) -> None:
    made = await scene.register()
    scene.leave(["a"])
    scene.receiver.answer = lambda _number: 302
    await scene.step()
    since = scene.desk.clock.now()
    while scene.desk.clock.now() - since < GIVE_UP_AFTER:
        assert [each.state for each in await scene.shown()] == [pb.WEBHOOK_STATE_ACTIVE]
        scene.advance(timedelta(hours=12))
        await scene.step()
    (webhook,) = await scene.shown()
    assert (webhook.state, webhook.last_error) == (pb.WEBHOOK_STATE_DISABLED, "status 302")
    row = scene.desk.rows("SELECT topic, key, type, payload FROM outbox ORDER BY seq DESC LIMIT 1")[0]
    assert row[:3] == ("310000.out", made.webhook_id, "yrd.events.v1.WebhookDisabled")
    assert pb.WebhookDisabled.FromString(row[3]).webhook == webhook
    count = len(scene.receiver.posts)
    scene.advance(timedelta(days=1))
    await scene.step()
    assert len(scene.receiver.posts) == count


@pytest.mark.parametrize("why", ["gone", "expired"])
async def test_what_cannot_become_better_is_disabled_at_once(scene: Scene, why: str) -> None:
    await scene.register()
    number = scene.leave(["a"])[0]
    scene.receiver.answer = lambda _number: 410
    if why == "expired":
        with psycopg.connect(scene.desk.uri) as connection:
            connection.execute("INSERT INTO outbox_trim VALUES (1, %s, now())", (number,))
    await scene.step()
    (webhook,) = await scene.shown()
    assert webhook.state == pb.WEBHOOK_STATE_DISABLED
    assert webhook.last_error == ("CURSOR_EXPIRED" if why == "expired" else "status 410")


async def test_a_name_that_turns_into_a_private_address_is_not_spoken_to(scene: Scene) -> None:
    await scene.register()
    scene.leave(["a"])
    asked: list[str] = []

    async def rebound(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return [*await resolve(host, port), "8.8.8.8"]

    await scene.step(networks=[], resolver=rebound)
    assert asked == ["localhost"] and scene.receiver.posts == []
    (webhook,) = await scene.shown()
    assert webhook.last_error == "localhost is not a public address"


async def test_a_receiver_with_a_foreign_certificate_learns_nothing(scene: Scene) -> None:
    await scene.register()
    scene.leave(["a"])
    scene.context = ssl.create_default_context()
    await scene.step()
    assert scene.receiver.posts == []
    assert "CERTIFICATE_VERIFY_FAILED" in (await scene.shown())[0].last_error


async def test_each_province_has_its_own(scene: Scene) -> None:
    mine, theirs = await scene.register(), await scene.register(caller=ZHEJIANG)
    assert [each.webhook_id for each in await scene.shown()] == [mine.webhook_id]
    delete = pb.DeleteWebhookRequest(webhook_id=theirs.webhook_id)
    assert (await scene.desk.refused(scene.use.delete, SHANGHAI, delete))[0] == "WEBHOOK_NOT_FOUND"
    await scene.desk.do(scene.use.delete, ZHEJIANG, pb.DeleteWebhookRequest(webhook_id=theirs.webhook_id))
    again = pb.DeleteWebhookRequest(webhook_id=theirs.webhook_id)
    assert (await scene.desk.refused(scene.use.delete, ZHEJIANG, again))[0] == "WEBHOOK_NOT_FOUND"
    scene.leave(["z"], topic="330000.out")
    await scene.step()
    assert scene.receiver.posts == [] and await scene.shown(ZHEJIANG) == []


async def test_what_cannot_be_registered(scene: Scene) -> None:
    async def refused(caller: Any = SHANGHAI, **fields: Any) -> tuple[str, list[str]]:
        return await scene.desk.refused(scene.use.register, caller, pb.RegisterWebhookRequest(**{"url": scene.url, **fields}))

    assert await refused(url="http://x.cn/") == ("INVALID_ARGUMENT", ["url"])
    assert await refused(url="https://169.254.169.254/", types=["x"]) == ("INVALID_ARGUMENT", ["types[0]", "url"])
    assert (await refused(CHANGXING))[0] == (await refused(COORDINATOR))[0] == "NOT_PERMITTED"
    keyless = Webhooks(list, LOCAL)
    assert (await scene.desk.refused(keyless.register, SHANGHAI, pb.RegisterWebhookRequest(url=scene.url)))[0] == "INVALID_STATE"
    for _ in range(PER_DIVISION_MAX):
        await scene.register()
    assert (await refused())[0] == "INVALID_STATE"
    assert (await refused(ZHEJIANG, url=""))[1] == ["url"]
    assert (await scene.desk.refused(scene.use.delete, SHANGHAI, pb.DeleteWebhookRequest(webhook_id="x")))[1] == ["webhook_id"]
    pages = await scene.desk.ask(scene.use.list, SHANGHAI, pb.ListWebhooksRequest(page_size=7))
    rest = await scene.desk.ask(scene.use.list, SHANGHAI, pb.ListWebhooksRequest(page_size=7, page_token=pages.next_page_token))
    ids = [each.webhook_id for each in (*pages.webhooks, *rest.webhooks)]
    assert len(set(ids)) == PER_DIVISION_MAX and ids == sorted(ids) and rest.next_page_token == ""
    assert pages.public_keys == scene.keys.public


async def test_the_running_sender_posts_what_comes(scene: Scene) -> None:
    poster = Poster(scene.keys, "//hub.test", LOCAL, authorities=scene.context)
    sender = WebhookSender(scene.desk.uri, scene.tail, poster, scene.desk.clock, poll_seconds=0.05)
    tasks = [asyncio.create_task(scene.tail.run()), asyncio.create_task(sender.run()), asyncio.create_task(sender.run())]
    try:
        await scene.register()
        numbers = scene.leave([str(uuid.uuid4()) for _ in range(250)])
        async with asyncio.timeout(60):
            while len(scene.receiver.posts) < 250:  # noqa: ASYNC110 — the receiver is a plain list
                await asyncio.sleep(0.05)
        assert sorted(scene.receiver.numbers()) == numbers, "one of two posts, each once"
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await poster.close()
