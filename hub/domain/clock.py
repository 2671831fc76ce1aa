"""The one source of time (rules.md M3, M4): instants are UTC, dates are Asia/Shanghai calendar dates."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from functools import lru_cache
from typing import Protocol

# China has kept UTC+8 without daylight saving since 1991-09-15; every date here is later.
SHANGHAI = timezone(timedelta(hours=8), "Asia/Shanghai")


class Clock(Protocol):
    """Gives the present instant."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)


class SimulatedClock:
    """A clock that moves only when told to. Rehearsals and tests use it; a production identity never does."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        """Return the simulated instant in UTC."""
        return self._now

    def advance_to(self, instant: datetime) -> None:
        """Move forward to `instant`; raise ValueError if that is in the past."""
        if instant < self._now:
            raise ValueError("a clock never runs backwards")
        self._now = instant.astimezone(UTC)


@lru_cache(maxsize=16)
def local_date(instant: datetime) -> date:
    """Return the Asia/Shanghai calendar date of an instant (rules.md M3)."""
    # Remembered: all commands of a batch are decided at one instant, and each asks several times.
    return instant.astimezone(SHANGHAI).date()


def add_months(day: date, months: int) -> date:
    """Return the same day `months` later, or the last day of that month where it has no such day."""
    index = day.year * 12 + day.month - 1 + months
    year, month = index // 12, index % 12 + 1
    for last in (day.day, 30, 29, 28):
        try:
            return date(year, month, min(day.day, last))
        except ValueError:
            continue
    raise AssertionError("every month has 28 days")
