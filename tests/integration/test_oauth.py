"""The token endpoint over real TLS, spoken to as any OAuth2 client would."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from joserfc import jwt
from joserfc.jwk import KeySet

from hub.client import ClientIdentity
from hub.domain.caller import Role
from hub.security.access import all_scopes, scopes_of
from hub.security.failures import AuthFailure
from hub.security.participants import ParticipantRecord
from hub.security.tokens import TokenVerifier
from tests.support_hub import SmallHub, small_hub
from tests.support_identity import CHANGXING, CHANGXING_ID, RegisteredParticipants, authority

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def hub(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SmallHub]:
    async with small_hub(tmp_path_factory.mktemp("hub") / "identity") as running:
        yield running


def _identity(hub: SmallHub, division: str = CHANGXING, system: str = "platform") -> ClientIdentity:
    return ClientIdentity.load(hub.client_folder(division, system))


def _form(hub: SmallHub, identity: ClientIdentity, **change: str | None) -> dict[str, str]:
    form: dict[str, str | None] = {
        "grant_type": "client_credentials",
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": identity.assertion(hub.issuer.issuer, datetime.now(UTC)),
        **change,
    }
    return {name: value for name, value in form.items() if value is not None}


def _browser(hub: SmallHub) -> httpx.AsyncClient:
    """A client that trusts the hub's CA and has no certificate of its own."""
    context = ssl.create_default_context(cafile=str(hub.identity / "ca.pem"))
    return httpx.AsyncClient(verify=context, base_url=f"https://{hub.web_address}", trust_env=False)


async def _post(hub: SmallHub, form: dict[str, str]) -> tuple[httpx.Response, dict[str, Any]]:
    async with _browser(hub) as http:
        response = await http.post("/oauth/token", data=form)
    return response, response.json()


async def test_a_platform_gets_a_token_bound_to_its_certificate(hub: SmallHub) -> None:
    identity = _identity(hub)
    response, body = await _post(hub, _form(hub, identity))
    assert response.status_code == 200
    assert response.headers["cache-control"] == "no-store"
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 300)
    assert set(body["scope"].split()) == scopes_of(Role.PLATFORM)
    async with _browser(hub) as http:
        keys = KeySet.import_key_set((await http.get("/.well-known/jwks.json")).json())
    token = jwt.decode(body["access_token"], keys, algorithms=["ES256"])
    assert token.header["typ"] == "at+jwt"
    assert (token.claims["sub"], token.claims["division"], token.claims["role"]) == (CHANGXING_ID, CHANGXING, "PLATFORM")
    verifier = TokenVerifier(keys, hub.issuer.issuer)
    verdict = verifier.verify_until(body["access_token"], token.claims["cnf"]["x5t#S256"], datetime.now(UTC))
    assert not isinstance(verdict, AuthFailure) and verdict[0].division == CHANGXING


async def test_a_narrower_scope_is_granted_as_asked(hub: SmallHub) -> None:
    _, body = await _post(hub, _form(hub, _identity(hub), scope="voucher.read clearing.read"))
    assert body["scope"] == "clearing.read voucher.read"
    token = jwt.decode(body["access_token"], hub.issuer.public_keys)
    assert token.claims["scope"] == "clearing.read voucher.read"


async def test_the_coordination_group_gets_its_own_scopes(hub: SmallHub) -> None:
    _, body = await _post(hub, _form(hub, _identity(hub, "000000", "coordination")))
    assert set(body["scope"].split()) == scopes_of(Role.COORDINATOR)


INVALID: dict[str, tuple[dict[str, str | None], str]] = {
    "no grant type": ({"grant_type": None}, "invalid_request"),
    "other grant type": ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
    "grant type in Chinese": ({"grant_type": "授权"}, "unsupported_grant_type"),
    "no assertion": ({"client_assertion": None}, "invalid_request"),
    "other assertion type": ({"client_assertion_type": "saml"}, "invalid_request"),
    "garbage": ({"client_assertion": "a.b.c"}, "invalid_client"),
    "other client id": ({"client_id": "spiffe://310000/310000/platform"}, "invalid_client"),
    "unknown scope": ({"scope": "money.print"}, "invalid_scope"),
    "scope of another role": ({"scope": "participant.write"}, "invalid_scope"),
    "one good scope of two": ({"scope": "voucher.read participant.write"}, "invalid_scope"),
}


@pytest.mark.parametrize("case", INVALID)
async def test_a_request_is_refused_as_the_standard_says(case: str, hub: SmallHub) -> None:
    change, error = INVALID[case]
    response, body = await _post(hub, _form(hub, _identity(hub), **change))
    assert (response.status_code, body["error"]) == (400, error)
    assert body.get("error_description", "").isascii()
    assert response.headers["cache-control"] == "no-store"
    assert "access_token" not in body


async def test_an_assertion_serves_once(hub: SmallHub) -> None:
    form = _form(hub, _identity(hub))
    responses = await asyncio.gather(*(_post(hub, form) for _ in range(5)))
    assert sorted(response.status_code for response, _ in responses) == [200, 400, 400, 400, 400]
    assert {body["error"] for _, body in responses if "error" in body} == {"invalid_client"}


async def test_an_assertion_for_another_server_is_refused(hub: SmallHub) -> None:
    elsewhere = _identity(hub).assertion("https://elsewhere", datetime.now(UTC))
    _, body = await _post(hub, _form(hub, _identity(hub), client_assertion=elsewhere))
    assert (body["error"], body["code"]) == ("invalid_client", "UNAUTHENTICATED")


async def test_a_certificate_of_a_foreign_ca_is_refused(hub: SmallHub, tmp_path: Path) -> None:
    authority(tmp_path / "foreign", datetime.now(UTC)).write_identity(CHANGXING, "platform", tmp_path / "client")
    response, body = await _post(hub, _form(hub, ClientIdentity.load(tmp_path / "client")))
    assert response.status_code == 400
    assert (body["error"], body["code"], body["reason"]) == ("invalid_client", "CERTIFICATE_REJECTED", "FOREIGN_CA")
    assert body["error_description_zh"]


async def test_a_system_nobody_registered_is_refused(hub: SmallHub) -> None:
    response, body = await _post(hub, _form(hub, _identity(hub, "310000", "provider-12310104425001236Q")))
    assert (response.status_code, body["error"], body["code"]) == (400, "invalid_client", "UNAUTHENTICATED")


async def test_a_registration_sets_division_role_and_scopes(tmp_path: Path) -> None:
    provider = "spiffe://310000/310000/provider-12310104425001236Q"
    moved = "spiffe://330000/330400/platform"
    directory = RegisteredParticipants(
        ParticipantRecord(provider, "310000", Role.PROVIDER, frozenset({"registry.read"})),
        ParticipantRecord(moved, "330500", Role.PLATFORM, frozenset({"registry.read"})),
    )
    async with small_hub(tmp_path / "identity", directory) as production:
        identity = _identity(production, "310000", "provider-12310104425001236Q")
        _, body = await _post(production, _form(production, identity))
        assert body["scope"] == "registry.read"
        # Implied in development, unknown here.
        _, body = await _post(production, _form(production, _identity(production)))
        assert (body["error"], body["code"]) == ("invalid_client", "UNAUTHENTICATED")
        _, body = await _post(production, _form(production, _identity(production, "330400")))
        assert (body["error"], body["code"], body["division"]) == ("invalid_client", "NOT_PERMITTED", "330500")


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"{}", "application/json"),
        (b"\xff\xfe", "application/x-www-form-urlencoded"),
        (b"grant_type=client_credentials&grant_type=client_credentials", "application/x-www-form-urlencoded"),
        (b"&".join(b"a%d=1" % n for n in range(100)), "application/x-www-form-urlencoded"),
        (b"a=" + b"x" * 30_000, "application/x-www-form-urlencoded"),
        (b"", ""),
    ],
)
async def test_a_body_that_is_no_form_is_an_invalid_request(content: bytes, content_type: str, hub: SmallHub) -> None:
    async with _browser(hub) as http:
        response = await http.post("/oauth/token", content=content, headers={"content-type": content_type})
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_the_metadata_lets_a_client_configure_itself(hub: SmallHub) -> None:
    async with _browser(hub) as http:
        metadata = (await http.get("/.well-known/oauth-authorization-server")).json()
        assert metadata["issuer"] == f"https://{hub.web_address}"
        assert metadata["token_endpoint"] == f"{metadata['issuer']}/oauth/token"
        assert set(metadata["scopes_supported"]) == all_scopes()
        assert metadata["tls_client_certificate_bound_access_tokens"] is True
        keys = (await http.get(metadata["jwks_uri"])).json()["keys"]
    assert [(key["kty"], key["crv"], key["use"], key["alg"]) for key in keys] == [("EC", "P-256", "sig", "ES256")]
    assert "d" not in keys[0]
