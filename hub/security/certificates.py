"""How the development authority shapes keys and certificates: ECDSA P-256, SHA-256, profiles that strict verifiers accept."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.security.spiffe import SpiffeId

CA_DAYS = 3650
"""Life of a development CA, in days."""

# Clocks of two machines differ; a certificate made now must be good on the one that is behind.
_BACKDATE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Credential:
    """A private key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def key_pem(self) -> bytes:
        """The private key as unencrypted PKCS #8 PEM."""
        return key_pem(self.key)

    @property
    def certificate_pem(self) -> bytes:
        """The certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as unencrypted PKCS #8 PEM."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def new_ca(common_name: str, uri: str, now: datetime, days: int = CA_DAYS) -> Credential:
    """Make a self-signed CA that may sign leafs only."""
    key = new_key()
    builder = _builder(_name(common_name), _name(common_name), key, now, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=True), critical=True)
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
    builder = builder.add_extension(_authority(key.public_key()), critical=False)
    return Credential(key, builder.sign(key, hashes.SHA256()))


def new_client(ca: Credential, identity: SpiffeId, now: datetime, days: int) -> Credential:
    """Make the certificate of a participant: one URI SAN, client authentication only."""
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(str(identity))]
    return _new_leaf(ca, f"{identity.division} {identity.system}"[:64], names, ExtendedKeyUsageOID.CLIENT_AUTH, now, days)


def new_server(ca: Credential, hosts: Iterable[str], now: datetime, days: int) -> Credential:
    """Make the hub's server certificate for DNS names and IP addresses."""
    return _new_leaf(ca, "hub", [_host(host) for host in hosts], ExtendedKeyUsageOID.SERVER_AUTH, now, days)


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _new_leaf(
    ca: Credential, common_name: str, names: list[x509.GeneralName], usage: x509.ObjectIdentifier, now: datetime, days: int
) -> Credential:
    key = new_key()
    builder = _builder(_name(common_name), ca.certificate.subject, key, now, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs_certificates=False), critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    builder = builder.add_extension(_authority(ca.key.public_key()), critical=False)
    return Credential(key, builder.sign(ca.key, hashes.SHA256()))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: datetime, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _authority(key: ec.EllipticCurvePublicKey) -> x509.AuthorityKeyIdentifier:
    return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
