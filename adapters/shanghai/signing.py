"""Signatures of what the platform posts, as standardwebhooks.com has them: `v1`, HMAC-SHA256 over id, timestamp and the exact body."""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Sequence
from datetime import datetime, timedelta

TOLERANCE = timedelta(minutes=5)
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_SIGNATURES_MAX = 10


def secret_of(text: str) -> bytes:
    """Return the key of `whsec_` and base64; raise ValueError for anything else, or fewer than 24 bytes."""
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith("whsec_") or not 24 <= len(key) <= 64:
        raise ValueError("must be whsec_ and 24 to 64 bytes in base64")
    return key


def is_message_id(text: str) -> bool:
    """Say whether a message's id has the form that ids have."""
    return _ID.fullmatch(text) is not None


def signed(keys: Sequence[bytes], message_id: str, timestamp: str, body: bytes, header: str) -> bool:
    """Say whether one of the signatures in `webhook-signature` is by one of the keys. Takes as long whichever it is."""
    content = b".".join((message_id.encode(), timestamp.encode(), body))
    wanted = [base64.b64encode(hmac.digest(key, content, "sha256")) for key in keys]
    good = False
    for given in header.split(" ")[:_SIGNATURES_MAX]:
        version, _, signature = given.partition(",")
        for each in wanted:
            good |= hmac.compare_digest(each, signature.encode()) and version == "v1"
    return good


def is_recent(timestamp: str, now: datetime) -> bool:
    """Say whether a message was sent within five minutes of now: an older one may be a recording."""
    if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= TOLERANCE.total_seconds()
