"""From a method's name and request bytes to a durable outcome: the one way in, for gRPC and for Kafka alike."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from hub.application.commands import Committer
from hub.application.methods import Ledger, Method, Mutation, Query, Special
from hub.application.runner import Runner
from hub.codec.events import Reply, command_outcome
from hub.codec.fields import Fields
from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal, RefusalCode, Violation, invalid


class Dispatcher:
    """Parses, checks the request id, and runs a method. It trusts the caller it is given: identity was checked before."""

    def __init__(self, methods: Mapping[str, Method], committer: Committer, runner: Runner) -> None:
        self.methods = methods
        self._committer = committer
        self._runner = runner

    async def call(self, name: str, payload: bytes, caller: Caller, reply: Reply | None = None) -> Outcome:
        """Return the outcome of one call. Raises KeyError for a method that does not exist."""
        method = self.methods[name]
        request = parse(method.request, payload)
        if isinstance(request, Refusal):
            return await self._refuse(request, reply)
        if isinstance(method, Query):
            return await self._runner.query(method.use_case, caller, request)
        if isinstance(method, Special) and not method.access.mutation:
            return await method.handle(caller, request)
        fields = Fields()
        request_id = fields.uuid("request_id", request.request_id)
        if fields.refusal is not None:
            return await self._refuse(fields.refusal, reply, request.request_id)
        return await self._mutate(method, request, caller, request_id, reply)

    async def _mutate(self, method: Method, request: Any, caller: Caller, request_id: str, reply: Reply | None) -> Outcome:
        if isinstance(method, Special):
            return await method.handle(caller, request)
        fingerprint = digest(method.name, request)
        if isinstance(method, Mutation):
            return await self._runner.mutate(method.use_case, caller, request, request_id=request_id, digest=fingerprint, reply=reply)
        assert isinstance(method, Ledger)
        command = method.decode(request)
        if isinstance(command, Refusal):
            return await self._refuse(command, reply, request_id)
        return await self._committer.submit(command, caller, request_id=request_id, digest=fingerprint, reply=reply)

    async def _refuse(self, refusal: Refusal, reply: Reply | None, request_id: str = "") -> Outcome:
        """Refuse what never reaches a transaction; who sent it over Kafka is told all the same."""
        outcome = refused(refusal)
        if reply is not None:
            await self._runner.publish([command_outcome(reply, request_id, outcome)])
        return outcome


def digest(name: str, request: Message) -> bytes:
    """Return what identifies the body of a request: its method and its fields, however a client encoded them."""
    return hashlib.sha256(name.encode() + b"\0" + request.SerializeToString(deterministic=True)).digest()


def parse(kind: type[Message], payload: bytes) -> Any:
    """Return the request message, or the refusal of bytes that are none or carry fields that the contract does not have."""
    try:
        message = kind.FromString(payload)
    except DecodeError:
        return invalid("(message)", f"is not a {kind.DESCRIPTOR.full_name}")
    size = message.ByteSize()
    message.DiscardUnknownFields()
    if message.ByteSize() == size:
        return message
    path = _unknown_path(kind.FromString(payload), "") or "(message)"
    return Refusal(
        RefusalCode.UNKNOWN_FIELD,
        violations=(Violation(path, "is not a field of the contract"),),
        metadata=(("field", path),),
        detail_zh=f"字段 {path} 不在合约中",
        detail_en=f"field {path} is not in the contract",
    )


def _unknown_path(message: Message, prefix: str) -> str:
    """Return the path of the first unknown field: names down to it, then its number."""
    unknown = UnknownFieldSet(message)
    if len(unknown):
        return f"{prefix}#{unknown[0].field_number}"
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        items = enumerate(value) if field.is_repeated else [(None, value)]
        for index, item in items:
            place = field.name if index is None else f"{field.name}[{index}]"
            found = _unknown_path(item, f"{prefix}{place}.")
            if found:
                return found
    return ""
