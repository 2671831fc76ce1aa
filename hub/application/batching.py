"""Batches: many commands in one call, each for itself, or all or none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hub.application.batch import Keys, RequestKey, WorkingSet
from hub.application.commands import LATER, Committer, Submission, run_once
from hub.application.methods import Batch
from hub.application.preparing import digest, prepare
from hub.application.savepoint import Savepoint
from hub.codec.frames import batch_body, with_metadata
from hub.codec.outcome import Outcome, refused
from hub.codec.requests import ITEMS_MAX
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal, invalid


@dataclass(frozen=True, slots=True)
class GroupCommand:
    """All of several commands, or none: one ledger command, stored under the batch's request id, and each item under its own."""

    participant_id: str
    items: tuple[Submission, ...]

    def touch(self, keys: Keys) -> None:
        """Name what the items touch, and what was answered to them before."""
        for item in self.items:
            item.command.touch(keys)
            keys.requests.add(self._request(item))

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        """Run the items one after the other; at the first refusal undo them all and answer with it."""
        keys = Keys()
        self.touch(keys)
        savepoint = Savepoint(batch, keys)
        outcomes = []
        for place, item in enumerate(self.items):
            outcome = run_once(batch, caller, item.command, self._request(item), item.digest)
            if not outcome.ok:
                savepoint.restore()
                return with_metadata(outcome, "item", str(place))
            outcomes.append(outcome)
        return Outcome(0, batch_body(outcomes))

    def _request(self, item: Submission) -> RequestKey:
        return RequestKey(self.participant_id, item.request_id)


class Batching:
    """Answers batches."""

    def __init__(self, committer: Committer) -> None:
        self._committer = committer

    async def run(self, method: Batch, request: Any, caller: Caller, request_id: str) -> Outcome:
        """Return the outcome of a batch whose own request id was checked."""
        if not 1 <= len(request.items) <= ITEMS_MAX:
            return refused(invalid("items", f"must have 1 to {ITEMS_MAX} items"))
        items: list[Submission | Refusal] = []
        for place, each in enumerate(request.items):
            item = prepare(method.item, each)
            if isinstance(item, Submission) and item.request_id == request_id:
                return refused(invalid(f"items[{place}].request_id", "must be another than the batch's own"))
            items.append(item)
        return await (self._atomic(method, request, caller, request_id, items) if request.atomic else self._each(caller, items))

    async def _each(self, caller: Caller, items: Sequence[Submission | Refusal]) -> Outcome:
        done = iter(await self._committer.submit_many([item for item in items if isinstance(item, Submission)], caller))
        outcomes = [refused(item) if isinstance(item, Refusal) else next(done) for item in items]
        for outcome in outcomes:
            if not outcome.ok and outcome in LATER:
                # Whoever asks again, asks for all of them: those that are done answer from their records.
                return outcome
        return Outcome(0, batch_body(outcomes))

    async def _atomic(self, method: Batch, request: Any, caller: Caller, request_id: str, items: Sequence[Submission | Refusal]) -> Outcome:
        ready: list[Submission] = []
        for place, item in enumerate(items):
            if isinstance(item, Refusal):
                return refused(_within(item, place))
            ready.append(item)
        command = GroupCommand(caller.participant_id, tuple(ready))
        fingerprint = digest(method.name, request)
        return await self._committer.submit(command, caller, request_id=request_id, digest=fingerprint, weight=len(ready))


def _within(refusal: Refusal, place: int) -> Refusal:
    """Return the refusal of an item as one of the batch: fields named from the batch's root, and the item in the metadata."""
    at = f"items[{place}]."
    violations = tuple(item._replace(field=at + item.field) for item in refusal.violations)
    metadata = tuple((name, at + value if name == "field" else value) for name, value in refusal.metadata)
    return replace(refusal, violations=violations, metadata=(*metadata, ("item", str(place))))
