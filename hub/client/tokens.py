"""Access tokens of a client: fetched when needed, kept until shortly before they expire, one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from hub.client.identity import ClientIdentity
from hub.client.result import is_code
from hub.domain.clock import Clock, SystemClock

TOKEN_PATH = "/oauth/token"
REFRESH_BEFORE = timedelta(seconds=30)
"""A token is replaced this long before it expires, or at half its life where that is shorter."""

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenRefused(Exception):
    """The token endpoint said no. `code` is a stable code; `error` that of RFC 6749 §5.2."""

    def __init__(self, code: str, error: str, en: str, zh: str, metadata: Mapping[str, str]) -> None:
        super().__init__(f"{code} ({error}): {en}")
        self.code, self.error, self.en, self.zh, self.metadata = code, error, en, zh, metadata


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    refresh_at: datetime
    expires_at: datetime


class TokenSource:
    """Gives a token that is good now. `issuer` is the URL that assertions are addressed to; by default that of the endpoint."""

    def __init__(
        self,
        identity: ClientIdentity,
        http: httpx.AsyncClient,
        url: str,
        *,
        issuer: str | None = None,
        scopes: Iterable[str] | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._identity = identity
        self._http = http
        self._url = url.rstrip("/") + TOKEN_PATH
        self._audience = issuer or url.rstrip("/")
        self._scope = None if scopes is None else " ".join(sorted(scopes))
        self._clock: Clock = clock or SystemClock()
        self._token: _Token | None = None
        self._fetching = asyncio.Lock()

    async def get(self) -> str:
        """Return a token. Raises TokenRefused, or httpx.HTTPError where the endpoint cannot be reached."""
        token = self._token
        if token is not None and self._clock.now() < token.refresh_at:
            return token.value
        async with self._fetching:
            # Another call may have fetched one while this one waited for its turn.
            if self._token is token:
                await self._replace(token)
            assert self._token is not None
            return self._token.value

    def drop(self, value: str) -> None:
        """Forget a token that the hub no longer takes."""
        if self._token is not None and self._token.value == value:
            self._token = None

    async def _replace(self, old: _Token | None) -> None:
        try:
            self._token = await self._fetch()
        except httpx.HTTPError:
            # An endpoint that is down for a moment costs nothing while the token at hand is still good.
            if old is None or self._clock.now() >= old.expires_at:
                raise

    async def _fetch(self) -> _Token:
        now = self._clock.now()
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": _ASSERTION_TYPE,
            "client_assertion": self._identity.assertion(self._audience, now),
        }
        if self._scope is not None:
            form["scope"] = self._scope
        response = await self._http.post(self._url, data=form)
        if response.is_client_error:
            raise _refusal(response)
        body = response.raise_for_status().json()
        life = timedelta(seconds=int(body["expires_in"]))
        return _Token(str(body["access_token"]), now + life - min(REFRESH_BEFORE, life / 2), now + life)


def _refusal(response: httpx.Response) -> TokenRefused:
    try:
        body: dict[str, Any] = response.json()
    except ValueError:
        body = {}
    error = str(body.get("error", f"http {response.status_code}"))
    code = str(body.get("code", "SCOPE_MISSING" if error == "invalid_scope" else "UNAUTHENTICATED"))
    en = str(body.get("error_description", error))
    known = {"error", "error_description", "error_description_zh", "code"}
    metadata = {key: str(value) for key, value in body.items() if key not in known}
    return TokenRefused(code if is_code(code) else "UNAUTHENTICATED", error, en, str(body.get("error_description_zh", en)), metadata)
