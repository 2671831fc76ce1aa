"""Messages around outcomes: a stored answer goes into a batch or a stream without being read and written again (`splice`)."""

from __future__ import annotations

from collections.abc import Iterable

from google.rpc import error_details_pb2, status_pb2

from hub.codec.outcome import Outcome
from hub.codec.splice import field, written
from yrd.common.v1 import refusal_pb2

_REFUSAL = refusal_pb2.Refusal.DESCRIPTOR.full_name
_INFO = error_details_pb2.ErrorInfo.DESCRIPTOR.full_name


def outcome_field(outcome: Outcome, response: int, refusal: int) -> bytes:
    """Return an outcome as a field: its response in the one of the first number, or its refusal in the one of the second."""
    return field(response, outcome.body) if outcome.ok else field(refusal, refusal_bytes(outcome))


def batch_body(outcomes: Iterable[Outcome]) -> bytes:
    """Return the response of a batch: `outcomes = 1`, in each `response = 1` or `refusal = 2`."""
    return b"".join([field(1, outcome_field(outcome, 1, 2)) for outcome in outcomes])


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
            detail.value = written(info)
    return Outcome(outcome.status, written(status))
