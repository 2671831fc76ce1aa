"""Closing and paying pass the committer: one bound, one fate with batches, and one effect where a COMMIT or its answer is lost."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import psycopg
import pytest
from google.protobuf.message import Message
from structlog.testing import capture_logs

from hub.application import settlement, vouchers
from hub.application.dispatch import Dispatcher
from hub.application.methods import Alone, Ledger, Mutation, build_methods, ledger_methods
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller
from hub.domain.clock import SystemClock
from hub.embedded import EmbeddedPostgres
from hub.ledger.committer import GroupCommitter
from hub.ledger.lookups import WINDOW_LOCK
from hub.ledger.unitofwork import UnitOfWork
from tests.fixtures import delta
from tests.fixtures import messaging as exchange
from tests.fixtures.ledger import (
    DEADLINE_SECONDS,
    FIRMS,
    SUZHOU_FIRM,
    Book,
    authorizing,
    capturing,
    code,
    fresh_book,
    running,
    submit,
)
from tests.fixtures.proxy import Loss, Proxy
from tests.fixtures.rows import same
from tests.fixtures.settled import check_settlement
from tests.support_usecases import COORDINATOR, platform
from yrd.settlement.v1 import settlement_pb2 as pb
from yrd.voucher.v1 import voucher_pb2

ISSUER, OTHER, LAB = delta.CHANGXING, delta.JIANGSU, delta.SHANGHAI_LAB
FEE_FEN = 50_000
SUBSIDY_FEN = {issuer: FEE_FEN * delta.RATIO_BP[issuer] // 10_000 for issuer in (ISSUER, OTHER)}
CLOSE, PAY = f"{delta.SETTLEMENT}.CloseWindow", f"{delta.SETTLEMENT}.ConfirmPayment"
CALLERS = {CLOSE: COORDINATOR, PAY: platform(ISSUER)}
PROVINCES = frozenset({"310000", "320000", "330000", "340000"})
_SERVICE = pb.DESCRIPTOR.services_by_name["SettlementService"]
_WAITING = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
_SHARED = f"SELECT pg_advisory_xact_lock_shared({WINDOW_LOCK}, %s)"


class Hub:
    """A hub's dispatcher, its committer and its unit of work. `uri` may lead through a proxy."""

    def __init__(self, book: Book, uri: str = "", **limits: int) -> None:
        self.book = book
        self.work = UnitOfWork(uri or book.uri, book.clock)
        self.committer = GroupCommitter(uri or book.uri, book.clock, **limits)
        methods = build_methods([_SERVICE], {}, settlement.methods(PROVINCES), {}, {}, {})
        self.dispatcher = Dispatcher(methods, self.committer, self.work)
        self._calls: list[asyncio.Task[Outcome]] = []

    async def call(self, method: str, request: Message, caller: Caller | None = None) -> Outcome:
        """Call a method as a door does."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await self.dispatcher.call(method, request.SerializeToString(), caller or CALLERS[method])

    def calling(self, method: str, request: Message) -> asyncio.Task[Outcome]:
        """Call beside what comes next; what is not answered when the hub is closed is given up."""
        self._calls.append(asyncio.create_task(self.call(method, request)))
        return self._calls[-1]

    async def close(self) -> None:
        """Give up the calls that are left, and close the pool."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)
        await self.work.close()

    async def clear(self, order_no: str, issuer: str = ISSUER, firm: str = FIRMS[0]) -> None:
        """Authorize and capture an order."""
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, order_no))
        items = (authorizing(issuer, firm, LAB, order_no, FEE_FEN, redemption_id=key), capturing(key, LAB, f"FP-{order_no}"))
        for name, item in zip(("authorize", "capture"), items, strict=True):
            assert code(await submit(self.committer, item._replace(request_id=str(uuid.uuid5(uuid.UUID(key), name))))) == "OK"

    async def until_waiting(self, count: int) -> None:
        """Return when so many connections to the database wait for locks."""
        await exchange.until(lambda: self.book.one(_WAITING) == count, f"{count} to wait")


@asynccontextmanager
async def idle(book: Book, uri: str = "", **limits: int) -> AsyncIterator[Hub]:
    """A hub whose committer does not run yet."""
    hub = Hub(book, uri, **limits)
    try:
        yield hub
    finally:
        await hub.close()


@asynccontextmanager
async def opened(book: Book, uri: str = "") -> AsyncIterator[Hub]:
    async with idle(book, uri) as hub, running(hub.committer):
        yield hub


@pytest.fixture
async def hub(book: Book) -> AsyncIterator[Hub]:
    async with opened(book) as made:
        yield made


def closing(*issuers: str) -> pb.CloseWindowRequest:
    return pb.CloseWindowRequest(request_id=str(uuid.uuid4()), issuers=issuers)


def paying(window_id: str) -> pb.ConfirmPaymentRequest:
    request_id = str(uuid.uuid5(uuid.UUID(window_id), "pay"))
    return pb.ConfirmPaymentRequest(request_id=request_id, window_id=window_id, debtor=ISSUER, creditor=LAB, amount_fen=SUBSIDY_FEN[ISSUER])


def window_of(outcome: Outcome) -> pb.Window:
    assert outcome.ok, code(outcome)
    return pb.CloseWindowResponse.FromString(outcome.body).window


# At COMMIT the transaction waits for what somebody else holds, and PostgreSQL does not look whether its client is still there.
_HOLD_COMMITS = """
CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER held AFTER UPDATE ON idempotency DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION held();"""


@pytest.mark.parametrize("loss", list(Loss))
async def test_a_commit_that_is_lost_or_whose_answer_is_has_one_effect(
    postgres_server: EmbeddedPostgres, furnished: str, loss: Loss
) -> None:
    """The caller is told the true outcome, as if nothing had been: every row is that of a database where nothing was lost."""
    close = closing(ISSUER)
    with fresh_book(postgres_server, furnished) as book, fresh_book(postgres_server, furnished) as calm:
        async with opened(calm) as expected, Proxy(book.uri).listening() as proxy, opened(book, proxy.uri) as hub:
            for each in (expected, hub):
                await each.clear("HT-1")
            with psycopg.connect(book.uri, autocommit=True) as connection:
                connection.execute(_HOLD_COMMITS.encode())
            done = await expected.call(CLOSE, close)
            pay = paying(window_of(done).window_id)
            for number, (method, request) in enumerate([(CLOSE, close), (PAY, pay)], 1):
                proxy.lose(loss)
                outcome = await _held_up_at_commit(hub, method, request) if loss is Loss.MEANWHILE else await hub.call(method, request)
                assert outcome.ok and outcome == await expected.call(method, request)
                assert proxy.lost == [loss] * number
                assert await hub.call(method, request) == outcome
            pay.request_id = str(uuid.uuid4())
            assert code(await hub.call(PAY, pay)) == "INVALID_STATE"
            assert book.rows("SELECT count(*), count(paid_at) FROM obligation") == [(1, 1)]
            assert book.one("SELECT count(*) FROM settlement_window") == 1
            assert book.one("SELECT count(*) FROM journal WHERE cause = 'PAY'") == 1
        with psycopg.connect(book.uri, autocommit=True) as connection:
            connection.execute("DELETE FROM idempotency WHERE status <> 0")
        same(book, calm, loss.value, ordered=False)
        check_settlement(book.uri)


async def _held_up_at_commit(hub: Hub, method: str, request: Message) -> Outcome:
    """Keep COMMIT from being done until the repeat waits for its record."""
    with psycopg.connect(hub.book.uri) as holder:
        holder.execute("SELECT pg_advisory_xact_lock(1)")
        call = hub.calling(method, request)
        await hub.until_waiting(2)
        assert not call.done()
    return await call


async def test_beyond_the_queue_the_answer_is_overloaded_and_nothing_is_kept(book: Book) -> None:
    first, beyond = closing(ISSUER), closing(ISSUER)
    async with idle(book, queue_items_max=1) as hub:
        waiting = hub.calling(CLOSE, first)
        await asyncio.sleep(0)
        for method, request in ((CLOSE, beyond), (PAY, paying(str(uuid.uuid4())))):
            assert code(await hub.call(method, request)) == "OVERLOADED"
        async with running(hub.committer):
            assert window_of(await waiting).issuers == [ISSUER]
            kept = "SELECT request_id::text FROM idempotency WHERE participant_id = %s"
            assert book.rows(kept, COORDINATOR.participant_id) == [(first.request_id,)]
            assert window_of(await hub.call(CLOSE, beyond)).issuers == [ISSUER]


async def test_clearing_goes_on_beside_a_closing_that_waits_and_the_next_one_is_not_begun(hub: Hub) -> None:
    """The closing waits for whoever clears for its issuer; others' commands need not, and the second closing waits outside PostgreSQL."""
    with psycopg.connect(hub.book.uri) as clearing:
        clearing.execute(_SHARED.encode(), (int(ISSUER),))
        first = hub.calling(CLOSE, closing(ISSUER))
        await hub.until_waiting(1)
        calls = [first, hub.calling(CLOSE, closing(OTHER)), hub.calling(CLOSE, closing(ISSUER))]
        await hub.clear("HT-1", OTHER, SUZHOU_FIRM)
        assert hub.committer.queued == 2 and hub.book.one(_WAITING) == 1
        assert not any(call.done() for call in calls)
    windows = [window_of(await call) for call in calls]
    assert [list(window.issuers) for window in windows] == [[ISSUER], [OTHER], [ISSUER]]
    assert [sum(owed.amount_fen for owed in window.obligations) for window in windows] == [0, SUBSIDY_FEN[OTHER], 0]
    numbers = dict(hub.book.rows("SELECT window_id::text, window_no FROM window_issuer"))
    assert [numbers[window.window_id] for window in windows] == [1, 1, 2]
    check_settlement(hub.book.uri)


async def test_a_caller_that_goes_away_leaves_a_closing_that_can_be_found(hub: Hub) -> None:
    await hub.clear("HT-1")
    under_way, waiting = closing(ISSUER), closing(OTHER)
    with psycopg.connect(hub.book.uri) as clearing:
        clearing.execute(_SHARED.encode(), (int(ISSUER),))
        calls = [hub.calling(CLOSE, request) for request in (under_way, waiting)]
        await hub.until_waiting(1)
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
    outcomes = [await hub.call(CLOSE, request) for request in (under_way, waiting)]
    assert [list(window_of(outcome).issuers) for outcome in outcomes] == [[ISSUER], [OTHER]]
    stored = dict(hub.book.rows("SELECT request_id::text, body FROM idempotency WHERE participant_id = %s", COORDINATOR.participant_id))
    assert stored == {request.request_id: outcome.body for request, outcome in zip((under_way, waiting), outcomes, strict=True)}
    assert hub.book.one("SELECT count(*) FROM settlement_window") == 2
    assert (await hub.call(PAY, paying(window_of(outcomes[0]).window_id))).ok


async def test_the_victim_of_a_deadlock_is_run_again(hub: Hub) -> None:
    """Somebody takes the locks of windows the wrong way round, and PostgreSQL ends the closing, which closes the circle."""
    await hub.clear("HT-1")
    lock, first, held, last = "SELECT pg_advisory_xact_lock(%s, %s)", *sorted((ISSUER, OTHER, delta.ZHEJIANG), key=int)
    with psycopg.connect(hub.book.uri) as gate, psycopg.connect(hub.book.uri) as other, capture_logs() as logged:
        other.execute("SET deadlock_timeout = '1h'")
        other.execute(lock.encode(), (WINDOW_LOCK, int(last)))
        gate.execute(lock.encode(), (WINDOW_LOCK, int(held)))
        call = hub.calling(CLOSE, closing(first, held, last))
        await hub.until_waiting(1)
        wrong_way = asyncio.create_task(asyncio.to_thread(other.execute, lock.encode(), (WINDOW_LOCK, int(first))))
        await hub.until_waiting(2)
        gate.rollback()
        await wrong_way
        assert not call.done()
        other.rollback()
        window = window_of(await call)
    assert [entry["error"] for entry in logged if entry["event"] == "batch_retried"] == ["DeadlockDetected"]
    assert sum(owed.amount_fen for owed in window.obligations) == SUBSIDY_FEN[ISSUER]
    assert hub.book.one("SELECT count(*) FROM settlement_window") == 1
    check_settlement(hub.book.uri)


async def test_one_request_id_for_a_capture_and_a_closing_at_once_is_one_of_both(hub: Hub) -> None:
    """The one circle there is: a batch writes the record that the closing has claimed, while the closing waits for the batch's window."""
    caller = platform(delta.LABS[LAB])
    key, close = str(uuid.uuid4()), closing()
    assert code(await submit(hub.committer, authorizing(ISSUER, FIRMS[0], LAB, "HT-1", FEE_FEN, redemption_id=key))) == "OK"
    capture = capturing(key, LAB, "FP-1")._replace(request_id=close.request_id)
    assert capture.caller == caller
    with psycopg.connect(hub.book.uri) as holder, capture_logs() as logged:
        holder.execute("SELECT 1 FROM wallet FOR UPDATE")
        captured = asyncio.create_task(submit(hub.committer, capture))
        await hub.until_waiting(1)
        closed = asyncio.create_task(hub.call(CLOSE, close, replace(COORDINATOR, participant_id=caller.participant_id)))
        await hub.until_waiting(2)
        holder.rollback()
        outcomes = [code(await captured), code(await closed)]
    assert sorted(outcomes) == ["OK", "REQUEST_ID_REUSED"]
    assert [entry["error"] for entry in logged if entry["event"] == "batch_retried"]
    assert hub.book.one("SELECT count(*) FROM settlement_window") == int(outcomes[1] == "OK")
    assert hub.book.one("SELECT count(*) FROM redemption WHERE state = 'CLEARED'") == int(outcomes[0] == "OK")
    check_settlement(hub.book.uri)


def test_what_changes_the_ledger_passes_the_committer() -> None:
    """But for applications, which hold nothing and promise nothing before they are approved, and the log of checks."""
    services = [_SERVICE, voucher_pb2.DESCRIPTOR.services_by_name["VoucherService"]]
    cases = {**settlement.methods(PROVINCES), **vouchers.METHODS}
    methods = build_methods(services, ledger_methods(SystemClock()), cases, {}, {}, {})
    changing = {name: method for name, method in methods.items() if method.access.mutation}
    past = {name.rpartition(".")[2] for name, method in changing.items() if not isinstance(method, Ledger | Alone)}
    assert past == {"ApplyForVouchers", "RejectApplication", "VerifyVoucher"}
    assert {name for name, method in changing.items() if isinstance(method, Alone)} == {CLOSE, PAY}
    assert all(isinstance(methods[f"{delta.VOUCHERS}.{name}"], Mutation) for name in past)
