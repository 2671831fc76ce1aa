"""The process dies, and fails, at each step of a sweep and of posting to webhooks (design property 7). The others: `test_crash_matrix`."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta
from functools import partial

from hub.domain.divisions import COORDINATION
from hub.failpoints import PLACES
from hub.ledger.audit import audit
from tests.fixtures import delta
from tests.fixtures import messaging as exchange
from tests.fixtures.forked import DOORS, Ground, killed_and_restarted, restarted
from tests.fixtures.hub import RunningHub
from tests.fixtures.seeds import SEED
from tests.fixtures.wire import Answer
from tests.integration.test_webhook import Receiver
from tests.support_hub import free_socket, web_server
from yrd.events.v1 import webhook_pb2
from yrd.simulation.v1 import simulation_pb2

ROLES_APART = ("scheduler", "webhooks")
_LATER = timedelta(days=500)
_KINDS_SWEPT = 2
_EVENTS = 30


def _sweeping() -> list[dict[str, str]]:
    """What is armed in each life: a death at each place, in the sweep of one kind or of the other, and last an error at every one."""
    dice = random.Random(f"{SEED}/sweeps")
    places = [place for place in PLACES if place.startswith("scheduler.")]
    return [*({place: f"kill:{dice.randint(1, _KINDS_SWEPT)}"} for place in places), dict.fromkeys(places, "error:1")]


async def test_sweeps(ground: Ground) -> None:
    """Whatever became of a sweep, the next ends it: each authorization lapses once, each note expires once, and both are told once."""
    now, made = datetime.now(UTC), 0
    with ground.database() as uri:
        async with ground.hub(uri, *DOORS, "scheduler", SIMULATED_CLOCK=now.isoformat(), SWEEP_SECONDS="0.05") as hub:
            for armed in _sweeping():
                await restarted(hub, FAILPOINTS=json.dumps(armed), SIMULATED_CLOCK=now.isoformat())
                made += await _reserved(hub, ground, f"HT-{now:%Y}")
                now += _LATER
                advanced = asyncio.create_task(_advance(hub, now))
                if len(armed) == 1:
                    await killed_and_restarted(hub, SIMULATED_CLOCK=now.isoformat())
                assert (await advanced).ok
                assert exchange.query(uri, "SELECT DISTINCT state FROM redemption") == [("EXPIRED",)]
                assert exchange.query(uri, "SELECT sum(available + reserved) FROM voucher") == [(0,)]
        released = "SELECT count(*), count(DISTINCT redemption_id) FROM journal WHERE debit = 'reserved'"
        assert exchange.query(uri, released) == [(made, made)]
        told = "SELECT count(*), count(DISTINCT (topic, payload)) FROM outbox WHERE type LIKE '%RedemptionChanged'"
        # Made and lapsed, to issuer and acquirer.
        assert exchange.query(uri, told) == [(4 * made, 4 * made)]
        report = await audit(uri)
        assert report.clean, report.differences


async def _reserved(hub: RunningHub, ground: Ground, stem: str) -> int:
    """Issue a note to each firm, reserve some of it, and return how often."""
    for number, wallet in enumerate(ground.wallets):
        note = delta.issue(wallet.issuer, wallet.enterprise, 100_000)
        assert (await (await hub.wire(wallet.issuer)).ask(f"{delta.VOUCHERS}.IssueVouchers", note)).ok
        request = delta.authorize(wallet.issuer, wallet.enterprise, delta.SHANGHAI_LAB, f"{stem}-{number}", 50_000)
        assert (await (await hub.wire(delta.SHANGHAI)).ask(f"{delta.CLEARING}.Authorize", request)).ok
    return len(ground.wallets)


async def _advance(hub: RunningHub, now: datetime) -> Answer:
    request = simulation_pb2.AdvanceClockRequest(request_id=delta.request_id())
    request.now.FromDatetime(now)
    return await (await hub.wire(COORDINATION)).ask("yrd.simulation.v1.SimulationService.AdvanceClock", request)


# What is posted and not saved is posted again, whether the process fails there or dies; what is saved is not.
_POSTING = (
    {"webhooks.after_post_before_save": "kill"},
    {"webhooks.after_post_before_save": "error", "webhooks.after_save": "kill"},
    {"webhooks.after_save": "error"},
)


async def test_webhooks(ground: Ground) -> None:
    """Every event is posted at least once, in order for each key, and nothing below a cursor that was saved is posted again."""
    receiver, bound = Receiver(), free_socket()
    keys: dict[int, str] = {}
    lives = [json.dumps(armed) for armed in _POSTING]
    with ground.database() as uri:
        async with ground.hub(uri, *DOORS, "relay", FAILPOINTS=lives[0]) as hub, web_server(receiver.app, hub.process.identity, bound):
            url = f"https://localhost:{bound.getsockname()[1]}/events"
            register = webhook_pb2.RegisterWebhookRequest(url=url)
            await hub.call(delta.SHANGHAI, "yrd.events.v1.WebhookService.RegisterWebhook", register)
            for following in (*lives[1:], ""):
                named = [f"key-{number % 7}" for number in range(_EVENTS)]
                numbers = exchange.add_rows(uri, named, topic=f"{delta.SHANGHAI}.out", type_="yrd.events.v1.RedemptionChanged")
                keys |= dict(zip(numbers, named, strict=True))
                if following:
                    await exchange.until(lambda: not hub.process.running, "the process to kill itself")
                    saved, posted = _cursor(uri), len(receiver.posts)
                    await restarted(hub, FAILPOINTS=following)
            await exchange.until(partial(_reached, uri, max(keys)), "all to be posted")
            assert min(receiver.numbers()[posted:]) > saved
    assert set(receiver.numbers()) == set(keys)
    assert exchange.in_order(exchange.firsts_by_key([(keys[number], number) for number in receiver.numbers()]))
    assert all(keys[int(headers["ce-id"])].encode() == body for headers, body in receiver.posts)


def _reached(uri: str, number: int) -> bool:
    return _cursor(uri) >= number


def _cursor(uri: str) -> int:
    return int(exchange.query(uri, "SELECT cursor FROM webhook")[0][0])
