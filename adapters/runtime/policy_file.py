"""Policies as YAML (docs/rules.md, Policy) → `yrd.policy.v1.Policy`, with every error placed by file, line, column and field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from adapters.runtime.policy_check import objections
from adapters.runtime.policy_fields import META, FieldFault, build
from yrd.policy.v1 import policy_pb2 as pb

Place = tuple[int, int]
Spot = tuple[str | int, ...]


class PolicyFileError(ValueError):
    """A policy that cannot be read: which field, what is wrong, and where (line and column from 1, 0 where there is no file)."""

    def __init__(self, field: str, message: str, line: int = 0, column: int = 0, file: str = "") -> None:
        at = f"{file}:{line}:{column}: " if line else f"{file}: " if file else ""
        super().__init__(f"{at}{field}: {message}" if field else f"{at}{message}")
        self.field, self.message, self.line, self.column, self.file = field, message, line, column, file


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """A policy with what its file says about it: figures without a source, and the source of the rest."""

    policy: pb.Policy
    assumed: tuple[str, ...]
    source: str


def policy_from_mapping(mapping: Mapping[str, object]) -> pb.Policy:
    """Return the policy of a mapping already read from YAML; raise PolicyFileError naming the field.

    Form is checked here (names, types, amounts, dates), not sense: whether shares add up is for the hub to refuse, in its own words.
    """
    try:
        return build(mapping)
    except FieldFault as fault:
        raise PolicyFileError(_path(fault.spot), fault.message) from None


def load_policies(path: Path) -> tuple[PolicyEntry, ...]:
    """Read a file `policies: [...]`; raise PolicyFileError at the first thing wrong, in form or in sense."""
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        raise PolicyFileError("", str(error.problem), line, column, str(path)) from None
    places: dict[Spot, Place] = {}
    data = _plain(root, (), places, str(path)) if root is not None else None
    listed = data.get("policies") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        raise PolicyFileError("policies", "the file holds a list named `policies`", 1, 1, str(path))
    return tuple(_entry(item, ("policies", at), places, str(path)) for at, item in enumerate(listed))


def _entry(item: object, spot: Spot, places: Mapping[Spot, Place], file: str) -> PolicyEntry:
    """Return one entry of the list, with faults placed."""
    try:
        if not isinstance(item, dict):
            raise FieldFault((), "a policy is a mapping of fields")
        policy = build(item)
        for fault in objections(policy):
            raise fault
        assumed, source = _meta(item)
    except FieldFault as fault:
        line, column = _place(spot + fault.spot, places)
        raise PolicyFileError(_path(fault.spot), fault.message, line, column, file) from None
    return PolicyEntry(policy, assumed, source)


def _meta(item: Mapping[str, object]) -> tuple[tuple[str, ...], str]:
    """Return the figures marked assumed and the source of the rest; a mark on a field that is not there is a fault."""
    assumed = item.get("assumed", [])
    if not isinstance(assumed, list):
        raise FieldFault(("assumed",), "a list of field names")
    for at, name in enumerate(assumed):
        if name not in item or name in META:
            raise FieldFault(("assumed", at), f"{name!r} is no field of this policy")
    return tuple(str(name) for name in assumed), str(item.get("source", ""))


def _place(spot: Spot, places: Mapping[Spot, Place]) -> Place:
    """Return where a field stands, or the nearest thing around it."""
    while spot not in places and spot:
        spot = spot[:-1]
    return places.get(spot, (1, 1))


def _path(spot: Spot) -> str:
    """Return a field path such as `categories[1].ratio_bp`."""
    text = ""
    for part in spot:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _plain(node: yaml.Node, spot: Spot, places: dict[Spot, Place], file: str) -> object:
    """Return a node as plain data, noting places. Scalars stay texts: `1.10` is a version, and 300000.00 an exact amount."""
    places[spot] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if isinstance(node, yaml.MappingNode):
        found: dict[str, object] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in found:
                raise PolicyFileError(name, "given twice", key.start_mark.line + 1, key.start_mark.column + 1, file)
            found[name] = _plain(value, (*spot, name), places, file)
            # An unknown name is best pointed at itself, not at its value.
            places[(*spot, name)] = (key.start_mark.line + 1, key.start_mark.column + 1)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_plain(value, (*spot, at), places, file) for at, value in enumerate(node.value)]
    if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
        return None
    return str(node.value)
