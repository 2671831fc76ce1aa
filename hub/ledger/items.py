"""Commands that wait for their batch, and how their callers are told."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from dataclasses import dataclass

from hub.application.batch import Keys, RequestKey, WorkingSet
from hub.application.commands import LedgerCommand, Line, run_once
from hub.codec.events import Reply, command_outcome
from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal, RefusalCode
from hub.ledger.retrying import NeverDone

UNREACHABLE = refused(Refusal(RefusalCode.UNAVAILABLE))
"""What is told where the ledger cannot be reached, or did not let a command through: the same request may be sent again."""


class Group:
    """Several items that one caller waits for: one future for all of them, so that it is woken once."""

    def __init__(self, size: int) -> None:
        self.future: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._outcomes: list[Outcome] = [Outcome(0, b"")] * size
        self._missing = size

    def put(self, place: int, outcome: Outcome) -> None:
        """Keep the outcome of one item; the last one wakes the caller."""
        self._outcomes[place] = outcome
        self._missing -= 1
        if not self._missing:
            self.future.set_result(self._outcomes)


@dataclass(slots=True, eq=False)
class Part:
    """An item's place in its group; to the committer it is the item's future. A defect in one item is the whole group's."""

    group: Group
    place: int

    def done(self) -> bool:
        """Say whether the caller has been told."""
        return self.group.future.done()

    def set_result(self, outcome: Outcome) -> None:
        """Give the item its outcome."""
        self.group.put(self.place, outcome)

    def set_exception(self, error: BaseException) -> None:
        """Tell the caller of a defect."""
        self.group.future.set_exception(error)

    def exception(self) -> BaseException | None:
        """Return the defect, where there was one."""
        return self.group.future.exception()


@dataclass(slots=True, eq=False)
class Item:
    """A command with its caller, its idempotency key and who waits for its outcome; `weight` is how many commands' work it is, `line`
    the commands it belongs among, `names` what it may meet others on, once that is known (`lanes.names`)."""

    command: LedgerCommand
    caller: Caller
    request: RequestKey | None
    digest: bytes
    reply: Reply | None
    future: asyncio.Future[Outcome] | Part
    weight: int = 1
    line: Line | None = None
    names: set[Hashable] | None = None

    def touch(self, keys: Keys) -> None:
        """Name the rows of the command."""
        self.command.touch(keys)

    def decide(self, ws: WorkingSet) -> Outcome:
        """Answer the command, and leave the answer in the outbox where it is to go over Kafka."""
        if self.line is not None and self.line.broken:
            return UNREACHABLE
        outcome = run_once(ws, self.caller, self.command, self.request, self.digest)
        if self.reply is not None:
            ws.events.append(command_outcome(self.reply, self.request.request_id if self.request else "", outcome))
        return outcome

    def settle(self, outcome: Outcome) -> None:
        """Tell the caller, where it still waits."""
        if not self.future.done():
            self.future.set_result(outcome)

    def give_up(self) -> None:
        """Tell the caller that nobody knows what became of the command, and break its line."""
        if self.line is not None:
            self.line.broken = True
        self.settle(UNREACHABLE)

    def fail(self, error: BaseException) -> None:
        """Tell the caller of a defect, or to try again where it is none."""
        if isinstance(error, NeverDone) and not error.lasting:
            self.give_up()
        if not self.future.done():
            self.future.set_exception(error)
            # Nobody may be waiting any more; the failure is logged already.
            self.future.exception()
