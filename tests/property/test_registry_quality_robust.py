"""A few bought reviews move little, good service never harms, the same facts give the same rating."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from registry.quality import formula as formulas
from registry.quality.domain import BEST, WORST, Listing, OrderFact, Part, PartScore, Score, listed_now, score, votes

TODAY = date(2026, 3, 2)
FORMULA = formulas.current()

_MEANS = st.fixed_dictionaries({part: st.integers(100, 500) for part in Part})


def _orders(enterprises: st.SearchStrategy[str]) -> Callable[[int, int], st.SearchStrategy[list[OrderFact]]]:
    order = st.builds(
        OrderFact,
        provider=st.just("LAB"),
        order_no=st.integers(0, 10**9).map(str),
        enterprise=enterprises,
        ended_on=st.integers(0, 1_200).map(lambda age: TODAY - timedelta(days=age)),
        delivery_days=st.none() | st.integers(0, 400),
        cleared_fen=st.integers(0, 10**9),
        refunded_fen=st.integers(0, 10**8),
        stake_fen=st.integers(0, 10**9),
        rejected=st.booleans(),
        stars=st.none() | st.integers(1, 5),
        disputed=st.booleans(),
        other_providers=st.booleans(),
    )
    return lambda least, most: st.lists(order, min_size=least, max_size=most, unique_by=lambda fact: fact.order_no)


_HONEST = _orders(st.integers(0, 12).map("E{}".format))
_BOUGHT = _orders(st.integers(0, 4).map("B{}".format))


def _weight(part: Part, facts: list[OrderFact]) -> int:
    return sum(vote.weight for vote in votes(part, facts, FORMULA, TODAY))


def _influence_max(bought_weight: int, other_weight: int) -> int:
    """Return the most, in hundredths, that votes of a weight can move a part beside others of a weight; the prior is added here.

    Mixing a share f into a distribution moves the mean of its middle by no more than f times the span over the middle's share.
    """
    whole = bought_weight + other_weight + FORMULA.vote * FORMULA.prior_votes
    return -(-(BEST - WORST) * bought_weight * 100 // (whole * (100 - 2 * FORMULA.trim)))


@given(_HONEST(0, 25), _BOUGHT(1, 8), _MEANS)
def test_bought_orders_move_each_part_by_no_more_than_their_share(honest: list[OrderFact], bought: list[OrderFact], means: Any) -> None:
    clean, dirty = score(honest, means, FORMULA, TODAY), score(honest + bought, means, FORMULA, TODAY)
    for part in Part:
        most = _influence_max(_weight(part, bought), _weight(part, honest))
        # One hundredth for the rounding of either value.
        assert abs(dirty.parts[part].value - clean.parts[part].value) <= most + 1


@given(st.integers(10, 40), st.integers(1, 3), st.sampled_from([1, 5]), st.lists(st.integers(3, 5), min_size=40, max_size=40))
def test_three_bought_reviews_among_ten_honest_or_more_move_the_rating_by_less_than_a_fifth(
    honest: int, bought: int, stars: int, said: list[int]
) -> None:
    """Honest enterprises deal with others too and ordered for 10,000 yuan; the bought ones know this provider only, and paid 100,000."""

    def fact(number: int, name: str, given_stars: int, fen: int, others: bool) -> OrderFact:
        return OrderFact(
            "LAB", f"{name}{number}", f"{name}{number}", TODAY, 20, fen, 0, fen, False, given_stars, stars == 1 and name == "B", others
        )

    own = [fact(i, "E", said[i], 1_000_000, True) for i in range(honest)]
    paid = [fact(i, "B", stars, 10_000_000, False) for i in range(bought)]
    means = dict.fromkeys(Part, 400)
    moved = score(own + paid, means, FORMULA, TODAY).rating - score(own, means, FORMULA, TODAY).rating
    assert abs(moved) < 20


@given(_HONEST(1, 25), st.integers(0, 12), st.integers(0, 10**9), st.integers(0, 1_000), st.booleans(), _MEANS)
def test_good_service_added_never_lowers_a_rating(
    facts: list[OrderFact], enterprise: int, fen: int, age: int, others: bool, means: Any
) -> None:
    name = f"E{enterprise}"
    # Whether an enterprise deals with others is true of all its orders alike.
    known = [fact._replace(other_providers=others) if fact.enterprise == name else fact for fact in facts]
    best = OrderFact("LAB", "best", name, TODAY - timedelta(days=age), 10, fen, 0, fen, False, 5, False, others)
    before, after = score(known, means, FORMULA, TODAY), score([*known, best], means, FORMULA, TODAY)
    assert all(after.parts[part].value >= before.parts[part].value for part in Part)
    assert after.rating >= before.rating


@given(_HONEST(0, 20), _MEANS, st.integers(0, 2**32))
def test_the_order_of_facts_does_not_matter_and_everything_stays_in_range(facts: list[OrderFact], means: Any, seed: int) -> None:
    shuffled = list(facts)
    random.Random(seed).shuffle(shuffled)
    made = score(facts, means, FORMULA, TODAY)
    assert score(shuffled, means, FORMULA, TODAY) == made
    assert all(100 <= item.value <= 500 and 0 <= item.own_share <= 100 for item in made.parts.values())
    assert made.rating == 0 or 100 <= made.rating <= 500
    assert isinstance(made.rating, int)


@given(st.lists(st.tuples(st.integers(1, 40), st.integers(400, 500)), min_size=1, max_size=30))
def test_the_list_changes_no_more_than_once_in_ninety_days(steps: list[tuple[int, int]]) -> None:
    reviewed = {Part.REVIEWS: PartScore(450, 50, 400, 9, 50)}
    day, period, changes = TODAY, None, []
    for days, rating in steps:
        day += timedelta(days=days)
        was = period is not None and period.until is None
        now = listed_now(Score(rating, 20, 9, 10**8, 0, 10, reviewed), period, FORMULA, day, allowed=True)
        if now != was:
            changes.append(day)
            period = Listing(day, None) if now or period is None else Listing(period.since, day)
    assert all((later - earlier).days >= FORMULA.days_between for earlier, later in pairwise(changes))
