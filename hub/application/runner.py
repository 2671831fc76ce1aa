"""What runs use cases in transactions."""

from __future__ import annotations

from typing import Any, Protocol

from hub.application.commands import LedgerCommand
from hub.application.transaction import Foresee, UseCase
from hub.codec.events import Event, Reply
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller


class Runner(Protocol):
    """One use case, one transaction."""

    async def query(self, use_case: UseCase, caller: Caller, request: Any) -> Outcome:
        """Answer a query."""
        ...

    async def foresee(self, look: Foresee, caller: Caller, request: Any, request_id: str) -> LedgerCommand | None:
        """Return what a mutation needs on the ledger before it; None where the request id is known already."""
        ...

    async def publish(self, events: list[Event]) -> None:
        """Leave events in the outbox, in a transaction of their own."""
        ...

    async def mutate(
        self, use_case: UseCase, caller: Caller, request: Any, *, request_id: str, digest: bytes, reply: Reply | None = None
    ) -> Outcome:
        """Run a mutation once per request id."""
        ...
