"""Ratings: what the hub saw of a provider's orders, weighed so that a few bought reviews move little (docs/registry.md, Quality). Pure.

All values are hundredths (450 = 4.50) and all arithmetic is on integers: the same facts give the same rating anywhere.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

BEST, WORST = 500, 100
HALVINGS = 10
"""An enterprise's orders with one provider weigh 1, 1/2, 1/4, … of their own weight; beyond so many halvings they weigh nothing."""
STANDARD_MONEY_WEIGHT = 7
"""Weight of the money of an order of about 10,000 yuan: what a standard vote is measured by."""


class Part(StrEnum):
    """What a rating is made of."""

    REVIEWS = "REVIEWS"
    DELIVERY = "DELIVERY"
    REFUNDS = "REFUNDS"
    OBJECTIONS = "OBJECTIONS"


class Bar(NamedTuple):
    """Thresholds of the list of quality providers."""

    rating: int
    orders: int
    enterprises: int
    reviews: int
    cleared_fen: int


@dataclass(frozen=True, slots=True)
class Formula:
    """The numbers of the formula; what each means stands beside it in `data/quality.yaml`."""

    version: str
    days_counted: int
    weights: Mapping[Part, int]
    neutral: int
    prior_votes: int
    pool_prior_votes: int
    trim: int
    money_unit_fen: int
    money_weight_max: int
    ring_divisor: int
    delivery_days_best: int
    delivery_days_worst: int
    orders_min: int
    enterprises_min: int
    enter: Bar
    leave: Bar
    days_between: int

    @property
    def vote(self) -> int:
        """Weight of a standard vote: an enterprise's first order, of about 10,000 yuan, today, from one that deals with others too."""
        return (1 << HALVINGS) * STANDARD_MONEY_WEIGHT * self.days_counted * self.ring_divisor


class OrderFact(NamedTuple):
    """One order as the hub saw it end. Amounts are fen; `stake_fen` is what was cleared, before refunds, or claimed and rejected; `stars`
    None where nobody reviewed it."""

    provider: str
    order_no: str
    enterprise: str
    ended_on: date
    delivery_days: int | None
    cleared_fen: int
    refunded_fen: int
    stake_fen: int
    rejected: bool
    stars: int | None
    disputed: bool
    other_providers: bool


class Vote(NamedTuple):
    """What one order says on one part, and how much that weighs."""

    value: int
    weight: int


class PartScore(NamedTuple):
    """One part of a rating. `weight` in the rating and `own_share` in the part are hundredths; the rest of the part is the pool mean's."""

    value: int
    weight: int
    pool_mean: int
    votes: int
    own_share: int


@dataclass(frozen=True, slots=True)
class Score:
    """A provider's rating and what it rests on. `rating` 0: too little to judge by."""

    rating: int
    orders: int
    enterprises: int
    cleared_fen: int
    refunded_fen: int
    delivery_days_median: int
    parts: Mapping[Part, PartScore]


def value_of(part: Part, fact: OrderFact, formula: Formula) -> int | None:
    """Return what an order says on a part, or None where it says nothing."""
    match part:
        case Part.REVIEWS:
            return None if fact.stars is None else fact.stars * 100
        case Part.DELIVERY:
            return None if fact.delivery_days is None else _delivery(fact.delivery_days, formula)
        case Part.REFUNDS:
            whole = fact.cleared_fen + fact.refunded_fen
            return None if whole == 0 else BEST - (BEST - WORST) * fact.refunded_fen // whole
        case Part.OBJECTIONS:
            return WORST if fact.rejected or fact.disputed else BEST


def _delivery(days: int, formula: Formula) -> int:
    best, worst = formula.delivery_days_best, formula.delivery_days_worst
    return BEST - (BEST - WORST) * (min(max(days, best), worst) - best) // (worst - best)


def base_weight(fact: OrderFact, formula: Formula, today: date) -> int:
    """Return the weight of an order by its money, its age, and whether its enterprise deals with anybody else; 0 once it is too old."""
    units = fact.stake_fen // formula.money_unit_fen
    money = min(max(units.bit_length(), 1), formula.money_weight_max)
    age = (today - fact.ended_on).days
    fresh = min(max(formula.days_counted - age, 0), formula.days_counted)
    return money * fresh * (formula.ring_divisor if fact.other_providers else 1)


def votes(part: Part, facts: Iterable[OrderFact], formula: Formula, today: date) -> list[Vote]:
    """Return the votes of one provider's orders on a part.

    Of an enterprise's orders the worst counts most and each further one half as much: praise repeated adds little, and good service
    added can only push up, never aside what is there.
    """
    by_enterprise: dict[str, list[Vote]] = defaultdict(list)
    for fact in facts:
        value, weight = value_of(part, fact, formula), base_weight(fact, formula, today)
        if value is not None and weight:
            by_enterprise[fact.enterprise].append(Vote(value, weight))
    found: list[Vote] = []
    for cast in by_enterprise.values():
        ranked = sorted(cast, key=lambda vote: (vote.value, -vote.weight))
        found.extend(Vote(value, weight << HALVINGS >> rank) for rank, (value, weight) in enumerate(ranked[: HALVINGS + 1]))
    return found


def mean(cast: Iterable[Vote], prior: Vote, trim: int) -> int:
    """Return the mean of votes and prior, with `trim` hundredths of the weight cut from either end; rounded half up."""
    ranked = sorted([*cast, prior])
    # In hundredths of a weight, so that the cut is a whole number.
    whole = 100 * sum(vote.weight for vote in ranked)
    low, high = whole * trim // 100, whole - whole * trim // 100
    total = position = 0
    for value, weight in ranked:
        start, position = position, position + 100 * weight
        total += value * max(min(position, high) - max(start, low), 0)
    return (2 * total + (high - low)) // (2 * (high - low))


def pool_means(facts: Mapping[str, Sequence[OrderFact]], formula: Formula, today: date) -> dict[Part, int]:
    """Return the mean of the whole pool on each part: what stands in for what is not known of a provider."""
    prior = Vote(formula.neutral, formula.vote * formula.pool_prior_votes)
    return {part: mean((vote for own in facts.values() for vote in votes(part, own, formula, today)), prior, 0) for part in Part}


def score(facts: Sequence[OrderFact], means: Mapping[Part, int], formula: Formula, today: date) -> Score:
    """Rate one provider by its orders."""
    counted = [fact for fact in facts if base_weight(fact, formula, today)]
    parts = {part: _part(votes(part, counted, formula, today), formula.weights[part], means[part], formula) for part in Part}
    enterprises = {fact.enterprise for fact in counted}
    rated = len(counted) >= formula.orders_min and len(enterprises) >= formula.enterprises_min
    weighted = sum(item.weight * item.value for item in parts.values())
    days = sorted(fact.delivery_days for fact in counted if fact.delivery_days is not None)
    return Score(
        rating=(weighted + 50) // 100 if rated else 0,
        orders=len(counted),
        enterprises=len(enterprises),
        cleared_fen=sum(fact.cleared_fen for fact in counted),
        refunded_fen=sum(fact.refunded_fen for fact in counted),
        delivery_days_median=days[(len(days) - 1) // 2] if days else 0,
        parts=parts,
    )


def _part(cast: list[Vote], weight: int, pool_mean: int, formula: Formula) -> PartScore:
    prior = Vote(pool_mean, formula.vote * formula.prior_votes)
    own = sum(vote.weight for vote in cast)
    return PartScore(mean(cast, prior, formula.trim), weight, pool_mean, len(cast), 100 * own // (own + prior.weight))


class Listing(NamedTuple):
    """A provider's latest period on the list of quality providers, `[since, until)`."""

    since: date
    until: date | None


def listed_now(item: Score, latest: Listing | None, formula: Formula, today: date, *, allowed: bool) -> bool:
    """Say whether a provider is on the list from today on: it comes on above one bar, leaves below a lower one, and neither soon after
    the other. One that is `allowed` no longer (suspended, removed, barred) leaves at once."""
    listed = latest is not None and latest.until is None
    if not allowed:
        return False
    changed_on = None if latest is None else latest.until or latest.since
    if changed_on is not None and (today - changed_on).days < formula.days_between:
        return listed
    bar = formula.leave if listed else formula.enter
    return (
        item.rating >= bar.rating
        and item.orders >= bar.orders
        and item.enterprises >= bar.enterprises
        and item.parts[Part.REVIEWS].votes >= bar.reviews
        and item.cleared_fen >= bar.cleared_fen
    )
