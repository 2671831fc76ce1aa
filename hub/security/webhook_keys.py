"""Signatures of webhooks as standardwebhooks.com has them: `v1a`, Ed25519 over id, timestamp and body."""

from __future__ import annotations

import base64
from datetime import datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat, load_pem_private_key

from hub.security.files import exclusive, write_private

KEY, NEXT_KEY = "webhook.key", "webhook.next.key"


class WebhookKeys:
    """The keys in force. Two while they are replaced: every signature is then by both, so receivers may know either."""

    def __init__(self, keys: list[Ed25519PrivateKey]) -> None:
        self._keys = keys

    @classmethod
    def load(cls, directory: Path, *, make: bool = False) -> WebhookKeys:
        """Read `webhook.key` and `webhook.next.key` (PEM, Ed25519), whichever exist; `make` the first where it is missing.

        Raises ValueError for another kind of key.
        """
        if make and not (directory / KEY).exists():
            with exclusive(directory / ".lock"):
                if not (directory / KEY).exists():
                    made = Ed25519PrivateKey.generate()
                    write_private(directory / KEY, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return cls([_read(directory / name) for name in (KEY, NEXT_KEY) if (directory / name).exists()])

    @property
    def public(self) -> list[str]:
        """The public keys, `whpk_` and base64."""
        raw = [key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw) for key in self._keys]
        return [f"whpk_{base64.b64encode(each).decode()}" for each in raw]

    def headers(self, message_id: str, at: datetime, body: bytes) -> dict[str, str]:
        """Return the headers that sign one attempt."""
        timestamp = str(int(at.timestamp()))
        signed = b".".join((message_id.encode(), timestamp.encode(), body))
        signatures = " ".join(f"v1a,{base64.b64encode(key.sign(signed)).decode()}" for key in self._keys)
        return {"webhook-id": message_id, "webhook-timestamp": timestamp, "webhook-signature": signatures}


def _read(path: Path) -> Ed25519PrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError(f"{path} is not a private Ed25519 key")
    return key
