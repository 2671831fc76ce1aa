"""Whom an issuer recognises on a day, and why (rules.md P2, check 6): by its policy's default, by name, or by class. Pure.

Each way that could carry the provider is a `Ground`; what keeps it from doing so is a `Lack`. A provider is recognised where any ground
lacks nothing. The clearing path asks `recognized`, which stops at the first such ground; officers ask `grounds` for all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final, NamedTuple

from hub.domain.divisions import contains
from hub.domain.model import Agreement, ClassRule, Provider, Recognition
from hub.domain.policy import RecognitionDefault, RecognitionRule


class GroundKind(StrEnum):
    """What a ground rests on: the policy's default, a recognition by name, or a recognition by class."""

    DEFAULT = "DEFAULT"
    PROVIDER = "PROVIDER"
    CLASS = "CLASS"


class Condition(StrEnum):
    """What a ground may lack."""

    LISTED_ONLY = "LISTED_ONLY"
    """The policy recognises only whom it names: its default carries nobody."""
    POLICY_RATING = "POLICY_RATING"
    """The policy's own least rating, which every ground must meet."""
    PERIOD = "PERIOD"
    HOME = "HOME"
    CATEGORY = "CATEGORY"
    RATING = "RATING"
    QUALITY_LIST = "QUALITY_LIST"
    AGREEMENT = "AGREEMENT"
    POLICY = "POLICY"
    """No policy of the issuer is in force: check 2 of Authorize. This and the two below are no matter of a ground."""
    ADMISSION = "ADMISSION"
    """Not admitted to the pool on the day: check 5."""
    STANDING = "STANDING"
    """Suspended on the day: check 5."""


class Lack(NamedTuple):
    """A condition that fails: what it asks for and what was found, as written in answers (dates, codes, ratings such as 4.50)."""

    condition: Condition
    wanted: str
    found: str


class Ground(NamedTuple):
    """One way to be recognised. `source` is the recognition or class rule it rests on, None for the policy's default."""

    kind: GroundKind
    source: Recognition | ClassRule | None
    lacks: tuple[Lack, ...]

    @property
    def holds(self) -> bool:
        """True where nothing is missing."""
        return not self.lacks


@dataclass(slots=True, init=False)
class Dealings:
    """What an issuer has laid down that may concern one provider: recognitions by name, rules by class, agreements with it."""

    recognitions: Final[tuple[Recognition, ...]]
    class_rules: Final[tuple[ClassRule, ...]]
    agreements: Final[tuple[Agreement, ...]]

    def __init__(
        self,
        recognitions: tuple[Recognition, ...] = (),
        class_rules: tuple[ClassRule, ...] = (),
        agreements: tuple[Agreement, ...] = (),
    ) -> None:
        self.recognitions, self.class_rules, self.agreements = recognitions, class_rules, agreements


def recognized(rule: RecognitionRule, provider: Provider, dealings: Dealings, day: date) -> bool:
    """Say whether the issuer of `rule` recognises the provider on a day."""
    return any(ground.holds for ground in grounds(rule, provider, dealings, day))


def grounds(rule: RecognitionRule, provider: Provider, dealings: Dealings, day: date) -> Iterator[Ground]:
    """Yield every ground: the policy's default first, then by name, then by class. Rules of periods that are empty never counted."""
    below = tuple(_rating(Condition.POLICY_RATING, rule.min_rating, provider))
    agreed = _agreed(dealings.agreements, day)
    unsigned = () if agreed else (_UNSIGNED,)
    by_policy = unsigned if rule.require_agreement else ()
    if rule.default is RecognitionDefault.POOL:
        yield Ground(GroundKind.DEFAULT, None, below + by_policy)
    else:
        yield Ground(GroundKind.DEFAULT, None, (_LISTED_ONLY, *below))
    for item in dealings.recognitions:
        if item.valid_from != item.valid_until:
            needed = not item.agreement and (rule.require_agreement or item.require_agreement)
            yield Ground(GroundKind.PROVIDER, item, (*_period(item, day), *below, *(unsigned if needed else ())))
    for each in dealings.class_rules:
        if each.valid_from != each.valid_until:
            needed = rule.require_agreement or each.require_agreement
            lacks = (*_period(each, day), *_outside(each, provider), *below, *(unsigned if needed else ()))
            yield Ground(GroundKind.CLASS, each, lacks)


def nearest(found: Iterable[Ground]) -> Ground:
    """Return the ground that carries the provider, or else the one that lacks least; the first of equals.

    What is out of its period comes after all that is in force, and a default that recognises listed providers only comes last: of these
    a provider can cure nothing.
    """
    return min(found, key=lambda ground: (_remoteness(ground.lacks), len(ground.lacks)))


def _remoteness(lacks: tuple[Lack, ...]) -> int:
    conditions = {lack.condition for lack in lacks}
    return 2 if Condition.LISTED_ONLY in conditions else int(Condition.PERIOD in conditions)


_LISTED_ONLY = Lack(Condition.LISTED_ONLY, RecognitionDefault.POOL.value, RecognitionDefault.LISTED.value)
_UNSIGNED = Lack(Condition.AGREEMENT, "in force", "none")


def in_force(since: date, until: date | None, day: date) -> bool:
    """Say whether `[since, until)` covers a day; `until` None is open (rules.md M3)."""
    return since <= day and (until is None or day < until)


def _agreed(agreements: tuple[Agreement, ...], day: date) -> bool:
    return any(in_force(item.signed_on, item.valid_until, day) for item in agreements)


def _period(item: Recognition | ClassRule, day: date) -> tuple[Lack, ...]:
    if in_force(item.valid_from, item.valid_until, day):
        return ()
    until = item.valid_until.isoformat() if item.valid_until else ""
    return (Lack(Condition.PERIOD, f"[{item.valid_from.isoformat()}, {until})", day.isoformat()),)


def _outside(rule: ClassRule, provider: Provider) -> Iterator[Lack]:
    """Yield what keeps the provider out of a class; its conditions are joined by AND."""
    if rule.home and not contains(rule.home, provider.home):
        yield Lack(Condition.HOME, rule.home, provider.home)
    if rule.category is not None and rule.category not in provider.categories:
        yield Lack(Condition.CATEGORY, rule.category.value, " ".join(category.value for category in provider.categories))
    yield from _rating(Condition.RATING, rule.min_rating, provider)
    if rule.quality_listed and provider.quality_listed_on is None:
        yield Lack(Condition.QUALITY_LIST, "listed", "not listed")


def _rating(condition: Condition, least: int, provider: Provider) -> Iterator[Lack]:
    if provider.rating < least:
        yield Lack(condition, f"{least / 100:.2f}", f"{provider.rating / 100:.2f}")
