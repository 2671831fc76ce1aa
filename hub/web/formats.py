"""How values look on the page. `static/console.js` says the same for what changes later; the two must agree."""

from __future__ import annotations

from typing import Any

from hub.domain.money import format_yuan

HEAT_MAX = 5


def yuan(fen: int) -> str:
    """Return fen as yuan with thousands apart, such as `4,800.00`."""
    whole, _, cents = format_yuan(fen).partition(".")
    return f"{int(whole):,}.{cents}" if whole != "-0" else f"-0.{cents}"


def count(number: int) -> str:
    """Return a number with thousands apart."""
    return f"{number:,}"


def age(seconds: int) -> str:
    """Return a span such as `45 s`, `12 min`, `3 h`, `2 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def fact(name: str, value: int) -> str:
    """Return a fact such as `shares 4,800.00` or `ratio 60.00%`."""
    if name.endswith("_fen"):
        name, shown = name[:-4], yuan(value)
    elif name.endswith("_bp"):
        name, shown = name[:-3], f"{yuan(value)}%"
    else:
        shown = count(value)
    return f"{name.replace('_', ' ')} {shown}"


def heat(fen: int, most: int) -> int:
    """Return how strongly a cell is tinted, 0 to 5, against the largest."""
    return -(-fen * HEAT_MAX // most) if most else 0


def look(item: Any, path: str) -> Any:
    """Return the value at a dotted path; empty where `item` is the empty record of a row's template."""
    for part in path.split("."):
        if item == {}:
            return None
        item = getattr(item, part)
    return item
