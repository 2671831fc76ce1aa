"""Policy conditions in CEL: compiled once, checked at publication (rules.md, Policy `conditions`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import cel

MAX_EXPRESSION_CHARS = 2_000
MAX_LOOPS = 2
"""Loops in one expression. Nested over 100 lines two take 4 ms, three 0.4 s, four most of a minute, and nobody else clears meanwhile."""

# Words are counted wherever they stand, in quotes too: what reads CEL only in part could be led astray by its quotes and comments.
_LOOP = re.compile(r"\b(?:all|exists|exists_one|map|filter)\b")

_WORD = re.compile(r"\w+")

Context = Mapping[str, Mapping[str, object]]
"""What an expression may look at: fields by variable."""

_SAMPLE: Context = {
    "order": {
        "order_no": "O-1",
        "amount_fen": 800_000,
        "expenditure_fen": 800_000,
        "lines": [{"category": "INSPECTION_TESTING", "amount_fen": 800_000, "flags": []}],
        "categories": ["INSPECTION_TESTING"],
    },
    "enterprise": {"uscc": "", "name": "", "division": "310000", "kind": "TECH_SME", "sme_no": "", "staff": 1},
    "provider": {"uscc": "", "name": "", "home": "310000", "rating": 4.5, "categories": ["RESEARCH"], "admitted_on": "2026-01-01"},
    "voucher": {"available_fen": 100_000, "count": 1},
}


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition of a policy: an expression over `order`, `enterprise`, `provider`, `voucher`; false refuses."""

    id: str
    cel: str
    zh: str = ""
    en: str = ""


class _Compiled(NamedTuple):
    """A program, and what it may look at: for each variable it names, the fields, or None for all of them."""

    program: cel.Program
    needs: Mapping[str, frozenset[str] | None]

    def gives(self, context: Context) -> object:
        """Run on what the expression names: handing over a whole order costs ten times as much as most expressions do."""
        shown = {
            name: context[name] if fields is None else {field: value for field, value in context[name].items() if field in fields}
            for name, fields in self.needs.items()
        }
        return self.program.execute(shown)


_POLICY_VARIABLES = tuple(_SAMPLE)


@lru_cache(maxsize=4096)
def _compiled(expression: str, variables: tuple[str, ...] = _POLICY_VARIABLES) -> _Compiled:
    # Here and not above: it brings a command line of its own, 0.4 s and 30 MB, and only who clears has conditions to run.
    import cel

    words = frozenset(_WORD.findall(expression))
    needs: dict[str, frozenset[str] | None] = {}
    for name in words.intersection(variables):
        # `order.lines` needs a field whose name is written out; `order["li" + "nes"]` or `size(order)` may need any.
        plain = all(use["dot"] for use in re.finditer(rf"\b{name}\b(?P<dot>\s*\.)?", expression))
        needs[name] = words if plain else None
    return _Compiled(cel.compile(expression), needs)


def prepare() -> None:
    """Load what conditions are run with, so that the first command that meets one does not wait for it. Blocks."""
    _compiled("order.amount_fen > 0")


def check(condition: Condition, sample: Context = _SAMPLE) -> str | None:
    """Return what is wrong with a condition, or None. Compiles it and tries it on a sample, so that a misspelt field is found.

    `sample` has the variables that conditions of this kind may look at: those of a policy unless said.
    """
    if len(condition.cel) > MAX_EXPRESSION_CHARS:
        return f"longer than {MAX_EXPRESSION_CHARS} characters"
    if len(_LOOP.findall(condition.cel)) > MAX_LOOPS:
        return f"more than {MAX_LOOPS} of all, exists, exists_one, map and filter; make it several conditions"
    try:
        result = _compiled(condition.cel, tuple(sample)).gives(sample)
    except Exception as error:  # the binding raises plain built-in exceptions of many kinds
        return str(error)
    return None if isinstance(result, bool) else f"gives {type(result).__name__}, not true or false"


def holds(condition: Condition, context: Context, variables: tuple[str, ...] = _POLICY_VARIABLES) -> bool:
    """Evaluate a condition. An expression that fails on real data refuses: deny by default."""
    try:
        return _compiled(condition.cel, variables).gives(context) is True
    except Exception:
        return False
