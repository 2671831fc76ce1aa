"""Outcomes: the exact bytes a caller gets, and gets again for the same request id (rules.md I1)."""

from __future__ import annotations

from typing import NamedTuple

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from hub.codec import enums
from hub.codec.encode import reasons
from hub.domain.refusals import Refusal, RefusalCode
from yrd.common.v1 import refusal_pb2

DOMAIN = "yrd"
RETRY_AFTER_SECONDS = 1


class Outcome(NamedTuple):
    """`status` is the number of the gRPC status; `body` the serialised response where it is 0, else `google.rpc.Status`."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """True for an answer, False for a refusal."""
        return self.status == 0


def answer(message: Message) -> Outcome:
    """Return the outcome of an approval."""
    return Outcome(0, message.SerializeToString(deterministic=True))


def refusal_message(refusal: Refusal) -> refusal_pb2.Refusal:
    """Return a refusal as participants see it."""
    return refusal_pb2.Refusal(
        code=enums.REFUSAL_OUT[refusal.code],
        zh=refusal.zh,
        en=refusal.en,
        remedy_zh=refusal.entry.remedy_zh,
        remedy_en=refusal.entry.remedy_en,
        reasons=reasons(refusal.reasons),
        violations=[refusal_pb2.FieldViolation(field=item.field, description=item.description) for item in refusal.violations],
    )


def refused(refusal: Refusal) -> Outcome:
    """Return the outcome of a refusal: a status with ErrorInfo, the fields at fault, and the refusal in full."""
    number = int(StatusCode[refusal.entry.grpc_status].value[0])
    details = [error_details_pb2.ErrorInfo(reason=refusal.code.value, domain=DOMAIN, metadata=dict(refusal.metadata))]
    packed: list[Message] = [*details, refusal_message(refusal)]
    if refusal.violations:
        packed.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=item.field, description=item.description)
                    for item in refusal.violations
                ]
            )
        )
    if refusal.code is RefusalCode.OVERLOADED:
        packed.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=RETRY_AFTER_SECONDS)))
    status = status_pb2.Status(code=number, message=f"{refusal.code.value}: {refusal.en}", details=[_pack(item) for item in packed])
    return Outcome(number, status.SerializeToString(deterministic=True))


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    # Maps inside would otherwise come in any order, and the same refusal in other bytes.
    packed.Pack(message, deterministic=True)
    return packed


def refusal_of(outcome: Outcome) -> refusal_pb2.Refusal:
    """Return the refusal inside a stored outcome. Raises LookupError where there is none."""
    status = status_pb2.Status.FromString(outcome.body)
    for detail in status.details:
        if detail.Is(refusal_pb2.Refusal.DESCRIPTOR):
            message = refusal_pb2.Refusal()
            detail.Unpack(message)
            return message
    raise LookupError("no refusal in this status")
