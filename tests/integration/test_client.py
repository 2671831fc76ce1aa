"""The hub's Python client against a real gRPC server behind mTLS and a real token endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import pytest
import pytest_asyncio

from hub.client import ClientIdentity, HubClient, HubRefused, RetryPolicy, TokenRefused
from hub.domain.caller import Caller, Role
from hub.security.access import scopes_of
from tests.support_hub import Answer, SmallHub, free_socket, refuse, small_hub
from tests.support_identity import CHANGXING, CHANGXING_ID, authority
from yrd.clearing.v1 import clearing_pb2, clearing_pb2_grpc

AUTHORIZE = "yrd.clearing.v1.ClearingService.Authorize"
REQUEST = clearing_pb2.AuthorizeRequest(request_id="6f1c1f0e-0b5c-4f0e-9d5e-3d7f1d1a2b3c")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SmallHub]:
    async with small_hub(tmp_path_factory.mktemp("hub") / "identity") as started:
        yield started


@pytest.fixture
def hub(running: SmallHub) -> SmallHub:
    running.answer = None
    running.calls.clear()
    return running


class Pauses:
    """Stands in for sleep: remembers what it was asked, gives way once, wastes no time."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        await asyncio.sleep(0)


def _client(hub: SmallHub, folder: Path | None = None, **options: Any) -> HubClient:
    return HubClient(hub.grpc_address, hub.web_address, folder or hub.client_folder(CHANGXING, "platform"), **options)


def _failing(times: int, code: str, status: grpc.StatusCode, retry_seconds: int = 0) -> Answer:
    left = [times]

    async def answer(_request: object, _caller: Caller, context: Any) -> None:
        if left[0] > 0:
            left[0] -= 1
            await refuse(context, code, "not now", status=status, retry_seconds=retry_seconds)

    return answer


async def test_a_call_arrives_under_the_clients_own_identity(hub: SmallHub) -> None:
    async with _client(hub) as client:
        result = await client.call(AUTHORIZE, REQUEST)
    assert result.ok and result.code == ""
    assert isinstance(result.unwrap(), clearing_pb2.AuthorizeResponse)
    [(request, caller)] = hub.calls
    assert request == REQUEST
    assert caller == Caller(CHANGXING_ID, CHANGXING, Role.PLATFORM, scopes_of(Role.PLATFORM))


async def test_a_method_is_named_by_its_descriptor_too(hub: SmallHub) -> None:
    descriptor = clearing_pb2.DESCRIPTOR.services_by_name["ClearingService"].methods_by_name["Authorize"]
    async with _client(hub) as client:
        assert (await client.call(descriptor, REQUEST)).ok


async def test_a_method_that_is_not_in_the_contract_is_a_mistake(hub: SmallHub) -> None:
    async with _client(hub) as client:
        with pytest.raises(KeyError):
            await client.call("yrd.clearing.v1.ClearingService.Print", REQUEST)


async def test_a_method_that_the_hub_lacks_raises(hub: SmallHub) -> None:
    async with _client(hub) as client:
        with pytest.raises(grpc.aio.AioRpcError) as raised:
            await client.call("yrd.clearing.v1.ClearingService.Quote", clearing_pb2.QuoteRequest())
    assert raised.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_stub_carries_the_token(hub: SmallHub) -> None:
    async with _client(hub) as client:
        stub = client.stub(clearing_pb2_grpc.ClearingServiceStub)
        await stub.Authorize(REQUEST)
    assert hub.calls[0][1].participant_id == CHANGXING_ID


async def test_a_refusal_is_a_value(hub: SmallHub) -> None:
    hub.answer = _failing(1, "QUOTA_EXCEEDED", grpc.StatusCode.FAILED_PRECONDITION)
    async with _client(hub) as client:
        result = await client.call(AUTHORIZE, REQUEST)
    assert not result.ok
    assert (result.code, result.status) == ("QUOTA_EXCEEDED", grpc.StatusCode.FAILED_PRECONDITION)
    assert result.refusal is not None and (result.refusal.en, result.refusal.zh) == ("not now", "拒绝")
    with pytest.raises(HubRefused, match="QUOTA_EXCEEDED: not now"):
        result.unwrap()
    assert len(hub.calls) == 1


async def test_an_unavailable_hub_is_asked_again_with_the_same_request(hub: SmallHub) -> None:
    hub.answer = _failing(3, "UNAVAILABLE", grpc.StatusCode.UNAVAILABLE)
    pauses = Pauses()
    async with _client(hub, sleep=pauses, retry=RetryPolicy(attempts=4, initial_seconds=1.0, max_seconds=2.0)) as client:
        assert (await client.call(AUTHORIZE, REQUEST)).ok
    assert [request for request, _ in hub.calls] == [REQUEST] * 4
    assert [low <= pause <= high for pause, (low, high) in zip(pauses.seconds, [(0.5, 1), (1, 2), (1, 2)], strict=True)] == [True] * 3


async def test_retries_end(hub: SmallHub) -> None:
    hub.answer = _failing(9, "UNAVAILABLE", grpc.StatusCode.UNAVAILABLE)
    async with _client(hub, sleep=Pauses(), retry=RetryPolicy(attempts=3)) as client:
        result = await client.call(AUTHORIZE, REQUEST)
    assert (result.code, len(hub.calls)) == ("UNAVAILABLE", 3)


async def test_an_overloaded_hub_says_when_to_come_back(hub: SmallHub) -> None:
    hub.answer = _failing(1, "OVERLOADED", grpc.StatusCode.RESOURCE_EXHAUSTED, retry_seconds=7)
    pauses = Pauses()
    async with _client(hub, sleep=pauses) as client:
        assert (await client.call(AUTHORIZE, REQUEST)).ok
    assert pauses.seconds == [7.0]


async def test_no_retry_outlives_the_callers_patience(hub: SmallHub) -> None:
    hub.answer = _failing(1, "OVERLOADED", grpc.StatusCode.RESOURCE_EXHAUSTED, retry_seconds=7)
    async with _client(hub, sleep=Pauses()) as client:
        result = await client.call(AUTHORIZE, REQUEST, timeout_seconds=5)
    assert (result.code, result.retry_after_seconds) == ("OVERLOADED", 7.0)


async def test_a_token_the_hub_calls_expired_is_replaced_once(hub: SmallHub) -> None:
    hub.answer = _failing(1, "TOKEN_EXPIRED", grpc.StatusCode.UNAUTHENTICATED)
    async with _client(hub) as client:
        before = await client.tokens.get()
        assert (await client.call(AUTHORIZE, REQUEST)).ok
        assert await client.tokens.get() != before
        hub.answer = _failing(2, "TOKEN_EXPIRED", grpc.StatusCode.UNAUTHENTICATED)
        assert (await client.call(AUTHORIZE, REQUEST)).code == "TOKEN_EXPIRED"


async def test_many_calls_ask_for_one_token(hub: SmallHub) -> None:
    async with _client(hub) as client:
        tokens = await asyncio.gather(*(client.tokens.get() for _ in range(20)))
        assert len(set(tokens)) == 1
        assert await client.tokens.get() == tokens[0]


async def test_a_missing_scope_is_refused_by_name(hub: SmallHub) -> None:
    async with _client(hub, scopes=["clearing.read"]) as client:
        result = await client.call(AUTHORIZE, REQUEST)
    assert (result.code, dict(result.metadata)) == ("SCOPE_MISSING", {"scope": "clearing.authorize"})
    assert hub.calls == []


async def test_a_scope_the_participant_may_not_have_is_refused(hub: SmallHub) -> None:
    async with _client(hub, scopes=["participant.write"]) as client:
        result = await client.call(AUTHORIZE, REQUEST)
    assert (result.code, result.status) == ("SCOPE_MISSING", grpc.StatusCode.UNAUTHENTICATED)


async def test_the_coordination_group_may_not_authorize(hub: SmallHub) -> None:
    async with _client(hub, hub.client_folder("000000", "coordination")) as client:
        assert (await client.call(AUTHORIZE, REQUEST)).code == "NOT_PERMITTED"


async def test_an_unregistered_provider_gets_no_token(hub: SmallHub) -> None:
    async with _client(hub, hub.client_folder("310000", "provider-12310104425001236Q")) as client:
        with pytest.raises(TokenRefused, match="not registered"):
            await client.tokens.get()
        assert (await client.call(AUTHORIZE, REQUEST)).code == "UNAUTHENTICATED"


async def test_an_expired_certificate_has_a_stable_code(hub: SmallHub, tmp_path: Path) -> None:
    hub.authority.write_identity(CHANGXING, "platform", tmp_path / "expired", days=0)
    async with _client(hub, tmp_path / "expired") as client:
        result = await client.call(AUTHORIZE, REQUEST)
    assert (result.code, result.metadata["reason"]) == ("CERTIFICATE_REJECTED", "EXPIRED")
    assert result.refusal is not None and result.refusal.zh


async def test_a_foreign_certificate_has_a_stable_code(hub: SmallHub, tmp_path: Path) -> None:
    authority(tmp_path / "foreign", datetime.now(UTC)).write_identity(CHANGXING, "platform", tmp_path / "client")
    (tmp_path / "client" / "ca.pem").write_bytes((hub.identity / "ca.pem").read_bytes())
    async with _client(hub, tmp_path / "client") as client:
        result = await client.call(AUTHORIZE, REQUEST)
    assert (result.code, result.metadata["reason"]) == ("CERTIFICATE_REJECTED", "FOREIGN_CA")


async def test_the_grpc_door_stays_shut_without_a_certificate_of_ours(hub: SmallHub, tmp_path: Path) -> None:
    authority(tmp_path / "foreign", datetime.now(UTC)).write_identity(CHANGXING, "platform", tmp_path / "client")
    foreign = ClientIdentity.load(tmp_path / "client")
    ca = (hub.identity / "ca.pem").read_bytes()
    for credentials in (grpc.ssl_channel_credentials(ca), grpc.ssl_channel_credentials(ca, foreign.key_pem, foreign.certificate_pem)):
        async with grpc.aio.secure_channel(hub.grpc_address, credentials) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await clearing_pb2_grpc.ClearingServiceStub(channel).Authorize(REQUEST)
        assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    assert hub.calls == []


async def test_a_token_beside_another_certificate_is_refused(hub: SmallHub) -> None:
    async with _client(hub) as victim, _client(hub, hub.client_folder("330400", "platform")) as thief:
        stolen = await victim.tokens.get()
        async with grpc.aio.secure_channel(hub.grpc_address, thief.identity.channel_credentials()) as channel:
            stub = clearing_pb2_grpc.ClearingServiceStub(channel)
            with pytest.raises(grpc.aio.AioRpcError) as raised:
                await stub.Authorize(REQUEST, metadata=(("authorization", f"Bearer {stolen}"),))
    assert raised.value.details() == "the access token is bound to another client certificate"
    assert hub.calls == []


async def test_a_province_that_joins_while_the_hub_runs_is_let_in(hub: SmallHub) -> None:
    async with _client(hub, hub.client_folder("340100", "platform")) as client:
        assert (await client.call(AUTHORIZE, REQUEST)).ok
    assert hub.calls[0][1].division == "340100"


async def test_a_hub_of_another_ca_is_not_trusted(hub: SmallHub, tmp_path: Path) -> None:
    folder = tmp_path / "client"
    hub.authority.write_identity(CHANGXING, "platform", folder)
    authority(tmp_path / "foreign", datetime.now(UTC))
    (folder / "ca.pem").write_bytes((tmp_path / "foreign" / "ca.pem").read_bytes())
    async with _client(hub, folder, sleep=Pauses(), retry=RetryPolicy(attempts=2)) as client:
        assert (await client.call(AUTHORIZE, REQUEST)).code == "UNAVAILABLE"
    assert hub.calls == []


async def test_a_hub_that_is_down_is_a_refusal_in_the_end(hub: SmallHub) -> None:
    bound = free_socket()
    nowhere = f"localhost:{bound.getsockname()[1]}"
    pauses = Pauses()
    with bound:
        async with HubClient(nowhere, nowhere, hub.client_folder(CHANGXING, "platform"), sleep=pauses) as client:
            result = await client.call(AUTHORIZE, REQUEST)
    assert (result.code, result.status, len(pauses.seconds)) == ("UNAVAILABLE", grpc.StatusCode.UNAVAILABLE, 7)


async def test_an_oversized_answer_or_request_has_its_code(hub: SmallHub) -> None:
    big = clearing_pb2.AuthorizeRequest(request_id="x" * (5 * 1024 * 1024))
    async with _client(hub) as client:
        assert (await client.call(AUTHORIZE, big)).code == "MESSAGE_TOO_LARGE"


async def test_a_deadline_has_its_code(hub: SmallHub) -> None:
    async def never(*_: object) -> None:
        await asyncio.Event().wait()

    hub.answer = never
    async with _client(hub) as client:
        await client.tokens.get()
        assert (await client.call(AUTHORIZE, REQUEST, timeout_seconds=0.2)).code == "DEADLINE_EXCEEDED"


@pytest.mark.parametrize("missing", ["cert.pem", "key.pem", "ca.pem"])
def test_a_folder_without_a_file_is_no_identity(missing: str, tmp_path: Path) -> None:
    authority(tmp_path / "id").write_identity(CHANGXING, "platform", tmp_path / "client")
    (tmp_path / "client" / missing).unlink()
    with pytest.raises(FileNotFoundError):
        ClientIdentity.load(tmp_path / "client")


def test_a_server_certificate_is_no_client_identity(tmp_path: Path) -> None:
    made = authority(tmp_path)
    made.write_identity(CHANGXING, "platform", tmp_path / "client")
    (tmp_path / "client" / "cert.pem").write_bytes((tmp_path / "server.pem").read_bytes())
    with pytest.raises(ValueError, match="no single participant"):
        ClientIdentity.load(tmp_path / "client")
