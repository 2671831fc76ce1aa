"""Outcomes: the exact bytes a caller gets, and gets again for the same request id (rules.md I1)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from hub.codec import enums
from hub.codec.encode import reasons
from hub.codec.splice import field, fields, written
from hub.domain.clock import local_date
from hub.domain.refusals import CATALOGUE, Refusal, RefusalCode
from yrd.common.v1 import refusal_pb2

DOMAIN = "yrd"
RETRY_AFTER_SECONDS = 1

_TEXTS_KEPT: Final = 512
"""Most refusals say what the catalogue says of their code; those with a sentence of their own pass through."""
_REASONS: Final[int] = refusal_pb2.Refusal.REASONS_FIELD_NUMBER
_DETAILS: Final[int] = status_pb2.Status.DETAILS_FIELD_NUMBER
_VALUE: Final[int] = any_pb2.Any.VALUE_FIELD_NUMBER

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
    return Outcome(0, first + written(message))


def refusal_message(refusal: Refusal) -> refusal_pb2.Refusal:
    """Return a refusal as participants see it."""
    return refusal_pb2.Refusal.FromString(_refusal(refusal))


def _refusal(refusal: Refusal) -> bytes:
    body = _sentences(refusal.code, refusal.zh, refusal.en) + fields(_REASONS, reasons(refusal.reasons))
    if refusal.violations:
        violations = [refusal_pb2.FieldViolation(field=name, description=description) for name, description in refusal.violations]
        body += written(refusal_pb2.Refusal(violations=violations))
    return body


@lru_cache(maxsize=_TEXTS_KEPT)
def _sentences(code: RefusalCode, zh: str, en: str) -> bytes:
    """Return a refusal up to its reasons."""
    entry = CATALOGUE[code]
    return written(refusal_pb2.Refusal(code=enums.REFUSAL_OUT[code], zh=zh, en=en, remedy_zh=entry.remedy_zh, remedy_en=entry.remedy_en))


def refused(refusal: Refusal) -> Outcome:
    """Return the outcome of a refusal: a status with ErrorInfo, the fields at fault, and the refusal in full.

    Of very many wrong fields or reasons only the first are told; ErrorInfo then says under `left_out` how many are not.
    """
    status, wrong, steps = _status(refusal), len(refusal.violations), len(refusal.reasons)
    while len(status) > STATUS_BYTES_MAX and (wrong > 1 or steps > 0):
        wrong, steps = max(wrong // 2, 1), steps // 2
        status = _status(_shortened(refusal, wrong, steps))
    return Outcome(_NUMBERS[refusal.code], status)


def _shortened(refusal: Refusal, wrong: int, steps: int) -> Refusal:
    left_out = len(refusal.violations[wrong:]) + len(refusal.reasons[steps:])
    return replace(
        refusal,
        violations=refusal.violations[:wrong],
        reasons=refusal.reasons[:steps],
        metadata=(*refusal.metadata, ("left_out", str(left_out))),
    )


def _status(refusal: Refusal) -> bytes:
    body = _named(refusal.code, refusal.en) + _info(refusal.code, refusal.metadata)
    body += field(_DETAILS, _REFUSAL_TYPE + field(_VALUE, _refusal(refusal)))
    if refusal.violations:
        violation = error_details_pb2.BadRequest.FieldViolation
        violations = [violation(field=name, description=description) for name, description in refusal.violations]
        body += _detail(error_details_pb2.BadRequest(field_violations=violations))
    retry_seconds = _retry_seconds(refusal)
    if retry_seconds:
        body += _detail(error_details_pb2.RetryInfo(retry_delay=duration_pb2.Duration(seconds=retry_seconds)))
    return body


@lru_cache(maxsize=_TEXTS_KEPT)
def _named(code: RefusalCode, en: str) -> bytes:
    """Return a status up to its details."""
    return written(status_pb2.Status(code=_NUMBERS[code], message=f"{code.value}: {en}"))


@lru_cache(maxsize=_TEXTS_KEPT)
def _info(code: RefusalCode, metadata: tuple[tuple[str, str], ...]) -> bytes:
    """Return the detail that gives the reason in a word, and what it is about."""
    return _detail(error_details_pb2.ErrorInfo(reason=code.value, domain=DOMAIN, metadata=dict(metadata)))


def _detail(message: Message) -> bytes:
    return field(_DETAILS, _typed(message) + field(_VALUE, written(message)))


def _typed(message: Message) -> bytes:
    """Return the first field of an Any that holds a message of this type."""
    return written(any_pb2.Any(type_url=f"type.googleapis.com/{message.DESCRIPTOR.full_name}"))


def _retry_seconds(refusal: Refusal) -> int:
    """Return after how many seconds to come back, 0 where coming back is no help. Whoever limits a rate knows better than the default."""
    if refusal.code not in (RefusalCode.OVERLOADED, RefusalCode.RATE_LIMITED):
        return 0
    return int(dict(refusal.metadata).get("retry_after_seconds", RETRY_AFTER_SECONDS))


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
_NUMBERS = {code: int(StatusCode[entry.grpc_status].value[0]) for code, entry in CATALOGUE.items()}
_REFUSAL_TYPE = _typed(refusal_pb2.Refusal())


def refusal_of(outcome: Outcome) -> refusal_pb2.Refusal:
    """Return the refusal inside a stored outcome. Raises LookupError where there is none."""
    status = status_pb2.Status.FromString(outcome.body)
    for detail in status.details:
        if detail.Is(refusal_pb2.Refusal.DESCRIPTOR):
            message = refusal_pb2.Refusal()
            detail.Unpack(message)
            return message
    raise LookupError("no refusal in this status")
