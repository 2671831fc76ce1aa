"""Memory of one-time ids: each client assertion serves once (RFC 7523 §3, `jti`)."""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime

ENTRIES_MAX = 100_000
"""Ids remembered at once; at most a few dozen megabytes."""


class ReplayCache:
    """Remembers ids until they expire. Full, it refuses new ones rather than forget an old one that is still good."""

    def __init__(self, entries_max: int = ENTRIES_MAX) -> None:
        self._entries_max = entries_max
        self._expiry: OrderedDict[str, datetime] = OrderedDict()

    def first_use(self, key: str, expires_at: datetime, now: datetime) -> bool:
        """Record `key` until `expires_at`; return False where it was used before or there is no room to remember it."""
        self._drop_expired(now)
        if key in self._expiry or len(self._expiry) >= self._entries_max:
            return False
        self._expiry[key] = expires_at
        return True

    def _drop_expired(self, now: datetime) -> None:
        # Lives differ by minutes at most, so the order of arrival is nearly that of expiry; a straggler only waits a little longer.
        while self._expiry and next(iter(self._expiry.values())) <= now:
            self._expiry.popitem(last=False)
