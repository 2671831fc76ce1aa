"""Page tokens: opaque keyset positions, so that pages stay correct while data changes."""

from __future__ import annotations

import base64
import binascii

import orjson

from hub.domain.refusals import Refusal, invalid

DEFAULT_PAGE = 100
LARGEST_PAGE = 1_000


def page_size(asked: int) -> int:
    """Return the page size to use: 100 where none is asked for, at most 1,000."""
    return min(asked, LARGEST_PAGE) if asked > 0 else DEFAULT_PAGE


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
