"""The gRPC server: one pipeline for every RPC — size, concurrency, deadline, identity, scope — then the dispatcher.

Requests come in and answers go out as bytes, so that a repeated request id gets exactly the bytes of the first time. Streams pass the
same checks: when they open, and again at each of their messages.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from time import perf_counter
from typing import Any

import grpc
import structlog
from google.rpc import status_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from hub.application.dispatch import Dispatcher
from hub.application.methods import Stream
from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal, RefusalCode, invalid
from hub.ledger.connection import OUTAGES
from hub.rpc.metrics import RpcMetrics
from hub.rpc.session import GrpcSession, Held, Places, authenticate, too_large
from hub.security.access import Access, access_rules
from hub.security.guard import Guard

log = structlog.get_logger(__name__)

IN_FLIGHT_MAX = 2_048
HELD_BYTES_MAX = 64 * 1024 * 1024
"""How many bytes of requests may be held, of calls and streams together: 16 of the largest messages, 150,000 usual ones. What is made
of them while they wait takes several times as much."""

STREAMS_MAX = 1_024
"""How many streams of one participant may be open. They count apart from the calls, which many idle watches would otherwise keep out."""

STREAMS_FACTOR = 4
"""How many times as many streams all participants together may have open."""

AWAITED_MAX = 1_024
"""How many calls of one participant may have begun whose message has not come. More of them are its own affair: nobody else's calls
are kept out by them."""

AWAITED_ALL_MAX = 8_192
"""How many such calls there may be of all participants together. Each takes about 23 KB, nearly all of it gRPC's: 190 MB."""

AGED_SECONDS = 1.0
"""Who calls is looked at again where the message took longer than this to come: what the token grants may have ended meanwhile."""

CONNECTION_CALLS_MAX = 4_096
"""How many calls and streams one connection may have open: more than the bounds here leave it, so that it meets them first. It bounds
what the pipeline does not see: questions for health, and what has not been looked at yet."""

HARD_LIMIT_FACTOR = 4
"""gRPC's own limit is this many times ours, so that an oversized message still gets a stable code."""

PENDING_MAX = 16_384
"""How many calls may wait for this process to look at them. gRPC would cancel what is beyond 1,000, which tells a client nothing; far
above the bounds below, every call reaches the pipeline and is told OVERLOADED, after what delay to come back, and that nothing happened."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_Streaming = Callable[[Any, Any], AsyncIterator[bytes]]


class _UnaryCall:
    """gRPC's handler of one call, made with what came before its message: gRPC makes the metadata anew each time it is asked for them.

    To gRPC it is one that takes a stream: such a handler begins before the message is there, so that nobody waits for it unknown and
    uncounted. The client sees no difference.
    """

    __slots__ = ("_access", "_metadata", "_name", "_pipeline")

    request_streaming = True
    response_streaming = False
    request_deserializer = response_serializer = None

    def __init__(self, pipeline: Pipeline, name: str, access: Access, metadata: Any) -> None:
        self._pipeline = pipeline
        self._name = name
        self._access = access
        self._metadata = metadata

    async def stream_unary(self, _requests: Any, context: Any) -> bytes:
        """Return the answer to the message of the call, or end it with a refusal."""
        outcome = await self._pipeline.answer(self._name, self._access, self._metadata, context)
        if not outcome.ok:
            await _abort(context, outcome)
        return outcome.body


class Pipeline(grpc.GenericRpcHandler):
    """Serves every method of the dispatcher."""

    def __init__(
        self,
        dispatcher: Dispatcher,
        guard: Guard,
        *,
        message_bytes_max: int,
        metrics: RpcMetrics,
        streams_max: int = STREAMS_MAX,
        held_bytes_max: int = HELD_BYTES_MAX,
    ) -> None:
        self._dispatcher = dispatcher
        self._guard = guard
        self._message_bytes_max = message_bytes_max
        self._metrics = metrics
        self._in_flight = 0
        self._awaited = Places(AWAITED_MAX, AWAITED_ALL_MAX)
        # However large a message may be, one alone is taken.
        self._held = Held(max(held_bytes_max, message_bytes_max))
        self._streams = Places(streams_max, streams_max * STREAMS_FACTOR)
        rules = access_rules()
        self._unary = {path: (name, rules[path]) for name in dispatcher.methods for path in [_path(name)]}
        self._handlers: dict[str, Any] = {}
        for name, stream in dispatcher.streams.items():
            # Also where there is one request only: the handler begins before it is there, as with `_UnaryCall`.
            self._handlers[_path(name)] = grpc.stream_stream_rpc_method_handler(self._streaming(stream, rules[_path(name)]))

    @property
    def held_bytes(self) -> int:
        """How many bytes of requests are held, of calls and streams that are not answered yet."""
        return self._held.bytes

    def service(self, handler_call_details: Any) -> Any:
        """Return the handler of a call, or None where there is no such method."""
        unary = self._unary.get(handler_call_details.method)
        if unary is None:
            return self._handlers.get(handler_call_details.method)
        return _UnaryCall(self, *unary, handler_call_details.invocation_metadata)

    async def answer(self, name: str, access: Access, metadata: Any, context: Any) -> Outcome:
        """Return the outcome of a call of one request and one answer, counted, and timed from when its message is there."""
        started = perf_counter()
        try:
            arrived = await self._arrived(access, metadata, context)
            started = perf_counter()
            outcome = refused(arrived) if isinstance(arrived, Refusal) else await self._answered(name, *arrived, context)
        except OUTAGES as error:
            outcome = _unavailable(name, error)
        except Exception:
            outcome = _defect(name)
        self._metrics.observe(name, outcome.status, perf_counter() - started)
        return outcome

    async def _arrived(self, access: Access, metadata: Any, context: Any) -> tuple[Caller, bytes] | Refusal:
        """Return who calls and the message, once it is there."""
        if self._in_flight >= IN_FLIGHT_MAX:
            return Refusal(RefusalCode.OVERLOADED)
        caller = authenticate(self._guard, access, context, metadata)
        if isinstance(caller, Refusal):
            return caller
        awaited = self._awaited
        if not awaited.enter(caller.participant_id):
            return Refusal(RefusalCode.OVERLOADED)
        began = perf_counter()
        try:
            payload = await context.read()
        finally:
            awaited.leave(caller.participant_id)
        if not isinstance(payload, bytes):
            return invalid("(message)", "is missing")
        if perf_counter() - began > AGED_SECONDS:
            caller = authenticate(self._guard, access, context, metadata)
        return caller if isinstance(caller, Refusal) else (caller, payload)

    async def _answered(self, name: str, caller: Caller, payload: bytes, context: Any) -> Outcome:
        size, held = len(payload), self._held
        self._in_flight += 1
        held.bytes += size
        try:
            refusal = self._refusal(payload, context)
            return await self._dispatcher.call(name, payload, caller) if refusal is None else refused(refusal)
        finally:
            self._in_flight -= 1
            held.bytes -= size

    def _refusal(self, payload: bytes, context: Any) -> Refusal | None:
        if len(payload) > self._message_bytes_max:
            return too_large(self._message_bytes_max)
        if self._in_flight > IN_FLIGHT_MAX or self._held.bytes > self._held.bytes_max:
            return Refusal(RefusalCode.OVERLOADED)
        if context.time_remaining() == 0:
            # Nobody waits for the answer any more. It was not begun, and whoever sends it again finds it so.
            return Refusal(RefusalCode.DEADLINE_EXCEEDED)
        return None

    def _streaming(self, stream: Stream, access: Access) -> _Streaming:
        async def call(requests: Any, context: Any) -> AsyncIterator[bytes]:
            started, last = perf_counter(), Outcome(0, b"")
            try:
                async for last in self._answers(stream, access, requests, context):
                    if not last.ok:
                        break
                    yield last.body
            finally:
                self._metrics.observe(stream.name, last.status, perf_counter() - started)
            if not last.ok:
                await _abort(context, last)

        return call

    async def _answers(self, stream: Stream, access: Access, requests: Any, context: Any) -> AsyncIterator[Outcome]:
        session = GrpcSession(self._guard, access, requests, context, self._message_bytes_max, self._held)
        caller = session.caller()
        if isinstance(caller, Refusal):
            yield refused(caller)
            return
        if not self._streams.enter(caller.participant_id):
            yield refused(Refusal(RefusalCode.OVERLOADED))
            return
        try:
            async for outcome in stream.serve(session):
                session.answered()
                yield outcome
        except OUTAGES as error:
            yield _unavailable(stream.name, error)
        except Exception:
            yield _defect(stream.name)
        finally:
            session.close()
            self._streams.leave(caller.participant_id)


async def _abort(context: Any, outcome: Outcome) -> None:
    """End a call with a refusal; raises."""
    status = status_pb2.Status.FromString(outcome.body)
    await context.abort(_CODES[outcome.status], status.message, trailing_metadata=(("grpc-status-details-bin", outcome.body),))


def _defect(name: str) -> Outcome:
    """A fault of ours: logged in full, told without anything of the inside."""
    log.exception("call_failed", method=name)
    number = int(grpc.StatusCode.INTERNAL.value[0])
    return Outcome(number, status_pb2.Status(code=number, message="internal fault; it is logged").SerializeToString())


def _unavailable(name: str, error: Exception) -> Outcome:
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
                ("grpc.max_concurrent_streams", CONNECTION_CALLS_MAX),
            ],
            # No bound of gRPC's own on calls: what it refuses carries neither a code nor a delay, and one client could use it up.
        )
        self._health = health.aio.HealthServicer()
        # The pipeline first: gRPC asks one handler after the other at each call.
        self._server.add_generic_rpc_handlers((pipeline,))
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
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
    return [*pipeline._dispatcher.methods, *pipeline._dispatcher.streams]
