"""Outcomes: the exact bytes a caller gets, and gets again for the same request id (rules.md I1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from hub.codec import enums
from hub.codec.encode import reasons
from hub.domain.clock import local_date
from hub.domain.refusals import Refusal, RefusalCode
from yrd.common.v1 import refusal_pb2

DOMAIN = "yrd"
RETRY_AFTER_SECONDS = 1

STATUS_BYTES_MAX = 6_000
"""Largest status of a refusal. It travels as metadata, of which gRPC takes 8 KiB by default: of more a client sees nothing at all."""


class Outcome(NamedTuple):
    """`status` is the number of the gRPC status; `body` the serialised response where it is 0, else `google.rpc.Status`."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        """True for an answer, False for a refusal."""
        return self.status == 0


def answer(message: Message, first: bytes = b"") -> Outcome:
    """Return the outcome of an approval. `first` are its lowest fields, serialised already (`splice.field`)."""
    return Outcome(0, first + message.SerializeToString(deterministic=True))


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
    """Return the outcome of a refusal: a status with ErrorInfo, the fields at fault, and the refusal in full.

    Of very many wrong fields or reasons only the first are told; ErrorInfo then says under `left_out` how many are not.
    """
    status, fields, steps = _status(refusal), len(refusal.violations), len(refusal.reasons)
    while status.ByteSize() > STATUS_BYTES_MAX and (fields > 1 or steps > 0):
        fields, steps = max(fields // 2, 1), steps // 2
        status = _status(_shortened(refusal, fields, steps))
    return Outcome(status.code, status.SerializeToString(deterministic=True))


def _shortened(refusal: Refusal, fields: int, steps: int) -> Refusal:
    left_out = len(refusal.violations[fields:]) + len(refusal.reasons[steps:])
    return replace(
        refusal,
        violations=refusal.violations[:fields],
        reasons=refusal.reasons[:steps],
        metadata=(*refusal.metadata, ("left_out", str(left_out))),
    )


def _status(refusal: Refusal) -> status_pb2.Status:
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
    retry_seconds = _retry_seconds(refusal)
    if retry_seconds:
        packed.append(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=retry_seconds)))
    return status_pb2.Status(code=number, message=f"{refusal.code.value}: {refusal.en}", details=[_pack(item) for item in packed])


def _retry_seconds(refusal: Refusal) -> int:
    """Return after how many seconds to come back, 0 where coming back is no help. Whoever limits a rate knows better than the default."""
    if refusal.code not in (RefusalCode.OVERLOADED, RefusalCode.RATE_LIMITED):
        return 0
    return int(dict(refusal.metadata).get("retry_after_seconds", RETRY_AFTER_SECONDS))


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    # Maps inside would otherwise come in any order, and the same refusal in other bytes.
    packed.Pack(message, deterministic=True)
    return packed


def recorded(status: int, body: bytes | None, at: datetime) -> Outcome:
    """Return what a repeated request is told, from its record: the bytes of the first time; where they are no longer kept, what became
    of the request, and when (rules.md I1)."""
    if body is not None:
        return Outcome(status, body)
    day, name = local_date(at), _STATUS_NAMES[status]
    done = status == 0
    return refused(
        Refusal(
            RefusalCode.ANSWER_NOT_KEPT,
            metadata=(("answered_on", day.isoformat()), ("status", name)),
            detail_zh=f"该请求已于 {day} {'办理' if done else f'被拒绝({name})'},答复不再保留",
            detail_en=f"the request was {'carried out' if done else f'refused with {name}'} on {day}; its answer is no longer kept",
        )
    )


_STATUS_NAMES = {int(code.value[0]): code.name for code in StatusCode}


def refusal_of(outcome: Outcome) -> refusal_pb2.Refusal:
    """Return the refusal inside a stored outcome. Raises LookupError where there is none."""
    status = status_pb2.Status.FromString(outcome.body)
    for detail in status.details:
        if detail.Is(refusal_pb2.Refusal.DESCRIPTOR):
            message = refusal_pb2.Refusal()
            detail.Unpack(message)
            return message
    raise LookupError("no refusal in this status")
