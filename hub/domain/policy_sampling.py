"""What conditions can come to: tried on samples drawn from the policy's own rules and from what the expressions themselves name.

CEL is not solved here. Around every number an expression names there are samples just below, at and above it, every text it names is
tried where it fits, and all samples are ones the other rules of the policy let through. A verdict therefore says "in none of the
samples", and the samples decide every comparison with a constant.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import date, timedelta
from itertools import product
from typing import Any, Final, NamedTuple

from hub.domain import conditions
from hub.domain.divisions import contains, is_division, province_of
from hub.domain.model import LineFlag
from hub.domain.money import MAX_FEN
from hub.domain.policy import Category, EnterpriseKind, Policy

SAMPLES_MAX: Final = 20_000
"""Most samples of one policy: at a few microseconds an expression the linter stays well under a second."""

_NUMBERS_MAX = 15

_VARIABLES = ("order", "enterprise", "provider", "voucher")
_ELSEWHERE = "990000"
"""A province that no expression names."""

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?")
_TEXT = re.compile(r'"([^"\\]*)"|' + r"'([^'\\]*)'")


class Verdict(NamedTuple):
    """What is to be said of a condition: the rule, whether it contradicts the policy, its place and the words."""

    rule: str
    contradiction: bool
    spot: tuple[str | int, ...]
    zh: str
    en: str


class Samples(NamedTuple):
    """Samples, and whether they are all combinations there are of the values tried. Where not, a verdict is a suspicion only."""

    contexts: list[conditions.Context]
    complete: bool


def lint_conditions(policy: Policy) -> Iterator[Verdict]:
    """Yield what samples show of the policy's conditions: ones that never or always hold, and categories that they rule out."""
    if not policy.conditions or any(conditions.check(item) is not None for item in policy.conditions):
        return
    samples = sample_contexts(policy)
    held = [[conditions.holds(item, sample) for sample in samples.contexts] for item in policy.conditions]
    for at, item in enumerate(policy.conditions):
        spot, count = ("conditions", at, "cel"), len(samples.contexts)
        if not any(held[at]):
            zh, en = f"条件“{item.id}”在全部 {count} 个样例中都不成立", f"condition “{item.id}” holds in none of {count} samples"
            yield Verdict("condition-never", samples.complete, spot, f"{zh},该政策将拒绝一切", f"{en}: the policy would refuse everything")
        elif all(held[at]):
            zh, en = f"条件“{item.id}”在全部样例中都成立,不起作用", f"condition “{item.id}” holds in every sample and decides nothing"
            yield Verdict("condition-always", False, spot, zh, en)
        if not item.zh or not item.en:
            zh, en = f"条件“{item.id}”缺少中英文说明,被拒绝者只会看到编号", "whoever is refused sees the id alone; say it in zh and en"
            yield Verdict("condition-unexplained", False, ("conditions", at), zh, en)
    yield from _together(policy, samples, held)


def _together(policy: Policy, samples: Samples, held: list[list[bool]]) -> Iterator[Verdict]:
    """Yield conditions that exclude each other, and categories that no sample gets through with."""
    passed = [all(verdicts) for verdicts in zip(*held, strict=True)]
    if not all(any(verdicts) for verdicts in held):
        return
    if not any(passed):
        zh, en = "各条件单独可成立,合在一起在全部样例中都不成立", "each condition can hold, but in no sample do all of them"
        yield Verdict("conditions-exclude-each-other", samples.complete, ("conditions",), zh, f"{en}: the policy would refuse everything")
        return
    for at, category in enumerate(policy.categories):
        with_it = [ok for ok, sample in zip(passed, samples.contexts, strict=True) if category.value in _categories(sample)]
        if with_it and not any(with_it):
            zh, en = (
                f"类别 {category.value} 已列入,但附加条件使其永远得不到补贴",
                f"category {category.value} is listed, yet the conditions rule it out",
            )
            yield Verdict(
                "never-payable", samples.complete, ("categories", at, "category"), zh, f"{en}; drop the category or change the condition"
            )


def _categories(sample: conditions.Context) -> Sequence[str]:
    found = sample["order"]["categories"]
    assert isinstance(found, list)
    return found


class _Named:
    """What the expressions name: the numbers, the texts, and which fields. A field that none names needs one value only."""

    def __init__(self, policy: Policy) -> None:
        self.source = "\n".join(item.cel for item in policy.conditions)
        self.texts = list(dict.fromkeys(double or single for double, single in _TEXT.findall(self.source)))
        self.numbers = [float(text) for text in dict.fromkeys(_NUMBER.findall(self.source))][:_NUMBERS_MAX]
        # Whole variables handed over, as in `size(order)`, count as naming all their fields.
        self._whole = {name for name in _VARIABLES if re.search(rf"\b{name}\b(?!\s*\.\s*\w)", self.source)}
        self._words = set(re.findall(r"\w+", self.source))

    def names(self, variable: str, *fields: str) -> bool:
        """Say whether any of the fields is looked at."""
        return variable in self._whole or (variable in self._words and bool(self._words.intersection(fields)))

    def around(self, least: int, most: int, *, wanted: bool) -> list[int]:
        """Return whole numbers at and beside every number named, and something small and something large; one where none is wanted."""
        usual = min(800_000, most) if most > 10_000_000 else 20
        if not wanted:
            return [usual]
        found = {least, usual, most, *(int(number) + step for number in self.numbers for step in (-1, 0, 1))}
        return sorted(item for item in found if least <= item <= most)


def sample_contexts(policy: Policy) -> Samples:
    """Return samples that pass the policy's other rules: kinds that are eligible, ratings that suffice, a line that is covered."""
    named = _Named(policy)
    orders = list(_orders(policy, named.around(1, MAX_FEN, wanted=named.names("order", "amount_fen", "expenditure_fen"))))
    enterprises = list(_enterprises(policy, named))
    providers = list(_providers(policy, named))
    faces = named.around(1, MAX_FEN, wanted=named.names("voucher", "available_fen"))
    counts = named.around(1, 10_000, wanted=named.names("voucher", "count"))
    vouchers = [{"available_fen": fen, "count": count} for fen, count in product(faces, counts)]
    complete = len(orders) * len(enterprises) * len(providers) * len(vouchers) <= SAMPLES_MAX
    if complete:
        chosen: Any = product(orders, enterprises, providers, vouchers)
    else:
        # The same samples for the same policy: a linter that changes its mind is of no use. Every order comes several times.
        chance = random.Random(named.source)
        turns = max(SAMPLES_MAX // len(orders), 1)
        chosen = (
            (order, chance.choice(enterprises), chance.choice(providers), chance.choice(vouchers)) for order in orders for _ in range(turns)
        )
    return Samples([{"order": o, "enterprise": e, "provider": p, "voucher": v} for o, e, p, v in chosen], complete)


def _orders(policy: Policy, amounts: Sequence[int]) -> Iterator[dict[str, object]]:
    other = next((item for item in Category if item not in policy.categories), None)
    for category, amount in product(policy.categories, amounts):
        yield _order([(category, amount, [])])
        if amount > 1:
            yield _order([(category, 1, []), (category, amount - 1, [LineFlag.STATUTORY_TEST.value])])
            if other is not None:
                yield _order([(category, 1, []), (other, amount - 1, [])])


def _order(lines: list[tuple[Category, int, list[str]]]) -> dict[str, object]:
    total = sum(amount for _, amount, _ in lines)
    return {
        "order_no": "O-1",
        "amount_fen": total,
        "expenditure_fen": total,
        "lines": [{"category": category.value, "amount_fen": amount, "flags": flags} for category, amount, flags in lines],
        "categories": [category.value for category, _, _ in lines],
    }


def _enterprises(policy: Policy, named: _Named) -> Iterator[dict[str, object]]:
    below = [text for text in named.texts if is_division(text) and contains(policy.issuer, text)]
    divisions = [policy.issuer, *below] if named.names("enterprise", "division") else [policy.issuer]
    words = ["", *(text for text in named.texts if not is_division(text))] if named.names("enterprise", "name", "uscc", "sme_no") else [""]
    staffs = named.around(0, 10_000_000, wanted=named.names("enterprise", "staff"))
    kinds = list(dict.fromkeys(policy.eligible)) if named.names("enterprise", "kind", "sme_no") else [policy.eligible[0]]
    for kind, division, staff, word in product(kinds, dict.fromkeys(divisions), staffs, words):
        number = "202600000000000001" if kind is EnterpriseKind.TECH_SME else ""
        base = {"uscc": word or "91310118MA1JTERT16", "name": word, "division": division, "kind": kind.value, "staff": staff}
        yield {**base, "sme_no": word or number}


def _providers(policy: Policy, named: _Named) -> Iterator[dict[str, object]]:
    own = province_of(policy.issuer)
    homes = [own, *(text for text in named.texts if is_division(text)), _ELSEWHERE] if named.names("provider", "home") else [own]
    lists = [[item.value] for item in policy.categories] if named.names("provider", "categories") else []
    words = ["", *(text for text in named.texts if not is_division(text))] if named.names("provider", "name", "uscc") else [""]
    lists.append([item.value for item in Category])
    for rating, home, day, listed, word in product(
        _ratings(policy, named), dict.fromkeys(homes), sorted(_days(policy, named)), lists, words
    ):
        base = {"uscc": word or "12310104425001236Q", "name": word, "home": home, "categories": listed}
        yield {**base, "rating": rating / 100, "admitted_on": day}


def _ratings(policy: Policy, named: _Named) -> list[int]:
    """Ratings in hundredths that the recognition rule lets through; an unrated provider has 0."""
    least = policy.recognition.min_rating
    if not named.names("provider", "rating"):
        return [max(least, 400)]
    near = {round(number * 100) + step for number in named.numbers if 0 <= number <= 5 for step in (-1, 0, 1)}
    return sorted(item for item in {least, 500, *near} if least <= item <= 500)


def _days(policy: Policy, named: _Named) -> set[str]:
    """Dates of admission: beside those named."""
    days = {policy.effective_from.isoformat()}
    for text in named.texts:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            with suppress(ValueError):
                days.update((date.fromisoformat(text) + timedelta(days=step)).isoformat() for step in (-1, 0, 1))
    return days
