"""Unified social credit codes (GB 32100-2015). The same firms and providers come again and again, so verdicts are remembered."""

from __future__ import annotations

from functools import lru_cache

from stdnum.cn import uscc

REMEMBERED_MAX = 65_536
_CHARS = 18


def is_credit_code(text: str) -> bool:
    """Say whether `text` is a credit code exactly as the standard writes it: the library's check alone lets other writings through."""
    # The length first: what is remembered has a bound in size as well as in number.
    return len(text) == _CHARS and _checked(text)


@lru_cache(maxsize=REMEMBERED_MAX)
def _checked(text: str) -> bool:
    return uscc.compact(text) == text and uscc.is_valid(text)
