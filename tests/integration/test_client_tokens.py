"""How a client keeps its token, on a clock that the test moves."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grpc
import httpx
import pytest
import pytest_asyncio

from hub.client import ClientIdentity, TokenRefused, TokenSource
from hub.domain.clock import SimulatedClock
from hub.security.authority import DevelopmentAuthority
from hub.security.tls import server_credentials
from tests.support_identity import CHANGXING, NOW, authority


class Endpoint:
    """A token endpoint that numbers its tokens."""

    def __init__(self) -> None:
        self.forms: list[bytes] = []
        self.fault: httpx.Response | httpx.TransportError | None = None
        self.life_seconds = 300

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        await asyncio.sleep(0)
        self.forms.append(request.content)
        if isinstance(self.fault, httpx.TransportError):
            raise self.fault
        return self.fault or httpx.Response(200, json={"access_token": f"t{len(self.forms)}", "expires_in": self.life_seconds})


@pytest.fixture
def endpoint() -> Endpoint:
    return Endpoint()


@pytest.fixture
def clock() -> SimulatedClock:
    return SimulatedClock(NOW)


@pytest_asyncio.fixture(loop_scope="session")
async def tokens(endpoint: Endpoint, clock: SimulatedClock, tmp_path: Path) -> AsyncIterator[TokenSource]:
    authority(tmp_path).write_identity(CHANGXING, "platform", tmp_path / "client")
    async with httpx.AsyncClient(transport=httpx.MockTransport(endpoint)) as http:
        yield TokenSource(ClientIdentity.load(tmp_path / "client"), http, "https://hub.test/", scopes=["b.c", "a.b"], clock=clock)


def _later(clock: SimulatedClock, seconds: float) -> None:
    clock.advance_to(clock.now() + timedelta(seconds=seconds))


async def test_a_token_is_kept_until_half_a_minute_before_its_end(tokens: TokenSource, clock: SimulatedClock, endpoint: Endpoint) -> None:
    assert await tokens.get() == "t1"
    _later(clock, 269.999)
    assert await tokens.get() == "t1"
    _later(clock, 0.001)
    assert await tokens.get() == "t2"
    assert b"scope=a.b+b.c" in endpoint.forms[0]


async def test_a_short_token_is_kept_for_half_its_life(tokens: TokenSource, clock: SimulatedClock, endpoint: Endpoint) -> None:
    endpoint.life_seconds = 10
    assert await tokens.get() == "t1"
    _later(clock, 4.9)
    assert await tokens.get() == "t1"
    _later(clock, 0.1)
    assert await tokens.get() == "t2"


async def test_calls_that_wait_together_share_one_request(tokens: TokenSource, clock: SimulatedClock, endpoint: Endpoint) -> None:
    assert set(await asyncio.gather(*(tokens.get() for _ in range(50)))) == {"t1"}
    _later(clock, 280)
    assert set(await asyncio.gather(*(tokens.get() for _ in range(50)))) == {"t2"}
    assert len(endpoint.forms) == 2


async def test_an_endpoint_that_is_down_costs_nothing_while_the_token_lives(
    tokens: TokenSource, clock: SimulatedClock, endpoint: Endpoint
) -> None:
    await tokens.get()
    endpoint.fault = httpx.ConnectError("down")
    _later(clock, 299)
    assert await tokens.get() == "t1"
    _later(clock, 1)
    with pytest.raises(httpx.ConnectError):
        await tokens.get()
    endpoint.fault = httpx.Response(503, request=httpx.Request("POST", "https://hub.test"))
    with pytest.raises(httpx.HTTPStatusError):
        await tokens.get()
    endpoint.fault = None
    assert await tokens.get() == "t5"


async def test_only_the_token_at_hand_is_dropped(tokens: TokenSource) -> None:
    first = await tokens.get()
    tokens.drop(first)
    second = await tokens.get()
    tokens.drop(first)  # by a call that was under way with the old one
    assert await tokens.get() == second != first


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"error": "invalid_client", "code": "CERTIFICATE_REJECTED", "reason": "EXPIRED"}, "CERTIFICATE_REJECTED"),
        ({"error": "invalid_scope"}, "SCOPE_MISSING"),
        ({"error": "invalid_client", "code": "OF_A_LATER_VERSION"}, "UNAUTHENTICATED"),
        ({}, "UNAUTHENTICATED"),
    ],
)
async def test_a_refusal_has_a_code_of_the_contract(body: dict[str, str], code: str, tokens: TokenSource, endpoint: Endpoint) -> None:
    endpoint.fault = httpx.Response(400, json=body)
    with pytest.raises(TokenRefused) as raised:
        await tokens.get()
    assert raised.value.code == code
    assert raised.value.metadata == {key: value for key, value in body.items() if key == "reason"}


async def test_a_proxys_page_is_a_refusal_too(tokens: TokenSource, endpoint: Endpoint) -> None:
    endpoint.fault = httpx.Response(403, text="<html>")
    with pytest.raises(TokenRefused, match="http 403"):
        await tokens.get()


async def test_a_renewed_server_certificate_is_served_without_a_restart(tmp_path: Path) -> None:
    made = DevelopmentAuthority(tmp_path)
    made.write_identity(CHANGXING, "platform", tmp_path / "client")
    server = grpc.aio.server()
    port = server.add_secure_port("localhost:0", server_credentials(tmp_path))
    await server.start()
    context = ClientIdentity.load(tmp_path / "client").ssl_context()
    context.set_alpn_protocols(["h2"])

    async def serial() -> str:
        _, writer = await asyncio.open_connection("localhost", port, ssl=context)
        connection = writer.get_extra_info("ssl_object")
        assert isinstance(connection, ssl.SSLObject)
        found = dict(connection.getpeercert() or {})["serialNumber"]
        writer.close()
        return str(found)

    try:
        first = await serial()
        assert await serial() == first
        DevelopmentAuthority(tmp_path, SimulatedClock(datetime.now(UTC) + timedelta(days=380))).ensure()
        # The renewed one starts in the future, which is what this client then finds.
        with pytest.raises(ssl.SSLCertVerificationError, match="not yet valid"):
            await serial()
    finally:
        await server.stop(None)
