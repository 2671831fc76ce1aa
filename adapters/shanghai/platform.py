"""The platform's HTTPS interface: tokens, waits it asks for, and every way it can fail as one of two: down, or at fault."""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from adapters.runtime.source import SourceDown, SourceFault
from adapters.shanghai.settings import ShanghaiGiven
from hub.domain.clock import Clock

API = "/openapi/v1"
TOKEN_PATH = "/oauth/token"
_TOKEN_BYTES_MAX = 65_536
_WAIT_MAX = timedelta(days=1)
_REFRESH_BEFORE = timedelta(seconds=30)
_SLOWEST = 6
"""A whole answer may take so many times what one silence may last."""


class CursorExpired(Exception):
    """The platform no longer knows a cursor (410)."""


@dataclass(frozen=True, slots=True)
class Got:
    """An answer's body, and when the platform gave it by its own clock; None where it did not say."""

    body: bytes
    at: datetime | None


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: httpx.Headers
    body: bytes


class Platform:
    """Shanghai's platform. One thread calls it at a time; `close` it."""

    def __init__(self, given: ShanghaiGiven, clock: Clock) -> None:
        """Raises SourceFault where `ca_file` cannot be used."""
        self._given, self._clock = given, clock
        self._http = httpx.Client(
            base_url=given.base_url, verify=_trust(given), timeout=given.timeout_seconds, trust_env=False, follow_redirects=False
        )
        self._token, self._refresh_at = "", datetime.min.replace(tzinfo=UTC)
        self._not_before = datetime.min.replace(tzinfo=UTC)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def get(self, path: str, params: Mapping[str, str | int]) -> Got:
        """Return the body of an answer, whole. Raises SourceDown, SourceFault and CursorExpired."""
        answer = self._call("GET", path, params=httpx.QueryParams(params))
        if answer.status == 410:
            raise CursorExpired(path)
        self._judge(answer, f"GET {path}")
        return Got(answer.body, _instant(answer.headers.get("date", "")))

    def put(self, path: str, body: bytes) -> None:
        """Put a document. Raises SourceDown and SourceFault."""
        self._judge(self._call("PUT", path, body=body), f"PUT {path}")

    def _call(self, method: str, path: str, *, params: httpx.QueryParams | None = None, body: bytes | None = None) -> _Answer:
        headers = {} if body is None else {"content-type": "application/json"}
        for fresh in (False, True):
            headers["authorization"] = f"Bearer {self._bearer(fresh=fresh)}"
            request = self._http.build_request(method, f"{API}{path}", params=params, content=body, headers=headers)
            answer = self._send(request, self._given.page_bytes_max)
            if answer.status != 401:
                break
        return answer

    def _judge(self, answer: _Answer, what: str) -> None:
        """Raise what a bad answer means. Its text is not repeated: it may hold anything."""
        if 200 <= answer.status < 300:
            return
        if answer.status == 429 or answer.status >= 500:
            wait = self._wait_for(answer.headers.get("retry-after", ""))
            raise SourceDown(f"{what}: the platform answered {answer.status}", wait)
        if answer.status in (401, 403):
            raise SourceFault(f"{what}: {answer.status}; ask the platform to give client {self._given.client_id} the right to it")
        raise SourceFault(f"{what}: unexpected status {answer.status}; check source.base_url, then ask the platform")

    def _bearer(self, *, fresh: bool) -> str:
        """Return an access token; a `fresh` one where the platform no longer takes the one at hand."""
        if fresh or not self._token or self._clock.now() >= self._refresh_at:
            self._token = ""
            auth = httpx.BasicAuth(self._given.client_id, self._given.client_secret.read())
            form = {"grant_type": "client_credentials"}
            answer = self._send(self._http.build_request("POST", TOKEN_PATH, data=form), _TOKEN_BYTES_MAX, auth)
            if answer.status in (400, 401, 403):
                raise SourceFault("the platform refuses a token: check source.client_id and the secret that source.client_secret names")
            self._judge(answer, "token")
            self._token, life = _token_in(answer)
            self._refresh_at = self._clock.now() + life - min(_REFRESH_BEFORE, life / 2)
        return self._token

    def _send(self, request: httpx.Request, bytes_max: int, auth: httpx.Auth | None = None) -> _Answer:
        left = (self._not_before - self._clock.now()).total_seconds()
        if left > 0:
            raise SourceDown(f"the platform asked to be left alone for another {left:.0f} s", left)
        with _failures(request):
            response = self._http.send(request, stream=True, auth=auth)
            try:
                return _Answer(response.status_code, response.headers, self._body(response, bytes_max))
            finally:
                response.close()

    def _body(self, response: httpx.Response, bytes_max: int) -> bytes:
        until, parts, size = time.monotonic() + _SLOWEST * self._given.timeout_seconds, list[bytes](), 0
        for part in response.iter_bytes():
            size += len(part)
            if size > bytes_max:
                raise SourceFault(f"an answer is larger than {bytes_max} bytes: lower source.page_size or raise source.page_bytes_max")
            if time.monotonic() > until:
                raise SourceDown("the platform's answer trickles: given up")
            parts.append(part)
        return b"".join(parts)

    def _wait_for(self, said: str) -> float:
        """Note how long the platform wants to be left alone (Retry-After, RFC 9110 10.2.3) and return it in seconds."""
        now = self._clock.now()
        until = now + min(timedelta(seconds=int(said[:9])), _WAIT_MAX) if said.isdecimal() else _instant(said)
        wait = timedelta() if until is None else max(timedelta(), min(until - now, _WAIT_MAX))
        self._not_before = now + wait
        return wait.total_seconds()


def _instant(said: str) -> datetime | None:
    """Return an instant in the form of HTTP (RFC 9110 5.6.7); None where it is none."""
    try:
        return parsedate_to_datetime(said).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _token_in(answer: _Answer) -> tuple[str, timedelta]:
    try:
        found = httpx.Response(200, content=answer.body).json()
        return str(found["access_token"]), timedelta(seconds=int(found["expires_in"]))
    except (ValueError, TypeError, KeyError, OverflowError):
        raise SourceFault("the platform's token endpoint answers in another form: check source.base_url") from None


def _trust(given: ShanghaiGiven) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=given.ca_file)
    except (OSError, ValueError) as error:
        raise SourceFault(f"source.ca_file: {type(error).__name__}: give a PEM file of certificates") from None


@contextmanager
def _failures(request: httpx.Request) -> Iterator[None]:
    """Turn what the transport raises into SourceDown, or SourceFault where waiting will not help."""
    try:
        yield
    except httpx.RequestError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, ssl.SSLError):
            cause = cause.__cause__ or cause.__context__
        # A connection that ends in the middle of a handshake is a machine going down; any other fault of TLS is one of settings.
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError | ssl.SSLZeroReturnError):
            reason = getattr(cause, "verify_message", "") or cause.reason or "TLS"
            raise SourceFault(f"TLS with the platform fails ({reason}): check source.base_url and source.ca_file") from None
        raise SourceDown(f"{request.method} {request.url.path}: {type(error).__name__}") from None
