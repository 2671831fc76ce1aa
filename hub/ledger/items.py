"""Commands that wait for their batch, and how their callers are told."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from hub.application.batch import Keys, RequestKey
from hub.application.commands import LedgerCommand
from hub.codec.events import Reply
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller


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
    """A command with its caller, its idempotency key and who waits for its outcome; `weight` is how many commands' work it is."""

    command: LedgerCommand
    caller: Caller
    request: RequestKey | None
    digest: bytes
    reply: Reply | None
    future: asyncio.Future[Outcome] | Part
    weight: int = 1

    def touch(self, keys: Keys) -> None:
        """Name the rows of the command."""
        self.command.touch(keys)
