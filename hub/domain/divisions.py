"""Administrative divisions (GB/T 2260): six digits, containment by prefix."""

from __future__ import annotations

import re

_CODE = re.compile(r"[1-9]\d{5}", re.ASCII)

COORDINATION = "000000"
"""Division of the Delta coordination group; it is no issuer and contains nothing."""


def is_division(code: str) -> bool:
    """Say whether `code` has the form of a division code."""
    return _CODE.fullmatch(code) is not None


def contains(outer: str, inner: str) -> bool:
    """Say whether `outer` is `inner` or above it: the codes agree on two digits (…0000) or four (…00)."""
    if outer == inner:
        return True
    if outer.endswith("0000"):
        return outer[:2] == inner[:2]
    if outer.endswith("00"):
        return outer[:4] == inner[:4]
    return False


def province_of(code: str) -> str:
    """Return the province-level division that `code` belongs to."""
    return code[:2] + "0000"
