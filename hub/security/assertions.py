"""Client assertions (RFC 7523, `private_key_jwt`): signed by the client certificate's key, which travels along as `x5c`."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from hub.security.failures import AuthFailure, CertificateReason, certificate_rejected, unauthenticated
from hub.security.identity import PeerIdentity, PeerVerifier
from hub.security.keys import ALGORITHM
from hub.security.replay import ReplayCache

ASSERTION_BYTES_MAX = 16 * 1024
LIFE_SECONDS_MAX = 300
"""Longest life of an assertion: it bounds how long its `jti` must be remembered."""

_JTI_LENGTH_MAX = 128
_LEEWAY_SECONDS = 30
_X5C_LENGTH_MAX = 4
# The library's own limit of 512 bytes leaves no room for a certificate chain.
_REGISTRY = jws.JWSRegistry(algorithms=[ALGORITHM])
_REGISTRY.max_header_length = ASSERTION_BYTES_MAX


@dataclass(frozen=True, slots=True)
class AssertionVerifier:
    """Verifies assertions addressed to one of `audiences`: the issuer, or its token endpoint."""

    peers: PeerVerifier
    replays: ReplayCache
    audiences: Collection[str]

    def certificate(self, assertion: str, now: datetime) -> PeerIdentity | AuthFailure:
        """Return whose certificate the assertion carries. Proves nothing about who sent it: `verify` does."""
        if len(assertion) > ASSERTION_BYTES_MAX or not assertion.isascii():
            return _malformed("it is no JWT of at most 16 KiB", "不是 16 KiB 以内的 JWT")
        try:
            header = jws.extract_compact(assertion.encode(), registry=_REGISTRY).headers()
            chain = header.get("x5c")
            if not isinstance(chain, list) or not 1 <= len(chain) <= _X5C_LENGTH_MAX:
                return certificate_rejected(CertificateReason.ABSENT)
            pem = b"".join(_pem(base64.b64decode(entry, validate=True)) for entry in chain)
        except (binascii.Error, TypeError):
            return certificate_rejected(CertificateReason.MALFORMED)
        except (JoseError, ValueError, KeyError):
            return _malformed("it is no JWT", "不是 JWT")
        return self.peers.verify(pem, now)

    def verify(self, assertion: str, peer: PeerIdentity, now: datetime) -> AuthFailure | None:
        """Check that `peer` itself signed the assertion, for this server, now, and for the first time; return the refusal, or None."""
        pem = peer.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        try:
            claims = jwt.decode(assertion, ECKey.import_key(pem), registry=_REGISTRY).claims
        except (JoseError, ValueError, KeyError, TypeError):
            return _malformed("its signature does not verify with the key of the certificate in x5c", "签名与 x5c 证书的公钥不符")
        return self._check_claims(claims, peer, now)

    def _check_claims(self, claims: dict[str, Any], peer: PeerIdentity, now: datetime) -> AuthFailure | None:
        if claims.get("iss") != peer.participant_id or claims.get("sub") != peer.participant_id:
            return _malformed("iss and sub must be the certificate's SPIFFE id", "iss 与 sub 必须是证书中的 SPIFFE 身份")
        if not self._is_addressed(claims.get("aud")):
            return _malformed("aud is not this server", "aud 不是本服务器")
        expires, now_seconds = claims.get("exp"), now.timestamp()
        if type(expires) is not int:
            return _malformed("exp is missing", "缺少 exp")
        if expires <= now_seconds:
            return _malformed("it has expired", "已过期")
        if expires > now_seconds + LIFE_SECONDS_MAX + _LEEWAY_SECONDS:
            return _malformed("it lives longer than five minutes", "有效期超过五分钟")
        if _in_the_future(claims.get("iat"), now_seconds) or _in_the_future(claims.get("nbf"), now_seconds):
            return _malformed("it comes from the future; check the clock", "签发时间在未来，请检查时钟")
        jti = claims.get("jti")
        if not isinstance(jti, str) or not 1 <= len(jti) <= _JTI_LENGTH_MAX:
            return _malformed("jti is missing or too long", "缺少 jti 或 jti 过长")
        # Last, so that an assertion refused for another reason does not use up its id.
        if not self.replays.first_use(f"{peer.participant_id} {jti}", datetime.fromtimestamp(expires, UTC), now):
            return _malformed("its jti was used before", "jti 已被使用")
        return None

    def _is_addressed(self, audience: object) -> bool:
        named = audience if isinstance(audience, list) else [audience]
        return any(isinstance(name, str) and name in self.audiences for name in named)


def _malformed(why_en: str, why_zh: str) -> AuthFailure:
    return unauthenticated(f"the client assertion is refused: {why_en}", f"客户端断言被拒绝：{why_zh}")


def _in_the_future(value: object, now_seconds: float) -> bool:
    return value is not None and (type(value) is not int or value > now_seconds + _LEEWAY_SECONDS)


def _pem(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"
