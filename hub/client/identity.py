"""A client's identity on disk: a folder of `cert.pem` (leaf, then its CA), `key.pem` and `ca.pem` (to verify the hub)."""

from __future__ import annotations

import base64
import secrets
import ssl
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jws, jwt
from joserfc.jwk import ECKey

ASSERTION_LIFE_SECONDS = 60
_ALGORITHM = "ES256"
# The library's own limit of 512 bytes leaves no room for a certificate chain.
_REGISTRY = jws.JWSRegistry(algorithms=[_ALGORITHM])
_REGISTRY.max_header_length = 16 * 1024


@dataclass(frozen=True, slots=True)
class ClientIdentity:
    """Certificate chain, key and the hub's CA. `participant_id` is the SPIFFE id of the leaf."""

    directory: Path
    participant_id: str
    not_after: datetime
    certificate_pem: bytes
    key_pem: bytes
    ca_pem: bytes
    key: ECKey
    x5c: tuple[str, ...]

    @classmethod
    def load(cls, directory: Path) -> ClientIdentity:
        """Read the folder. Raises OSError where a file is missing, ValueError where one is not what it should be."""
        certificate_pem, key_pem, ca_pem = (_read(directory / name) for name in ("cert.pem", "key.pem", "ca.pem"))
        chain = x509.load_pem_x509_certificates(certificate_pem)
        key = ECKey.import_key(key_pem)
        if key.curve_name != "P-256" or not key.is_private:
            raise ValueError(f"{directory / 'key.pem'} is not a private P-256 key")
        return cls(
            directory=directory,
            participant_id=_spiffe_id(chain[0], directory),
            not_after=chain[0].not_valid_after_utc,
            certificate_pem=certificate_pem,
            key_pem=key_pem,
            ca_pem=ca_pem,
            key=key,
            x5c=tuple(base64.b64encode(certificate.public_bytes(Encoding.DER)).decode() for certificate in chain),
        )

    def assertion(self, audience: str, now: datetime) -> str:
        """Return a client assertion (RFC 7523) for one use at `audience` within the next minute."""
        issued = int(now.timestamp())
        claims: dict[str, str | int] = {
            "iss": self.participant_id,
            "sub": self.participant_id,
            "aud": audience,
            "iat": issued,
            "exp": issued + ASSERTION_LIFE_SECONDS,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode({"alg": _ALGORITHM, "x5c": list(self.x5c)}, claims, self.key, registry=_REGISTRY)

    def channel_credentials(self) -> grpc.ChannelCredentials:
        """Return mTLS credentials of a gRPC channel."""
        return grpc.ssl_channel_credentials(self.ca_pem, self.key_pem, self.certificate_pem)

    def ssl_context(self) -> ssl.SSLContext:
        """Return mTLS settings of an HTTPS client that trusts the hub's CA and no other."""
        context = ssl.create_default_context(cadata=self.ca_pem.decode("ascii"))
        context.load_cert_chain(self.directory / "cert.pem", self.directory / "key.pem")
        return context


def _read(path: Path) -> bytes:
    return path.read_bytes()


def _spiffe_id(leaf: x509.Certificate, directory: Path) -> str:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise ValueError(f"the certificate of {directory} names no participant") from None
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    if len(uris) != 1:
        raise ValueError(f"the certificate of {directory} names no single participant")
    return uris[0]
