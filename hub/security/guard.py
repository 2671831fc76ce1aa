"""The door of every RPC: certificate and token must verify, agree with each other, and allow the method."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from datetime import datetime

from hub.domain.caller import Caller, Role
from hub.domain.divisions import COORDINATION
from hub.security.access import Access
from hub.security.failures import (
    AuthFailure,
    CertificateReason,
    certificate_rejected,
    not_permitted,
    scope_missing,
    unauthenticated,
)
from hub.security.identity import PeerIdentity, PeerVerifier
from hub.security.tokens import TokenVerifier

_REMEMBERED_MAX = 1024


class Guard:
    """Turns what a connection and its metadata say into a `Caller`, or into the reason why not. Keeps no state but caches."""

    def __init__(self, peers: PeerVerifier, tokens: TokenVerifier) -> None:
        self._peers = peers
        self._tokens = tokens
        # By certificate and token: the caller they make together, since when that is known, and when it must be looked at again.
        self._remembered: OrderedDict[tuple[bytes, bytes], tuple[Caller, datetime, datetime]] = OrderedDict()

    def authenticate(self, peer_pem: bytes | None, authorization: str | None, access: Access, now: datetime) -> Caller | AuthFailure:
        """Return the verified caller of a method with that access rule.

        `peer_pem` is the TLS peer's certificate (`x509_pem_cert` of gRPC's auth context), `authorization` the metadata of that name,
        `now` the real time.
        """
        if peer_pem is None:
            return certificate_rejected(CertificateReason.ABSENT)
        # The token by its digest, so that a dump of the memory gives none away.
        key = peer_pem, hashlib.sha256((authorization or "").encode("utf-8", "surrogatepass")).digest()
        entry = self._remembered.get(key)
        if entry is None or not entry[1] <= now < entry[2]:
            verdict = self._meet(peer_pem, authorization, now)
            if isinstance(verdict, AuthFailure):
                self._remembered.pop(key, None)
                return verdict
            entry = self._remember(key, verdict[0], now, verdict[1])
        return _denial(entry[0], access) or entry[0]

    def _meet(self, peer_pem: bytes, authorization: str | None, now: datetime) -> tuple[Caller, datetime] | AuthFailure:
        """Return the caller that certificate and token make together and until when, at most, that stands; or why they make none."""
        verified = self._peers.verify_until(peer_pem, now)
        if isinstance(verified, AuthFailure):
            return verified
        peer, peer_until = verified
        token = _bearer(authorization)
        if token is None:
            return unauthenticated("the metadata `authorization: Bearer <token>` is missing", "缺少元数据 authorization: Bearer <令牌>")
        granted = self._tokens.verify_until(token, peer.thumbprint, now)
        if isinstance(granted, AuthFailure):
            return granted
        caller, token_until = granted
        return _disagreement(peer, caller) or (caller, min(peer_until, token_until))

    def _remember(self, key: tuple[bytes, bytes], caller: Caller, since: datetime, until: datetime) -> tuple[Caller, datetime, datetime]:
        entry = self._remembered[key] = caller, since, until
        if len(self._remembered) > _REMEMBERED_MAX:
            self._remembered.popitem(last=False)
        return entry


def _bearer(authorization: str | None) -> str | None:
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def _disagreement(peer: PeerIdentity, caller: Caller) -> AuthFailure | None:
    """Check that the token, whoever issued it, says of its bearer what the certificate says."""
    if caller.participant_id != peer.participant_id or caller.division != peer.division:
        return not_permitted(
            "the access token speaks for another participant or division than the certificate",
            "访问令牌所代表的参与方或区划与客户端证书不一致",
            certificate=peer.participant_id,
        )
    # Only the coordination group's own CA makes coordinators, so no province's CA can.
    if (caller.role is Role.COORDINATOR) != (peer.division == COORDINATION):
        return not_permitted("the role does not fit the certificate's trust domain", "角色与证书的信任域不符", role=caller.role.value)
    return None


def _denial(caller: Caller, access: Access) -> AuthFailure | None:
    if caller.role not in access.roles:
        return not_permitted(
            f"the role {caller.role.value} may not call this method", f"角色 {caller.role.value} 无权调用此方法", role=caller.role.value
        )
    return None if access.scope in caller.scopes else scope_missing(access.scope)
