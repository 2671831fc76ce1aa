"""Digests of files, by the name that checksum files have as their ending."""

from __future__ import annotations

import hashlib
from pathlib import Path

from adapters.runtime.source import SourceFault

_PIECE = 1 << 20


def able(algorithm: str) -> None:
    """Raise SourceFault where this machine's cryptography does not offer the algorithm (SM3 is missing from some builds)."""
    if algorithm not in hashlib.algorithms_available:
        raise SourceFault(f"settings: source.checksum: {algorithm} is not offered by this machine's OpenSSL; use sha256")


def digest_of(path: Path, algorithm: str) -> str:
    """Return a file's digest in lower case."""
    digest = hashlib.new(algorithm)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return digest.hexdigest()
