"""The lane of commands that are a batch by themselves: order, what is done again, bounds, and that nothing leaves it stuck."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import cast

import psycopg
import pytest
from psycopg import errors
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from structlog.testing import capture_logs

from hub.application.commands import LedgerCommand
from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller, Role
from hub.domain.clock import SimulatedClock
from hub.domain.refusals import Refusal, RefusalCode
from hub.failpoints import FailpointError
from hub.ledger import alone, retrying
from hub.ledger.committer import GroupCommitter
from hub.ledger.items import UNREACHABLE

CALLER = Caller("p", "310000", Role.PLATFORM)
OVERLOADED = refused(Refusal(RefusalCode.OVERLOADED))
DONE = Outcome(0, b"done")
COMMAND = cast(LedgerCommand, None)
"""Of what is never run."""
DEADLINE_SECONDS = 10.0


class Work:
    """A transaction that fails as told, once for each error, and then is done; `held` keeps it until it is let go."""

    def __init__(self, name: str = "", failures: Iterable[Exception] = (), *, held: bool = False, log: list[str] | None = None) -> None:
        self.name = name
        self.attempts = 0
        self.begun, self.let_go = asyncio.Event(), asyncio.Event()
        if not held:
            self.let_go.set()
        self._failures = iter(failures)
        self._log: list[str] = [] if log is None else log

    async def __call__(self) -> Outcome:
        self.attempts += 1
        self._log.append(f"{self.name} begun")
        self.begun.set()
        await self.let_go.wait()
        for failure in self._failures:
            raise failure
        self._log.append(f"{self.name} done")
        return DONE


def made(queue_items_max: int = 100) -> GroupCommitter:
    return GroupCommitter("postgresql://nowhere", SimulatedClock(datetime(2026, 1, 1, tzinfo=UTC)), queue_items_max=queue_items_max)


@asynccontextmanager
async def running(committer: GroupCommitter) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(committer.run())
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Server:
    """What stands for the server: counts the connections asked for, and gives none while it is away."""

    def __init__(self) -> None:
        self.asked = 0
        self.away = False

    async def connected(self, _url: str) -> Server:
        self.asked += 1
        if self.away:
            raise psycopg.OperationalError("nobody there")
        return self

    async def close(self) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    stand_in = Server()
    monkeypatch.setattr(alone, "connected", stand_in.connected)
    return stand_in


async def test_one_at_a_time_in_order_of_arrival(server: Server) -> None:
    log: list[str] = []
    committer, first, rest = made(), Work("a", held=True, log=log), [Work(name, log=log) for name in "bc"]
    async with running(committer):
        calls = [asyncio.create_task(committer.submit_alone(work)) for work in (first, *rest)]
        await first.begun.wait()
        assert committer.queued == len(rest) and not any(work.attempts for work in rest)
        first.let_go.set()
        assert await asyncio.gather(*calls) == [DONE] * 3
    assert log == [f"{name} {what}" for name in "abc" for what in ("begun", "done")]
    assert server.asked == 0


def _wrapped(kind: type[DBAPIError], error: Exception) -> Callable[[], Exception]:
    """The driver's error as SQLAlchemy raises it."""
    return lambda: kind("statement", {}, error)


_MET = {
    "the same row": _wrapped(IntegrityError, errors.UniqueViolation("twice")),
    "a circle": _wrapped(OperationalError, errors.DeadlockDetected("circle")),
    "a serialization failure": _wrapped(OperationalError, errors.SerializationFailure("order")),
}
_LOST: dict[str, Callable[[], Exception]] = {
    "a lost connection": _wrapped(OperationalError, psycopg.OperationalError("server closed the connection")),
    "a connection found dead": lambda: DBAPIError("statement", {}, psycopg.InterfaceError("closed"), connection_invalidated=True),
    "a rehearsed loss": lambda: FailpointError("failpoint"),
}


@pytest.mark.parametrize("why", [*_MET, *_LOST])
async def test_what_met_another_or_lost_its_connection_is_done_again(server: Server, why: str) -> None:
    """After a loss it is begun again only when the server gives a connection."""
    error = {**_MET, **_LOST}[why]
    work = Work(failures=[error(), error()])
    committer = made()
    async with running(committer):
        assert await committer.submit_alone(work) == DONE
        assert work.attempts == 3
        assert server.asked == (2 if why in _LOST else 0)
        assert await committer.submit_alone(Work()) == DONE
    assert server.asked == (2 if why in _LOST else 0), "what comes after a success waits for nothing"


async def test_after_so_many_attempts_it_is_given_up_and_what_waits_behind_it_not_begun(server: Server) -> None:
    failures = [_LOST["a lost connection"]() for _ in range(retrying.ATTEMPTS_MAX)]
    hopeless, behind, later = Work(failures=failures, held=True), Work(), Work()
    committer = made()
    with capture_logs() as logged:
        async with running(committer):
            calls = [asyncio.create_task(committer.submit_alone(work)) for work in (hopeless, behind)]
            await hopeless.begun.wait()
            hopeless.let_go.set()
            assert await asyncio.gather(*calls) == [UNREACHABLE] * 2
            assert (hopeless.attempts, behind.attempts) == (retrying.ATTEMPTS_MAX, 0)
            assert await committer.submit_alone(later) == DONE
    assert [entry["items"] for entry in logged if entry["event"] == "ledger_unreachable"] == [2]


@pytest.mark.parametrize("why", list(_MET))
async def test_what_meets_another_each_time_takes_nothing_behind_it_with_it(server: Server, why: str) -> None:
    """A row that is there for ever is a defect; anything else may be tried again."""
    hopeless, behind = Work(failures=[_MET[why]() for _ in range(retrying.ATTEMPTS_MAX)], held=True), Work()
    committer = made()
    with capture_logs() as logged:
        async with running(committer):
            calls = [asyncio.create_task(committer.submit_alone(work)) for work in (hopeless, behind)]
            await hopeless.begun.wait()
            hopeless.let_go.set()
            told, done = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(told, retrying.NeverDone) if why == "the same row" else told == UNREACHABLE
    assert done == DONE and hopeless.attempts == retrying.ATTEMPTS_MAX
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["command_failed"]


async def test_where_the_server_stays_away_it_is_given_up(server: Server) -> None:
    server.away = True
    work = Work(failures=[_LOST["a lost connection"]()])
    committer = made()
    async with running(committer):
        assert await committer.submit_alone(work) == UNREACHABLE
        assert (work.attempts, server.asked) == (1, 1)
        assert await committer.submit_alone(work) == UNREACHABLE
        assert work.attempts == 1, "not begun before the server is back"
        server.away = False
        assert await committer.submit_alone(work) == DONE


async def test_a_pool_without_a_connection_left_is_not_waited_for_again(server: Server) -> None:
    work = Work(failures=[PoolTimeout("none left")])
    committer = made()
    async with running(committer):
        assert await committer.submit_alone(work) == UNREACHABLE
    assert work.attempts == 1


async def test_a_defect_is_its_callers_alone(server: Server) -> None:
    bad, good = Work(failures=[ZeroDivisionError("defect")], held=True), Work()
    committer = made()
    with capture_logs() as logged:
        async with running(committer):
            calls = [asyncio.create_task(committer.submit_alone(work)) for work in (bad, good)]
            await bad.begun.wait()
            bad.let_go.set()
            failed, done = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(failed, ZeroDivisionError) and bad.attempts == 1
    assert done == DONE
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["command_failed"]


@pytest.mark.parametrize("how", ["done", "defect", "unreachable"])
async def test_a_caller_that_goes_away_leaves_the_lane_as_it_was(server: Server, how: str) -> None:
    """One goes away while its command is under way, and one before it is begun: both are carried out, or neither was begun."""
    failures: dict[str, list[Exception]] = {"done": [], "defect": [ZeroDivisionError()], "unreachable": [PoolTimeout("none left")]}
    under_way, waiting = Work(failures=failures[how], held=True), Work()
    committer = made()
    async with running(committer):
        calls = [asyncio.create_task(committer.submit_alone(work)) for work in (under_way, waiting)]
        await under_way.begun.wait()
        for call in calls:
            call.cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        under_way.let_go.set()
        assert await committer.submit_alone(Work()) == (UNREACHABLE if how == "unreachable" else DONE)
        assert await committer.submit_alone(Work()) == DONE
    assert all(call.cancelled() for call in calls)
    assert under_way.attempts == 1 and waiting.attempts == (0 if how == "unreachable" else 1)


async def test_when_the_process_stops_those_who_wait_are_told() -> None:
    """As those of batches are: one under way, one not begun."""
    under_way, waiting = Work(held=True), Work()
    committer = made()
    async with running(committer) as run:
        calls = [asyncio.create_task(committer.submit_alone(work)) for work in (under_way, waiting)]
        await under_way.begun.wait()
        run.cancel()
        assert await asyncio.gather(*calls) == [UNREACHABLE] * 2
    assert waiting.attempts == 0 and committer.queued == 0


async def test_when_the_process_stops_those_of_batches_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def never(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    committer = made()
    monkeypatch.setattr(committer, "_settle", never)
    async with running(committer) as run:
        first = asyncio.create_task(committer.submit(COMMAND, CALLER))
        await begun.wait()
        second = asyncio.create_task(committer.submit(COMMAND, CALLER))
        await asyncio.sleep(0)
        assert committer.queued == 1
        run.cancel()
        assert [await first, await second] == [UNREACHABLE] * 2
    assert committer.queued == 0


async def test_one_bound_for_all_that_wait() -> None:
    """What is beyond it is not kept, whichever of both it is; what was begun waits no more."""
    committer, first, beyond = made(queue_items_max=1), Work(held=True), Work()
    call = asyncio.create_task(committer.submit_alone(first))
    await asyncio.sleep(0)
    assert committer.queued == 1
    assert await committer.submit(COMMAND, CALLER) == OVERLOADED
    assert await committer.submit_alone(beyond) == OVERLOADED
    async with running(committer):
        await first.begun.wait()
        second = asyncio.create_task(committer.submit_alone(Work()))
        await asyncio.sleep(0)
        assert committer.queued == 1 and await committer.submit_alone(beyond) == OVERLOADED
        first.let_go.set()
        assert [await call, await second] == [DONE] * 2
    assert committer.queued == 0 and beyond.attempts == 0


async def test_what_is_alone_finds_no_room_behind_a_full_queue() -> None:
    committer, beyond = made(queue_items_max=1), Work()
    waiting = asyncio.create_task(committer.submit(COMMAND, CALLER))
    await asyncio.sleep(0)
    assert await committer.submit_alone(beyond) == OVERLOADED
    assert beyond.attempts == 0
    waiting.cancel()
