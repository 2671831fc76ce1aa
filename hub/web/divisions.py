"""Names of administrative divisions: versioned data, never code. Where no name is known, the code stands for itself."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from hub.divisions import divisions_file
from hub.domain.divisions import province_of


@dataclass(frozen=True, slots=True)
class DivisionName:
    """A division's names from a date on."""

    code: str
    zh: str
    en: str
    valid_from: date


class DivisionNames:
    """Names by code and date. A rename is a further row with a later `valid_from`."""

    def __init__(self, names: Iterable[DivisionName] = ()) -> None:
        self._names: dict[str, list[DivisionName]] = {}
        for name in sorted(names, key=lambda item: item.valid_from):
            self._names.setdefault(name.code, []).append(name)

    @classmethod
    def load(cls, path: Path | None = None) -> DivisionNames:
        """Read the first that exists of `path` and the defaults; where none does, know no names.

        Raises OSError, ValueError or KeyError where the file cannot be read or is malformed.
        """
        found = divisions_file(path)
        if found is None:
            return cls()
        with found.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return cls(DivisionName(row["code"], row["zh"], row["en"], date.fromisoformat(row["valid_from"])) for row in rows)

    def name(self, code: str, day: date) -> DivisionName:
        """Return the name in force on `day`, or the code itself as name."""
        known = [name for name in self._names.get(code, ()) if name.valid_from <= day]
        return known[-1] if known else DivisionName(code, code, code, date.min)

    def regions(self, day: date) -> set[str]:
        """Return the codes of the province-level divisions known on `day`."""
        return {code for code, names in self._names.items() if code == province_of(code) and names[0].valid_from <= day}
