"""Streams that outlive a hub's restart and a token's five minutes: what was not answered is sent again, and has one effect."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

import grpc
import httpx

from hub.client.result import DETAILS_KEY, CallResult, HubRefused, from_error, item_result, refused
from hub.client.retrying import RetryPolicy
from hub.client.tokens import TokenRefused
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.events.v1 import subscription_pb2

Command = pb.AuthorizeRequest | pb.CaptureRequest | pb.VoidRequest | pb.RefundRequest

UNANSWERED_MAX = 256
"""How many commands this client keeps unanswered; the hub reads no further at as many."""

_AGAIN = ("UNAVAILABLE", "OVERLOADED", "TOKEN_EXPIRED", "DEADLINE_EXCEEDED")
_KINDS = {
    pb.AuthorizeRequest: "authorize",
    pb.CaptureRequest: "capture",
    pb.VoidRequest: "void",
    pb.RefundRequest: "refund",
}


class Opens(Protocol):
    """Opens a stream once. It raises grpc.aio.AioRpcError, TokenRefused or httpx.HTTPError."""

    def __call__(self, method: str, requests: Any) -> AsyncIterator[Any]:
        """Yield the responses; `requests` is a message, or an asynchronous iterable of messages."""
        ...


class _Persistence:
    """Decides after each break whether to open the stream again, and waits before."""

    def __init__(self, retry: RetryPolicy, sleep: Callable[[float], Awaitable[None]]) -> None:
        self._retry = retry
        self._sleep = sleep
        self._breaks = 0

    def progress(self) -> None:
        """Something came through: the next break is the first of its kind."""
        self._breaks = 0

    async def after(self, error: Exception | None) -> None:
        """Wait; raise HubRefused where it is no use, or was none so often, grpc.aio.AioRpcError for an internal error of the hub."""
        result = _result(error)
        self._breaks += 1
        if result.code not in _AGAIN or self._breaks >= self._retry.attempts:
            raise HubRefused(result) from error
        await self._sleep(self._retry.pause_seconds(self._breaks, result.retry_after_seconds))


_BROKEN = frozenset((grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.CANCELLED))


def _result(error: Exception | None) -> CallResult[Any]:
    if isinstance(error, grpc.aio.AioRpcError):
        # A stream that ends while this side writes may end here as INTERNAL, UNKNOWN or CANCELLED, whatever the hub said: grpc.aio gives
        # the failed write precedence. What the hub itself ends has its own details; without them nobody knows what became of the commands.
        if error.code() in _BROKEN and not any(key == DETAILS_KEY for key, _ in error.trailing_metadata() or ()):
            text = f"the stream broke: {error.code().name} {error.details() or ''}".rstrip()
            return refused("UNAVAILABLE", text, text, grpc.StatusCode.UNAVAILABLE)
        return from_error(error)
    if isinstance(error, TokenRefused):
        return refused(error.code, error.en, error.zh, grpc.StatusCode.UNAUTHENTICATED, error.metadata)
    text = type(error).__name__ if error else "the stream ended early"
    return refused("UNAVAILABLE", text, text, grpc.StatusCode.UNAVAILABLE)


_BREAKS = (grpc.aio.AioRpcError, TokenRefused, httpx.HTTPError)


async def watch(
    open_stream: Opens, redemption_id: str, retry: RetryPolicy, sleep: Callable[[float], Awaitable[None]]
) -> AsyncIterator[pb.Redemption]:
    """Yield a redemption as it stands and whenever it has changed, until nothing can change it any more. Raises HubRefused."""
    request, last, persistence = pb.WatchRedemptionRequest(redemption_id=redemption_id), None, _Persistence(retry, sleep)
    while True:
        try:
            async for response in open_stream("yrd.clearing.v1.ClearingService.WatchRedemption", request):
                persistence.progress()
                if response.redemption != last:
                    last = response.redemption
                    yield last
            return
        except _BREAKS as error:
            await persistence.after(error)


async def subscribe(
    open_stream: Opens,
    request: subscription_pb2.SubscribeRequest,
    heard: Callable[[str], None] | None,
    retry: RetryPolicy,
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncIterator[subscription_pb2.Event]:
    """Yield events after the request's cursor without end, each once. Raises HubRefused."""
    persistence = _Persistence(retry, sleep)
    while True:
        error: Exception | None = None
        try:
            async for response in open_stream("yrd.events.v1.EventService.Subscribe", request):
                persistence.progress()
                for event in response.events:
                    request = _after(request, event.cursor)
                    yield event
                request = _after(request, response.cursor)
                if heard is not None:
                    heard(response.cursor)
        except _BREAKS as broken:
            error = broken
        await persistence.after(error)


def _after(request: subscription_pb2.SubscribeRequest, cursor: str) -> subscription_pb2.SubscribeRequest:
    return subscription_pb2.SubscribeRequest(cursor=cursor, types=request.types, heartbeat_seconds=request.heartbeat_seconds)


async def clear(
    open_stream: Opens, commands: AsyncIterable[Command], retry: RetryPolicy, sleep: Callable[[float], Awaitable[None]]
) -> AsyncIterator[CallResult[Any]]:
    """Yield the outcome of each command, in their order. Raises HubRefused, and whatever `commands` raises."""
    commands_sent, persistence = _Commands(), _Persistence(retry, sleep)
    pulling = asyncio.create_task(commands_sent.pull(commands))
    try:
        while True:
            error: Exception | None = None
            try:
                async for response in open_stream("yrd.clearing.v1.ClearingService.Clear", commands_sent.requests()):
                    persistence.progress()
                    commands_sent.answered(response.sequence)
                    yield item_result(response)
            except _BREAKS as broken:
                error = broken
            if error is None and commands_sent.done:
                await pulling
                return
            await persistence.after(error)
    finally:
        pulling.cancel()
        await asyncio.gather(pulling, return_exceptions=True)


class _Commands:
    """The commands not answered yet, and how each call reads them from the first of these on."""

    def __init__(self) -> None:
        self._stream_id = str(uuid.uuid4())
        self._unanswered: deque[pb.ClearRequest] = deque()
        self._room = asyncio.Semaphore(UNANSWERED_MAX)
        self._more = asyncio.Event()
        self._pulled = 0
        self._ended = False

    @property
    def done(self) -> bool:
        """True when every command was answered and no more will come."""
        return self._ended and not self._unanswered

    async def pull(self, commands: AsyncIterable[Command]) -> None:
        """Take commands as they come, no more than may be unanswered."""
        try:
            async for command in commands:
                await self._room.acquire()
                self._pulled += 1
                self._unanswered.append(self._message(command))
                self._more.set()
        finally:
            self._ended = True
            self._more.set()

    def _message(self, command: Command) -> pb.ClearRequest:
        message = pb.ClearRequest(stream_id=self._stream_id, sequence=self._pulled)
        getattr(message, _KINDS[type(command)]).CopyFrom(command)
        return message

    def answered(self, sequence: int) -> None:
        """Forget a command that was answered. Raises ValueError where the hub answers out of order."""
        if not self._unanswered or self._unanswered[0].sequence != sequence:
            raise ValueError(f"an answer to command {sequence}, which is not the next")
        self._unanswered.popleft()
        self._room.release()

    async def requests(self) -> AsyncIterator[pb.ClearRequest]:
        """Yield the unanswered commands and those that come, for one call."""
        following = self._unanswered[0].sequence if self._unanswered else self._pulled + 1
        while True:
            place = following - (self._pulled - len(self._unanswered)) - 1
            if 0 <= place < len(self._unanswered):
                yield self._unanswered[place]
                following += 1
            elif self._ended:
                return
            else:
                self._more.clear()
                await self._more.wait()
