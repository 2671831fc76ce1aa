"""What a call came to: a response, or a refusal with its stable code. Refusals are values; exceptions mean bugs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import grpc
from google.rpc import error_details_pb2, status_pb2

from hub.domain.refusals import CATALOGUE, RefusalCode
from yrd.common.v1 import refusal_pb2

R = TypeVar("R")

_PREFIX = "REFUSAL_CODE_"
_NAMES = frozenset(refusal_pb2.RefusalCode.keys())
DETAILS_KEY = "grpc-status-details-bin"
"""Where the hub's own words about a failed call are; what gRPC itself ends has none."""
# What a status means where the hub had no chance to attach a refusal: transport, proxies, gRPC's own limits.
_BARE_STATUS = {
    grpc.StatusCode.UNAVAILABLE: "UNAVAILABLE",
    grpc.StatusCode.DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
    grpc.StatusCode.UNAUTHENTICATED: "UNAUTHENTICATED",
    grpc.StatusCode.PERMISSION_DENIED: "NOT_PERMITTED",
    grpc.StatusCode.INVALID_ARGUMENT: "INVALID_ARGUMENT",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "OVERLOADED",
}


class HubRefused(Exception):
    """Raised by `CallResult.unwrap` for those who treat a refusal as the end of the matter."""

    def __init__(self, result: CallResult[Any]) -> None:
        refusal = result.refusal
        super().__init__(f"{result.code}: {refusal.en if refusal else ''}")
        self.result = result


@dataclass(frozen=True, slots=True)
class CallResult(Generic[R]):
    """Outcome of a call: exactly one of `response` and `refusal`. `metadata` is that of `google.rpc.ErrorInfo`."""

    response: R | None
    refusal: refusal_pb2.Refusal | None = None
    status: grpc.StatusCode = grpc.StatusCode.OK
    metadata: Mapping[str, str] = field(default_factory=dict)
    retry_after_seconds: float | None = None

    @property
    def ok(self) -> bool:
        """True where the hub did what was asked."""
        return self.refusal is None

    @property
    def code(self) -> str:
        """The refusal's stable code, such as `QUOTA_EXCEEDED`; empty where there is none."""
        return refusal_pb2.RefusalCode.Name(self.refusal.code).removeprefix(_PREFIX) if self.refusal else ""

    def unwrap(self) -> R:
        """Return the response; raise HubRefused where there is none."""
        if self.response is None:
            raise HubRefused(self)
        return self.response


def refused(code: str, en: str, zh: str, status: grpc.StatusCode, metadata: Mapping[str, str] | None = None) -> CallResult[R]:
    """Return a refusal that the client itself found, before or instead of the hub."""
    number = refusal_pb2.RefusalCode.Value(_PREFIX + code)
    return CallResult(None, refusal_pb2.Refusal(code=number, en=en, zh=zh), status, metadata or {})


def item_result(outcome: Any) -> CallResult[Any]:
    """Return one outcome of a batch, or one answer of a Clear stream, as the result of a call of its own."""
    kind = outcome.WhichOneof("outcome")
    value = getattr(outcome, kind)
    if kind != "refusal":
        return CallResult(value)
    code = RefusalCode(refusal_pb2.RefusalCode.Name(value.code).removeprefix(_PREFIX))
    return CallResult(None, value, grpc.StatusCode[CATALOGUE[code].grpc_status])


def is_code(name: str) -> bool:
    """Say whether `name` is a stable code of the contract."""
    return _PREFIX + name in _NAMES


def from_error(error: grpc.aio.AioRpcError) -> CallResult[R]:
    """Read the refusal out of a failed call. Raises the error itself where it is none: a bug, or a method that the hub does not have."""
    info, refusal, retry_after = _details(error)
    if refusal is None:
        code = _code_of(error, info)
        if code is None:
            raise error
        text = error.details() or error.code().name
        return refused(code, text, text, error.code(), dict(info.metadata))
    return CallResult(None, refusal, error.code(), dict(info.metadata), retry_after)


def _details(error: grpc.aio.AioRpcError) -> tuple[error_details_pb2.ErrorInfo, refusal_pb2.Refusal | None, float | None]:
    info, refusal, retry, found = error_details_pb2.ErrorInfo(), refusal_pb2.Refusal(), error_details_pb2.RetryInfo(), False
    for detail in _status(error).details:
        detail.Unpack(info)
        found = detail.Unpack(refusal) or found
        detail.Unpack(retry)
    after = retry.retry_delay.ToTimedelta().total_seconds() if retry.HasField("retry_delay") else None
    return info, refusal if found else None, after


def _status(error: grpc.aio.AioRpcError) -> status_pb2.Status:
    for key, value in error.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return status_pb2.Status.FromString(value)
    return status_pb2.Status()


def _code_of(error: grpc.aio.AioRpcError, info: error_details_pb2.ErrorInfo) -> str | None:
    if info.domain == "yrd" and is_code(info.reason):
        return info.reason
    # gRPC itself refuses what exceeds a message cap, on either side, with this status and these words.
    if error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in (error.details() or ""):
        return "MESSAGE_TOO_LARGE"
    return _BARE_STATUS.get(error.code())
