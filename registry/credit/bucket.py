"""A token bucket in whole numbers: so much at once, so much an hour. Pure; the row it is kept in makes several processes agree."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import NamedTuple

UNIT = 3_600_000
"""Parts of a token. A bucket that fills by n tokens an hour gains n parts a millisecond."""


class Limits(NamedTuple):
    """`burst` tokens at most, `per_hour` coming back."""

    burst: int
    per_hour: int


class Level(NamedTuple):
    """What a bucket holds, in parts of a token, at an instant."""

    parts: int
    at: datetime


class Taken(NamedTuple):
    """The level afterwards, and 0, or after how many seconds there is enough (nothing was taken then)."""

    level: Level
    retry_seconds: int


def full(limits: Limits, now: datetime) -> Level:
    """Return a full bucket."""
    return Level(limits.burst * UNIT, now)


def take(level: Level, cost: int, limits: Limits, now: datetime) -> Taken:
    """Take `cost` tokens if they are there. A clock behind the one that filled the bucket last adds nothing and takes nothing away."""
    gained = max((now - level.at) // timedelta(milliseconds=1), 0) * limits.per_hour
    filled = Level(min(level.parts + gained, limits.burst * UNIT), max(now, level.at))
    missing = cost * UNIT - filled.parts
    if missing <= 0:
        return Taken(Level(-missing, filled.at), 0)
    return Taken(filled, -(-missing // (limits.per_hour * 1000)))
