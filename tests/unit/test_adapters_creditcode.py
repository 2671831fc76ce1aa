"""The adapters' own check of credit codes says what the library says, in the standard's own writing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from adapters.runtime.row import is_credit_code

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
stems = st.builds(
    lambda digits, rest: digits + rest, st.text("0123456789", min_size=8, max_size=8), st.text(ALPHABET, min_size=9, max_size=9)
)


@given(stems, st.sampled_from(ALPHABET))
def test_exactly_one_check_character_fits(stem: str, last: str) -> None:
    assert is_credit_code(stem + last) == (last == uscc.calc_check_digit(stem)) == uscc.is_valid(stem + last)


@given(st.text(ALPHABET + "IOSVZ abcxyz-\x00０１é\n", min_size=15, max_size=20))
def test_what_it_takes_the_library_takes(text: str) -> None:
    assert is_credit_code(text) == (uscc.is_valid(text) and uscc.compact(text) == text)


@pytest.mark.parametrize("text", ["", "1" * 18 + "\n", "91310118000000001\u0660", "9131011800000000I1", " 91330522MA2B12343A"])
def test_other_writings_are_none(text: str) -> None:
    assert not is_credit_code(text)
    assert is_credit_code("91330522MA2B12343A")
