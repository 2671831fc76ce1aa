"""What `deltahub certs` does: make a development identity, issue certificates from it, show when each expires."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from hub.domain.clock import Clock
from hub.security.authority import LEAF_DAYS, DevelopmentAuthority
from hub.security.spiffe import SpiffeId


@dataclass(frozen=True, slots=True)
class CertificateInfo:
    """One certificate, for display. `kind` is CA, TRUST, SERVER or PARTICIPANT; `identity` its URI or first host name."""

    kind: str
    path: Path
    identity: str
    issuer: str
    not_before: datetime
    not_after: datetime

    def days_left(self, now: datetime) -> int:
        """Return the whole days until it expires; negative once it has."""
        return (self.not_after - now).days


def certs_init(directory: Path, provinces: Iterable[str] = (), clock: Clock | None = None) -> tuple[CertificateInfo, ...]:
    """Make what is missing of a development identity and return all of it. Raises ValueError for a code that is no province."""
    DevelopmentAuthority(directory, clock).ensure(provinces)
    return certs_list(directory)


def certs_issue(directory: Path, division: str, system: str, out: Path, days: int = LEAF_DAYS, clock: Clock | None = None) -> SpiffeId:
    """Issue a new certificate into the folder `out`. Raises ValueError where division and system make no identity."""
    return DevelopmentAuthority(directory, clock).write_identity(division, system, out, days)


def certs_list(directory: Path) -> tuple[CertificateInfo, ...]:
    """Return every certificate of an identity directory, the soonest to expire first."""
    return tuple(sorted(_certificates(directory), key=lambda info: (info.not_after, str(info.path))))


def _certificates(directory: Path) -> Iterator[CertificateInfo]:
    for kind, pattern in (("CA", "ca/*.pem"), ("TRUST", "trust/*.pem"), ("SERVER", "server.pem"), ("PARTICIPANT", "issued/*.pem")):
        for path in sorted(directory.glob(pattern)):
            certificates = x509.load_pem_x509_certificates(path.read_bytes())
            # After a leaf follows its chain, listed elsewhere; a trust file may hold several CAs of equal rank.
            yield from (_info(kind, path, certificate) for certificate in (certificates if kind == "TRUST" else certificates[:1]))


def _info(kind: str, path: Path, certificate: x509.Certificate) -> CertificateInfo:
    return CertificateInfo(
        kind=kind,
        path=path,
        identity=_identity(certificate),
        issuer=certificate.issuer.rfc4514_string(),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
    )


def _identity(certificate: x509.Certificate) -> str:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return certificate.subject.rfc4514_string()
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return next(iter([*uris, *names.get_values_for_type(x509.DNSName)]), certificate.subject.rfc4514_string())
