"""The CAs the hub trusts: one file per province in `trust/`, named by its trust domain (`<province>.pem`)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

Anchors = Mapping[str, Sequence[x509.Certificate]]
_Signature = tuple[tuple[str, int, int], ...]


def _signature(directory: Path) -> _Signature:
    stats = ((path.name, path.stat()) for path in sorted(directory.glob("*.pem")))
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def _read(directory: Path) -> dict[str, tuple[x509.Certificate, ...]]:
    return {path.stem: tuple(x509.load_pem_x509_certificates(path.read_bytes())) for path in sorted(directory.glob("*.pem"))}


class TrustStore:
    """Trust anchors by trust domain. A store read from a directory notices when the directory changes."""

    def __init__(self, anchors: Anchors, directory: Path | None = None, signature: _Signature = ()) -> None:
        self._anchors = anchors
        self._directory = directory
        self._signature = signature

    @classmethod
    def load(cls, directory: Path) -> TrustStore:
        """Read every `<trust domain>.pem` of `directory`; a file may hold several CAs while one replaces another.

        Raises OSError or ValueError where a file cannot be read: a hub that trusts less than it was told does not start.
        """
        signature = _signature(directory)
        return cls(_read(directory), directory, signature)

    def refresh(self) -> bool:
        """Read the directory again if it changed; say whether it did. A half-written file leaves the store as it was."""
        if self._directory is None:
            return False
        try:
            signature = _signature(self._directory)
            if signature == self._signature:
                return False
            self._anchors, self._signature = _read(self._directory), signature
        except (OSError, ValueError):
            return False
        return True

    def of(self, domain: str) -> Sequence[x509.Certificate]:
        """Return the anchors of one trust domain; empty where it has none."""
        return self._anchors.get(domain, ())

    @property
    def domains(self) -> tuple[str, ...]:
        """Trust domains, sorted."""
        return tuple(sorted(self._anchors))

    def bundle(self) -> bytes:
        """Return all anchors as PEM, as TLS servers take them."""
        return b"".join(cert.public_bytes(Encoding.PEM) for domain in self.domains for cert in self._anchors[domain])
