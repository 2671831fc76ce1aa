"""Which line each refund of the past was about: the record has the fees in their order and each line's sum."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.application.replay_past import refunded_lines


@pytest.mark.parametrize(
    ("fees", "sums", "lines"),
    [
        pytest.param([5], [5], [], id="one line needs no name"),
        pytest.param([2, 3], [2, 3], [0, 1], id="one refund a line"),
        pytest.param([1, 2, 2], [2, 3], [1, 0, 1], id="the first line with room is not the one"),
        pytest.param([7], [2, 3], [0], id="a record that does not add up still has an answer"),
    ],
)
def test_every_lines_refunds_add_up_to_its_sum(fees: list[int], sums: list[int], lines: list[int]) -> None:
    assert refunded_lines(fees, sums) == lines


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 9)), min_size=1, max_size=8))
def test_whatever_the_refunds_were_an_answer_is_found(refunds: list[tuple[int, int]]) -> None:
    sums = [sum(fee for line, fee in refunds if line == wanted) for wanted in range(4)]
    fees = [fee for _, fee in refunds]
    lines = refunded_lines(fees, sums)
    assert [sum(fee for line, fee in zip(lines, fees, strict=True) if line == wanted) for wanted in range(4)] == sums
