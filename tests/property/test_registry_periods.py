from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from hub.application.within import stem
from hub.domain.divisions import contains
from registry.domain import Period

_DAYS = st.integers(0, 40).map(lambda number: date(2026, 1, 1) + timedelta(days=number))
_PERIODS = st.builds(Period, _DAYS, st.none() | _DAYS)
# Few digits, so that codes are often related.
_DIVISIONS = st.builds(
    "{}{}{}".format, st.sampled_from(["31", "33"]), st.sampled_from(["00", "01", "05"]), st.sampled_from(["00", "01", "22"])
)


@given(_DIVISIONS, _DIVISIONS)
def test_the_stem_in_sql_says_what_containment_says(outer: str, inner: str) -> None:
    assert inner.startswith(stem(outer)) == contains(outer, inner)


@given(_PERIODS, _DAYS, _DAYS)
def test_an_ended_period_keeps_its_past_and_has_no_future(period: Period, today: date, day: date) -> None:
    ended = period.ended(today)
    if ended is None:
        assert day < today or not period.covers(day)
    else:
        assert ended.covers(day) == (day < today and period.covers(day))
        assert ended.until is not None
        assert ended.until >= ended.since
        assert ended.ended(today) is None
