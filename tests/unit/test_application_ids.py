"""Time-ordered UUIDs: well-formed, in the order of their instants, and never twice the same."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import RFC_4122, UUID

from hub.application.ids import first_uuid, time_ordered_uuid

NOW = datetime(2026, 3, 1, 8, 0, 0, 123_000, tzinfo=UTC)


def test_it_is_a_version_7_uuid_in_canonical_form() -> None:
    made = [time_ordered_uuid(NOW) for _ in range(500)]
    assert len(set(made)) == 500
    for text in made:
        value = UUID(text)
        assert (str(value), value.version, value.variant) == (text, 7, RFC_4122)
        assert value.int >> 80 == int(NOW.timestamp() * 1000)
    # Every digit that is free takes every value, the one with the variant its four.
    for place, digit in enumerate(zip(*made, strict=True)):
        free = 16 if place > 14 and place != 19 and digit[0] != "-" else 4 if place == 19 else 1
        assert len(set(digit)) == free


def test_order_is_the_order_of_time() -> None:
    before, after = time_ordered_uuid(NOW), time_ordered_uuid(NOW + timedelta(milliseconds=1))
    assert before < after
    assert first_uuid(NOW) <= before < first_uuid(NOW + timedelta(milliseconds=1)) <= after


def test_an_instant_before_1970_is_the_first_there_is() -> None:
    assert time_ordered_uuid(datetime(1, 1, 1, tzinfo=UTC)).startswith("00000000-0000-7")
