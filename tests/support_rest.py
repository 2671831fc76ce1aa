"""The REST part on a desk's database: the application as composition puts it together, and callers at its two doors."""

from __future__ import annotations

import ssl
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from hub.application.dispatch import Dispatcher
from hub.application.methods import build_methods
from hub.client import ClientIdentity
from hub.domain.caller import Caller, Role
from hub.domain.clock import SystemClock
from hub.domain.divisions import province_of
from hub.ledger.committer import GroupCommitter
from hub.security.access import scopes_of
from hub.security.authority import DevelopmentAuthority
from hub.security.guard import Guard
from hub.security.identity import PeerVerifier
from hub.security.keys import verification_keys
from hub.security.participants import DevelopmentParticipants, ParticipantRecord
from hub.security.tokens import TokenVerifier
from hub.security.trust import TrustStore
from hub.web.divisions import DivisionNames
from registry import methods as pool
from registry.credit import methods as credit
from registry.credit.bucket import Limits
from registry.web.doors import Doors
from registry.web.router import RestDependencies, create_rest_router
from tests.support_hub import free_socket, web_server
from tests.support_identity import RegisteredParticipants
from tests.support_overview import ISSUER, PROVINCES, web_app
from tests.support_usecases import Desk

PUBLIC, OWN = "/api/pool/v1", "/api/provider/v1"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def provider(division: str, uscc: str) -> Caller:
    """The caller that a provider's own system is."""
    return Caller(f"spiffe://{province_of(division)}/{division}/provider-{uscc}", division, Role.PROVIDER)


AMPLE = Limits(10_000, 1)


def rest_app(desk: Desk, identity: Path, *, limits: Limits = AMPLE, body_bytes_max: int = 1 << 20, **changes: Any) -> FastAPI:
    """The web role with the pool's resources; `changes` are those of the web role."""
    DevelopmentAuthority(identity).ensure(PROVINCES)
    services = [service for service in pool.SERVICES if service.name != "CreditService"]
    use_cases = {name: case for name, case in pool.METHODS.items() if name not in credit.METHODS}
    methods = build_methods(services, {}, use_cases, {}, {}, {})
    dispatcher = Dispatcher(methods, GroupCommitter(desk.uri, desk.clock), desk.work)
    guard = Guard(PeerVerifier(TrustStore.load(identity / "trust")), TokenVerifier(verification_keys(identity), ISSUER))
    router = create_rest_router(
        RestDependencies(dispatcher, Doors(guard, SystemClock(), limits), desk.clock, DivisionNames.load(), body_bytes_max)
    )
    return web_app(desk, identity, routers=[router], **changes)


def directory(*callers: Caller) -> DevelopmentParticipants:
    """A directory in which these are registered with all scopes of their role."""
    records = [ParticipantRecord(c.participant_id, c.division, c.role, scopes_of(c.role)) for c in callers]
    return DevelopmentParticipants(RegisteredParticipants(*records))


@asynccontextmanager
async def everybody(desk: Desk, folder: Path, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Anybody, without TLS between."""
    transport = httpx.ASGITransport(rest_app(desk, folder / "identity", **changes))
    async with httpx.AsyncClient(transport=transport, base_url="https://hub" + PUBLIC) as http:
        yield http


class Door:
    """The served application and the identities at it."""

    def __init__(self, address: str, identity: Path) -> None:
        self.address, self.identity = address, identity

    def folder(self, caller: Caller) -> Path:
        """Return the identity folder of a caller."""
        system = caller.participant_id.rpartition("/")[2]
        out = self.identity / "clients" / f"{caller.division}-{system}"
        DevelopmentAuthority(self.identity).ensure_identity(caller.division, system, out)
        return out

    def _context(self, folder: Path | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.identity / "ca.pem"))
        if folder is not None:
            context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        return context

    async def token(self, caller: Caller, **form: str) -> str:
        """Return an access token of a caller."""
        assertion = ClientIdentity.load(self.folder(caller)).assertion(ISSUER, datetime.now(UTC))
        given = {"grant_type": "client_credentials", "client_assertion_type": _ASSERTION, "client_assertion": assertion, **form}
        async with httpx.AsyncClient(verify=self._context(None), trust_env=False) as http:
            answer = await http.post(f"{self.address}/oauth/token", data=given)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["access_token"])

    @asynccontextmanager
    async def open(self, caller: Caller | None, token: str | None = "") -> AsyncIterator[httpx.AsyncClient]:
        """A connection with the caller's certificate and its token, another, or (None) none."""
        if token == "" and caller is not None:
            token = await self.token(caller)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        context = self._context(self.folder(caller) if caller else None)
        async with httpx.AsyncClient(verify=context, base_url=self.address + OWN, headers=headers, trust_env=False) as http:
            yield http


@asynccontextmanager
async def open_door(desk: Desk, folder: Path, *callers: Caller, **changes: Any) -> AsyncIterator[Door]:
    """Serve the application over TLS as composition does; `callers` are registered."""
    identity = folder / "identity"
    app = rest_app(desk, identity, **{"directory": directory(*callers), **changes})
    async with web_server(app, identity, free_socket(), ask_certificates=True) as address:
        yield Door(address, identity)


def once() -> dict[str, str]:
    """The header of a request that is new."""
    return {"Idempotency-Key": str(uuid.uuid4())}
