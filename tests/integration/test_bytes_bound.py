"""More bytes of requests than the hub holds at once, in calls and on streams: told to come back, and nothing is held of what has ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from prometheus_client import CollectorRegistry

from hub.application.methods import Stream
from hub.application.sessions import Session
from hub.client.result import from_error
from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller, Role
from hub.domain.refusals import Refusal
from hub.rpc.metrics import RpcMetrics
from hub.rpc.server import Pipeline
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.common.v1 import access_pb2

CLEAR, VOID = "yrd.clearing.v1.ClearingService.Clear", "yrd.clearing.v1.ClearingService.Void"
HELD_BYTES_MAX, MESSAGE_BYTES_MAX = 10_000, 4_000
SECONDS_MAX = 30.0
PAYLOAD = bytes(3_000)
"""Three of them fit, and a fourth does not."""


class _Holding:
    """Answers a call, or a message of a stream, when it is let go."""

    def __init__(self) -> None:
        self.methods: dict[str, Any] = {VOID: None}
        self.streams = {CLEAR: Stream(CLEAR, pb.ClearRequest, access_pb2.AccessRule(), self.serve)}
        self.taken = asyncio.Semaphore(0)
        self.go = asyncio.Event()

    async def call(self, name: str, payload: bytes, caller: Caller) -> Outcome:
        del name, caller
        self.taken.release()
        await self.go.wait()
        return Outcome(0, payload)

    async def serve(self, session: Session) -> AsyncIterator[Outcome]:
        messages = session.messages()
        async for message in messages:
            if isinstance(message, Refusal):
                yield refused(message)
                return
            self.taken.release()
            await self.go.wait()
            yield Outcome(0, message)

    async def until_taken(self, count: int) -> None:
        async with asyncio.timeout(SECONDS_MAX):
            for _ in range(count):
                await self.taken.acquire()


class _Open:
    def authenticate(self, *_: object) -> Caller:
        return Caller("somebody", "310000", Role.PLATFORM)


class _Door:
    """The hub's own pipeline over `_Holding`, on a port of its own, without TLS: identity is not what is asked about here."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.holding = _Holding()
        dispatcher: Any = self.holding
        guard: Any = _Open()
        metrics = RpcMetrics(CollectorRegistry())
        self.pipeline = Pipeline(dispatcher, guard, message_bytes_max=MESSAGE_BYTES_MAX, metrics=metrics, held_bytes_max=HELD_BYTES_MAX)
        self._channel = channel

    def call(self, payload: bytes = PAYLOAD) -> Any:
        method: Any = self._channel.unary_unary("/yrd.clearing.v1.ClearingService/Void")
        return method(payload, timeout=SECONDS_MAX)

    async def stream(self, payload: bytes = PAYLOAD) -> Any:
        """A stream with one message on it, which is not answered yet."""
        opened: Any = self._channel.stream_stream("/yrd.clearing.v1.ClearingService/Clear")(timeout=SECONDS_MAX)
        await opened.write(payload)
        return opened


@asynccontextmanager
async def door() -> AsyncIterator[_Door]:
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        made = _Door(channel)
        server.add_generic_rpc_handlers((made.pipeline,))
        await server.start()
        yield made
        made.holding.go.set()
    await server.stop(0)


async def end_of(call: Any) -> tuple[str, float]:
    """How a call or stream was refused: the code, and after how many seconds to come back."""
    try:
        await (call.read() if hasattr(call, "read") else call)
    except grpc.aio.AioRpcError as error:
        result: Any = from_error(error)
        return result.code, result.retry_after_seconds
    raise AssertionError("it was answered")


async def test_a_call_beyond_the_bytes_is_told_to_come_back_and_then_served() -> None:
    async with door() as made:
        held = [asyncio.ensure_future(made.call()) for _ in range(3)]
        await made.holding.until_taken(3)
        assert await end_of(made.call()) == ("OVERLOADED", 1.0)
        # What is small still fits, and what is too large in any case is told so: to come back would be no use.
        small = asyncio.ensure_future(made.call(b"small"))
        await made.holding.until_taken(1)
        assert (await end_of(made.call(bytes(MESSAGE_BYTES_MAX + 1))))[0] == "MESSAGE_TOO_LARGE"
        made.holding.go.set()
        assert await asyncio.gather(*held, small) == [PAYLOAD] * 3 + [b"small"]
        assert await asyncio.gather(*(made.call() for _ in range(3))) == [PAYLOAD] * 3


async def test_the_messages_of_streams_count_until_they_are_answered() -> None:
    async with door() as made:
        opened = [await made.stream() for _ in range(2)]
        call = asyncio.ensure_future(made.call())
        await made.holding.until_taken(3)
        assert await end_of(await made.stream()) == ("OVERLOADED", 1.0)
        assert await end_of(made.call()) == ("OVERLOADED", 1.0)
        made.holding.go.set()
        assert [await stream.read() for stream in opened] == [PAYLOAD] * 2
        assert await call == PAYLOAD
        # Answered, though the streams are still open.
        for _ in range(8):
            await opened[0].write(PAYLOAD)
            assert await opened[0].read() == PAYLOAD
        for stream in opened:
            stream.cancel()


async def test_what_its_caller_left_is_held_no_longer() -> None:
    async with door() as made:
        opened, calls = [await made.stream() for _ in range(2)], [made.call()]
        await made.holding.until_taken(3)
        for left in (*opened, *calls):
            left.cancel()
        # The hub hears of it a moment later; from then on there is room for as much again.
        async with asyncio.timeout(SECONDS_MAX):
            while made.pipeline.held_bytes:  # noqa: ASYNC110 — the hub tells nobody when it notices
                await asyncio.sleep(0.01)
        again = [asyncio.ensure_future(made.call()) for _ in range(3)]
        await made.holding.until_taken(3)
        made.holding.go.set()
        assert await asyncio.gather(*again) == [PAYLOAD] * 3
