"""What a ledger command is, and what runs it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from hub.application.batch import Keys, RequestKey, StoredOutcome, WorkingSet
from hub.codec.events import Reply
from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal, RefusalCode

LATER = frozenset(refused(Refusal(code)) for code in (RefusalCode.OVERLOADED, RefusalCode.UNAVAILABLE))
"""Outcomes that say nothing of a command yet: whoever sends the same again learns what became of it."""


Once = Callable[[], Awaitable[Outcome]]
"""A transaction of the ledger that is a batch by itself, with its idempotency record: run again, it finds what became of it, or does it."""


class LedgerCommand(Protocol):
    """A decoded command: says what it touches, then decides, applies and answers."""

    def touch(self, keys: Keys) -> None:
        """Name the rows the command reads or changes, before anything is read."""
        ...

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        """Decide on the batch as the commands before left it, apply the decision, return the answer. Raises only on a defect."""
        ...


class Submission(NamedTuple):
    """A command and what it is known by: its caller's request id, and the digest of the body that came with it."""

    command: LedgerCommand
    request_id: str
    digest: bytes


class Line:
    """Commands that one caller sends one after the other, each counting on those before it.

    Where one of them was given up, none of those behind it is run any more: what it would be told without the one before, it would be
    told for good. `broken` says that it has come to that.
    """

    def __init__(self) -> None:
        self.broken = False


class Committer(Protocol):
    """Runs ledger commands in durable batches."""

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
        """Return the durable outcome; the same request id and digest give the same bytes (rules.md I1).

        `weight` is how many commands' work it is.
        """
        ...

    async def submit_many(self, submissions: Sequence[Submission], caller: Caller) -> list[Outcome]:
        """Return the durable outcomes of several commands, in their order, each as if submitted alone."""
        ...

    async def submit_in_line(self, line: Line, submission: Submission, caller: Caller) -> asyncio.Future[Outcome]:
        """Take the next command of a line as soon as there is room, and return what will hold its durable outcome."""
        ...

    async def submit_alone(self, once: Once) -> Outcome:
        """Return the durable outcome of a transaction that is a batch by itself; it may be run more than once."""
        ...


def run_once(batch: WorkingSet, caller: Caller, command: LedgerCommand, request: RequestKey | None, digest: bytes) -> Outcome:
    """Answer a command: from its record if it has one (rules.md I1), else by running it. None as request keeps no record."""
    stored = (batch.outcomes.get(request) or batch.records.get(request)) if request else None
    if stored is not None:
        return stored.outcome if stored.digest == digest else refused(Refusal(RefusalCode.REQUEST_ID_REUSED))
    outcome = command.run(batch, caller)
    if request is not None:
        batch.records[request] = StoredOutcome(digest, outcome)
    return outcome
