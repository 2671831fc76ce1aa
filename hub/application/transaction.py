"""Use cases that are not on the clearing path: one use case, one transaction, with the same idempotency and outbox."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from google.protobuf.message import Message
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.commands import LedgerCommand
from hub.codec.events import Event
from hub.domain.caller import Caller
from hub.domain.clock import local_date
from hub.domain.refusals import Refusal


@dataclass(slots=True)
class Transaction:
    """What a use case works in: the session, the caller, the instant, and the events it leaves. It commits at the boundary only."""

    session: AsyncSession
    caller: Caller
    now: datetime
    events: list[Event] = field(default_factory=list)

    @property
    def today(self) -> date:
        """The Asia/Shanghai date of the instant."""
        return local_date(self.now)

    def emit(self, event: Event) -> None:
        """Leave an event; it is published after the commit, or not at all."""
        self.events.append(event)


UseCase = Callable[[Transaction, Any], Awaitable[Message | Refusal]]
"""A mutation or a query: takes the transaction and the request message, returns the response message or a refusal."""

Foresee = Callable[[Transaction, Any], Awaitable[LedgerCommand | None]]
"""Looks, without changing anything, which ledger command a mutation needs done before it; None where it will be refused anyway.

The command goes through the committer before the mutation's transaction begins, never inside it: a batch may have to wait for that
transaction, which then waits for the batch. So the mutation checks that what it needs is there, and the command must do no harm where
the mutation does not come about after all.
"""
