"""Credit codes: hub and adapters take what the library takes in the standard's own writing, and nothing else."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum.cn import uscc

from adapters.runtime import row
from hub.codec import creditcode
from tests.support_usecases import credit_code

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
BOTH = pytest.mark.parametrize("is_credit_code", [creditcode.is_credit_code, row.is_credit_code], ids=["hub", "adapters"])
stems = st.builds(
    lambda digits, rest: digits + rest, st.text("0123456789", min_size=8, max_size=8), st.text(ALPHABET, min_size=9, max_size=9)
)


@BOTH
@given(stems, st.sampled_from(ALPHABET))
def test_exactly_one_check_character_fits(is_credit_code: Callable[[str], bool], stem: str, last: str) -> None:
    assert is_credit_code(stem + last) == (last == uscc.calc_check_digit(stem)) == uscc.is_valid(stem + last)


@BOTH
@given(st.text(ALPHABET + "IOSVZ abcxyz-\x00０１é\n", min_size=15, max_size=20))
def test_what_it_takes_the_library_takes(is_credit_code: Callable[[str], bool], text: str) -> None:
    assert is_credit_code(text) == (uscc.is_valid(text) and uscc.compact(text) == text)


@BOTH
@given(st.integers(0, 10**6), st.integers(0, 17), st.sampled_from(ALPHABET))
def test_no_single_slip_goes_unseen(is_credit_code: Callable[[str], bool], number: int, place: int, character: str) -> None:
    code = credit_code(number)
    slipped = code[:place] + character + code[place + 1 :]
    assert is_credit_code(code)
    assert is_credit_code(slipped) == (slipped == code)


@BOTH
@pytest.mark.parametrize("text", ["", " ", "1" * 18 + "\n", "91310118000000001\u0660", "9131011800000000I1", " 91330522MA2B12343A"])
def test_other_writings_are_none(is_credit_code: Callable[[str], bool], text: str) -> None:
    assert not is_credit_code(text)
