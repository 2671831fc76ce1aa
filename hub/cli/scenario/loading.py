"""Scenario files → scenarios: a base's lists first, every field known, every fault named with its line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import date, datetime, time
from pathlib import Path

from hub.cli.scenario import parties
from hub.cli.scenario.model import Node, Scenario, ScenarioError, UnusableInput, Value
from hub.cli.scenario.names import Names
from hub.cli.scenario.steps import read_steps
from hub.cli.scenario.texts import load_texts
from hub.domain.clock import SHANGHAI
from hub.domain.divisions import is_division, province_of

LISTS = ("policies", "providers", "recognitions", "enterprises", "vouchers")
_TOP = frozenset({"title", "source", "start", "base", "steps", *LISTS})
_PUBLIC_ENDINGS = frozenset({".yaml", ".yml"})
_SPACED_OFFSET = re.compile(r"\s+(?=[+-]\d\d:?\d\d$)")


def scenario_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files meant by `paths`: folders stand for their scenarios, by name. Raise UnusableInput where there is nothing."""
    found: dict[Path, Path] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if file.suffix in _PUBLIC_ENDINGS and not file.name.startswith("_"))
            if not inside:
                raise UnusableInput(f"{path}: the folder holds no scenario (*.yaml, not beginning with _)")
        elif path.exists():
            inside = [path]
        else:
            raise UnusableInput(f"{path}: no such file or folder")
        for file in inside:
            found.setdefault(file.resolve(), file)
    return list(found.values())


class Document:
    """A scenario's file and those of its bases, read but not understood. Raises UnusableInput where one cannot be read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.root = load_texts(path)
        self.lists: dict[str, list[tuple[Path, Value]]] = {name: [] for name in LISTS}
        self.faults: list[str] = []
        self._gather(path, self.root, ())

    @property
    def title(self) -> str:
        """The title, or the file's name where there is none."""
        title = self.root.get("title")
        return title if isinstance(title, str) and title else self.path.stem

    def _gather(self, path: Path, root: Node, above: tuple[Path, ...]) -> None:
        base = root.get("base")
        if isinstance(base, str):
            inner = path.parent / base
            if inner.resolve() in above or inner.resolve() == path.resolve():
                raise UnusableInput(f"{path}: base {base!r} leads back to itself")
            if not inner.is_file():
                raise UnusableInput(f"{path}: base {base!r}: no such file beside it")
            self._gather(inner, load_texts(inner), (*above, path.resolve()))
        elif base is not None:
            self.faults.append(f"{path.name}: base: one file name is expected")
        for name in LISTS:
            entries = root.get(name)
            if isinstance(entries, list):
                self.lists[name] += [(path, entry) for entry in entries]
            elif entries is not None:
                self.faults.append(f"{path.name}: {name}: a list is expected")


def understand(document: Document) -> tuple[Scenario, Names]:
    """Return the scenario and the names of its parties; raise ScenarioError at the first thing that makes no sense."""
    root = document.root
    for name in root:
        if name not in _TOP:
            raise ScenarioError(f"{name}: unknown field; known are {', '.join(sorted(_TOP))}")
    if document.faults:
        raise ScenarioError(document.faults[0])
    start = root.get("start")
    if not isinstance(start, str):
        raise ScenarioError("start: the clock at the first step is missing")
    steps = root.get("steps")
    if not isinstance(steps, list):
        raise ScenarioError("steps: a list is expected")
    scenario = Scenario(document.path, document.title, instant(start))
    names = Names()
    parties.read_all(document.lists, scenario, names)
    scenario.steps = read_steps(steps)
    scenario.provinces = frozenset(_provinces([root, *(entry for entries in document.lists.values() for _, entry in entries)]))
    return scenario, names


def instant(text: str) -> datetime:
    """Return an instant written with its offset; one without, or a bare date, is Asia/Shanghai's (rules.md M3). Raise ScenarioError."""
    written = _SPACED_OFFSET.sub("", text.strip())
    try:
        if len(written) <= len("2013-12-19"):
            return datetime.combine(date.fromisoformat(written), time(), SHANGHAI)
        found = datetime.fromisoformat(written)
    except ValueError:
        raise ScenarioError(f"{text!r} is no instant such as 2013-12-19T09:00:00+08:00") from None
    return found if found.tzinfo is not None else found.replace(tzinfo=SHANGHAI)


def _provinces(values: Sequence[Value]) -> set[str]:
    # Whoever is named anywhere may have to act, and the hub reads the CAs of the provinces once, when it starts.
    found: set[str] = set()
    for value in values:
        if isinstance(value, str) and is_division(value):
            found.add(province_of(value))
        elif isinstance(value, Node):
            found |= _provinces([*value.keys(), *value.values()])
        elif isinstance(value, list):
            found |= _provinces(value)
    return found
