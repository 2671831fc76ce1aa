"""Who acts: one connection per division, made when it first acts, as a platform of that division or the coordination group."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Protocol, Self

from google.protobuf.message import Message

from hub.cli.scenario.ground import Ground
from hub.cli.scenario.hubs import HubProcess
from hub.cli.scenario.model import ScenarioError
from hub.client import CallResult, HubClient
from hub.domain.divisions import COORDINATION, is_division
from yrd.policy.v1 import policy_pb2

_WARM_UP = "yrd.policy.v1.PolicyService.ListPolicies"


class Sender(Protocol):
    """Sends a call as a division."""

    async def send(self, division: str, method: str, request: Message) -> CallResult[Any]:
        """Return the response or the refusal; raise grpc.aio.AioRpcError for an internal error of the hub."""
        ...


class Cast:
    """The connections of one scenario. Close it, or use it as an async context manager."""

    def __init__(self, ground: Ground, hub: HubProcess) -> None:
        self._ground, self._hub = ground, hub
        self._clients: dict[str, HubClient] = {}
        self._others: list[HubClient] = []

    async def send(self, division: str, method: str, request: Message) -> CallResult[Any]:
        """Call over the division's connection."""
        client = self._clients.get(division)
        if client is None:
            client = self._clients[division] = self._connect(division)
        return await client.call(method, request)

    def another(self, division: str) -> HubClient:
        """Return a further connection of a division; it closes with the cast."""
        client = self._connect(division)
        self._others.append(client)
        return client

    async def __aenter__(self) -> Self:
        """Return self."""
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Close all connections."""
        await asyncio.gather(*(client.close() for client in (*self._clients.values(), *self._others)))

    def _connect(self, division: str) -> HubClient:
        if division != COORDINATION and not is_division(division):
            raise ScenarioError(f"{division!r} is no division that could act; name one with `by`")
        return HubClient(self._hub.grpc_address, self._hub.web_address, self._ground.identity(division))


class Start:
    """The starting line of calls that go at the same moment: the last to arrive, or to drop out, lets all go."""

    def __init__(self, runners: int) -> None:
        self._missing = runners
        self._go = asyncio.Event()

    def arrive(self) -> None:
        """Say that one more is ready, or will not run."""
        self._missing -= 1
        if self._missing <= 0:
            self._go.set()

    async def wait(self) -> None:
        """Be ready, and wait for the others."""
        self.arrive()
        await self._go.wait()


class Runner:
    """Sends its first call over a connection of its own, when all others are ready too."""

    def __init__(self, cast: Cast, start: Start) -> None:
        self._cast, self._start = cast, start
        self._waiting = True

    async def send(self, division: str, method: str, request: Message) -> CallResult[Any]:
        """Connect first, so that only the call itself is left when all go."""
        client = self._cast.another(division)
        await client.call(_WARM_UP, policy_pb2.ListPoliciesRequest(issuer=division, page_size=1))
        if self._waiting:
            self._waiting = False
            await self._start.wait()
        return await client.call(method, request)

    def done(self) -> None:
        """Drop out where nothing was sent, so that nobody waits for it."""
        if self._waiting:
            self._waiting = False
            self._start.arrive()
