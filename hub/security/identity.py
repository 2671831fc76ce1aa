"""Verification of a peer's certificate: chain, dates, key and the identity it names."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from hub.security.failures import AuthFailure, CertificateReason, certificate_rejected
from hub.security.spiffe import SpiffeId, parse_spiffe_id
from hub.security.trust import TrustStore

CHAIN_BYTES_MAX = 32 * 1024
"""Longest PEM chain looked at; a leaf of ours takes about one kilobyte."""

_CACHE_ENTRIES_MAX = 1024
_RECHECK_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class PeerIdentity:
    """Who a verified certificate speaks for. Valid in `[not_before, not_after)`, its whole chain considered."""

    participant_id: str
    province: str
    division: str
    system: str
    thumbprint: str
    not_before: datetime
    not_after: datetime
    public_key: ec.EllipticCurvePublicKey

    def failure_at(self, now: datetime) -> AuthFailure | None:
        """Return the refusal that the dates call for at `now`, or None."""
        if now < self.not_before:
            return certificate_rejected(CertificateReason.NOT_YET_VALID, not_before=self.not_before.isoformat())
        if now >= self.not_after:
            return certificate_rejected(CertificateReason.EXPIRED, not_after=self.not_after.isoformat())
        return None


def thumbprint(certificate: x509.Certificate) -> str:
    """Return `x5t#S256` of a certificate: base64url SHA-256 of its DER form (RFC 8705 §3.1)."""
    return base64.urlsafe_b64encode(certificate.fingerprint(hashes.SHA256())).rstrip(b"=").decode()


def verify_peer(pem: bytes, trust: TrustStore, now: datetime) -> PeerIdentity | AuthFailure:
    """Verify a PEM leaf, followed by its intermediates if it has any, against the CAs of the province it names.

    A province's CA vouches for its own trust domain only: a leaf that names another is refused even though its signer is trusted.
    """
    if len(pem) > CHAIN_BYTES_MAX:
        return certificate_rejected(CertificateReason.MALFORMED)
    try:
        leaf, *intermediates = x509.load_pem_x509_certificates(pem)
        spiffe_id, key = _spiffe_id(leaf), leaf.public_key()
    except ValueError:
        return certificate_rejected(CertificateReason.MALFORMED)
    if spiffe_id is None:
        return certificate_rejected(CertificateReason.NO_SPIFFE_ID)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return certificate_rejected(CertificateReason.UNSUPPORTED_KEY)
    dates = _verify_chain(leaf, intermediates, spiffe_id, trust, now)
    if isinstance(dates, AuthFailure):
        return dates
    identity = PeerIdentity(str(spiffe_id), spiffe_id.province, spiffe_id.division, spiffe_id.system, thumbprint(leaf), *dates, key)
    return identity.failure_at(now) or identity


def _spiffe_id(leaf: x509.Certificate) -> SpiffeId | None:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    # The X.509-SVID standard wants exactly one URI, so that nobody can be two participants at once.
    return parse_spiffe_id(uris[0]) if len(uris) == 1 else None


def _verify_chain(
    leaf: x509.Certificate, intermediates: list[x509.Certificate], spiffe_id: SpiffeId, trust: TrustStore, now: datetime
) -> tuple[datetime, datetime] | AuthFailure:
    """Return the common validity of the chain, or why there is none. Signatures come before dates: a forger learns nothing."""
    # Checked at an instant when the leaf is valid, the chain tells foreign from expired; the caller checks the dates themselves.
    instant = min(max(now, leaf.not_valid_before_utc), leaf.not_valid_after_utc)
    chain = _chain(leaf, intermediates, trust.of(spiffe_id.province), instant)
    if chain is not None:
        if not spiffe_id.consistent:
            return certificate_rejected(CertificateReason.DIVISION_OUTSIDE_PROVINCE, participant_id=str(spiffe_id))
        return max(c.not_valid_before_utc for c in chain), min(c.not_valid_after_utc for c in chain)
    for domain in trust.domains:
        if domain != spiffe_id.province and _chain(leaf, intermediates, trust.of(domain), instant) is not None:
            return certificate_rejected(CertificateReason.WRONG_TRUST_DOMAIN, participant_id=str(spiffe_id), signed_by=domain)
    if any(a.subject == leaf.issuer and a.not_valid_after_utc <= now and _signed(leaf, a) for a in trust.of(spiffe_id.province)):
        return certificate_rejected(CertificateReason.EXPIRED, participant_id=str(spiffe_id))
    return certificate_rejected(CertificateReason.FOREIGN_CA, participant_id=str(spiffe_id))


def _chain(
    leaf: x509.Certificate, intermediates: list[x509.Certificate], anchors: Sequence[x509.Certificate], instant: datetime
) -> list[x509.Certificate] | None:
    if not anchors:
        return None
    try:
        return PolicyBuilder().store(Store(list(anchors))).time(instant).build_client_verifier().verify(leaf, intermediates).chain
    except VerificationError:
        return None


def _signed(leaf: x509.Certificate, anchor: x509.Certificate) -> bool:
    try:
        leaf.verify_directly_issued_by(anchor)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True


class PeerVerifier:
    """`verify_peer` with a bounded memory: a chain is walked once a minute per certificate, its dates are checked at every call."""

    def __init__(self, trust: TrustStore, entries_max: int = _CACHE_ENTRIES_MAX) -> None:
        self._trust = trust
        self._entries_max = entries_max
        self._verified: OrderedDict[bytes, tuple[PeerIdentity, datetime]] = OrderedDict()

    def verify(self, pem: bytes, now: datetime) -> PeerIdentity | AuthFailure:
        """Return whom `pem` speaks for at `now`, or the refusal."""
        verdict = self.verify_until(pem, now)
        return verdict if isinstance(verdict, AuthFailure) else verdict[0]

    def verify_until(self, pem: bytes, now: datetime) -> tuple[PeerIdentity, datetime] | AuthFailure:
        """Return whom `pem` speaks for at `now` and until when, at most, that need not be looked at again; or the refusal."""
        key = hashlib.sha256(pem).digest()
        entry = self._verified.get(key)
        if entry is None or now >= entry[1]:
            verdict = self._verify_anew(key, pem, now)
            if isinstance(verdict, AuthFailure):
                return verdict
            entry = verdict
        identity, recheck = entry
        failure = identity.failure_at(now)
        if failure is not None:
            del self._verified[key]
            return failure
        self._verified.move_to_end(key)
        return identity, min(recheck, identity.not_after)

    def _verify_anew(self, key: bytes, pem: bytes, now: datetime) -> tuple[PeerIdentity, datetime] | AuthFailure:
        # A CA added or removed while the hub runs takes effect here, within a minute and without a restart.
        self._trust.refresh()
        verdict = verify_peer(pem, self._trust, now)
        if isinstance(verdict, AuthFailure):
            self._verified.pop(key, None)
            return verdict
        entry = self._verified[key] = (verdict, now + _RECHECK_AFTER)
        self._verified.move_to_end(key)
        if len(self._verified) > self._entries_max:
            self._verified.popitem(last=False)
        return entry
