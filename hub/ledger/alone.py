"""Commands of the ledger that are a batch by themselves (docs/adr/0007-settlement-windows.md).

They are set-based over more rows than a batch should hold. They pass the committer like all others, within the bound of its queue, and have
the fate of a batch (`retrying`). They have a lane of their own beside those of the batches, one at a time and in order of arrival: what
they wait for, they wait for in PostgreSQL, and clearing goes on.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import structlog

from hub.application.commands import Once
from hub.codec.outcome import Outcome
from hub.ledger.connection import OUTAGES
from hub.ledger.items import UNREACHABLE
from hub.ledger.retrying import Fate, NeverDone, connected, until_done

log = structlog.get_logger(__name__)


class AloneLane:
    """One a process. `put` may be called from any task of the loop that runs `run`."""

    def __init__(self, database_url: str, on_taken: Callable[[], None]) -> None:
        """`on_taken` is called whenever one of those that wait is begun."""
        self._url = database_url
        self._on_taken = on_taken
        self._waiting: deque[tuple[Once, asyncio.Future[Outcome]]] = deque()
        self._wake = asyncio.Event()
        self._lost = False

    @property
    def queued(self) -> int:
        """How many wait to be begun."""
        return len(self._waiting)

    def put(self, once: Once) -> asyncio.Future[Outcome]:
        """Take a command on; return what will hold its durable outcome. Cancelling that takes nothing back."""
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((once, future))
        self._wake.set()
        return future

    async def run(self) -> None:
        """Do one after the other until cancelled; then tell those that still wait that it is not known what became of theirs."""
        try:
            while True:
                while not self._waiting:
                    self._wake.clear()
                    await self._wake.wait()
                once, future = self._waiting.popleft()
                self._on_taken()
                await self._settle(once, future)
        finally:
            self._give_up()

    async def _settle(self, once: Once, future: asyncio.Future[Outcome]) -> None:
        """Tell the outcome to whoever waits for it, whatever happens."""
        try:
            outcome = await until_done(self._ready, once, self._undo)
        except OUTAGES:
            log.exception("ledger_unreachable", items=1 + self.queued)
            _tell(future, UNREACHABLE)
            # None of them was begun; each would wait as long as this one did, for nothing.
            self._give_up()
        except asyncio.CancelledError:
            _tell(future, UNREACHABLE)
            raise
        except Exception as error:  # a defect in one command must not take those behind it with it
            log.exception("command_failed")
            if isinstance(error, NeverDone) and not error.lasting:
                _tell(future, UNREACHABLE)
            elif not future.done():
                future.set_exception(error)
        else:
            _tell(future, outcome)

    def _give_up(self) -> None:
        while self._waiting:
            _tell(self._waiting.popleft()[1], UNREACHABLE)
        self._on_taken()

    async def _ready(self) -> None:
        """Wait for a server that was lost. The transaction takes its connection from a pool, which tests it and makes another."""
        if self._lost:
            await (await connected(self._url)).close()
            self._lost = False

    async def _undo(self, fate: Fate) -> None:
        """What a transaction did was rolled back when it failed, where its connection still was."""
        self._lost = fate is Fate.LOST


def _tell(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)
