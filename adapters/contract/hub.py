"""A hub of a few lines for adapters' tests: keeps request ids, answers everything, authorizes what it is not told to refuse."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from google.protobuf import descriptor_pool
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from adapters.runtime.commands import AUTHORIZE, CAPTURE
from adapters.runtime.kafka_in import Incoming
from adapters.runtime.kafka_out import Outgoing
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import refusal_pb2 as refusal
from yrd.events.v1 import events_pb2 as events

Refuse = Callable[[str, Message], str]
"""Given a method and its request, returns the code to refuse it with, or nothing."""


def request_of(command: Outgoing) -> Message:
    """Decode a command as the hub would: by the method's name, from the contract alone."""
    service, _, name = command.headers["ce_type"].rpartition(".")
    method = descriptor_pool.Default().FindServiceByName(service).methods_by_name[name]
    request: Message = GetMessageClass(method.input_type).FromString(command.value)
    return request


@dataclass
class FakeHub:
    """Both ends of an adapter's exchange, in memory."""

    refuse: Refuse = lambda _method, _request: ""
    mute: bool = False
    received: list[Outgoing] = field(default_factory=list)
    effects: dict[str, bytes] = field(default_factory=dict)
    _out: list[Incoming] = field(default_factory=list)

    def send(self, command: Outgoing) -> None:
        """Take a command: decide it the first time, answer it every time."""
        self.received.append(command)
        request = request_of(command)
        request_id = str(getattr(request, "request_id"))  # noqa: B009 - the message type is known at run time only
        fresh = request_id not in self.effects
        body = self.effects.setdefault(request_id, command.value)
        code = "REQUEST_ID_REUSED" if body != command.value else self.refuse(command.headers["ce_type"], request)
        if not self.mute:
            self._answer(command, request_id, request, code, fresh)

    def _answer(self, command: Outgoing, request_id: str, request: Message, code: str, fresh: bool) -> None:
        method = command.headers["ce_type"]
        outcome = events.CommandOutcome(request_id=request_id, method=method, source_id=command.headers["ce_id"])
        if code:
            number = refusal.RefusalCode.Value(f"REFUSAL_CODE_{code}")
            outcome.refusal.CopyFrom(refusal.Refusal(code=number, zh="不予受理", en="refused"))
        elif isinstance(request, clearing.AuthorizeRequest):
            redemption = _redemption(request_id, request)
            outcome.response = clearing.AuthorizeResponse(redemption=redemption).SerializeToString()
            if fresh:
                self.tell(events.RedemptionChanged(redemption=redemption, cause="Authorize"))
        else:
            outcome.response = b""
        self.tell(outcome)

    def tell(self, event: Message) -> None:
        """Put an event on the out-topic."""
        offset = len(self._out)
        headers = {"ce_id": str(offset + 1), "ce_source": "//hub.test", "ce_type": event.DESCRIPTOR.full_name}
        self._out.append(Incoming("out", 0, offset, headers, event.SerializeToString()))

    def flush(self) -> None:
        """Everything is there at once."""

    def poll(self, timeout_ms: int) -> Sequence[Incoming]:
        """Everything that is new, and something old again: at least once is the broker's promise."""
        old, self._seen = getattr(self, "_seen", 0), len(self._out)
        return [] if old == len(self._out) else [*self._out[max(0, old - 1) : old], *self._out[old:]]

    def close(self) -> None:
        """Nothing to let go of."""

    def requests(self, method: str) -> list[Message]:
        """Return the requests received of a method."""
        return [request_of(command) for command in self.received if command.headers["ce_type"] == method]


def _redemption(request_id: str, request: clearing.AuthorizeRequest) -> clearing.Redemption:
    given = request.input
    return clearing.Redemption(
        redemption_id=str(uuid.uuid5(uuid.NAMESPACE_OID, request_id)),
        issuer=given.issuer,
        enterprise=given.enterprise,
        provider=given.provider,
        order=given.order,
        state=clearing.REDEMPTION_STATE_AUTHORIZED,
        authorized_fen=1,
        payee=clearing.PAYEE_KIND_PROVIDER,
    )


__all__ = ["AUTHORIZE", "CAPTURE", "FakeHub", "request_of"]
