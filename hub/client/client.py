"""Calls to the hub: mTLS, tokens, retries with the same request id, refusals as values."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, Self, TypeVar

import grpc
import httpx
from google.protobuf import descriptor_pool, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message

from hub.client import streams
from hub.client.identity import ClientIdentity
from hub.client.result import CallResult, from_error, refused
from hub.client.retrying import RetryPolicy
from hub.client.tokens import TokenRefused, TokenSource
from yrd.clearing.v1 import clearing_pb2
from yrd.events.v1 import subscription_pb2

S = TypeVar("S")

TIMEOUT_SECONDS = 30.0
"""Time a call may take, retries included, unless told otherwise."""

_KINDS = {(False, False): "unary_unary", (False, True): "unary_stream", (True, True): "stream_stream"}
_HTTP_TIMEOUT_SECONDS = 10.0
_MESSAGE_BYTES_MAX = 16 * 1024 * 1024
_CHANNEL_OPTIONS: tuple[tuple[str, int | str], ...] = (
    # A hub that restarts is found again in a second or two, not after gRPC's default of up to two minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.max_receive_message_length", _MESSAGE_BYTES_MAX),
    # mTLS ends at the hub itself; a proxy of the environment could only be in the way.
    ("grpc.enable_http_proxy", 0),
)


class HubClient:
    """A participant's connection to the hub. Use it as an async context manager, or `close` it; one per process is enough."""

    def __init__(
        self,
        grpc_address: str,
        web_address: str,
        identity_dir: Path,
        scopes: Iterable[str] | None = None,
        *,
        issuer: str | None = None,
        server_name: str | None = None,
        retry: RetryPolicy | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Read the identity folder; connect only when first used.

        `web_address` is `host:port` or an https URL; `issuer` the token issuer's URL where that differs; `scopes` what to ask for
        (all that the participant has, if None); `server_name` the name in the hub's certificate where it is not that of the address.
        Raises OSError or ValueError where the folder holds no identity.
        """
        url = web_address if "://" in web_address else f"https://{web_address}"
        self.identity = ClientIdentity.load(identity_dir)
        self._http = httpx.AsyncClient(verify=self.identity.ssl_context(), timeout=_HTTP_TIMEOUT_SECONDS, trust_env=False)
        self.tokens = TokenSource(self.identity, self._http, url, issuer=issuer, scopes=scopes)
        self._address = grpc_address
        self._options = [*_CHANNEL_OPTIONS, *([("grpc.ssl_target_name_override", server_name)] if server_name else [])]
        self._credentials = self.identity.channel_credentials()
        self._retry = retry or RetryPolicy()
        self._sleep = sleep
        self._plain: grpc.aio.Channel | None = None
        self._authorized: grpc.aio.Channel | None = None
        self._methods: dict[str, Callable[..., Any]] = {}

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close."""
        await self.close()

    async def close(self) -> None:
        """Close the connections; calls in flight are cancelled."""
        for channel in (self._plain, self._authorized):
            if channel is not None:
                await channel.close()
        self._plain = self._authorized = None
        self._methods.clear()
        await self._http.aclose()

    def stub(self, service: Callable[[grpc.aio.Channel], S]) -> S:
        """Return a generated stub, such as `stub(ClearingServiceStub)`, whose calls carry the token. They raise; nothing is retried."""
        if self._authorized is None:
            # A channel of its own, for the interceptor's sake; gRPC shares the connection between both.
            self._authorized = self._channel([_Authorization(self.tokens)])
        return service(self._authorized)

    async def call(self, method: str | MethodDescriptor, request: Message, *, timeout_seconds: float = TIMEOUT_SECONDS) -> CallResult[Any]:
        """Call `yrd.<context>.v1.<Service>.<Method>` and return its response, or its refusal.

        While the hub is unavailable or overloaded the very same request goes again, so its `request_id` keeps it to one effect.
        Raises KeyError for a method that the contract does not have, grpc.aio.AioRpcError for an internal error of the hub.
        """
        invoke = self._method(method)
        deadline, attempt, renewed = time.monotonic() + timeout_seconds, 0, False
        while True:
            result, token = await self._once(invoke, request, deadline - time.monotonic())
            if result.code == "TOKEN_EXPIRED" and token and not renewed:
                # The clocks disagree, or the hub changed its keys: one fresh token settles it.
                self.tokens.drop(token)
                renewed = True
                continue
            attempt += 1
            if result.code not in ("UNAVAILABLE", "OVERLOADED") or attempt >= self._retry.attempts:
                return result
            pause = self._retry.pause_seconds(attempt, result.retry_after_seconds)
            if time.monotonic() + pause >= deadline:
                return result
            await self._sleep(pause)

    def watch(self, redemption_id: str) -> AsyncIterator[clearing_pb2.Redemption]:
        """Yield a redemption as it stands and whenever it has changed, until nothing can change it any more.

        A hub that goes away is found again, and an expired token replaced. Raises HubRefused where the hub will not show it.
        """
        return streams.watch(self._open, redemption_id, self._retry, self._sleep)

    def clear(self, commands: AsyncIterable[streams.Command]) -> AsyncIterator[CallResult[Any]]:
        """Send commands one after the other without waiting, and yield the outcome of each, in their order.

        What was unanswered when a hub goes away is sent again to the next: its request id keeps it to one effect. At most 256 commands
        are taken from `commands` before the first of them is answered. Raises HubRefused where the stream itself is refused.
        """
        return streams.clear(self._open, commands, self._retry, self._sleep)

    def subscribe(
        self,
        cursor: str = "",
        types: Iterable[str] = (),
        *,
        only_new: bool = False,
        heartbeat_seconds: int = 0,
        heard: Callable[[str], None] | None = None,
    ) -> AsyncIterator[subscription_pb2.Event]:
        """Yield the events of the caller's province and of the pool after `cursor`, in order, and then each as it comes; never ends.

        Keep `event.cursor` together with what you made of the event, and start from it. `heard` is told the cursor of each heartbeat too,
        which goes past events of other types. A hub that goes away is found again and an expired token replaced; an event that came
        already does not come twice. Raises HubRefused, with code CURSOR_EXPIRED where the events after the cursor are no longer kept.
        """
        request = subscription_pb2.SubscribeRequest(cursor=cursor, types=types, only_new=only_new, heartbeat_seconds=heartbeat_seconds)
        return streams.subscribe(self._open, request, heard, self._retry, self._sleep)

    async def _open(self, method: str, requests: Message | AsyncIterable[Message]) -> AsyncIterator[Any]:
        token = await self.tokens.get()
        call = self._method(method)(requests, metadata=(("authorization", f"Bearer {token}"),))
        try:
            async for response in call:
                yield response
        except grpc.aio.AioRpcError as error:
            if from_error(error).code == "TOKEN_EXPIRED":
                self.tokens.drop(token)
            raise
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            # Nobody cancelled this task: grpc.aio cancelled the call, whose writing side failed, as it may where the hub dies.
            text = "the call was cancelled on this side"
            raise grpc.aio.AioRpcError(grpc.StatusCode.CANCELLED, grpc.aio.Metadata(), grpc.aio.Metadata(), text) from error
        finally:
            # Whoever stops listening stops the stream; once it has ended this does nothing.
            call.cancel()

    async def _once(self, invoke: Callable[..., Any], request: Message, timeout_seconds: float) -> tuple[CallResult[Any], str]:
        try:
            token = await self.tokens.get()
        except TokenRefused as refusal:
            return refused(refusal.code, refusal.en, refusal.zh, grpc.StatusCode.UNAUTHENTICATED, refusal.metadata), ""
        except httpx.HTTPError as error:
            text = f"the token endpoint does not answer: {type(error).__name__}"
            return refused("UNAVAILABLE", text, f"令牌服务无响应：{type(error).__name__}", grpc.StatusCode.UNAVAILABLE), ""
        metadata = (("authorization", f"Bearer {token}"),)
        try:
            return CallResult(await invoke(request, timeout=max(timeout_seconds, 0.0), metadata=metadata)), token
        except grpc.aio.AioRpcError as error:
            return from_error(error), token

    def _method(self, method: str | MethodDescriptor) -> Callable[..., Any]:
        name = method if isinstance(method, str) else method.full_name
        invoke = self._methods.get(name)
        if invoke is None:
            descriptor = descriptor_pool.Default().FindMethodByName(name) if isinstance(method, str) else method
            response = message_factory.GetMessageClass(descriptor.output_type)
            if self._plain is None:
                self._plain = self._channel([])
            opener = getattr(self._plain, _KINDS[descriptor.client_streaming, descriptor.server_streaming])
            invoke = self._methods[name] = opener(
                f"/{descriptor.containing_service.full_name}/{descriptor.name}",
                request_serializer=lambda message: message.SerializeToString(),
                response_deserializer=response.FromString,
            )
        return invoke

    def _channel(self, interceptors: list[grpc.aio.ClientInterceptor]) -> grpc.aio.Channel:
        return grpc.aio.secure_channel(self._address, self._credentials, options=self._options, interceptors=interceptors)


class _Authorization(grpc.aio.UnaryUnaryClientInterceptor):
    """Adds the access token to a stub's calls."""

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens

    async def intercept_unary_unary(self, continuation: Any, client_call_details: grpc.aio.ClientCallDetails, request: Any) -> Any:
        metadata = grpc.aio.Metadata(*(client_call_details.metadata or ()))
        metadata.add("authorization", f"Bearer {await self._tokens.get()}")
        details = grpc.aio.ClientCallDetails(
            client_call_details.method,
            client_call_details.timeout,
            metadata,
            client_call_details.credentials,
            client_call_details.wait_for_ready,
        )
        return await continuation(details, request)
