"""A webhook through the running hub: registered over gRPC, posted by the relay role."""

from __future__ import annotations

import asyncio

from tests.fixtures import messaging as exchange
from tests.fixtures.delta import SHANGHAI
from tests.fixtures.forked import Ground
from tests.integration.test_webhook import Receiver
from tests.support_hub import free_socket, web_server
from tests.unit.test_webhook_rules import verify
from yrd.events.v1 import webhook_pb2 as pb

SERVICE = "yrd.events.v1.WebhookService"


async def test_a_province_registers_and_is_told(ground: Ground) -> None:
    receiver, bound = Receiver(), free_socket()
    with ground.database() as uri:
        async with ground.hub(uri, "hub", "web", "relay") as hub, web_server(receiver.app, hub.process.identity, bound):
            url = f"https://localhost:{bound.getsockname()[1]}/events"
            made = await hub.call(SHANGHAI, f"{SERVICE}.RegisterWebhook", pb.RegisterWebhookRequest(url=url))
            assert made.public_keys
            numbers = exchange.add_rows(uri, ["a", "b", "a"], topic=f"{SHANGHAI}.out", type_="yrd.events.v1.RedemptionChanged")
            async with asyncio.timeout(60):
                while len(receiver.posts) < 3:  # noqa: ASYNC110 — the receiver is a plain list
                    await asyncio.sleep(0.05)
            assert sorted(receiver.numbers()) == numbers
            assert all(verify(made.public_keys[0], *post) for post in receiver.posts)
            delete = pb.DeleteWebhookRequest(webhook_id=made.webhook.webhook_id)
            await hub.call(SHANGHAI, f"{SERVICE}.DeleteWebhook", delete)
            listed = await hub.call(SHANGHAI, f"{SERVICE}.ListWebhooks", pb.ListWebhooksRequest())
            assert not listed.webhooks
