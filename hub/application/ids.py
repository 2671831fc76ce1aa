"""Time-ordered UUIDs (RFC 9562, version 7): rows made together lie together."""

from __future__ import annotations

import os
from datetime import datetime
from uuid import UUID


def time_ordered_uuid(instant: datetime) -> str:
    """Return a version 7 UUID of an instant."""
    milliseconds = int(instant.timestamp() * 1000) & (1 << 48) - 1
    noise = int.from_bytes(os.urandom(10), "big")
    value = milliseconds << 80 | 0x7 << 76 | (noise >> 68) << 64 | 0b10 << 62 | noise & (1 << 62) - 1
    return str(UUID(int=value))
