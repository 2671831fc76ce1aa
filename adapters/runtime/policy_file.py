"""Policies as YAML (docs/rules.md, Policy) → `yrd.policy.v1.Policy`, with every error placed by file, line, column and field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from adapters.runtime.policy_check import objections
from adapters.runtime.policy_faults import FieldFault, Spot, path_of, together
from adapters.runtime.policy_fields import META, build
from yrd.policy.v1 import policy_pb2 as pb

Place = tuple[int, int]


class PolicyFileError(ValueError):
    """A policy that cannot be read: which field, what is wrong, and where (line and column from 1, 0 where there is no file).

    `code` is stable, `message` English, `zh` Chinese; `faults` are all that was found, this one first.
    """

    def __init__(
        self, field: str, message: str, line: int = 0, column: int = 0, file: str = "", code: str = "INVALID_VALUE", zh: str = ""
    ) -> None:
        at = f"{file}:{line}:{column}: " if line else f"{file}: " if file else ""
        super().__init__(f"{at}{field}: {message}" if field else f"{at}{message}")
        self.field, self.message, self.line, self.column, self.file = field, message, line, column, file
        self.code, self.zh = code, zh or message
        self.faults: tuple[PolicyFileError, ...] = (self,)


@dataclass(frozen=True, slots=True)
class PolicyEntry:
    """A policy with what its file says about it: figures without a source, the source of the rest, and where it stands in the list."""

    policy: pb.Policy
    assumed: tuple[str, ...]
    source: str
    position: int = 0


@dataclass(slots=True)
class PolicyFile:
    """A file as read: the policies without a fault, the faults of the others, and where every field stands."""

    path: str
    entries: list[PolicyEntry] = field(default_factory=list)
    faults: list[PolicyFileError] = field(default_factory=list)
    places: dict[Spot, Place] = field(default_factory=dict)

    def place(self, entry: PolicyEntry, spot: Spot) -> Place:
        """Return line and column of a field of a policy, or of the nearest thing around it."""
        return _place(("policies", entry.position, *spot), self.places)


def policy_from_mapping(mapping: Mapping[str, object]) -> pb.Policy:
    """Return the policy of a mapping already read from YAML; raise PolicyFileError naming the field.

    Form is checked here (names, types, amounts, dates), not sense: whether shares add up is for the hub to refuse, in its own words.
    """
    try:
        return build(mapping)
    except FieldFault as fault:
        raise _all([PolicyFileError(path_of(item.spot), item.message, code=item.code, zh=item.zh) for item in fault.all()]) from None


def load_policies(path: Path) -> tuple[PolicyEntry, ...]:
    """Read a file `policies: [...]`; raise PolicyFileError, with all of `faults`, where anything is wrong, in form or in sense."""
    read = read_policies(path)
    if read.faults:
        raise _all(read.faults)
    return tuple(read.entries)


def read_policies(path: Path) -> PolicyFile:
    """Read a file `policies: [...]` with all its faults. Raises OSError where there is no such file."""
    read = PolicyFile(str(path))
    try:
        root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
        problem = str(error.problem) if isinstance(error, yaml.MarkedYAMLError) else str(error)
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        read.faults.append(PolicyFileError("", problem, line, column, read.path, "NOT_YAML", f"不是有效的 YAML:{problem}"))
        return read
    except UnicodeDecodeError:
        text, zh = "the file is not UTF-8; save it as UTF-8", "文件编码不是 UTF-8,请另存为 UTF-8"
        read.faults.append(PolicyFileError("", text, 1, 1, read.path, "NOT_UTF8", zh))
        return read
    data = _Plain(read).of(root, (), ()) if root is not None else None
    listed = data.get("policies") if isinstance(data, dict) else None
    if not isinstance(listed, list):
        text, zh = "the file holds a list named `policies`", "文件须含名为 policies 的列表"
        read.faults.append(PolicyFileError("policies", text, 1, 1, read.path, "NO_POLICIES", zh))
        return read
    for at, item in enumerate(listed):
        try:
            read.entries.append(_entry(item, at))
        except FieldFault as fault:
            read.faults.extend(_placed(read, at, one) for one in fault.all())
    return read


def _placed(read: PolicyFile, position: int, fault: FieldFault) -> PolicyFileError:
    line, column = _place(("policies", position, *fault.spot), read.places)
    return PolicyFileError(path_of(fault.spot), fault.message, line, column, read.path, fault.code, fault.zh)


def _all(faults: Sequence[PolicyFileError]) -> PolicyFileError:
    faults[0].faults = tuple(faults)
    return faults[0]


def _entry(item: object, position: int) -> PolicyEntry:
    """Return one entry of the list; raise FieldFault."""
    if not isinstance(item, dict):
        raise FieldFault((), "a policy is a mapping of fields", "NOT_A_MAPPING", "一项政策应为字段的映射")
    policy = build(item)
    together(list(objections(policy)))
    assumed, source = _meta(item)
    return PolicyEntry(policy, assumed, source, position)


def _meta(item: Mapping[str, object]) -> tuple[tuple[str, ...], str]:
    """Return the figures marked assumed and the source of the rest; a mark on a field that is not there is a fault."""
    assumed = item.get("assumed", [])
    if not isinstance(assumed, list):
        raise FieldFault(("assumed",), "a list of field names", "NOT_A_LIST", "应为字段名列表")
    together(
        [
            FieldFault(("assumed", at), f"{name!r} is no field of this policy", "UNKNOWN_FIELD", f"{name!r} 不是本政策的字段")
            for at, name in enumerate(assumed)
            if name not in item or name in META
        ]
    )
    return tuple(str(name) for name in assumed), str(item.get("source", ""))


def _place(spot: Spot, places: Mapping[Spot, Place]) -> Place:
    """Return where a field stands, or the nearest thing around it."""
    while spot not in places and spot:
        spot = spot[:-1]
    return places.get(spot, (1, 1))


class _Plain:
    """Turns nodes into plain data, noting places. Scalars stay texts: `1.10` is a version, and 300000.00 an exact amount."""

    def __init__(self, read: PolicyFile) -> None:
        self._read = read

    def of(self, node: yaml.Node, spot: Spot, above: tuple[yaml.Node, ...]) -> object:
        """Return a node as plain data. `above` are the nodes around it, among which an alias may name itself."""
        places = self._read.places
        places[spot] = (node.start_mark.line + 1, node.start_mark.column + 1)
        if any(node is item for item in above):
            self._fault(node, "refers to itself", "NOT_YAML", "引用了自身", spot)
            return None
        around = (*above, node)
        if isinstance(node, yaml.MappingNode):
            found: dict[str, object] = {}
            for key, value in node.value:
                name = str(key.value)
                if name in found:
                    self._fault(key, "given twice", "GIVEN_TWICE", "重复填写,请删去其一", (*spot, name))
                    continue
                found[name] = self.of(value, (*spot, name), around)
                # An unknown name is best pointed at itself, not at its value.
                places[(*spot, name)] = (key.start_mark.line + 1, key.start_mark.column + 1)
            return found
        if isinstance(node, yaml.SequenceNode):
            return [self.of(value, (*spot, at), around) for at, value in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null":
            return None
        return str(node.value)

    def _fault(self, node: yaml.Node, message: str, code: str, zh: str, spot: Spot) -> None:
        # Inside a policy a field is named as everywhere: from the policy on.
        inside = spot[2:] if spot[:1] == ("policies",) and len(spot) > 2 else spot
        mark = node.start_mark
        self._read.faults.append(PolicyFileError(path_of(inside), message, mark.line + 1, mark.column + 1, self._read.path, code, zh))
