"""The two doors of a hub, real and small: the token endpoint over TLS, and a gRPC server behind mTLS and the guard."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import grpc
import uvicorn
from fastapi import FastAPI
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from hub.domain.caller import Caller
from hub.security.access import access_rules
from hub.security.authority import DevelopmentAuthority
from hub.security.failures import AuthFailure
from hub.security.guard import Guard
from hub.security.identity import PeerVerifier
from hub.security.keys import load_signing_key, verification_keys
from hub.security.participants import DevelopmentParticipants, ParticipantDirectory
from hub.security.tls import server_credentials
from hub.security.tokens import TokenIssuer, TokenVerifier
from hub.security.trust import TrustStore
from hub.web.oauth import create_oauth_router
from hub.web.peer import ask_client_certificates
from tests.support_identity import RegisteredParticipants
from yrd.clearing.v1 import clearing_pb2, clearing_pb2_grpc
from yrd.common.v1 import refusal_pb2

PROVINCES = ("310000", "330000")
START_SECONDS_MAX = 10.0

Answer = Callable[[Message, Caller, grpc.aio.ServicerContext[Any, Any]], Any]


def free_socket() -> socket.socket:
    """Bind a port of the loopback interface that nobody uses."""
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    return bound


@asynccontextmanager
async def web_server(app: FastAPI, identity: Path, bound: socket.socket, *, ask_certificates: bool = False) -> AsyncIterator[str]:
    """Serve `app` over TLS and give its address; unless told otherwise, no client certificate is asked for."""
    config = uvicorn.Config(
        app,
        ssl_certfile=str(identity / "server.pem"),
        ssl_keyfile=str(identity / "server.key"),
        log_level="warning",
        lifespan="off",
        ws="none",
    )
    if ask_certificates:
        ask_client_certificates(config, TrustStore.load(identity / "trust"))
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve(sockets=[bound]))
    async with asyncio.timeout(START_SECONDS_MAX):
        while not server.started:  # noqa: ASYNC110 — uvicorn offers a flag, no event
            await asyncio.sleep(0.01)
    try:
        yield f"https://localhost:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


@dataclass
class SmallHub:
    """Addresses and keys of a running pair of servers. `answer` says what the one method comes to; `calls` counts."""

    identity: Path
    grpc_address: str
    web_address: str
    issuer: TokenIssuer
    answer: Answer | None = None
    calls: list[tuple[Message, Caller]] = field(default_factory=list)

    @property
    def authority(self) -> DevelopmentAuthority:
        """The authority that made the hub's identity."""
        return DevelopmentAuthority(self.identity)

    def client_folder(self, division: str, system: str) -> Path:
        """Write a client's identity folder and return it."""
        out = self.identity / "clients" / f"{division}-{system}"
        self.authority.ensure_identity(division, system, out)
        return out


class _Clearing(clearing_pb2_grpc.ClearingServiceServicer):
    def __init__(self, hub: SmallHub, guard: Guard) -> None:
        self._hub, self._guard = hub, guard

    async def Authorize(self, request: Any, context: Any) -> Any:
        pem = context.auth_context().get("x509_pem_cert", [None])[0]
        authorization = dict(context.invocation_metadata()).get("authorization")
        rule = access_rules()["/yrd.clearing.v1.ClearingService/Authorize"]
        caller = self._guard.authenticate(pem, authorization, rule, datetime.now(UTC))
        if isinstance(caller, AuthFailure):
            await refuse(context, caller.code, caller.detail_en, metadata=dict(caller.metadata))
        assert isinstance(caller, Caller)
        self._hub.calls.append((request, caller))
        if self._hub.answer is not None:
            await self._hub.answer(request, caller, context)
        return clearing_pb2.AuthorizeResponse()


async def refuse(
    context: Any,
    code: str,
    text: str,
    *,
    status: grpc.StatusCode = grpc.StatusCode.PERMISSION_DENIED,
    retry_seconds: int = 0,
    metadata: dict[str, str] | None = None,
) -> None:
    """Abort a call the way the hub does: a status with ErrorInfo, Refusal and, if asked, RetryInfo."""
    rich = status_pb2.Status(code=status.value[0], message=text)
    rich.details.add().Pack(error_details_pb2.ErrorInfo(reason=code, domain="yrd", metadata=metadata or {}))
    number = refusal_pb2.RefusalCode.Value(f"REFUSAL_CODE_{code}")
    rich.details.add().Pack(refusal_pb2.Refusal(code=number, en=text, zh="拒绝"))
    if retry_seconds:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromSeconds(retry_seconds)
        rich.details.add().Pack(retry)
    await context.abort(status, text, (("grpc-status-details-bin", rich.SerializeToString()),))


@asynccontextmanager
async def small_hub(identity: Path, registered: ParticipantDirectory | None = None, ttl_seconds: int = 300) -> AsyncIterator[SmallHub]:
    """Start both servers on free ports. Without a directory, development's rule holds."""
    DevelopmentAuthority(identity).ensure(PROVINCES)
    bound = free_socket()
    web_address = f"localhost:{bound.getsockname()[1]}"
    issuer = TokenIssuer(load_signing_key(identity / "token.key"), f"https://{web_address}", ttl_seconds=ttl_seconds)
    trust = TrustStore.load(identity / "trust")
    app = FastAPI()
    app.include_router(create_oauth_router(issuer, registered or DevelopmentParticipants(RegisteredParticipants()), trust))
    server = grpc.aio.server()
    port = server.add_secure_port("localhost:0", server_credentials(identity))
    hub = SmallHub(identity, f"localhost:{port}", web_address, issuer)
    guard = Guard(PeerVerifier(trust), TokenVerifier(verification_keys(identity), issuer.issuer))
    clearing_pb2_grpc.add_ClearingServiceServicer_to_server(_Clearing(hub, guard), server)  # type: ignore[abstract]  # it answers one method, which is all it is for
    await server.start()
    try:
        async with web_server(app, identity, bound):
            yield hub
    finally:
        await server.stop(None)
