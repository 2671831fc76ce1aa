"""Money: int64 fen, never a float (rules.md M1, M2)."""

from __future__ import annotations

import re

MAX_FEN = 2**53 - 1
"""Largest amount accepted anywhere, so that JSON and spreadsheets carry it exactly."""

FULL_BP = 10_000
"""The whole, in basis points."""

_YUAN = re.compile(r"(-?)(0|[1-9]\d{0,13})(?:\.(\d{1,2}))?", re.ASCII)


def parse_yuan(text: str) -> int:
    """Return the fen of a yuan text with at most two decimals; raise ValueError otherwise (rules.md M1)."""
    match = _YUAN.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an amount in yuan with at most two decimals")
    sign, whole, decimals = match.groups()
    fen = int(whole) * 100 + int((decimals or "0").ljust(2, "0"))
    if fen > MAX_FEN:
        raise ValueError(f"{text!r} is larger than {MAX_FEN} fen")
    return -fen if sign else fen


def format_yuan(fen: int) -> str:
    """Return fen as yuan with two decimals, such as `4800.00`."""
    sign = "-" if fen < 0 else ""
    return f"{sign}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def share(amount_fen: int, ratio_bp: int) -> int:
    """Return `floor(amount * ratio / 10000)` (rules.md M2)."""
    return amount_fen * ratio_bp // FULL_BP
