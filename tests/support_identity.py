"""Identities for tests: an authority on a clock that the test moves, and the means to forge what an attacker would."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes, CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.domain.clock import SimulatedClock
from hub.security.authority import DevelopmentAuthority
from hub.security.certificates import Credential
from hub.security.participants import ParticipantRecord

NOW = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
SHANGHAI = "310000"
ZHEJIANG = "330000"
CHANGXING = "330522"
CHANGXING_ID = "spiffe://330000/330522/platform"


def authority(directory: Path, at: datetime = NOW) -> DevelopmentAuthority:
    """Return an authority with the CAs of two provinces and of the coordination group."""
    made = DevelopmentAuthority(directory, SimulatedClock(at))
    made.ensure([SHANGHAI, ZHEJIANG])
    return made


class RegisteredParticipants:
    """A directory held in memory."""

    def __init__(self, *records: ParticipantRecord) -> None:
        self._records = {record.participant_id: record for record in records}

    async def get(self, participant_id: str) -> ParticipantRecord | None:
        """Return the participant, or None."""
        return self._records.get(participant_id)


def ca_of(directory: Path, name: str) -> Credential:
    """Read a CA of the authority, key included."""
    key = load_pem_private_key((directory / "ca" / f"{name}.key").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return Credential(key, x509.load_pem_x509_certificate((directory / "ca" / f"{name}.pem").read_bytes()))


def forge(
    issuer: x509.Name,
    signer: CertificateIssuerPrivateKeyTypes,
    key: CertificatePublicKeyTypes,
    uris: list[str],
    *,
    valid: tuple[datetime, datetime] = (NOW - timedelta(days=1), NOW + timedelta(days=30)),
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> bytes:
    """Sign a leaf with any content whatever and return it as PEM."""
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forged")]))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    if uris:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri) for uri in uris]), critical=False)
    public = signer.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM)
