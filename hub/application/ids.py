"""Time-ordered UUIDs (RFC 9562, version 7): rows made together lie together."""

from __future__ import annotations

import os
from datetime import datetime
from uuid import UUID


def first_uuid(instant: datetime) -> str:
    """Return the first version 7 UUID of an instant: none made then or later is less, none made earlier is greater."""
    return str(UUID(int=_milliseconds(instant) << 80))


def _milliseconds(instant: datetime) -> int:
    return max(int(instant.timestamp() * 1000), 0) & (1 << 48) - 1


def time_ordered_uuid(instant: datetime) -> str:
    """Return a version 7 UUID of an instant."""
    milliseconds = _milliseconds(instant)
    noise = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (noise >> 68) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    return str(UUID(int=value))
