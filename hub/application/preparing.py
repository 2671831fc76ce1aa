"""From request bytes to what can be run: parsed, its request id checked, decoded, and known by a digest."""

from __future__ import annotations

import hashlib
from typing import Any

from google.protobuf.message import DecodeError, Message
from google.protobuf.unknown_fields import UnknownFieldSet

from hub.application.commands import Submission
from hub.application.methods import Ledger
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode, Violation, invalid


def prepare(method: Ledger, request: Any) -> Submission | Refusal:
    """Return a ledger command ready for the committer, or why it is none."""
    request_id = request_id_of(request)
    if isinstance(request_id, Refusal):
        return request_id
    command = method.decode(request)
    return command if isinstance(command, Refusal) else Submission(command, request_id, digest(method.name, request))


def request_id_of(request: Any) -> str | Refusal:
    """Return the request id of a mutation in canonical form, or the refusal of one that is no UUID."""
    fields = Fields()
    request_id = fields.uuid("request_id", request.request_id)
    return fields.refusal or request_id


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
