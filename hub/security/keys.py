"""Keys that sign and verify access tokens: ES256, named by their RFC 7638 thumbprint."""

from __future__ import annotations

import json
from pathlib import Path

from joserfc.jwk import ECKey, KeySet

ALGORITHM = "ES256"
"""The one algorithm of access tokens and client assertions; `none` and symmetric ones are thereby excluded."""


def load_signing_key(path: Path) -> ECKey:
    """Read the private key of `path` (PEM, P-256). Raises OSError, or ValueError for another kind of key."""
    key = ECKey.import_key(path.read_bytes(), {"use": "sig", "alg": ALGORITHM})
    if key.curve_name != "P-256" or not key.is_private:
        raise ValueError(f"{path} is not a private P-256 key")
    key.ensure_kid()
    return key


def public_jwks(path: Path) -> bytes:
    """Return the public half of a signing key as a JWK set in JSON."""
    return json.dumps(KeySet([load_signing_key(path)]).as_dict(private=False)).encode()


def verification_keys(directory: Path) -> KeySet:
    """Return the public keys that tokens may be signed with: those of `token.jwks` and that of `token.key`, whichever exist.

    A role that only verifies needs `token.jwks` alone. To replace a key, publish the new one in `token.jwks` first, sign with it
    afterwards, and drop the old one when the last token signed with it has expired.
    """
    keys = []
    if (jwks := directory / "token.jwks").exists():
        keys = list(KeySet.import_key_set(json.loads(jwks.read_bytes())).keys)
    if (private := directory / "token.key").exists():
        public = ECKey.import_key(load_signing_key(private).as_dict(private=False))
        keys += [public] if public.kid not in {key.kid for key in keys} else []
    if not keys:
        raise ValueError(f"{directory} holds neither token.jwks nor token.key")
    return KeySet(keys)
