from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from registry.quality import formula as formulas
from registry.quality.domain import (
    Listing,
    OrderFact,
    Part,
    PartScore,
    Score,
    Vote,
    base_weight,
    listed_now,
    mean,
    pool_means,
    score,
    value_of,
    votes,
)

TODAY = date(2026, 3, 2)
FORMULA = formulas.current()
FILE = Path(__file__).parents[2] / "data" / "quality.yaml"
LAB = "LAB"


def order(number: int, enterprise: str = "", **said: Any) -> OrderFact:
    fact = OrderFact(LAB, f"O-{number:04d}", enterprise or f"E{number}", TODAY, 20, 1_000_000, 0, 1_000_000, False, 5, False, True)
    return fact._replace(**said)


def test_each_part_reads_its_own_fact() -> None:
    assert value_of(Part.REVIEWS, order(1, stars=4), FORMULA) == 400
    assert value_of(Part.REVIEWS, order(1, stars=None), FORMULA) is None
    assert [value_of(Part.DELIVERY, order(1, delivery_days=days), FORMULA) for days in (0, 30, 105, 180, 999)] == [500, 500, 300, 100, 100]
    assert value_of(Part.DELIVERY, order(1, delivery_days=None), FORMULA) is None
    assert value_of(Part.REFUNDS, order(1, cleared_fen=750, refunded_fen=250), FORMULA) == 400
    assert value_of(Part.REFUNDS, order(1, cleared_fen=0, refunded_fen=0), FORMULA) is None
    assert value_of(Part.OBJECTIONS, order(1, rejected=True), FORMULA) == 100
    assert value_of(Part.OBJECTIONS, order(1, disputed=True), FORMULA) == 100
    assert value_of(Part.OBJECTIONS, order(1), FORMULA) == 500


def test_weight_falls_with_age_rises_slowly_with_money_and_is_a_quarter_for_who_knows_no_other() -> None:
    fresh = base_weight(order(1), FORMULA, TODAY)
    assert fresh == 7 * 1095 * 4
    assert base_weight(order(1, other_providers=False), FORMULA, TODAY) * 4 == fresh
    assert base_weight(order(1, ended_on=TODAY - timedelta(days=365)), FORMULA, TODAY) * 3 == fresh * 2
    assert base_weight(order(1, ended_on=TODAY - timedelta(days=1095)), FORMULA, TODAY) == 0
    assert base_weight(order(1, stake_fen=10**14), FORMULA, TODAY) * 7 == fresh * 10


def test_a_hundred_orders_of_one_enterprise_weigh_less_than_two_first_ones() -> None:
    many = votes(Part.REVIEWS, [order(i, "E") for i in range(100)], FORMULA, TODAY)
    one = votes(Part.REVIEWS, [order(1)], FORMULA, TODAY)
    assert sum(vote.weight for vote in many) < 2 * one[0].weight == 2 * FORMULA.vote


def test_the_mean_cuts_the_extremes_and_rounds_half_up() -> None:
    assert mean([], Vote(400, 5), 10) == 400
    assert mean([Vote(100, 1)], Vote(400, 9), 10) == 400
    assert mean([Vote(401, 1)], Vote(400, 1), 0) == 401
    assert mean([Vote(100, 5)], Vote(500, 5), 10) == 300


def test_a_worked_example() -> None:
    """Ten enterprises, all five stars, quickly served: the pool mean still holds a third."""
    facts = [order(i) for i in range(10)]
    made = score(facts, dict.fromkeys(Part, 400), FORMULA, TODAY)
    assert (made.orders, made.enterprises, made.cleared_fen, made.delivery_days_median) == (10, 10, 10_000_000, 20)
    part = made.parts[Part.REVIEWS]
    # A tenth of the weight is cut at either end: 23.33 of 80 hundredths are prior, 56.67 are five stars.
    assert (part.value, part.votes, part.own_share, part.pool_mean, part.weight) == (471, 10, 66, 400, 50)
    assert made.rating == 471


def test_too_few_orders_or_enterprises_give_no_rating() -> None:
    means = dict.fromkeys(Part, 400)
    assert score([order(1), order(2)], means, FORMULA, TODAY).rating == 0
    assert score([order(i, "E") for i in range(9)], means, FORMULA, TODAY).rating == 0
    assert score([order(i) for i in range(3)], means, FORMULA, TODAY).rating > 400
    assert score([], means, FORMULA, TODAY) == Score(0, 0, 0, 0, 0, 0, score([], means, FORMULA, TODAY).parts)


def test_the_pool_mean_of_an_empty_pool_is_the_neutral_value() -> None:
    assert pool_means({}, FORMULA, TODAY) == dict.fromkeys(Part, 400)


def good(reviews: int = 5, **said: Any) -> Score:
    return replace(Score(450, 10, 5, 10_000_000, 0, 20, {Part.REVIEWS: PartScore(450, 50, 400, reviews, 50)}), **said)


@pytest.mark.parametrize("lacking", [{"rating": 449}, {"orders": 9}, {"enterprises": 4}, {"reviews": 4}, {"cleared_fen": 9_999_999}])
def test_all_of_the_bar_is_needed_to_come_onto_the_list(lacking: dict[str, int]) -> None:
    assert listed_now(good(), None, FORMULA, TODAY, allowed=True)
    assert not listed_now(good(**lacking), None, FORMULA, TODAY, allowed=True)
    assert not listed_now(good(), None, FORMULA, TODAY, allowed=False)


def test_between_the_bars_nothing_changes() -> None:
    between, old = good(rating=440), TODAY - timedelta(days=200)
    assert listed_now(between, Listing(old, None), FORMULA, TODAY, allowed=True)
    assert not listed_now(between, Listing(old, old + timedelta(days=10)), FORMULA, TODAY, allowed=True)
    assert not listed_now(good(rating=429), Listing(old, None), FORMULA, TODAY, allowed=True)


def test_soon_after_a_change_nothing_changes_unless_it_is_allowed_no_longer() -> None:
    recent = TODAY - timedelta(days=89)
    assert listed_now(good(rating=0), Listing(recent, None), FORMULA, TODAY, allowed=True)
    assert not listed_now(good(), Listing(recent - timedelta(days=300), recent), FORMULA, TODAY, allowed=True)
    assert not listed_now(good(), Listing(recent, None), FORMULA, TODAY, allowed=False)
    assert listed_now(good(), Listing(recent - timedelta(days=300), TODAY - timedelta(days=90)), FORMULA, TODAY, allowed=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("REVIEWS: 50", "REVIEWS: 51"),
        ("REVIEWS: 50", "APPLAUSE: 50"),
        ("trim: 10", "trim: 50"),
        ("neutral: 400", "neutral: 600"),
        ("prior_votes: 5\n", "prior_votes: 0\n"),
        ("delivery_days_worst: 180", "delivery_days_worst: 30"),
        ("leave: {rating: 430", "leave: {rating: 460"),
        ("orders_min: 3", ""),
        ("listing:", "lasting:"),
        ("orders_min: 3", "orders_min: [3"),
    ],
)
def test_numbers_that_do_not_fit_together_make_no_formula(old: str, new: str) -> None:
    content = FILE.read_text(encoding="utf-8")
    assert old in content
    with pytest.raises(formulas.FormulaError):
        formulas.parse(content.replace(old, new))
