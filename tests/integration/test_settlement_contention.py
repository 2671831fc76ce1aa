"""Windows close and are paid on two hub processes beside commands of every kind: nothing is made, lost, paid twice or left between."""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import uuid
from collections.abc import Sequence
from contextlib import AsyncExitStack

import psycopg
import pytest

from hub.application.redeeming import refund_command
from hub.application.settlement import close_window
from hub.domain.divisions import COORDINATION
from hub.domain.review import Refund
from tests.fixtures import delta
from tests.fixtures import messaging as exchange
from tests.fixtures.forked import Ground
from tests.fixtures.hub import RunningHub
from tests.fixtures.lanes import LANES
from tests.fixtures.ledger import FIRMS, Book, authorizing, capturing, sent, submit
from tests.fixtures.seeds import SEED
from tests.fixtures.settled import check_settlement, windows_and_payments
from tests.fixtures.traffic import Traffic
from tests.fixtures.wire import Wire
from tests.support_usecases import COORDINATOR, Desk, platform
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.settlement.v1 import settlement_pb2

_ROUNDS = 3
_WINDOWS_MIN = 5


class ByTurns(RunningHub):
    """Several hub processes as one: every call goes to the next of them."""

    def __init__(self, hubs: Sequence[RunningHub]) -> None:
        self.process = hubs[0].process
        self._turns = itertools.cycle(hubs)

    async def wire(self, division: str) -> Wire:
        return await next(self._turns).wire(division)


async def test_windows_close_beside_everything_else_on_two_processes(ground: Ground) -> None:
    """Now and then all connections are cut, of which no caller hears, and in the end a process is killed; which one waits for which is
    the dice's affair."""
    dice = random.Random(f"{SEED}/settlement")
    with ground.database() as uri:
        async with AsyncExitStack() as stack:
            hubs = [await stack.enter_async_context(ground.hub(uri)) for _ in range(2)]
            traffic = Traffic(ByTurns(hubs), ground.wallets, SEED, lanes=(*LANES, "settlement", "settlement", "unary"))
            async with traffic.flowing():
                for _ in range(_ROUNDS):
                    await traffic.more(dice.randint(40, 80))
                    await asyncio.to_thread(cut, uri)
                await traffic.more(dice.randint(40, 80))
                assert not any(hub.told_unavailable for hub in hubs), "a cut connection or a circle of waiting is the hubs' affair"
                await asyncio.to_thread(hubs[1].process.restart)
                await traffic.nothing_lost()
                await traffic.more(80)
            await traffic.settled_exactly()
        windows, payments = windows_and_payments(uri)
        assert windows >= _WINDOWS_MIN and payments >= _WINDOWS_MIN


def cut(uri: str) -> None:
    """Cut every connection to the database but this one."""
    with psycopg.connect(uri, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


@pytest.mark.parametrize("place", ["unitofwork.before_commit", "unitofwork.commit_in_flight", "unitofwork.after_commit"])
async def test_a_commit_whose_answer_is_lost_has_one_effect_and_its_caller_does_not_notice(place: str, ground: Ground) -> None:
    """The connection is lost before COMMIT is sent, while it is on its way, and after it was done: the hub looks, and finds what was done
    or does it."""
    with ground.database() as uri:
        async with ground.hub(uri) as hub:
            lab = await _cleared(hub, ground)
        for hit, ask in enumerate((_close, _pay), 1):
            async with ground.hub(uri, FAILPOINTS=json.dumps({place: "error:1"})) as hub:
                wire = await hub.wire(COORDINATION if ask is _close else delta.CHANGXING)
                method, request = ask(uri, lab)
                token = await wire.client.tokens.get()
                first = await wire.send(method, request.SerializeToString(), token)
                assert first.ok
                assert "connection_lost" in hub.process.log_text()
                assert (await wire.ask(method, request)).body == first.body
            assert exchange.query(uri, "SELECT count(*), count(paid_at) FROM obligation") == [(1, hit - 1)]
            assert exchange.query(uri, "SELECT count(*) FROM settlement_window") == [(1,)]
            assert exchange.query(uri, "SELECT count(*) FROM journal WHERE cause = 'PAY'") == [(hit - 1,)]
            assert (
                exchange.query(uri, "SELECT topic, count(*) FROM outbox WHERE type LIKE '%WindowClosed' GROUP BY 1 HAVING count(*) > 1")
                == []
            )
        check_settlement(uri)


async def _cleared(hub: RunningHub, ground: Ground) -> str:
    wallet = next(wallet for wallet in ground.wallets if wallet.issuer == delta.CHANGXING)
    request = delta.authorize(delta.CHANGXING, wallet.enterprise, delta.SHANGHAI_LAB, "HT-1", 50_000)
    made: pb.AuthorizeResponse = await hub.call(delta.SHANGHAI, f"{delta.CLEARING}.Authorize", request)
    await hub.call(delta.SHANGHAI, f"{delta.CLEARING}.Capture", delta.capture(made.redemption.redemption_id, "FP-1"))
    return delta.SHANGHAI_LAB


def _close(_uri: str, _lab: str) -> tuple[str, settlement_pb2.CloseWindowRequest]:
    return f"{delta.SETTLEMENT}.CloseWindow", settlement_pb2.CloseWindowRequest(request_id=delta.request_id())


def _pay(uri: str, lab: str) -> tuple[str, settlement_pb2.ConfirmPaymentRequest]:
    window_id, amount = exchange.query(uri, "SELECT window_id::text, amount FROM obligation")[0]
    request = settlement_pb2.ConfirmPaymentRequest(
        request_id=delta.request_id(), window_id=window_id, debtor=delta.CHANGXING, creditor=lab, amount_fen=amount
    )
    return f"{delta.SETTLEMENT}.ConfirmPayment", request


_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"


async def test_a_closing_that_settles_several_payees_waits_in_no_circle(book: Book) -> None:
    """What is offset by refunds is settled by the closing itself: its redemptions are locked by id, as every batch locks them."""
    desk, labs = Desk(book.uri), (delta.ANHUI_LAB, delta.SHANGHAI_LAB)
    async with book.committer() as committer:
        for number, fee in enumerate((50_000, 10_000)):
            for place, lab in enumerate(labs):
                key = str(uuid.UUID(int=10 * number + place + 1))
                item = authorizing(delta.CHANGXING, FIRMS[0], lab, f"HT-{number}", fee, redemption_id=key)
                assert (await submit(committer, item)).ok
                assert (await submit(committer, capturing(key, lab, f"FP-{number}"))).ok
            if number == 0:
                await desk.do(close_window, COORDINATOR, settlement_pb2.CloseWindowRequest())
        for place, lab in enumerate(labs):
            refund = Refund(str(uuid.UUID(int=place + 1)), 50_000)
            assert (await submit(committer, sent(refund_command(refund), platform(delta.LABS[lab])))).ok
    lock = "SELECT 1 FROM redemption WHERE redemption_id = %s FOR UPDATE"
    with psycopg.connect(book.uri) as other:
        other.execute(lock, (uuid.UUID(int=11),))
        closing = asyncio.create_task(desk.do(close_window, COORDINATOR, settlement_pb2.CloseWindowRequest()))
        await exchange.until(lambda: book.one(_WAITING) > 0, "the closing to wait")
        other.execute(lock, (uuid.UUID(int=12),))
    assert not (await closing).window.obligations
    assert book.rows("SELECT state, count(*) FROM redemption GROUP BY state ORDER BY state") == [("REFUNDED", 2), ("SETTLED", 2)]
    assert book.deadlocks == 0
    check_settlement(book.uri)
    await desk.work.close()
