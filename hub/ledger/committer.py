"""The group committer: every ledger mutation of a process passes here (design: Batch committer).

While one batch commits, the next one fills; there is no timer. One that could begin lets the loop hand over what has arrived already
(`_gather`). A batch is one transaction in two round trips: lock and read (`loading`), decide in memory, write and commit (`writing`); what
memory lacks or has of an older version is read in further ones (ADR 0011). Each item gets its own outcome; one refusal never aborts its
neighbours. Where many wait, batches that meet no row of those under way (`lanes`) are decided while PostgreSQL writes these.
A command that is a batch by itself has the same queue's bound and the same fate, and a lane of its own (`alone`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from functools import partial

import psycopg
import structlog

from hub.application.batch import Keys, RequestKey
from hub.application.commands import LedgerCommand, Line, Once, Submission
from hub.codec.events import Reply
from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller
from hub.domain.clock import Clock
from hub.domain.refusals import Refusal, RefusalCode
from hub.failpoints import failpoint
from hub.ledger.alone import AloneLane
from hub.ledger.items import Group, Item, Part
from hub.ledger.lanes import Lane, Owners, choose
from hub.ledger.loading import load
from hub.ledger.noteids import NoteIds
from hub.ledger.retrying import Fate, NeverDone, until_done
from hub.ledger.wallets import WalletCache
from hub.ledger.writing import write

log = structlog.get_logger(__name__)

BATCH_ITEMS_MAX = 334
LANES = 3
OVERLAP_ITEMS = 250
"""From how many waiting commands on a second batch is worth its own fixed cost."""
WORTH_ITEMS = 32
"""A batch of so many begins at once: its fixed cost, as much as seven commands, is a fifth of the whole by then."""
QUIET_TURNS = 32
"""After so many turns of the event loop without a new command nothing more is on its way (0.1 ms where the loop has nothing else to do)."""
GATHERING_TURNS_MAX = 256
QUEUE_ITEMS_MAX = 4_096
"""More than may be in flight as calls of one command (`hub/rpc/server.py`): batches, streams and Kafka bring the rest."""


class GroupCommitter:
    """One per process. `submit` may be called from any task of the loop that runs `run`."""

    def __init__(self, database_url: str, clock: Clock, *, queue_items_max: int = QUEUE_ITEMS_MAX) -> None:
        self._url = database_url
        self._clock = clock
        self._queue: deque[Item] = deque()
        self._queued = 0
        self._queue_items_max = queue_items_max
        self._wake = asyncio.Event()
        self._taken = asyncio.Event()
        self._alone = AloneLane(database_url, self._taken.set)
        self._free = [Lane() for _ in range(LANES)]
        self._busy: dict[asyncio.Task[None], Lane] = {}
        self._blocked = False
        self._wallets = WalletCache()
        self._owners = Owners()
        self._note_ids = NoteIds()
        self.on_batch: Callable[[int], None] = lambda _size: None

    @property
    def queued(self) -> int:
        """How many commands wait to be begun."""
        return self._queued + self._alone.queued

    async def submit(
        self,
        command: LedgerCommand,
        caller: Caller,
        *,
        request_id: str = "",
        digest: bytes = b"",
        reply: Reply | None = None,
        weight: int = 1,
    ) -> Outcome:
        """Return the durable outcome. Beyond the queue's bound the answer is OVERLOADED, and nothing is kept of the command.

        `weight` is how many commands' work it is, for the bounds of queue and batch.
        The caller may be cancelled while it waits: the command is then applied and findable by its request id, or not at all.
        """
        if self.queued + weight > self._queue_items_max:
            return refused(Refusal(RefusalCode.OVERLOADED))
        request = RequestKey(caller.participant_id, request_id) if request_id else None
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._put(Item(command, caller, request, digest, reply, future, weight))
        # Only this caller waits for it: where the caller goes away it is cancelled, and the batch that settles it passes it over.
        return await future

    async def submit_many(self, submissions: Sequence[Submission], caller: Caller) -> list[Outcome]:
        """Return the durable outcomes of several commands, in their order, each as `submit` gives it.

        Where the queue has no room for all of them, none is taken and each outcome is OVERLOADED.
        """
        if not submissions:
            return []
        if self.queued + len(submissions) > self._queue_items_max:
            return [refused(Refusal(RefusalCode.OVERLOADED))] * len(submissions)
        group, participant, line = Group(len(submissions)), caller.participant_id, Line()
        self._queue.extend(
            Item(item.command, caller, RequestKey(participant, item.request_id), item.digest, None, Part(group, place), 1, line)
            for place, item in enumerate(submissions)
        )
        self._queued += len(submissions)
        self._wake.set()
        return await group.future

    async def submit_in_line(self, line: Line, submission: Submission, caller: Caller) -> asyncio.Future[Outcome]:
        """Wait for room, take the command in the same step, and return what will hold its durable outcome.

        So no command of a line is told OVERLOADED while one behind it is taken. Cancelling the future takes nothing back.
        """
        while self.queued >= self._queue_items_max:
            self._taken.clear()
            await self._taken.wait()
        request = RequestKey(caller.participant_id, submission.request_id)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._put(Item(submission.command, caller, request, submission.digest, None, future, 1, line))
        return future

    async def submit_alone(self, once: Once) -> Outcome:
        """Return the durable outcome of a transaction that is a batch by itself: begun in order of arrival, one at a time, done again
        where a batch would be. Beyond the queue's bound the answer is OVERLOADED, and nothing is kept of it.

        The caller may be cancelled while it waits, as with `submit`. Raises what a defect in the transaction raises.
        """
        if self.queued >= self._queue_items_max:
            return refused(Refusal(RefusalCode.OVERLOADED))
        return await self._alone.put(once)

    def _put(self, item: Item) -> None:
        self._queue.append(item)
        self._queued += item.weight
        self._wake.set()

    async def run(self) -> None:
        """Commit batches until cancelled; then tell those that still wait that it is not known what became of their commands."""
        alone = asyncio.create_task(self._alone.run())
        try:
            while True:
                while not self._ready():
                    self._wake.clear()
                    await self._wake.wait()
                if not self._busy:
                    await self._gather()
                batch = self._take()
                if not batch:
                    self._blocked = True
                    continue
                lane = self._free.pop()
                lane.begin(batch)
                task = asyncio.create_task(self._settle(lane, batch))
                self._busy[task] = lane
                task.add_done_callback(self._release)
        finally:
            await self._stop(alone)

    async def _gather(self) -> None:
        """Let the event loop take in the calls that have arrived, while they are few: else each batch has only the handful that was read
        while PostgreSQL was busy with the one before, and its fixed cost is more than its commands'."""
        quiet = turns = 0
        while self._queued < WORTH_ITEMS and quiet < QUIET_TURNS and turns < GATHERING_TURNS_MAX:
            queued = self._queued
            await asyncio.sleep(0)
            quiet = quiet + 1 if self._queued == queued else 0
            turns += 1

    def _ready(self) -> bool:
        """Say whether a batch may begin: at once where none is under way, beside another where enough wait."""
        if not self._queue or not self._free:
            return False
        return not self._busy or (self._queued >= OVERLAP_ITEMS and not self._blocked)

    def _release(self, task: asyncio.Task[None]) -> None:
        lane = self._busy.pop(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("batch_failed", items=len(lane.batch), exc_info=error)
            for item in lane.batch:
                item.fail(error)
        self._free.append(lane)
        self._blocked = False
        self._wake.set()

    async def _stop(self, alone: asyncio.Task[None]) -> None:
        busy = dict(self._busy)
        for task in (alone, *busy):
            task.cancel()
        await asyncio.gather(alone, *busy, return_exceptions=True)
        for lane in busy.values():
            for item in lane.batch:
                item.give_up()
        for item in self._queue:
            item.give_up()
        self._queue.clear()
        self._queued = 0
        for lane in (*busy.values(), *self._free):
            await self._drop_connection(lane)

    def _take(self) -> list[Item]:
        """Return the next batch: as much as fits, or one item that is larger than a batch should be; beside a batch under way only what
        cannot meet it, and nothing that could overtake what is left waiting."""
        batch = self._beside() if self._busy else self._first()
        self._queued -= sum(item.weight for item in batch)
        self._taken.set()
        return batch

    def _first(self) -> list[Item]:
        batch: list[Item] = []
        weight = 0
        while self._queue and (not batch or weight + self._queue[0].weight <= BATCH_ITEMS_MAX):
            item = self._queue.popleft()
            weight += item.weight
            batch.append(item)
        return batch

    def _beside(self) -> list[Item]:
        held: set[Hashable] = set()
        for lane in self._busy.values():
            others = lane.held(self._owners)
            if others is None:
                return []
            held |= others
        return choose(self._queue, held, self._owners, BATCH_ITEMS_MAX)

    async def _settle(self, lane: Lane, batch: list[Item]) -> None:
        """Give every item of a batch its outcome, whatever happens."""
        try:
            outcomes = await self._commit(lane, batch)
        except psycopg.OperationalError:
            log.exception("ledger_unreachable", items=len(batch))
            for item in batch:
                item.give_up()
            return
        except Exception as error:
            return await self._take_apart(lane, batch, error)
        self.on_batch(len(batch))
        for item, outcome in zip(batch, outcomes, strict=True):
            item.settle(outcome)

    async def _take_apart(self, lane: Lane, batch: list[Item], error: Exception) -> None:
        """Try each by itself; tell the caller of one that failed so."""
        if not isinstance(error, NeverDone):
            await self._drop_connection(lane)
        if len(batch) == 1:
            log.error("command_failed", command=type(batch[0].command).__name__, exc_info=error)
            return batch[0].fail(error)
        log.warning("batch_taken_apart", items=len(batch), exc_info=error)
        for item in batch:
            await self._settle(lane, [item])

    async def _commit(self, lane: Lane, batch: list[Item]) -> list[Outcome]:
        """Commit a batch, again and again where it met another process or lost the connection."""

        async def undo(fate: Fate) -> None:
            with suppress(psycopg.OperationalError):
                if fate is Fate.MET and lane.connection is not None:
                    await lane.connection.rollback()
                    return
            await self._drop_connection(lane)

        return await until_done(partial(lane.connect, self._url), partial(self._once, lane, batch), undo, items=len(batch))

    async def _once(self, lane: Lane, batch: list[Item]) -> list[Outcome]:
        connection = lane.connection
        assert connection is not None
        failpoint("committer.before_lock")
        await self._note_ids.refill(connection)
        keys = Keys()
        for item in batch:
            item.command.touch(keys)
        requests = keys.requests.union(item.request for item in batch if item.request is not None)
        now, cached = self._clock.now(), self._wallets
        known = self._owners.known(keys.redemptions)
        ws = await load(connection, keys, requests, lane.reference, now, note_ids=self._note_ids, wallets=cached, known=known)
        failpoint("committer.after_load")
        outcomes = [item.decide(ws) for item in batch]
        failpoint("committer.after_decide")
        await write(connection, ws)
        for key in ws.whole:
            cached.put(ws.versions[key], ws.wallets[key])
        self._owners.learn(ws)
        failpoint("committer.after_commit_before_reply")
        return outcomes

    async def _drop_connection(self, lane: Lane) -> None:
        # What answers next may be another server, gone on from an earlier state: what is in memory is of the one before.
        self._wallets, self._owners = WalletCache(), Owners()
        await lane.drop()
