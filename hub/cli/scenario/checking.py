"""Expectations against outcomes: a partial match, amounts as amounts, credit codes by local name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from hub.cli.scenario.model import Difference, Fen, Got, Node, Obligations, Outcome, Positions, Step, Value
from hub.cli.scenario.names import Names
from hub.domain.money import format_yuan, parse_yuan

_NOTHING = "—"


def differences(step: Step, outcome: Outcome, names: Names) -> list[Difference]:
    """Return what differs from the step's expectations; what they do not name is not checked."""
    found = []
    for field, expected in step.expect.items():
        got = outcome.values.get(field)
        if not _matches(expected, got, names):
            shown = _NOTHING if got is None else show(got, names, expected)
            found.append(Difference(step.number, step.verb, field, show_expected(expected), shown))
    if found and outcome.text and "refusal" not in step.expect:
        # The refusal explains every other difference.
        found.append(Difference(step.number, step.verb, "refusal", _NOTHING, f"{outcome.refusal}: {outcome.text}"))
    return found


def count_differences(step: Step, outcomes: Counter[str]) -> list[Difference]:
    """Return what differs from `counts`: each outcome it names must have come that often."""
    counts = step.expect.get("counts")
    if counts is None:
        return []
    if isinstance(counts, Node) and all(str(outcomes[label]) == times for label, times in counts.items()):
        return []
    got = ", ".join(f"{label}: {times}" for label, times in sorted(outcomes.items()))
    return [Difference(step.number, step.verb, "counts", show_expected(counts), got)]


def show(got: Got, names: Names, expected: Value = None) -> str:
    """Return a value as expectations write it. Of positions only those that `expected` names, unless it names none."""
    if isinstance(got, Fen):
        return format_yuan(got.fen)
    if isinstance(got, bool):
        return str(got).lower()
    if isinstance(got, list):
        return f"[{', '.join(got)}]"
    if isinstance(got, Obligations):
        each = (f"{debtor} → {names.name(creditor)} {format_yuan(fen)}" for debtor, creditor, fen in sorted(got.entries))
        return f"[{'; '.join(each)}]"
    if isinstance(got, Positions):
        divisions = sorted(set(expected) if isinstance(expected, Node) else got.by_division)
        return f"{{{', '.join(f'{each}: {format_yuan(got.by_division.get(each, 0))}' for each in divisions)}}}"
    return str(got)


def show_expected(expected: Value) -> str:
    """Return an expectation as the report shows it."""
    if isinstance(expected, list):
        separator = "; " if any(isinstance(item, Node) for item in expected) else ", "
        return f"[{separator.join(map(show_expected, expected))}]"
    if isinstance(expected, Node) and set(expected) == {"debtor", "creditor", "amount"}:
        return f"{expected['debtor']} → {expected['creditor']} {expected['amount']}"
    if isinstance(expected, Node):
        return f"{{{', '.join(f'{name}: {show_expected(value)}' for name, value in expected.items())}}}"
    return _NOTHING if expected is None else expected


def _matches(expected: Value, got: Got | None, names: Names) -> bool:
    if got is None:
        return expected is None
    if isinstance(got, Fen):
        return _fen(expected) == got.fen
    if isinstance(got, list):
        return expected == got
    if isinstance(got, Obligations):
        wanted = _obligations(expected, names)
        return wanted is not None and Counter(wanted) == Counter(got.entries)
    if isinstance(got, Positions):
        return isinstance(expected, Node) and _positions_match(expected, got.by_division)
    if isinstance(got, bool):
        return isinstance(expected, str) and expected.lower() == str(got).lower()
    return expected == str(got)


def _positions_match(expected: Node, got: Mapping[str, int]) -> bool:
    return all(_fen(amount) == got.get(division, 0) for division, amount in expected.items())


def _obligations(expected: Value, names: Names) -> list[tuple[str, str, int]] | None:
    """Return the obligations expected, or None where they are written wrongly."""
    found = []
    for entry in expected if isinstance(expected, list) else [None]:
        if not isinstance(entry, Node) or set(entry) != {"debtor", "creditor", "amount"}:
            return None
        debtor, creditor, fen = entry["debtor"], entry["creditor"], _fen(entry["amount"])
        if not isinstance(debtor, str) or not isinstance(creditor, str) or fen is None:
            return None
        found.append((debtor, names.code(creditor), fen))
    return found


def _fen(expected: Value) -> int | None:
    try:
        return parse_yuan(expected) if isinstance(expected, str) else None
    except ValueError:
        return None
