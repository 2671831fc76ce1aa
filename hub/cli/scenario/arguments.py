"""The fields of a step, read as what they are sent as. What the contract cannot carry at all is refused here, in its words."""

from __future__ import annotations

from collections.abc import Sequence

from hub.cli.scenario.model import Node, ScenarioError, Value
from hub.cli.scenario.stage import new_request_id
from hub.domain.money import parse_yuan
from yrd.clearing.v1 import clearing_pb2
from yrd.common.v1 import types_pb2


class Unsendable(Exception):
    """A value for which the contract has no form, such as three decimals (rules.md M1): INVALID_ARGUMENT before anything is sent."""


class Args:
    """A step's fields."""

    def __init__(self, node: Node) -> None:
        self._node = node

    def __contains__(self, name: str) -> bool:
        """Say whether a field is given."""
        return self._node.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Return a text; raise ScenarioError where it is a list or mapping."""
        value = self._node.get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            raise ScenarioError(f"{name}: a single value is expected, not {value!r}")
        return value

    def by(self, default: str) -> str:
        """Return the division that acts."""
        return self.text("by", default)

    def request_id(self) -> str:
        """Return the request id given, or a new one."""
        return self.text("request_id") or new_request_id()

    def fen(self, name: str) -> int:
        """Return an amount; raise Unsendable where it is none. Zero and less go to the hub, which refuses them."""
        return fen(name, self.text(name))

    def number(self, name: str, default: int) -> int:
        """Return a whole number; raise Unsendable where it is none."""
        text = self.text(name)
        if not text:
            return default
        if not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit() and len(text) <= 10):
            raise Unsendable(f"{name}: {text!r} is not a whole number")
        return int(text)

    def yes(self, name: str) -> bool:
        """Return a yes or no; no where nothing is said."""
        text = self.text(name, "false")
        if text not in ("true", "false"):
            raise ScenarioError(f"{name}: {text!r} is neither true nor false")
        return text == "true"

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; a single one stands for itself."""
        value = self._node.get(name)
        listed = [value] if isinstance(value, str) else [] if value is None else value
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            raise ScenarioError(f"{name}: a list is expected, not {value!r}")
        return [item for item in listed if isinstance(item, str)]

    def lines(self) -> list[clearing_pb2.OrderLine]:
        """Return `lines`, or the one line of `category` and `amount`."""
        if "lines" not in self:
            return [_line(self._node)]
        value = self._node["lines"]
        if not isinstance(value, list):
            raise ScenarioError("lines: a list is expected")
        return [_line(entry) for entry in value]

    def without(self, *names: str) -> dict[str, Value]:
        """Return all fields but these."""
        return {name: value for name, value in self._node.items() if name not in names}


def fen(name: str, text: str) -> int:
    """Return the fen of a yuan text (rules.md M1); raise Unsendable."""
    try:
        return parse_yuan(text)
    except ValueError as error:
        raise Unsendable(f"{name}: {error}") from None


def category(text: str) -> types_pb2.Category.ValueType:
    """Return a category by its short name; raise Unsendable."""
    return types_pb2.Category.Value(_full("CATEGORY_", text, types_pb2.Category.keys()))


def evidence(kinds: Sequence[str]) -> list[types_pb2.EvidenceKind.ValueType]:
    """Return kinds of evidence by their short names; raise Unsendable."""
    known = types_pb2.EvidenceKind.keys()
    return [types_pb2.EvidenceKind.Value(_full("EVIDENCE_KIND_", kind, known)) for kind in kinds]


def _line(entry: Value) -> clearing_pb2.OrderLine:
    if not isinstance(entry, Node):
        raise ScenarioError(f"lines: a mapping {{category, amount, flags}} is expected, not {entry!r}")
    args = Args(entry)
    known = types_pb2.LineFlag.keys()
    flags = [types_pb2.LineFlag.Value(_full("LINE_FLAG_", flag, known)) for flag in args.texts("flags")]
    return clearing_pb2.OrderLine(category=category(args.text("category")), amount_fen=args.fen("amount"), flags=flags)


def _full(prefix: str, text: str, known: Sequence[str]) -> str:
    name = prefix + text
    if name not in known or text == "UNSPECIFIED":
        raise Unsendable(f"{text!r} is not one of {', '.join(key.removeprefix(prefix) for key in known[1:])}")
    return name
