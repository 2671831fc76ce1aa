"""Policy conditions in CEL: compiled once, checked at publication (rules.md, Policy `conditions`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import cel

MAX_EXPRESSION_CHARS = 2_000

_SAMPLE: dict[str, object] = {
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


@lru_cache(maxsize=4096)
def _program(expression: str) -> cel.Program:
    return cel.compile(expression)


def check(condition: Condition) -> str | None:
    """Return what is wrong with a condition, or None. Compiles it and tries it on a sample, so that a misspelt field is found."""
    if len(condition.cel) > MAX_EXPRESSION_CHARS:
        return f"longer than {MAX_EXPRESSION_CHARS} characters"
    try:
        result = _program(condition.cel).execute(_SAMPLE)
    except Exception as error:  # the binding raises plain built-in exceptions of many kinds
        return str(error)
    return None if isinstance(result, bool) else f"gives {type(result).__name__}, not true or false"


def holds(condition: Condition, context: Mapping[str, object]) -> bool:
    """Evaluate a condition. An expression that fails on real data refuses: deny by default."""
    try:
        return _program(condition.cel).execute(dict(context)) is True
    except Exception:
        return False
