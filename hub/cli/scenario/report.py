"""What a run looks like: a line a scenario, a table under a failing one, a sum at the end."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable, Sequence

from hub.cli.scenario.model import Result

_HEADER = ("step", "verb", "field", "expected", "got")
_CELL_MAX = 120


def lines(result: Result, name_width: int) -> list[str]:
    """Return the lines of one scenario."""
    mark = "ok  " if result.passed else "FAIL"
    shown = [f"{mark} {result.name.ljust(name_width)}  {result.title}  {result.seconds:.1f}s"]
    if not result.passed:
        shown += [f"     {line}" for line in explanation(result)]
    return shown


def explanation(result: Result) -> list[str]:
    """Return why a scenario failed: the table of differences, the error that ended it, refusals that nobody expected."""
    shown = []
    if result.differences:
        rows = [(str(each.step) if each.step else "end", each.verb, each.field, each.expected, each.got) for each in result.differences]
        shown += table([_HEADER, *rows])
    if result.error:
        shown += result.error.splitlines()
    return shown + [f"note: {note}" for note in result.notes]


def summary(results: Sequence[Result]) -> str:
    """Return the last line."""
    passed = sum(result.passed for result in results)
    return f"{passed} passed, {len(results) - passed} failed"


def as_json(results: Sequence[Result]) -> str:
    """Return the results as one JSON object."""
    scenarios = [
        {
            "name": result.name,
            "title": result.title,
            "passed": result.passed,
            "seconds": round(result.seconds, 3),
            "explanation": explanation(result) if not result.passed else [],
        }
        for result in results
    ]
    passed = sum(result.passed for result in results)
    return json.dumps({"passed": passed, "failed": len(results) - passed, "scenarios": scenarios}, ensure_ascii=False)


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Return rows in columns; a Chinese character is two columns wide."""
    cut = [[_cut(cell.replace("\n", " ")) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*cut, strict=True)]
    return ["  ".join(cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cut]


def _cut(text: str) -> str:
    return text if len(text) <= _CELL_MAX else text[: _CELL_MAX - 1] + "…"


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
