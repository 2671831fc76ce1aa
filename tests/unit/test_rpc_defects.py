"""A fault of the hub's own is INTERNAL, logged in full, and tells nothing of the inside."""

from __future__ import annotations

from typing import Any, cast

import grpc
import psycopg
import pytest
from prometheus_client import CollectorRegistry
from sqlalchemy.exc import IntegrityError, OperationalError

from hub.domain.caller import Caller, Role
from hub.rpc import server
from hub.rpc.metrics import RpcMetrics
from hub.rpc.server import Pipeline
from hub.rpc.session import Places
from hub.security.failures import AuthFailure

METHOD = "yrd.clearing.v1.ClearingService.Void"


class _Failing:
    def __init__(self, error: Exception) -> None:
        self.methods = {METHOD: None}
        self.streams: dict[str, Any] = {}
        self._error = error

    async def call(self, name: str, payload: bytes, caller: Caller) -> None:
        raise self._error


class _Open:
    def authenticate(self, *_: object) -> Caller:
        return Caller("somebody", "310000", Role.PLATFORM)


class _Aborted(Exception):
    pass


class _Details:
    method = "/yrd.clearing.v1.ClearingService/Void"
    invocation_metadata: tuple[tuple[str, str], ...] = (("user-agent", "x"), ("authorization", "Bearer y"))


class _Context:
    status: grpc.StatusCode | None = None
    details = ""

    def __init__(self, seconds_left: float | None = None, message: object = b"") -> None:
        self._seconds_left = seconds_left
        self._message = message

    async def read(self) -> object:
        return self._message

    def time_remaining(self) -> float | None:
        return self._seconds_left

    def auth_context(self) -> dict[str, list[bytes]]:
        return {}

    async def abort(self, code: grpc.StatusCode, details: str, trailing_metadata: object) -> None:
        self.status, self.details = code, details
        raise _Aborted


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RuntimeError("secret table name"), grpc.StatusCode.INTERNAL),
        (IntegrityError("INSERT secret", {}, Exception("secret")), grpc.StatusCode.INTERNAL),
        (OperationalError("SELECT secret", {}, Exception("secret")), grpc.StatusCode.UNAVAILABLE),
        (psycopg.OperationalError("secret host"), grpc.StatusCode.UNAVAILABLE),
    ],
)
async def test_a_fault_has_a_status_and_no_secret(error: Exception, status: grpc.StatusCode) -> None:
    dispatcher: Any = _Failing(error)
    guard: Any = _Open()
    pipeline = Pipeline(dispatcher, guard, message_bytes_max=1000, metrics=RpcMetrics(CollectorRegistry()))
    context = _Context()
    with pytest.raises(_Aborted):
        await pipeline.service(_Details()).stream_unary(None, context)
    assert context.status is status
    assert "secret" not in context.details


class _Answering(_Failing):
    def __init__(self) -> None:
        super().__init__(AssertionError())
        self.calls = 0

    async def call(self, name: str, payload: bytes, caller: Caller) -> None:
        self.calls += 1
        await super().call(name, payload, caller)


@pytest.mark.parametrize(("seconds_left", "status"), [(0.0, "DEADLINE_EXCEEDED"), (0.01, "INTERNAL"), (None, "INTERNAL")])
async def test_a_call_that_nobody_waits_for_is_not_begun(seconds_left: float | None, status: str) -> None:
    dispatcher: Any = _Answering()
    guard: Any = _Open()
    pipeline = Pipeline(dispatcher, guard, message_bytes_max=1000, metrics=RpcMetrics(CollectorRegistry()))
    context = _Context(seconds_left)
    with pytest.raises(_Aborted):
        await pipeline.service(_Details()).stream_unary(None, context)
    assert context.status is grpc.StatusCode[status]
    assert dispatcher.calls == (status == "INTERNAL")


class _Naming:
    """A guard that notes what it is shown, and admits nobody."""

    def __init__(self) -> None:
        self.shown: list[object] = []

    def authenticate(self, pem: bytes | None, authorization: str | None, *_: object) -> AuthFailure:
        self.shown.append(authorization)
        return AuthFailure("UNAUTHENTICATED", "no", "否")


async def test_each_call_is_judged_by_its_own_metadata() -> None:
    dispatcher: Any = _Answering()
    guard: Any = _Naming()
    pipeline = Pipeline(dispatcher, guard, message_bytes_max=1000, metrics=RpcMetrics(CollectorRegistry()))
    first, second, third = _Details(), _Details(), _Details()
    second.invocation_metadata = (("authorization", "Bearer z"), ("authorization", "Bearer other"))
    third.invocation_metadata = (("user-agent", "x"),)
    # All are there before the first is run, as where many calls come in at once.
    for handler in [pipeline.service(details) for details in (first, second, third)]:
        context = _Context()
        with pytest.raises(_Aborted):
            await handler.stream_unary(None, context)
        assert context.status is grpc.StatusCode.UNAUTHENTICATED
    assert guard.shown == ["Bearer y", "Bearer z", None]
    assert dispatcher.calls == 0


async def test_a_guard_that_fails_admits_nobody() -> None:
    dispatcher: Any = _Answering()
    pipeline = Pipeline(dispatcher, cast(Any, object()), message_bytes_max=1000, metrics=RpcMetrics(CollectorRegistry()))
    context = _Context()
    with pytest.raises(_Aborted):
        await pipeline.service(_Details()).stream_unary(None, context)
    assert context.status is grpc.StatusCode.INTERNAL
    assert dispatcher.calls == 0


class _Expiring(_Open):
    """A guard that admits once, and no more."""

    def __init__(self) -> None:
        self.asked = 0

    def authenticate(self, *_: object) -> Any:
        self.asked += 1
        return super().authenticate() if self.asked == 1 else AuthFailure("TOKEN_EXPIRED", "expired", "过期")


@pytest.mark.parametrize(("seconds", "status"), [(-1.0, "UNAUTHENTICATED"), (3600.0, "INTERNAL")])
async def test_who_calls_is_looked_at_again_where_the_message_is_late(monkeypatch: pytest.MonkeyPatch, seconds: float, status: str) -> None:
    monkeypatch.setattr(server, "AGED_SECONDS", seconds)
    dispatcher: Any = _Answering()
    guard: Any = _Expiring()
    pipeline = Pipeline(dispatcher, guard, message_bytes_max=1000, metrics=RpcMetrics(CollectorRegistry()))
    context = _Context()
    with pytest.raises(_Aborted):
        await pipeline.service(_Details()).stream_unary(None, context)
    assert context.status is grpc.StatusCode[status]
    assert dispatcher.calls == (status == "INTERNAL")


async def test_a_call_that_ends_without_a_message_is_told_so() -> None:
    dispatcher: Any = _Answering()
    guard: Any = _Open()
    pipeline = Pipeline(dispatcher, guard, message_bytes_max=1000, metrics=RpcMetrics(CollectorRegistry()))
    context = _Context(message=grpc.aio.EOF)
    with pytest.raises(_Aborted):
        await pipeline.service(_Details()).stream_unary(None, context)
    assert context.status is grpc.StatusCode.INVALID_ARGUMENT
    assert dispatcher.calls == 0


def test_places_are_so_many_for_each_and_so_many_for_all() -> None:
    places = Places(each_max=2, all_max=3)
    assert [places.enter(who) for who in ("a", "a", "a", "b", "c")] == [True, True, False, True, False]
    places.leave("a")
    assert [places.enter(who) for who in ("c", "a", "b")] == [True, False, False]


def test_a_method_that_nobody_serves_has_no_handler() -> None:
    dispatcher: Any = _Answering()
    guard: Any = _Open()
    pipeline = Pipeline(dispatcher, guard, message_bytes_max=1000, metrics=RpcMetrics(CollectorRegistry()))
    details = _Details()
    details.method = "/yrd.clearing.v1.ClearingService/Nothing"
    assert pipeline.service(details) is None
