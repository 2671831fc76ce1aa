"""Code lists: what a province calls the contract's values, as data (`codes.yaml`), in both directions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

LISTS = ("category", "enterprise_kind", "flag", "evidence", "redemption_state", "payee", "obligation_state", "outcome", "division")
"""Every code list a province may keep."""


@dataclass(frozen=True, slots=True)
class Codes:
    """Code lists by name. A list maps native values to the contract's; several native values may mean the same."""

    lists: Mapping[str, Mapping[str, str]]

    def inward(self, name: str, native: str) -> str | None:
        """Return the contract's value of a native one, or None where the list has none."""
        return self.lists.get(name, {}).get(native)

    def outward(self, name: str, value: str) -> str:
        """Return the native value of the contract's, the first listed; raise KeyError where the list has none."""
        for native, meaning in self.lists.get(name, {}).items():
            if meaning == value:
                return native
        raise KeyError(f"code list {name} has no native value for {value}")


def load_codes(path: Path) -> Codes:
    """Read `codes.yaml`; raise ValueError on a list unknown or not made of texts, so that a slip shows at start."""
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    if not isinstance(data, dict):
        raise ValueError(f"{path}: not a mapping of code lists")
    for name, entries in data.items():
        if name not in LISTS:
            raise ValueError(f"{path}: unknown code list {name!r}; known are {', '.join(LISTS)}")
        # Unquoted, 01 reads as the number 1 and NO as false: a code list holds texts only.
        if not isinstance(entries, dict) or not all(isinstance(part, str) for pair in entries.items() for part in pair):
            raise ValueError(f"{path}: list {name!r} must map texts to texts; quote numbers and words like NO")
    return Codes(data)
