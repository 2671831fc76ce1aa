"""The OAuth2 endpoints: token (client credentials with `private_key_jwt`), keys, and metadata (RFC 6749, 7523, 7517, 8414, 8705).

The client is known by the certificate inside its assertion, not by the TLS connection, because TLS may end at an ingress.
Authlib's core is synchronous: certificate and participant are looked up before it is entered, and it finds them on the request.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import cast
from urllib.parse import parse_qsl

from authlib.oauth2.rfc6749 import (
    AuthorizationServer,
    ClientMixin,
    InvalidClientError,
    InvalidScopeError,
    OAuth2Error,
    OAuth2Request,
    scope_to_list,
)
from authlib.oauth2.rfc6749.grants import ClientCredentialsGrant
from authlib.oauth2.rfc6749.requests import BasicOAuth2Payload
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from fastapi import APIRouter, Request
from joserfc.jwk import KeySet
from starlette.responses import JSONResponse, Response

from hub.security.access import all_scopes
from hub.security.assertions import AssertionVerifier
from hub.security.failures import AuthFailure, not_permitted, unauthenticated
from hub.security.identity import PeerIdentity, PeerVerifier
from hub.security.keys import ALGORITHM
from hub.security.participants import ParticipantDirectory, ParticipantRecord
from hub.security.replay import ReplayCache
from hub.security.tokens import TokenIssuer
from hub.security.trust import TrustStore

TOKEN_PATH = "/oauth/token"
JWKS_PATH = "/.well-known/jwks.json"
METADATA_PATH = "/.well-known/oauth-authorization-server"

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_AUTH_METHOD = "private_key_jwt"
_GRANT_TYPE = "client_credentials"
_FORM_TYPE = "application/x-www-form-urlencoded"
_FORM_BYTES_MAX = 24 * 1024
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


class _Refused(InvalidClientError):
    """`invalid_client` (RFC 6749 §5.2), with the hub's stable code beside it."""

    def __init__(self, failure: AuthFailure) -> None:
        super().__init__(description=failure.detail_en)
        self.extras = {"code": failure.code, "error_description_zh": failure.detail_zh, **failure.metadata}


class _Client(ClientMixin):
    """A participant as Authlib sees it: it authenticates with an assertion and is granted its own scopes."""

    def __init__(self, record: ParticipantRecord, peer: PeerIdentity) -> None:
        self.record = record
        self.peer = peer

    def get_client_id(self) -> str:
        return self.record.participant_id

    def get_allowed_scope(self, scope: Collection[str] | str | None) -> str:
        """Return the scopes to grant: all the participant's own where it names none. One that is not its own refuses the request."""
        asked = frozenset(scope_to_list(scope)) if scope else self.record.scopes
        if not asked <= self.record.scopes:
            raise InvalidScopeError(description="The participant may not ask for this scope.")
        return " ".join(sorted(asked))

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == _AUTH_METHOD and endpoint == "token"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == _GRANT_TYPE


class _TokenRequest(OAuth2Request):
    """A token request with what had to be awaited beforehand. Its URI is the public one: behind an ingress the local one is not https."""

    def __init__(self, uri: str, form: dict[str, str], peer: PeerIdentity, record: ParticipantRecord | None) -> None:
        super().__init__("POST", uri)
        self.payload = BasicOAuth2Payload(form)
        self.assertion = form["client_assertion"]
        self.claimed_id = form.get("client_id", peer.participant_id)
        self.peer = peer
        self.record = record


class _Grant(ClientCredentialsGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = (_AUTH_METHOD,)


class _Server(AuthorizationServer):
    """Authlib's authorization server, spoken to in Starlette's terms."""

    def __init__(self, issuer: TokenIssuer, assertions: AssertionVerifier) -> None:
        super().__init__(scopes_supported=all_scopes())
        self._assertions = assertions
        self._issuer = issuer
        self.register_client_auth_method(_AUTH_METHOD, self._authenticate)
        self.register_grant(_Grant)
        self.register_token_generator("default", BearerTokenGenerator(self._generate, expires_generator=lambda *_: issuer.ttl_seconds))

    def query_client(self, client_id: str) -> ClientMixin:
        """Never used: clients are found before the core is entered."""
        raise NotImplementedError(client_id)

    def save_token(self, token: dict[str, str | int], request: OAuth2Request) -> None:
        """Keep nothing: a token proves itself, and is gone in five minutes."""

    def send_signal(self, name: str, *args: object, **kwargs: object) -> None:
        """Tell nobody."""

    def create_oauth2_request(self, request: OAuth2Request) -> OAuth2Request:
        return request

    def handle_response(self, status: int, body: Mapping[str, object], headers: Mapping[str, str]) -> Response:
        # What arrives are pairs, whatever the type stubs say; `dict` takes both.
        return JSONResponse(body, status, headers=dict(headers))

    def handle_error_response(self, request: OAuth2Request | None, error: OAuth2Error) -> Response:
        status, body, headers = error()
        extras = error.extras if isinstance(error, _Refused) else {}
        return self.handle_response(status, {**body, **extras}, headers)

    def respond(self, request: _TokenRequest) -> Response:
        """Answer a token request."""
        return cast(Response, self.create_token_response(request))

    def refuse(self, failure: AuthFailure) -> Response:
        """Answer with `invalid_client`."""
        return self.handle_error_response(None, _Refused(failure))

    def _authenticate(self, _query: object, request: _TokenRequest) -> _Client:
        failure = self._assertions.verify(request.assertion, request.peer, self._issuer.clock.now())
        if failure is not None:
            raise _Refused(failure)
        if request.claimed_id != request.peer.participant_id:
            raise _Refused(unauthenticated("client_id is not the subject of the assertion", "client_id 与断言主体不一致"))
        record = request.record
        if record is None:
            raise _Refused(unauthenticated("the participant is not registered", "参与方尚未登记"))
        if record.division != request.peer.division:
            text = ("the participant is registered for another division", "参与方登记的区划与证书不一致")
            raise _Refused(not_permitted(*text, division=record.division))
        return _Client(record, request.peer)

    def _generate(self, *, client: ClientMixin, scope: str, **_: object) -> str:
        assert isinstance(client, _Client)
        return self._issuer.issue(client.record, scope.split(), client.peer.thumbprint)


def create_oauth_router(issuer: TokenIssuer, directory: ParticipantDirectory, trust: TrustStore, keys: KeySet | None = None) -> APIRouter:
    """Return the routes `/oauth/token`, `/.well-known/jwks.json` and `/.well-known/oauth-authorization-server`.

    `keys` are the public keys to publish; without them, that of the issuer. Assertions are addressed to the issuer or its token endpoint.
    """
    token_url = issuer.issuer + TOKEN_PATH
    assertions = AssertionVerifier(PeerVerifier(trust), ReplayCache(), frozenset({issuer.issuer, token_url}))
    server = _Server(issuer, assertions)
    router = APIRouter(tags=["oauth"])
    metadata = _metadata(issuer.issuer)
    jwks = (keys or issuer.public_keys).as_dict(private=False)

    @router.post(TOKEN_PATH, response_class=JSONResponse)
    async def token(request: Request) -> Response:
        """Give an access token to a participant that proves its identity (RFC 6749 §4.4)."""
        form = await _form(request)
        if isinstance(form, str):
            return _invalid_request(form)
        peer = assertions.certificate(form["client_assertion"], issuer.clock.now())
        if isinstance(peer, AuthFailure):
            return server.refuse(peer)
        record = await directory.get(peer.participant_id)
        return server.respond(_TokenRequest(token_url, form, peer, record))

    @router.get(JWKS_PATH)
    async def published_keys() -> JSONResponse:
        """Return the keys that verify access tokens (RFC 7517)."""
        return JSONResponse(jwks, headers={"Cache-Control": "public, max-age=300"})

    @router.get(METADATA_PATH)
    async def published_metadata() -> JSONResponse:
        """Return what a client has to know of this server (RFC 8414)."""
        return JSONResponse(metadata, headers={"Cache-Control": "public, max-age=300"})

    return router


async def _form(request: Request) -> dict[str, str] | str:
    """Return the parameters of a token request, or what is wrong with it (RFC 6749 §3.2: each at most once)."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM_TYPE:
        return f"The body must be {_FORM_TYPE}."
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _FORM_BYTES_MAX:
            return f"The body is longer than {_FORM_BYTES_MAX} bytes."
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=32, errors="strict")
    except ValueError:
        return "The body is no form in UTF-8."
    form = dict(pairs)
    if len(form) < len(pairs):
        return "A parameter is given twice."
    missing = [name for name in ("grant_type", "client_assertion_type", "client_assertion") if not form.get(name)]
    if missing:
        return f"Missing parameter: {missing[0]}."
    if form["client_assertion_type"] != _ASSERTION_TYPE:
        return f"The client_assertion_type must be {_ASSERTION_TYPE}."
    return form


def _invalid_request(description: str) -> JSONResponse:
    return JSONResponse({"error": "invalid_request", "error_description": description}, 400, headers=_NO_STORE)


def _metadata(issuer: str) -> dict[str, object]:
    return {
        "issuer": issuer,
        "token_endpoint": issuer + TOKEN_PATH,
        "jwks_uri": issuer + JWKS_PATH,
        "scopes_supported": sorted(all_scopes()),
        "response_types_supported": [],
        "grant_types_supported": [_GRANT_TYPE],
        "token_endpoint_auth_methods_supported": [_AUTH_METHOD],
        "token_endpoint_auth_signing_alg_values_supported": [ALGORITHM],
        "tls_client_certificate_bound_access_tokens": True,
    }
