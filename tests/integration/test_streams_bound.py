"""More streams than the hub keeps open, and streams that break without a word: what the hub says, and what the client makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.rpc import status_pb2
from prometheus_client import CollectorRegistry

from hub.application.methods import Stream
from hub.application.sessions import Session
from hub.client import HubRefused
from hub.client import streams as client_streams
from hub.client.result import DETAILS_KEY, from_error
from hub.client.retrying import RetryPolicy
from hub.codec.outcome import Outcome, answer, refused
from hub.domain.caller import Caller, Role
from hub.domain.refusals import Refusal, RefusalCode
from hub.rpc.metrics import RpcMetrics
from hub.rpc.server import Pipeline
from tests.fixtures import delta
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.common.v1 import access_pb2

METHOD = "yrd.clearing.v1.ClearingService.Clear"
_PATH = "/yrd.clearing.v1.ClearingService/Clear"
STREAMS_MAX = 2
DEADLINE_SECONDS = 30.0
RETRY = RetryPolicy(attempts=3)


class _Echo:
    """Answers each command of a Clear stream at once; ends a stream as `ends` says when a command comes, until `ends` is empty."""

    def __init__(self) -> None:
        self.methods: dict[str, Any] = {}
        self.streams = {METHOD: Stream(METHOD, pb.ClearRequest, access_pb2.AccessRule(), self.serve)}
        self.ends: list[Outcome] = []
        self.seen: list[str] = []

    async def serve(self, session: Session) -> AsyncIterator[Outcome]:
        async for message in session.messages():
            assert isinstance(message, bytes)
            request = pb.ClearRequest.FromString(message)
            self.seen.append(request.void.request_id)
            if self.ends:
                yield self.ends.pop(0)
                return
            yield answer(pb.ClearResponse(sequence=request.sequence, void=pb.VoidResponse(released_fen=request.sequence)))


class _Open:
    def authenticate(self, *_: object) -> Caller:
        return Caller("somebody", "310000", Role.PLATFORM)


class Server:
    """The hub's own pipeline over an echo, on a port of its own, without TLS: identity is not what is asked about here."""

    def __init__(self, echo: _Echo, channel: grpc.aio.Channel) -> None:
        self.echo = echo
        self._call = channel.stream_stream(
            _PATH,
            request_serializer=pb.ClearRequest.SerializeToString,
            response_deserializer=pb.ClearResponse.FromString,
        )

    async def open_stream(self, method: str, requests: Any) -> AsyncIterator[Any]:
        """What `HubClient` does, less the token."""
        assert method == METHOD
        call = self._call(requests, timeout=DEADLINE_SECONDS)
        try:
            async for response in call:
                yield response
        finally:
            call.cancel()

    def idle(self) -> Any:
        """A stream that is open and asks nothing."""
        return self._call(timeout=DEADLINE_SECONDS)


@asynccontextmanager
async def serving() -> AsyncIterator[Server]:
    echo, guard = _Echo(), _Open()
    dispatcher: Any = echo
    opened: Any = guard
    pipeline = Pipeline(dispatcher, opened, message_bytes_max=10_000, metrics=RpcMetrics(CollectorRegistry()), streams_max=STREAMS_MAX)
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((pipeline,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        yield Server(echo, channel)
    await server.stop(0)


def void() -> pb.VoidRequest:
    return pb.VoidRequest(request_id=delta.request_id(), redemption_id=delta.request_id())


async def each(commands: Sequence[pb.VoidRequest]) -> AsyncIterator[pb.VoidRequest]:
    for command in commands:
        yield command


async def asks(call: Any, sequence: int) -> pb.ClearResponse:
    """Send one command on a stream and return its answer."""
    await call.write(pb.ClearRequest(stream_id=delta.request_id(), sequence=sequence, void=void()))
    answered: pb.ClearResponse = await call.read()
    return answered


async def test_a_stream_too_many_is_told_to_come_back() -> None:
    async with serving() as server:
        idle = [server.idle() for _ in range(STREAMS_MAX)]
        for call in idle:
            assert (await asks(call, 1)).sequence == 1
        refused_call = server.idle()
        with pytest.raises(grpc.aio.AioRpcError) as failed:
            await refused_call.read()
        assert failed.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        result: Any = from_error(failed.value)
        assert (result.code, result.retry_after_seconds) == ("OVERLOADED", 1.0)
        # Those that are open are none the worse for it, and one that ends makes room.
        assert (await asks(idle[0], 2)).sequence == 2
        await idle[1].done_writing()
        assert await idle[1].read() is grpc.aio.EOF
        again = server.idle()
        assert (await asks(again, 1)).sequence == 1
        for call in (*idle, again):
            call.cancel()


async def test_the_client_comes_back_to_where_there_is_room() -> None:
    async with serving() as server:
        idle = [server.idle() for _ in range(STREAMS_MAX)]
        for call in idle:
            await asks(call, 1)
        pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)
            await idle[0].done_writing()
            assert await idle[0].read() is grpc.aio.EOF

        commands = [void() for _ in range(20)]
        async with asyncio.timeout(DEADLINE_SECONDS):
            cleared = client_streams.clear(server.open_stream, each(commands), RETRY, sleep)
            results = [result.unwrap().released_fen async for result in cleared]
        assert results == list(range(1, 21))
        assert len(pauses) == 1
        assert server.echo.seen[STREAMS_MAX:] == [command.request_id for command in commands]
        idle[1].cancel()


async def test_the_client_gives_up_where_there_is_no_room_at_all() -> None:
    async with serving() as server:
        idle = [server.idle() for _ in range(STREAMS_MAX)]
        for call in idle:
            await asks(call, 1)

        async def sleep(_: float) -> None:
            return None

        async with asyncio.timeout(DEADLINE_SECONDS):
            with pytest.raises(HubRefused) as failed:
                await anext(client_streams.clear(server.open_stream, each([void()]), RETRY, sleep))
        # A refusal that meets a write in flight may be lost on the way; what it meant is not.
        assert failed.value.result.code in ("OVERLOADED", "UNAVAILABLE")
        for call in idle:
            call.cancel()


@pytest.mark.parametrize("code", [RefusalCode.OVERLOADED, RefusalCode.UNAVAILABLE])
async def test_a_stream_that_the_hub_ends_amid_writing_goes_on(code: RefusalCode) -> None:
    """The refusal meets commands still being written: grpc.aio may show it as it is, or as INTERNAL."""
    async with serving() as server:
        server.echo.ends = [refused(Refusal(code))] * 2

        async def sleep(_: float) -> None:
            return None

        commands = [void() for _ in range(2_000)]
        async with asyncio.timeout(DEADLINE_SECONDS):
            cleared = client_streams.clear(server.open_stream, each(commands), RETRY, sleep)
            results = [result.unwrap().released_fen async for result in cleared]
        assert results == list(range(1, 2_001))


def _error(code: grpc.StatusCode, *, details: bool) -> grpc.aio.AioRpcError:
    status = status_pb2.Status(code=13, message="internal fault; it is logged").SerializeToString()
    trailing = grpc.aio.Metadata(*([(DETAILS_KEY, status)] if details else []))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing, "Failed to send message")


@pytest.mark.parametrize("code", [grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED])
async def test_a_stream_that_breaks_without_a_word_is_opened_again(code: grpc.StatusCode) -> None:
    opened: list[int] = []
    sent: list[pb.ClearRequest] = []

    async def open_stream(method: str, requests: Any) -> AsyncIterator[Any]:
        assert method == METHOD
        opened.append(1)
        async for request in requests:
            sent.append(request)
            if len(sent) in (2, 3):
                raise _error(code, details=False)
            yield pb.ClearResponse(sequence=request.sequence, void=pb.VoidResponse(released_fen=request.sequence))

    async def sleep(_: float) -> None:
        return None

    commands = [void() for _ in range(3)]
    results = [result.unwrap().released_fen async for result in client_streams.clear(open_stream, each(commands), RETRY, sleep)]
    assert results == [1, 2, 3]
    assert len(opened) == 3
    assert [request.sequence for request in sent] == [1, 2, 2, 2, 3]
    # The very same commands, on the same stream: their request ids keep them to one effect.
    assert sent[1] == sent[2] == sent[3]


async def test_a_fault_of_the_hub_itself_is_not_tried_again() -> None:
    opened: list[int] = []

    async def open_stream(method: str, requests: Any) -> AsyncIterator[Any]:
        assert method == METHOD
        opened.append(1)
        async for _ in requests:
            raise _error(grpc.StatusCode.INTERNAL, details=True)
        yield None

    async def sleep(_: float) -> None:
        return None

    with pytest.raises(grpc.aio.AioRpcError, match="Failed to send"):
        await anext(client_streams.clear(open_stream, each([void()]), RETRY, sleep))
    assert len(opened) == 1
