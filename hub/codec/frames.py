"""Messages around messages that are bytes already: a stored answer goes into a batch or a stream without being read and written again.

Protobuf writes an embedded message as its field's key, its length and its bytes, so that messages one inside the other are made from the
inside out (protobuf encoding, Submessages).
"""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from hub.codec.outcome import Outcome
from yrd.common.v1 import refusal_pb2

_LENGTH_DELIMITED = 2
_REFUSAL = refusal_pb2.Refusal.DESCRIPTOR.full_name
_INFO = error_details_pb2.ErrorInfo.DESCRIPTOR.full_name


def varint(value: int) -> bytes:
    """Return a number that is not negative as protobuf writes it: seven bits a byte, the lowest first."""
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def embedded(number: int, body: bytes) -> bytes:
    """Return the field of that number that holds the message `body`."""
    return varint(number << 3 | _LENGTH_DELIMITED) + varint(len(body)) + body


def outcome_field(outcome: Outcome, response: int, refusal: int) -> bytes:
    """Return an outcome as a field: its response in the one of the first number, or its refusal in the one of the second."""
    return embedded(response, outcome.body) if outcome.ok else embedded(refusal, refusal_bytes(outcome))


def batch_body(outcomes: Iterable[Outcome]) -> bytes:
    """Return the response of a batch: `outcomes = 1`, in each `response = 1` or `refusal = 2`."""
    return b"".join(embedded(1, outcome_field(outcome, 1, 2)) for outcome in outcomes)


def refusal_bytes(outcome: Outcome) -> bytes:
    """Return the `yrd.common.v1.Refusal` of a refused outcome, as it was written. Raises LookupError where there is none."""
    for detail in status_pb2.Status.FromString(outcome.body).details:
        if detail.TypeName() == _REFUSAL:
            return detail.value
    raise LookupError("no refusal in this status")


def with_metadata(outcome: Outcome, name: str, value: str) -> Outcome:
    """Return a refused outcome with one more entry in the metadata of its ErrorInfo."""
    status = status_pb2.Status.FromString(outcome.body)
    for detail in status.details:
        if detail.TypeName() == _INFO:
            info = error_details_pb2.ErrorInfo()
            detail.Unpack(info)
            info.metadata[name] = value
            detail.value = _written(info)
    return Outcome(outcome.status, _written(status))


def _written(message: Message) -> bytes:
    return message.SerializeToString(deterministic=True)
