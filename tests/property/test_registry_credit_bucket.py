from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from registry.credit.bucket import Limits, full, take

START = datetime(2026, 3, 2, 1, tzinfo=UTC)
_STEPS = st.lists(st.tuples(st.integers(0, 600_000), st.integers(1, 20)), max_size=60)


@given(st.integers(20, 200), st.integers(1, 5_000), _STEPS)
def test_never_more_than_burst_and_what_came_back(burst: int, per_hour: int, steps: list[tuple[int, int]]) -> None:
    limits, now, given_out = Limits(burst, per_hour), START, 0
    level = full(limits, START)
    for pause_ms, cost in steps:
        now += timedelta(milliseconds=pause_ms)
        level, retry = take(level, cost, limits, now)
        given_out += 0 if retry else cost
        assert 0 <= level.parts <= burst * 3_600_000
    elapsed_ms = (now - START) // timedelta(milliseconds=1)
    assert given_out * 3_600_000 <= burst * 3_600_000 + elapsed_ms * per_hour


@given(st.integers(20, 200), st.integers(1, 5_000), _STEPS, st.integers(1, 20))
def test_whoever_comes_back_when_told_is_let_in(burst: int, per_hour: int, steps: list[tuple[int, int]], cost: int) -> None:
    limits, now = Limits(burst, per_hour), START
    level = full(limits, START)
    for pause_ms, taken in steps:
        now += timedelta(milliseconds=pause_ms)
        level = take(level, taken, limits, now).level
    retry = take(level, cost, limits, now).retry_seconds
    assert take(level, cost, limits, now + timedelta(seconds=retry)).retry_seconds == 0
