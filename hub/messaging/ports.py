"""What the exchange asks of the application: one port that handles one inbound command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class InboundCommand:
    """A command that `division` (province level) sent over its inbound topic.

    `method` is the full RPC method name, such as `yrd.clearing.v1.ClearingService.Authorize`; `payload` its serialised request;
    `source_id` the `ce_id` of the record, which the outcome names. The record's place in Kafka is for logs.
    """

    division: str
    method: str
    source_id: str
    payload: bytes
    topic: str
    partition: int
    offset: int


class CommandPort(Protocol):
    """Handles inbound commands."""

    async def handle(self, command: InboundCommand) -> None:
        """Apply `command`: state, idempotency record and its CommandOutcome in the outbox, in one transaction.

        Doing it twice has one effect (the request id sees to that). A refusal is an outcome, not an exception.
        Raise Unavailable if it may succeed later, Undeliverable if it never can.
        """
        ...


class Unavailable(Exception):
    """The command cannot be handled now (database away, overload); the same command will be offered again, in order."""


class Undeliverable(Exception):
    """The command can never be handled and has no outcome to send back: unknown method, undecodable payload, no request id."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail
