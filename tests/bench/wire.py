"""A participant's connection that sends and receives bytes: mutual TLS and token as any, but no messages made or read."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import grpc

from hub.client import HubClient
from hub.domain.clock import local_date
from tests.bench.load import Send
from tests.bench.population import ACQUIRER, Population
from tests.fixtures.hub import HubProcess
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.common.v1 import types_pb2

_SERVICE = "/yrd.clearing.v1.ClearingService/"
_TOKEN_SECONDS = 30.0
_EVIDENCE = [pb.Evidence(kind=types_pb2.EVIDENCE_KIND_INVOICE)]
_OPTIONS = (("grpc.max_receive_message_length", 64 * 1024 * 1024), ("grpc.enable_http_proxy", 0))


class Wire:
    """Calls of the clearing service as the acquirer's platform."""

    def __init__(self, channel: grpc.aio.Channel, token: str) -> None:
        self._channel = channel
        self._metadata: tuple[tuple[str, str], ...] = ()
        self.use(token)

    def use(self, token: str) -> None:
        """Carry another token from now on."""
        self._metadata = (("authorization", f"Bearer {token}"),)

    def method(self, name: str) -> Send:
        """Return what sends a serialised request of a method and awaits its serialised answer."""
        call: Any = self._channel.unary_unary(_SERVICE + name)
        return lambda payload: call(payload, metadata=self._metadata)


@asynccontextmanager
async def open_wire(hub: HubProcess) -> AsyncIterator[Wire]:
    """Connect as the acquirer's platform; the token is renewed beside the calls, not in them."""
    async with HubClient(hub.grpc_address, hub.web_address, hub.folder(ACQUIRER)) as client:
        credentials = client.identity.channel_credentials()
        async with grpc.aio.secure_channel(hub.grpc_address, credentials, options=_OPTIONS) as channel:
            wire = Wire(channel, await client.tokens.get())
            renewing = asyncio.create_task(_renew(wire, client))
            try:
                yield wire
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)


async def _renew(wire: Wire, client: HubClient) -> None:
    while True:
        await asyncio.sleep(_TOKEN_SECONDS)
        wire.use(await client.tokens.get())


class Requests:
    """Makes requests, the same for the same seed but for their ids."""

    def __init__(self, people: Population, *, zipf: bool = False, fen: tuple[int, int] = (10_000, 60_000), seed: int = 20_260_101) -> None:
        self._people, self._zipf, self._fen = people, zipf, fen
        self._rng = random.Random(seed)

    def authorize(self) -> pb.AuthorizeRequest:
        """Return one order of one line."""
        firm = self._people.pick(self._rng, zipf=self._zipf)
        request = pb.AuthorizeRequest(request_id=str(uuid.uuid4()))
        given = request.input
        given.issuer, given.enterprise, given.provider = firm.issuer, firm.uscc, self._rng.choice(self._people.providers)
        given.order.order_no = f"B{uuid.uuid4().hex}"
        given.order.lines.add(category=types_pb2.CATEGORY_RESEARCH, amount_fen=self._rng.randint(*self._fen))
        return request

    def unary(self, count: int) -> list[bytes]:
        """Return serialised Authorize requests."""
        return [self.authorize().SerializeToString() for _ in range(count)]

    def batches(self, count: int, items: int) -> list[bytes]:
        """Return serialised BatchAuthorize requests."""
        return [
            pb.BatchAuthorizeRequest(request_id=str(uuid.uuid4()), items=[self.authorize() for _ in range(items)]).SerializeToString()
            for _ in range(count)
        ]


def captures(redemption_ids: list[str], items: int) -> list[bytes]:
    """Return serialised BatchCapture requests for redemptions, as authorized."""
    today = local_date(datetime.now(UTC)).isoformat()
    return [
        pb.BatchCaptureRequest(
            request_id=str(uuid.uuid4()),
            items=[
                pb.CaptureRequest(
                    request_id=str(uuid.uuid4()), redemption_id=key, invoice_no=f"I{key}", delivered_on=today, evidence=_EVIDENCE
                )
                for key in redemption_ids[first : first + items]
            ],
        ).SerializeToString()
        for first in range(0, len(redemption_ids), items)
    ]


def authorized_ids(answers: Iterable[bytes]) -> list[str]:
    """Return the ids of the redemptions that batches authorized."""
    return [
        outcome.response.redemption.redemption_id
        for answer in answers
        for outcome in pb.BatchAuthorizeResponse.FromString(answer).outcomes
        if outcome.HasField("response")
    ]


def captured_count(answers: Iterable[bytes]) -> int:
    """Return how many items batches captured."""
    return sum(outcome.HasField("response") for answer in answers for outcome in pb.BatchCaptureResponse.FromString(answer).outcomes)
