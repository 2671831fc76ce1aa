"""Unified social credit codes (GB 32100-2015). The same firms and providers come again and again, so verdicts are remembered."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

REMEMBERED_MAX = 65_536
_CHARS: Final = 18
_FORM = re.compile(r"[0-9]{8}[0-9A-HJ-NP-RTUWXY]{10}")
_VALUES: Final = {char: value for value, char in enumerate("0123456789ABCDEFGHJKLMNPQRTUWXY")}
_WEIGHTS: Final = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28, 1)
"""Powers of three, by the modulus 31; the last is of the check character, which makes the sum a multiple of it (GB 32100-2015)."""


def is_credit_code(text: str) -> bool:
    """Say whether `text` is a credit code exactly as the standard writes it: lower case and separators are not taken."""
    # The length first: what is remembered has a bound in size as well as in number.
    return len(text) == _CHARS and _checked(text)


@lru_cache(maxsize=REMEMBERED_MAX)
def _checked(text: str) -> bool:
    if not _FORM.fullmatch(text):
        return False
    total = 0
    for char, weight in zip(text, _WEIGHTS, strict=True):
        total += _VALUES[char] * weight
    return total % 31 == 0
