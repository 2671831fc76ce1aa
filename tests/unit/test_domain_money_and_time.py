"""Rules M1-M4 and the codes of divisions."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.domain.caller import Caller, Role
from hub.domain.clock import SimulatedClock, SystemClock, add_months, local_date
from hub.domain.divisions import contains, is_division, province_of
from hub.domain.model import Line
from hub.domain.money import MAX_FEN, format_yuan, parse_yuan, share
from hub.domain.policy import CategoryRule
from tests.unit.builders import ISSUER, TESTING, TODAY, desk, enterprise, note, policy


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        ("0", 0),
        ("0.00", 0),
        ("4800", 480_000),
        ("4800.5", 480_050),
        ("4800.05", 480_005),
        ("-1.10", -110),
        ("90071992547409.91", MAX_FEN),
    ],
)
def test_m1_yuan_become_fen(text: str, fen: int) -> None:
    assert parse_yuan(text) == fen


@pytest.mark.parametrize(
    "text",
    [
        "",
        " 1",
        "1 ",
        "1.",
        ".5",
        "1.234",
        "01",
        "1,000",
        "1e3",
        "+1",
        "--1",
        "NaN",
        "1.00\n",
        "１.00",
        "1.0٣",
        "90071992547409.92",
        "-90071992547409.92",
        "999999999999999",
    ],
)
def test_m1_anything_else_is_no_amount(text: str) -> None:
    with pytest.raises(ValueError, match=r"yuan|larger"):
        parse_yuan(text)


@given(st.integers(-MAX_FEN, MAX_FEN))
def test_m1_format_and_parse_are_inverse(fen: int) -> None:
    assert parse_yuan(format_yuan(fen)) == fen


@pytest.mark.parametrize(
    ("amount", "ratio", "expected"), [(1, 9_999, 0), (3, 3_333, 0), (833_34, 6_000, 500_00), (MAX_FEN, 10_000, MAX_FEN), (100, 0, 0)]
)
def test_m2_a_share_is_floored(amount: int, ratio: int, expected: int) -> None:
    assert share(amount, ratio) == expected


def test_m2_floored_once_per_line() -> None:
    """Three lines of 3 fen at half are 1 fen each, not 4 fen together."""
    world = desk(policy(categories={TESTING: CategoryRule(5000)}))
    decision = world.authorize(*[Line(TESTING, 3)] * 3)
    assert decision.redemption is not None and decision.redemption.subsidy == 3


@pytest.mark.parametrize(
    ("instant", "day"),
    [
        (datetime(2026, 12, 31, 15, 59, 59, tzinfo=UTC), date(2026, 12, 31)),
        (datetime(2026, 12, 31, 16, 0, tzinfo=UTC), date(2027, 1, 1)),
        (datetime(2027, 1, 1, 15, 59, tzinfo=UTC), date(2027, 1, 1)),
    ],
)
def test_m3_dates_are_those_of_shanghai(instant: datetime, day: date) -> None:
    assert local_date(instant) == day


def test_m3_policy_periods_are_half_open() -> None:
    rule = policy(effective_from=date(2026, 1, 1), effective_until=date(2026, 7, 1))
    assert [rule.in_force(day) for day in (date(2025, 12, 31), date(2026, 1, 1), date(2026, 6, 30), date(2026, 7, 1))] == [
        False,
        True,
        True,
        False,
    ]


def test_m3_a_note_is_past_expiry_on_the_day_of_expiry() -> None:
    held = note(1, expires_on=TODAY)
    assert held.expired(TODAY) and not held.live(TODAY)
    assert held.live(TODAY - timedelta(days=1)) and not held.expired(TODAY - timedelta(days=1))


def test_m3_sme_registration_is_half_open() -> None:
    until_today = enterprise(sme_valid_from=date(2026, 1, 1), sme_valid_until=TODAY)
    world = desk()
    world.ws.enterprises[until_today.uscc] = until_today
    assert world.quote(Line(TESTING, 100))[1] == ["ENTERPRISE_NOT_ELIGIBLE"]
    world.ws.now -= timedelta(days=1)
    assert world.quote(Line(TESTING, 100))[1] == []


def test_m4_a_simulated_clock_moves_only_when_told_and_never_back() -> None:
    start = datetime(2013, 12, 19, 1, tzinfo=UTC)
    clock = SimulatedClock(start)
    assert clock.now() == start == clock.now()
    clock.advance_to(start + timedelta(hours=1))
    assert clock.now() == start + timedelta(hours=1)
    with pytest.raises(ValueError, match="backwards"):
        clock.advance_to(start)


def test_m4_the_system_clock_gives_utc() -> None:
    assert SystemClock().now().utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("day", "months", "expected"),
    [
        (date(2013, 12, 19), 12, date(2014, 12, 19)),
        (date(2024, 2, 29), 12, date(2025, 2, 28)),
        (date(2024, 2, 29), 48, date(2028, 2, 29)),
        (date(2026, 1, 31), 1, date(2026, 2, 28)),
        (date(2028, 1, 31), 1, date(2028, 2, 29)),
        (date(2026, 1, 31), 3, date(2026, 4, 30)),
        (date(2026, 12, 31), 1, date(2027, 1, 31)),
        (date(2026, 11, 30), 3, date(2027, 2, 28)),
        (date(2026, 5, 31), 0, date(2026, 5, 31)),
    ],
)
def test_validity_months_end_on_the_same_day_or_the_last_of_a_shorter_month(day: date, months: int, expected: date) -> None:
    assert add_months(day, months) == expected


@given(st.dates(date(1992, 1, 1), date(2200, 1, 1)), st.integers(0, 120))
def test_validity_months_never_leave_the_month_meant(day: date, months: int) -> None:
    end = add_months(day, months)
    assert (end.year * 12 + end.month) - (day.year * 12 + day.month) == months
    assert end.day == day.day or (end + timedelta(days=1)).day == 1


@pytest.mark.parametrize("code", ["310000", "330522", "999999"])
def test_division_codes(code: str) -> None:
    assert is_division(code)


@pytest.mark.parametrize("code", ["", "31000", "3100000", "010000", "31000a", " 310000", "310000\n", "31000０", "３10000"])
def test_division_codes_of_another_form(code: str) -> None:
    assert not is_division(code)


@pytest.mark.parametrize(
    ("outer", "inner", "expected"),
    [
        ("330000", "330522", True),
        ("330500", "330522", True),
        ("330522", "330522", True),
        ("330522", "330500", False),
        ("330400", "330522", False),
        ("310000", "330522", False),
        ("330522", "330000", False),
        ("000000", "310000", False),
    ],
)
def test_containment_of_divisions(outer: str, inner: str, expected: bool) -> None:
    assert contains(outer, inner) is expected


def test_province_of_a_county() -> None:
    assert (province_of("330522"), province_of("330000")) == ("330000", "330000")


@pytest.mark.parametrize(
    ("caller", "division", "acts", "sees"),
    [
        (Caller("a", ISSUER, Role.PLATFORM), "310118", True, True),
        (Caller("a", "310118", Role.PLATFORM), ISSUER, False, False),
        (Caller("a", "000000", Role.COORDINATOR), ISSUER, False, True),
        (Caller("a", ISSUER, Role.PROVIDER), ISSUER, False, False),
    ],
)
def test_c10_who_acts_and_who_sees(caller: Caller, division: str, acts: bool, sees: bool) -> None:
    assert (caller.acts_for(division), caller.sees(division)) == (acts, sees)
