"""Page tokens: opaque keyset positions, so that pages stay correct while data changes."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Any

import orjson

from hub.domain.caller import Caller
from hub.domain.refusals import Refusal, invalid

DEFAULT_PAGE = 100
LARGEST_PAGE = 1_000


def page_size(asked: int, default: int = DEFAULT_PAGE, largest: int = LARGEST_PAGE) -> int | Refusal:
    """Return the page size to use: `default` where 0 is asked for, at most `largest`. INVALID_ARGUMENT for a negative one (AIP-158)."""
    if asked < 0:
        return invalid("page_size", f"must not be negative; 0 means {default}")
    return min(asked or default, largest)


def asked_by(caller: Caller, request: Any) -> str:
    """Return what identifies a list: who asks, and all that is asked but which page. A token of one list is none of another (AIP-158)."""
    whole = type(request)()
    whole.CopyFrom(request)
    whole.ClearField("page_size")
    whole.ClearField("page_token")
    asked = f"{caller.division}\0{caller.role}\0{whole.DESCRIPTOR.full_name}\0".encode() + whole.SerializeToString(deterministic=True)
    return hashlib.sha256(asked).hexdigest()[:16]


def asked_otherwise() -> Refusal:
    """Return the refusal of a token of another list."""
    return invalid("page_token", "is of another list; keep every field but page_size as it was, or start again without a token")


def write_token(position: list[str]) -> str:
    """Return the token of the page after `position`."""
    return base64.urlsafe_b64encode(orjson.dumps(position)).decode().rstrip("=")


def read_token(token: str, parts: int) -> list[str] | Refusal | None:
    """Return the position of a token, None for the first page, or the refusal of a token that is not ours."""
    if not token:
        return None
    try:
        position = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, ValueError):
        position = None
    if not isinstance(position, list) or len(position) != parts or not all(isinstance(item, str) for item in position):
        return invalid("page_token", "is not a token of this list; start again without one")
    return position
