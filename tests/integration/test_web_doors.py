"""Who gets in, what is said to those who do not, and what operators may ask."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy.ext.asyncio import create_async_engine

from hub.client import ClientIdentity
from hub.domain.clock import SystemClock
from hub.domain.refusals import CATALOGUE, RefusalCode
from hub.security.authority import DevelopmentAuthority
from hub.security.guard import Guard
from hub.security.identity import PeerVerifier
from hub.security.keys import verification_keys
from hub.security.tokens import TokenVerifier
from hub.security.trust import TrustStore
from hub.web.viewers import ViewerGuard, anyone, coordinators
from tests.support_hub import free_socket, web_server
from tests.support_overview import ISSUER, PROVINCES, web_app
from tests.support_usecases import Desk

COORDINATION, PLATFORM = ("000000", "coordination"), ("310000", "platform")
PATHS = ("/", "/api/overview")


@asynccontextmanager
async def browser(desk: Desk, tmp_path: Path, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(web_app(desk, tmp_path / "identity", **changes))
    async with httpx.AsyncClient(transport=transport, base_url="https://hub") as http:
        yield http


def check_problem(response: httpx.Response, code: str) -> Any:
    """Check that an answer is the catalogue's problem of a code, and return it."""
    entry = CATALOGUE[RefusalCode(code)]
    body = response.json()
    assert response.headers["content-type"] == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert (response.status_code, body["status"]) == (entry.http_status, entry.http_status)
    assert (body["type"], body["code"], body["title"]) == (f"urn:yrd:refusal:{code}", code, entry.en)
    assert body["zh"] and body["en"] and (body["remedy_zh"], body["remedy_en"]) == (entry.remedy_zh, entry.remedy_en)
    return body


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_sees_the_overview_unless_composition_says_so(path: str, desk: Desk, tmp_path: Path) -> None:
    async with browser(desk, tmp_path) as http:
        check_problem(await http.get(path), "NOT_PERMITTED")


def production(identity: Path) -> ViewerGuard:
    DevelopmentAuthority(identity).ensure([*PROVINCES, COORDINATION[0]])
    guard = Guard(PeerVerifier(TrustStore.load(identity / "trust")), TokenVerifier(verification_keys(identity), ISSUER))
    return coordinators(guard, SystemClock())


class Visitor:
    """Someone with an identity, or none, at a web role that asks for certificates."""

    def __init__(self, address: str, identity: Path) -> None:
        self._address, self._identity = address, identity

    def folder(self, division: str, system: str) -> Path:
        out = self._identity / "clients" / f"{division}-{system}"
        DevelopmentAuthority(self._identity).ensure_identity(division, system, out)
        return out

    async def request(self, path: str, certificate: tuple[str, str] | None, token: str | None = None, **form: str) -> httpx.Response:
        context = ssl.create_default_context(cafile=str(self._identity / "ca.pem"))
        if certificate is not None:
            folder = self.folder(*certificate)
            context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        async with httpx.AsyncClient(verify=context, base_url=self._address, trust_env=False) as http:
            return await (http.post(path, data=form) if form else http.get(path, headers=headers))

    async def token(self, division: str, system: str, **form: str) -> str:
        assertion = ClientIdentity.load(self.folder(division, system)).assertion(ISSUER, datetime.now(UTC))
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        given = {"grant_type": "client_credentials", "client_assertion_type": kind, "client_assertion": assertion, **form}
        response = await self.request("/oauth/token", None, **given)
        assert response.status_code == 200, response.text
        return str(response.json()["access_token"])


async def test_in_production_only_the_coordination_group_sees_the_overview(desk: Desk, tmp_path: Path) -> None:
    identity = tmp_path / "identity"
    app = web_app(desk, identity, viewer_guard=production(identity))
    async with web_server(app, identity, free_socket(), ask_certificates=True) as address:
        visitor = Visitor(address, identity)
        token = await visitor.token(*COORDINATION)
        for path in PATHS:
            assert (await visitor.request(path, COORDINATION, token)).status_code == 200
            body = check_problem(await visitor.request(path, None), "CERTIFICATE_REJECTED")
            assert body["metadata"] == {"reason": "ABSENT"}
            refused = await visitor.request(path, COORDINATION)
            check_problem(refused, "UNAUTHENTICATED")
            assert refused.headers["www-authenticate"] == "Bearer"
            # Stolen: the token without the certificate it is bound to, or beside another one.
            check_problem(await visitor.request(path, None, token), "CERTIFICATE_REJECTED")
            check_problem(await visitor.request(path, PLATFORM, token), "CERTIFICATE_REJECTED")
            check_problem(await visitor.request(path, PLATFORM, await visitor.token(*PLATFORM)), "NOT_PERMITTED")
        narrow = await visitor.token(*COORDINATION, scope="policy.read")
        check_problem(await visitor.request("/api/overview", COORDINATION, narrow), "SCOPE_MISSING")
        # What is no province's business nor anyone's secret stays open.
        assert (await visitor.request("/healthz", None)).status_code == 200
        assert (await visitor.request("/.well-known/jwks.json", None)).status_code == 200


async def test_a_wrong_parameter_is_named(desk: Desk, tmp_path: Path) -> None:
    async with browser(desk, tmp_path, viewer_guard=anyone) as http:
        body = check_problem(await http.get("/?lang=fr"), "INVALID_ARGUMENT")
    assert [error["field"] for error in body["errors"]] == ["query.lang"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "NOT_FOUND"),
        ("POST", "/api/overview", 405, "METHOD_NOT_ALLOWED"),
        ("GET", "/static/../app.py", 404, "NOT_FOUND"),
    ],
)
async def test_what_only_http_knows_is_a_problem_too(method: str, path: str, status: int, code: str, desk: Desk, tmp_path: Path) -> None:
    async with browser(desk, tmp_path) as http:
        response = await http.request(method, path)
    body = response.json()
    assert (response.headers["content-type"], response.status_code) == ("application/problem+json", status)
    assert (body["type"], body["status"], body["code"]) == ("about:blank", status, code)


async def test_a_database_that_does_not_answer_is_unavailable(desk: Desk, tmp_path: Path) -> None:
    with free_socket() as bound:
        engine = create_async_engine(f"postgresql+psycopg://nobody@127.0.0.1:{bound.getsockname()[1]}/nowhere?connect_timeout=2")
        async with browser(desk, tmp_path, viewer_guard=anyone, engine=engine) as http:
            response = await http.get("/api/overview")
    check_problem(response, "UNAVAILABLE")
    assert int(response.headers["retry-after"]) > 0


async def test_a_defect_tells_nothing_of_the_inside(desk: Desk, tmp_path: Path) -> None:
    with psycopg.connect(desk.uri, autocommit=True) as connection:
        connection.execute("DROP TABLE obligation")
    async with browser(desk, tmp_path, viewer_guard=anyone) as http:
        response = await http.get("/api/overview")
    assert (response.status_code, response.headers["content-type"]) == (500, "application/problem+json")
    assert "obligation" not in response.text and "sql" not in response.text.lower()
    assert response.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/api/overview", "/healthz", "/nowhere", "/static/console.js", "/.well-known/jwks.json"])
async def test_every_answer_is_protected(path: str, desk: Desk, tmp_path: Path) -> None:
    async with browser(desk, tmp_path, viewer_guard=anyone) as http:
        headers = (await http.get(path)).headers
    policy = {directive.split(" ")[0]: directive for directive in headers["content-security-policy"].split("; ")}
    assert policy["default-src"] == "default-src 'none'"
    assert policy["script-src"] == "script-src 'self'" and policy["style-src"] == "style-src 'self'"
    assert policy["frame-ancestors"] == "frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["strict-transport-security"] == "max-age=31536000"


async def test_a_development_hub_does_not_bind_browsers_to_tls(desk: Desk, tmp_path: Path) -> None:
    async with browser(desk, tmp_path, hsts=False) as http:
        assert "strict-transport-security" not in (await http.get("/healthz")).headers


async def test_readiness_names_the_parts_that_do_not_answer(desk: Desk, tmp_path: Path) -> None:
    up = {"database": True, "kafka": True}

    async def database() -> bool:
        return up["database"]

    async def kafka() -> bool:
        if not up["kafka"]:
            raise ConnectionError("no broker")
        return True

    async with browser(desk, tmp_path, probes={"database": database, "kafka": kafka}) as http:
        ready = await http.get("/readyz")
        assert (ready.status_code, ready.json()) == (200, {"status": "ready", "parts": {"database": True, "kafka": True}})
        up["kafka"] = False
        waiting = await http.get("/readyz")
        assert (waiting.status_code, waiting.json()) == (503, {"status": "not ready", "parts": {"database": True, "kafka": False}})
        up["database"] = False
        assert (await http.get("/readyz")).json()["parts"] == {"database": False, "kafka": False}
        # Alive all the same: a restart would cure nothing.
        assert (await http.get("/healthz")).json() == {"status": "alive"}


async def test_metrics_count_answers_by_route_and_show_readiness(desk: Desk, tmp_path: Path) -> None:
    async def broken() -> bool:
        return False

    async with browser(desk, tmp_path, viewer_guard=anyone, probes={"kafka": broken}) as http:
        for path in ("/api/overview", "/api/overview", "/nowhere", "/elsewhere", "/readyz"):
            await http.get(path)
        response = await http.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, sample.labels.get("route", sample.labels.get("part")), sample.labels.get("status")): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }
    assert samples["deltahub_web_requests_total", "/api/overview", "200"] == 2
    assert samples["deltahub_web_requests_total", "other", "404"] == 2
    assert samples["deltahub_web_requests_total", "/readyz", "503"] == 1
    assert samples["deltahub_web_request_seconds_count", "/api/overview", None] == 2
    assert samples["deltahub_web_ready", "kafka", None] == 0
    assert samples["deltahub_outbox_unpublished", None, None] == 0


async def test_metrics_are_given_without_the_database_too(desk: Desk, tmp_path: Path) -> None:
    with free_socket() as bound:
        engine = create_async_engine(f"postgresql+psycopg://nobody@127.0.0.1:{bound.getsockname()[1]}/nowhere?connect_timeout=2")
        async with browser(desk, tmp_path, engine=engine) as http:
            response = await http.get("/metrics")
    assert response.status_code == 200
    assert "deltahub_outbox_unpublished NaN" in response.text


async def test_the_contract_of_the_overview_is_published(desk: Desk, tmp_path: Path) -> None:
    async with browser(desk, tmp_path) as http:
        document = (await http.get("/api/openapi.json")).json()
        assert (await http.get("/docs")).status_code == 404
    answer = document["paths"]["/api/overview"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"$ref": "#/components/schemas/Overview"}
    assert document["components"]["schemas"]["Flow"]["properties"]["cleared_fen"]["type"] == "integer"
