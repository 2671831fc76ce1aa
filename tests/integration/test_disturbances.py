"""What happens to a hub from outside, under traffic: failing steps, cut connections, a clock that jumps. Nothing is lost or half-done."""

from __future__ import annotations

import asyncio
import json
import random
from datetime import UTC, datetime, timedelta

import psycopg

from hub.domain.divisions import COORDINATION
from hub.failpoints import PLACES
from hub.ledger.audit import audit
from tests.fixtures import delta
from tests.fixtures import messaging as exchange
from tests.fixtures.forked import DOORS, Ground
from tests.fixtures.hub import RunningHub
from tests.fixtures.seeds import SEED
from tests.fixtures.traffic import Traffic
from tests.fixtures.wire import Answer
from yrd.clearing.v1 import clearing_pb2
from yrd.simulation.v1 import simulation_pb2

_CUTS = 25
_SWEEP_OFTEN = "0.05"


async def test_every_step_fails_once(ground: Ground) -> None:
    """An unforeseen error at a step, other than death: the hub repeats the command, which has one effect, and no caller hears of it.

    Windows close and are paid meanwhile. Consumer, sweeps and webhooks fail in the crash matrix, where they have something to do.
    """
    roles = ("committer", "unitofwork", "relay")
    armed = {place: f"error:{3 + number}" for number, place in enumerate(PLACES) if place.startswith(roles)}
    with ground.database() as uri:
        async with ground.hub(uri, *DOORS, "relay", FAILPOINTS=json.dumps(armed)) as hub:
            traffic = Traffic(hub, ground.wallets, SEED, lanes=("unary", "settlement"))
            async with traffic.flowing():
                await traffic.more(150)
            assert not hub.told_unavailable
            await traffic.settled_exactly()
            await exchange.until(lambda: exchange.unpublished(uri) == 0, "everything to be published")
            assert hub.process.running


async def test_connections_cut_again_and_again(ground: Ground) -> None:
    """A commit whose answer is lost is looked up, not guessed; no role ends because the database went away for a moment."""
    dice = random.Random(SEED)
    with ground.database() as uri:
        async with ground.hub(uri, *DOORS, "relay", "scheduler", SWEEP_SECONDS=_SWEEP_OFTEN) as hub:
            traffic = Traffic(hub, ground.wallets, SEED, lanes=("unary", "settlement"))
            async with traffic.flowing():
                for _ in range(_CUTS):
                    await asyncio.to_thread(_cut, uri)
                    await traffic.more(dice.randint(1, 8))
            assert not hub.told_unavailable
            await traffic.settled_exactly()
            await exchange.until(lambda: exchange.unpublished(uri) == 0, "everything to be published")
            assert hub.process.running


def _cut(uri: str) -> None:
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


_JUMPS = (timedelta(days=40), timedelta(days=100), timedelta(days=365), timedelta(days=3 * 365))
_OVERTAKEN = {"VOUCHER_EXPIRED", "VOUCHER_EXHAUSTED", "QUOTA_EXCEEDED", "INVALID_STATE"}


async def test_the_clock_jumps(ground: Ground) -> None:
    """Under traffic the clock goes on by months and years; what is overtaken is refused or lapses, and the books stay right."""
    start = datetime.now(UTC)
    with ground.database() as uri:
        async with ground.hub(uri, *DOORS, SIMULATED_CLOCK=start.isoformat()) as hub:
            stream = _Overtaken(hub, ground.wallets, SEED, refusals=_OVERTAKEN)
            now = start
            async with stream.flowing():
                for jump in _JUMPS:
                    await stream.more(60)
                    now += jump
                    assert (await _advance(hub, now)).ok
                    assert (await _advance(hub, start)).code == "INVALID_ARGUMENT", "a clock never runs backwards"
                await stream.more(60)
            assert (await _advance(hub, now + timedelta(days=2 * 365))).ok
            await stream.same_bytes_again()
            report = await audit(uri)
            assert report.clean, report.differences
            assert exchange.query(uri, "SELECT count(*) FROM redemption WHERE state = 'AUTHORIZED'") == [(0,)]
            assert exchange.query(uri, "SELECT sum(available + reserved) FROM voucher") == [(0,)]
            assert {"VOUCHER_EXPIRED", ""} <= stream.codes(), "the jumps overtook nothing"


async def _advance(hub: RunningHub, now: datetime) -> Answer:
    request = simulation_pb2.AdvanceClockRequest(request_id=delta.request_id())
    request.now.FromDatetime(now)
    return await (await hub.wire(COORDINATION)).ask("yrd.simulation.v1.SimulationService.AdvanceClock", request)


class _Overtaken(Traffic):
    """Authorizes and then captures or gives up, on notes that it issues itself; what the clock has overtaken is refused."""

    async def _work(self, number: int) -> None:
        dice = random.Random(f"{SEED}/{number}")
        while not self._stopping:
            wallet, lab = dice.choice(self.wallets), dice.choice(list(delta.LABS))
            order_no = f"HT-{number}-{dice.randrange(10**9)}"
            if dice.random() < 0.2:
                await self.ask(wallet.issuer, f"{delta.VOUCHERS}.IssueVouchers", delta.issue(wallet.issuer, wallet.enterprise, 100_000))
            request = delta.authorize(wallet.issuer, wallet.enterprise, lab, order_no, 50_000)
            answer = await self.ask(delta.LABS[lab], f"{delta.CLEARING}.Authorize", request)
            if answer.ok:
                key = answer.read(clearing_pb2.AuthorizeResponse).redemption.redemption_id
                await self._finish(dice, delta.LABS[lab], key)

    async def _finish(self, dice: random.Random, home: str, key: str) -> None:
        fate = dice.random()
        if fate < 0.6:
            await self.ask(home, f"{delta.CLEARING}.Capture", delta.capture(key, f"FP-{key}"))
        elif fate < 0.8:
            await self.ask(home, f"{delta.CLEARING}.Void", clearing_pb2.VoidRequest(request_id=delta.request_id(), redemption_id=key))

    def codes(self) -> set[str]:
        """Return the codes of all answers, empty for an approval."""
        return {asked.answer.code if not asked.answer.ok else "" for asked in self.asked}
