"""What a ledger command is, and what runs it."""

from __future__ import annotations

from typing import Protocol

from hub.application.batch import Keys, WorkingSet
from hub.codec.events import Reply
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller


class LedgerCommand(Protocol):
    """A decoded command: says what it touches, then decides, applies and answers."""

    def touch(self, keys: Keys) -> None:
        """Name the rows the command reads or changes, before anything is read."""
        ...

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        """Decide on the batch as the commands before left it, apply the decision, return the answer. Raises only on a defect."""
        ...


class Committer(Protocol):
    """Runs ledger commands in durable batches."""

    async def submit(
        self, command: LedgerCommand, caller: Caller, *, request_id: str = "", digest: bytes = b"", reply: Reply | None = None
    ) -> Outcome:
        """Return the durable outcome; the same request id and digest give the same bytes (rules.md I1)."""
        ...
