"""The key under which persons are known: a file of its own, since whoever has it can try identity numbers against the records."""

from __future__ import annotations

import secrets
from pathlib import Path

from hub.security.files import exclusive, write_private

KEY_BYTES_MIN = 32


class PersonKey:
    """Reads the key at its first use. With `make`, for a development identity, it is made where there is none."""

    def __init__(self, path: Path, *, make: bool) -> None:
        self._path = path
        self._make = make
        self._key = b""

    def __call__(self) -> bytes:
        """Return the key. Raises OSError where there is none, or one shorter than 32 bytes."""
        if not self._key:
            self._key = self._read()
        return self._key

    def _read(self) -> bytes:
        if self._make:
            with exclusive(self._path.parent / ".lock"):
                if not self._path.exists():
                    write_private(self._path, secrets.token_hex(KEY_BYTES_MIN).encode())
        key = self._path.read_bytes().strip()
        if len(key) < KEY_BYTES_MIN:
            raise OSError(f"{self._path} holds fewer than {KEY_BYTES_MIN} bytes")
        return key
