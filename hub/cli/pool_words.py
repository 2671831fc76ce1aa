"""What the generated pool is put together from: words of the trades (`data/pool_words.yaml`) and the divisions of the data file."""

from __future__ import annotations

import csv
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeVar

import yaml
from stdnum.cn import uscc

from hub.divisions import divisions_file

T = TypeVar("T")

_FILE = "pool_words.yaml"
_FILES = (Path(__file__).resolve().parents[2] / "data" / _FILE, Path(sys.prefix) / "share" / "deltahub" / _FILE)
_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_SUFFIXES = "省市区县"


class Action(NamedTuple):
    """A service: what is done, under which category, for which unit, and between which prices in yuan."""

    name: str
    category: str
    unit: str
    least_yuan: int
    most_yuan: int


class Machine(NamedTuple):
    """An instrument as it is sold, and between which values in ten thousand yuan."""

    name: str
    model: str
    maker: str
    least: int
    most: int


@dataclass(frozen=True, slots=True)
class Trade:
    """A field of work."""

    name: str
    objects: tuple[str, ...]
    actions: tuple[Action, ...]
    machines: tuple[Machine, ...]


class Place(NamedTuple):
    """A division: its code, its name, and the word for it in names of institutions."""

    code: str
    name: str
    word: str


@dataclass(frozen=True, slots=True)
class Words:
    """All words."""

    brands: tuple[str, ...]
    streets: tuple[str, ...]
    surnames: tuple[str, ...]
    given: tuple[str, ...]
    titles: tuple[str, ...]
    qualifications: tuple[str, ...]
    forms: tuple[str, ...]
    public_forms: tuple[str, ...]
    suffixes: tuple[str, ...]
    trades: tuple[Trade, ...]


def read_words() -> Words:
    """Return the words. Raises FileNotFoundError where the data file is not installed."""
    path = next((file for file in _FILES if file.is_file()), None)
    if path is None:
        raise FileNotFoundError(f"{_FILE} is neither in {_FILES[0].parent} nor in {_FILES[1].parent}")
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    trades = tuple(
        Trade(
            field["name"],
            tuple(field["objects"]),
            tuple(Action(*action) for action in field["actions"]),
            tuple(Machine(name, str(model), maker, least, most) for name, model, maker, least, most in field["instruments"]),
        )
        for field in given.pop("fields")
    )
    return Words(trades=trades, **{name: tuple(words) for name, words in given.items()})


def read_places(path: Path | None = None) -> tuple[Place, ...]:
    """Return the divisions of the data file by code. Raises FileNotFoundError where there is none."""
    found = divisions_file(path)
    if found is None:
        raise FileNotFoundError("divisions.csv is not installed; set DELTAHUB_DIVISIONS_FILE")
    with found.open(encoding="utf-8", newline="") as stream:
        rows = sorted({(row["code"], row["zh"]) for row in csv.DictReader(stream)})
    return tuple(Place(code, name, name.rstrip(_SUFFIXES)) for code, name in rows)


def credit_code(rng: random.Random, prefix: str) -> str:
    """Return a valid, fictitious credit code that begins with eight characters such as 91310118."""
    return checked(prefix + "MA" + "".join(pick(rng, _ALPHABET) for _ in range(7)))


def checked(stem: str) -> str:
    """Return the credit code of its first 17 characters."""
    return stem + str(uscc.calc_check_digit(stem))


def pick(rng: random.Random, items: Sequence[T]) -> T:
    """Return one of the items. Made of `random()` alone, which gives the same numbers in every version of Python."""
    return items[int(rng.random() * len(items))]


def between(rng: random.Random, least: int, most: int) -> int:
    """Return a whole number in a range."""
    return least + int(rng.random() * (most - least + 1))
