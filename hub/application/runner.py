"""What runs use cases in transactions."""

from __future__ import annotations

from typing import Any, Protocol

from hub.application.transaction import UseCase
from hub.codec.events import Event, Reply
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller


class Runner(Protocol):
    """One use case, one transaction."""

    async def query(self, use_case: UseCase, caller: Caller, request: Any) -> Outcome:
        """Answer a query."""
        ...

    async def publish(self, events: list[Event]) -> None:
        """Leave events in the outbox, in a transaction of their own."""
        ...

    async def mutate(
        self, use_case: UseCase, caller: Caller, request: Any, *, request_id: str, digest: bytes, reply: Reply | None = None
    ) -> Outcome:
        """Run a mutation once per request id."""
        ...
