"""Access tokens: RFC 9068 JWTs of at most five minutes, bound to the client's certificate (RFC 8705).

Their times are real times, never a simulated clock's: they bound how long a stolen token could serve.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet

from hub.domain.caller import Caller, Role
from hub.domain.clock import Clock, SystemClock
from hub.security.failures import AuthFailure, CertificateReason, certificate_rejected, token_expired, unauthenticated
from hub.security.keys import ALGORITHM
from hub.security.participants import ParticipantRecord

TTL_SECONDS_MAX = 300
"""Longest life of an access token, in seconds."""

TOKEN_BYTES_MAX = 8 * 1024
AUDIENCE = "yrd-hub"
"""The resource that tokens are for: the hub's RPCs."""

_CACHE_ENTRIES_MAX = 4096
# Two replicas' clocks may differ by this much before a fresh token looks as if it came from the future.
_ISSUED_AHEAD_SECONDS_MAX = 30


class TokenIssuer:
    """Signs access tokens."""

    def __init__(
        self, key: ECKey, issuer: str, *, audience: str = AUDIENCE, ttl_seconds: int = TTL_SECONDS_MAX, clock: Clock | None = None
    ) -> None:
        """Take the signing key and the issuer's URL. Raises ValueError for a life outside 1…300 seconds."""
        if not 1 <= ttl_seconds <= TTL_SECONDS_MAX:
            raise ValueError(f"a token lives 1 to {TTL_SECONDS_MAX} seconds, not {ttl_seconds}")
        self.issuer = issuer
        self.audience = audience
        self.ttl_seconds = ttl_seconds
        self.clock: Clock = clock or SystemClock()
        self._key = key

    @property
    def public_keys(self) -> KeySet:
        """The public half of the signing key."""
        return KeySet([ECKey.import_key(self._key.as_dict(private=False))])

    def issue(self, record: ParticipantRecord, scopes: Iterable[str], thumbprint: str) -> str:
        """Return a token for `record`, good only beside the certificate of that thumbprint (`x5t#S256`)."""
        now = int(self.clock.now().timestamp())
        claims: dict[str, Any] = {
            "iss": self.issuer,
            "sub": record.participant_id,
            "client_id": record.participant_id,
            "aud": self.audience,
            "iat": now,
            "exp": now + self.ttl_seconds,
            "jti": secrets.token_urlsafe(16),
            "scope": " ".join(sorted(scopes)),
            "division": record.division,
            "role": record.role.value,
            "cnf": {"x5t#S256": thumbprint},
        }
        return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt", "kid": self._key.kid}, claims, self._key, algorithms=[ALGORITHM])


@dataclass(frozen=True, slots=True)
class _Verified:
    caller: Caller
    thumbprint: str
    expires_at: datetime


class TokenVerifier:
    """Verifies access tokens, remembering a bounded number of them by digest until they expire."""

    def __init__(self, keys: KeySet, issuer: str, *, audience: str = AUDIENCE, entries_max: int = _CACHE_ENTRIES_MAX) -> None:
        self._keys = keys
        self._claims = {"iss": issuer, "aud": audience}
        self._entries_max = entries_max
        self._verified: OrderedDict[bytes, _Verified] = OrderedDict()

    def verify_until(self, token: str, thumbprint: str, now: datetime) -> tuple[Caller, datetime] | AuthFailure:
        """Return whom the token speaks for beside the certificate of `thumbprint` at `now`, and when it expires; or the refusal."""
        # Keyed by digest, so that a dump of the memory gives no token away.
        key = hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
        entry = self._verified.get(key)
        if entry is None:
            verdict = self._decode(token, now)
            if isinstance(verdict, AuthFailure):
                return verdict
            entry = verdict
            self._remember(key, entry)
        elif now >= entry.expires_at:
            self._verified.pop(key, None)
            return token_expired()
        else:
            self._verified.move_to_end(key)
        if not hmac.compare_digest(entry.thumbprint, thumbprint):
            return certificate_rejected(CertificateReason.NOT_THE_TOKENS)
        return entry.caller, entry.expires_at

    def _remember(self, key: bytes, entry: _Verified) -> None:
        self._verified[key] = entry
        if len(self._verified) > self._entries_max:
            self._verified.popitem(last=False)

    def _decode(self, token: str, now: datetime) -> _Verified | AuthFailure:
        if len(token) > TOKEN_BYTES_MAX or not token.isascii():
            return unauthenticated("the access token is malformed", "访问令牌格式错误")
        try:
            decoded = jwt.decode(token, self._keys, algorithms=[ALGORITHM])
        except (JoseError, ValueError, KeyError, TypeError):
            return unauthenticated("the access token's signature does not verify", "访问令牌的签名验证失败")
        if decoded.header.get("typ", "").lower() not in ("at+jwt", "application/at+jwt"):
            return unauthenticated("the token is not an access token (typ at+jwt)", "该令牌不是访问令牌（typ 应为 at+jwt）")
        for name, value in self._claims.items():
            if decoded.claims.get(name) != value:
                return unauthenticated(f"the access token's {name} is not {value}", f"访问令牌的 {name} 不是 {value}")
        return _read(decoded.claims, now)


def _read(claims: dict[str, Any], now: datetime) -> _Verified | AuthFailure:
    malformed = unauthenticated("a claim of the access token is missing or malformed", "访问令牌的声明缺失或格式错误")
    issued, expires, confirmation = claims.get("iat"), claims.get("exp"), claims.get("cnf")
    texts = [claims.get(name) for name in ("sub", "client_id", "division", "scope", "role")]
    if type(issued) is not int or type(expires) is not int or not isinstance(confirmation, dict):
        return malformed
    thumbprint = confirmation.get("x5t#S256")
    subject, client, division, scope, role = texts
    if not (isinstance(thumbprint, str) and thumbprint.isascii() and isinstance(subject, str) and isinstance(division, str)):
        return malformed
    if client != subject or not isinstance(scope, str) or not isinstance(role, str):
        return malformed
    if role not in Role.__members__ or role == Role.PUBLIC:
        return malformed
    seconds = now.timestamp()
    if issued > seconds + _ISSUED_AHEAD_SECONDS_MAX or not 0 < expires - issued <= TTL_SECONDS_MAX:
        return malformed
    if seconds >= expires:
        return token_expired()
    caller = Caller(subject, division, Role(role), frozenset(scope.split()))
    return _Verified(caller, thumbprint, datetime.fromtimestamp(expires, UTC))
