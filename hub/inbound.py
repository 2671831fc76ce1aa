"""What the Kafka consumer hands a command to: the dispatcher, as the platform of the province whose topic it came from."""

from __future__ import annotations

from hub.application.dispatch import Dispatcher
from hub.codec.events import Reply
from hub.codec.outcome import Outcome, refusal_of
from hub.domain.caller import Caller, Role
from hub.ledger.connection import OUTAGES
from hub.messaging.ports import InboundCommand, Unavailable, Undeliverable
from hub.security.access import access_rules
from yrd.common.v1 import refusal_pb2

_LATER = {refusal_pb2.REFUSAL_CODE_OVERLOADED, refusal_pb2.REFUSAL_CODE_UNAVAILABLE}


class InboundCommands:
    """Implements the consumer's port. Kafka's access rules let only a province write to its topic; that is the caller's identity."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def handle(self, command: InboundCommand) -> None:
        """Apply a command and leave its outcome in the outbox. Raises Unavailable or Undeliverable."""
        path = f"/{command.method.rpartition('.')[0]}/{command.method.rpartition('.')[2]}"
        rule = access_rules().get(path)
        if rule is None or command.method not in self._dispatcher.methods:
            raise Undeliverable("UNKNOWN_METHOD", f"{command.method} is not a method of the contract")
        if not rule.mutation or Role.PLATFORM not in rule.roles:
            raise Undeliverable("NOT_A_COMMAND", f"{command.method} cannot be sent over Kafka")
        caller = Caller(f"kafka/{command.division}", command.division, Role.PLATFORM, frozenset({rule.scope}))
        reply = Reply(command.division, command.method, command.source_id, command.source_id)
        try:
            outcome = await self._dispatcher.call(command.method, command.payload, caller, reply)
        except OUTAGES as error:
            raise Unavailable(type(error).__name__) from error
        self._check(outcome)

    def _check(self, outcome: Outcome) -> None:
        if outcome.ok:
            return
        refusal = refusal_of(outcome)
        if refusal.code in _LATER:
            raise Unavailable(refusal.en)
