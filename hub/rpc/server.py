"""The gRPC server: one pipeline for every RPC — size, concurrency, deadline, identity, scope — then the dispatcher.

Requests come in and answers go out as bytes, so that a repeated request id gets exactly the bytes of the first time.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import perf_counter
from typing import Any

import grpc
import psycopg
import structlog
from google.rpc import status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from sqlalchemy.exc import DBAPIError

from hub.application.dispatch import Dispatcher
from hub.codec.outcome import Outcome, refused
from hub.domain.refusals import Refusal, RefusalCode
from hub.rpc.metrics import RpcMetrics
from hub.security.access import Access, access_rules
from hub.security.failures import AuthFailure
from hub.security.guard import Guard

log = structlog.get_logger(__name__)

IN_FLIGHT_MAX = 2_048
HARD_LIMIT_FACTOR = 4
"""gRPC's own limit is this many times ours, so that an oversized message still gets a stable code."""

PENDING_MAX = 16_384
"""How many calls may wait for this process to look at them. gRPC would cancel what is beyond 1,000, which tells a client nothing; far
above the bounds below, every call reaches the pipeline and is told OVERLOADED, after what delay to come back, and that nothing happened."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_Unary = Callable[[bytes, Any], Awaitable[bytes]]


class Pipeline(grpc.GenericRpcHandler):
    """Serves every method of the dispatcher."""

    def __init__(self, dispatcher: Dispatcher, guard: Guard, *, message_bytes_max: int, metrics: RpcMetrics) -> None:
        self._dispatcher = dispatcher
        self._guard = guard
        self._message_bytes_max = message_bytes_max
        self._metrics = metrics
        self._in_flight = 0
        rules = access_rules()
        self._handlers: dict[str, Any] = {
            path: grpc.unary_unary_rpc_method_handler(self._unary(name, rules[path]))
            for name in dispatcher.methods
            for path in [_path(name)]
        }

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a path, or None where there is no such method."""
        return self._handlers.get(handler_call_details.method)

    def _unary(self, name: str, access: Access) -> _Unary:
        async def call(payload: bytes, context: Any) -> bytes:
            started = perf_counter()
            self._in_flight += 1
            try:
                outcome = await self._call(name, access, payload, context)
            finally:
                self._in_flight -= 1
            self._metrics.observe(name, outcome.status, perf_counter() - started)
            if outcome.ok:
                return outcome.body
            status = status_pb2.Status.FromString(outcome.body)
            await context.abort(_CODES[outcome.status], status.message, trailing_metadata=(("grpc-status-details-bin", outcome.body),))
            raise AssertionError("abort raises")

        return call

    async def _call(self, name: str, access: Access, payload: bytes, context: Any) -> Outcome:
        if self._in_flight > IN_FLIGHT_MAX:
            return refused(Refusal(RefusalCode.OVERLOADED))
        if len(payload) > self._message_bytes_max:
            return refused(Refusal(RefusalCode.MESSAGE_TOO_LARGE, metadata=(("bytes_max", str(self._message_bytes_max)),)))
        pem = context.auth_context().get("x509_pem_cert", [None])[0]
        authorization = next((value for key, value in context.invocation_metadata() if key == "authorization"), None)
        # Certificates and tokens live in real time, whatever clock the rules read.
        caller = self._guard.authenticate(pem, authorization, access, datetime.now(UTC))
        if isinstance(caller, AuthFailure):
            return refused(
                Refusal(
                    RefusalCode(caller.code),
                    metadata=tuple(sorted(caller.metadata.items())),
                    detail_zh=caller.detail_zh,
                    detail_en=caller.detail_en,
                )
            )
        try:
            return await self._dispatcher.call(name, payload, caller)
        except (psycopg.OperationalError, DBAPIError, OSError) as error:
            log.warning("call_unavailable", method=name, error=type(error).__name__)
            return refused(Refusal(RefusalCode.UNAVAILABLE))


def _path(name: str) -> str:
    service, _, method = name.rpartition(".")
    return f"/{service}/{method}"


class GrpcServer:
    """The server and its health service."""

    def __init__(self, pipeline: Pipeline, address: str, credentials: Any, *, message_bytes_max: int, with_reflection: bool) -> None:
        hard = message_bytes_max * HARD_LIMIT_FACTOR
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", hard),
                ("grpc.max_send_message_length", hard),
                ("grpc.keepalive_time_ms", 30_000),
                ("grpc.keepalive_timeout_ms", 10_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
                ("grpc.so_reuseport", 0),
                ("grpc.server.max_pending_requests", PENDING_MAX),
                ("grpc.server.max_pending_requests_hard_limit", PENDING_MAX * 2),
            ],
            maximum_concurrent_rpcs=IN_FLIGHT_MAX * 2,
        )
        self._health = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        self._server.add_generic_rpc_handlers((pipeline,))
        if with_reflection:
            names = sorted({name.rpartition(".")[0] for name in pipeline_methods(pipeline)})
            reflection.enable_server_reflection([*names, reflection.SERVICE_NAME, health.SERVICE_NAME], self._server)
        self._server.add_secure_port(address, credentials)

    async def start(self) -> None:
        """Start serving."""
        await self._server.start()
        await self._health.set("", health_pb2.HealthCheckResponse.SERVING)

    async def stop(self, grace_seconds: float = 5.0) -> None:
        """Stop: no new calls, those in flight may finish."""
        await self._health.enter_graceful_shutdown()
        await self._server.stop(grace_seconds)


def pipeline_methods(pipeline: Pipeline) -> list[str]:
    """Return the full names of the methods a pipeline serves."""
    return list(pipeline._dispatcher.methods)
