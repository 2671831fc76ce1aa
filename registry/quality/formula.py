"""The formula as data: `data/quality.yaml`, read once a process."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from registry.quality.domain import Bar, Formula, Part

_FILE = "quality.yaml"
DEFAULT_FILES = (Path(__file__).resolve().parents[2] / "data" / _FILE, Path(sys.prefix) / "share" / "deltahub" / _FILE)
"""Where the file is looked for: in a checkout, then where a wheel installs it."""


class FormulaError(ValueError):
    """The file says something that makes no formula; the message says what."""


@cache
def current() -> Formula:
    """Return the formula in use. Raises FileNotFoundError or FormulaError."""
    path = next((file for file in DEFAULT_FILES if file.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"no {_FILE} in {', '.join(str(file.parent) for file in DEFAULT_FILES)}")
    return parse(path.read_text(encoding="utf-8"))


def parse(content: str) -> Formula:
    """Read a formula. Raises FormulaError for one that is incomplete or whose numbers do not fit together."""
    try:
        given: dict[str, Any] = yaml.safe_load(content)
        listing = given.pop("listing")
        made = Formula(
            **{
                **given,
                "version": str(given["version"]),
                "weights": {Part(name): weight for name, weight in given["weights"].items()},
                "enter": Bar(**listing["enter"]),
                "leave": Bar(**listing["leave"]),
                "days_between": listing["days_between"],
            }
        )
    except (KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError) as error:
        raise FormulaError(f"the formula cannot be read: {error}") from error
    _check(made)
    return made


def _check(made: Formula) -> None:
    if set(made.weights) != set(Part) or sum(made.weights.values()) != 100 or min(made.weights.values()) < 0:
        raise FormulaError("weights: every part needs one, and they must add up to 100")
    positive = (made.days_counted, made.prior_votes, made.pool_prior_votes, made.money_unit_fen, made.money_weight_max, made.ring_divisor)
    if min(positive) < 1 or not 0 <= made.trim < 50 or not 100 <= made.neutral <= 500:
        raise FormulaError("a number is out of its range: counts from 1, trim below 50, neutral between 100 and 500")
    if not 0 <= made.delivery_days_best < made.delivery_days_worst:
        raise FormulaError("delivery_days_best must be less than delivery_days_worst")
    if any(leave > enter for leave, enter in zip(made.leave, made.enter, strict=True)):
        raise FormulaError("listing: what keeps a provider on the list must not be more than what brings it there")
