"""The steps of a scenario, checked against the grammar of verbs before anything is played."""

from __future__ import annotations

from collections.abc import Sequence

from hub.cli.scenario.grammar import NESTING, VERBS, expectable
from hub.cli.scenario.model import Node, ScenarioError, Step, Value


def read_steps(entries: Sequence[Value]) -> list[Step]:
    """Return the steps; raise ScenarioError naming step, line and fault of the first that cannot be played."""
    return [_step(entry, number) for number, entry in enumerate(entries, 1)]


def _step(entry: Value, number: int, *, within: str = "") -> Step:
    if not isinstance(entry, Node):
        raise ScenarioError(f"step {number}: a mapping of one verb (and expect) is expected, not {entry!r}")
    place = f"step {number} (line {entry.line})"
    verbs = [name for name in entry if name != "expect"]
    if len(verbs) != 1:
        raise ScenarioError(f"{place}: exactly one verb is expected, not {', '.join(verbs) or 'none'}")
    verb = verbs[0]
    if verb not in VERBS:
        raise ScenarioError(f"{place}: unknown verb {verb!r}; known are {', '.join(VERBS)}")
    if within and (verb in NESTING or "expect" in entry):
        fault = "holds no expectations of its own; expect `counts`" if "expect" in entry else f"does not hold {verb}"
        raise ScenarioError(f"{place}: a step of {within} {fault}")
    if verb in NESTING:
        args, inner = _nested(verb, entry[verb], number, place)
    else:
        args, inner = _args(verb, entry[verb], place), ()
    return Step(number, verb, args, _expect(verb, args, entry.get("expect"), place), entry.line, inner)


def _nested(verb: str, value: Value, number: int, place: str) -> tuple[Node, tuple[Step, ...]]:
    if verb == "concurrently":
        if not isinstance(value, list) or not value:
            raise ScenarioError(f"{place}: concurrently: a list of steps is expected")
        return Node(), tuple(_step(inner, number, within=verb) for inner in value)
    if not isinstance(value, Node) or set(value) != {"step", "times"}:
        raise ScenarioError(f"{place}: repeat: `step` and `times` are expected")
    times = value["times"]
    if not (isinstance(times, str) and times.isascii() and times.isdigit() and 0 < int(times) <= 10_000):
        raise ScenarioError(f"{place}: repeat: times: a number from 1 to 10000 is expected, not {times!r}")
    return value, (_step(value["step"], number, within=verb),)


def _args(verb: str, value: Value, place: str) -> Node:
    rule = VERBS[verb]
    if rule.scalar and isinstance(value, str):
        value = Node({rule.scalar: value})
    args = Node() if value is None else value
    if not isinstance(args, Node):
        raise ScenarioError(f"{place}: {verb}: a mapping of fields is expected, not {value!r}")
    for name in args:
        if name not in rule.known:
            raise ScenarioError(f"{place}: {verb}: unknown field {name!r}; known are {', '.join(sorted(rule.known)) or 'none'}")
    missing = sorted(name for name in rule.required if args.get(name) is None)
    if missing:
        raise ScenarioError(f"{place}: {verb}: missing {', '.join(missing)}")
    if verb in ("quote", "authorize") and ("lines" in args) == ("amount" in args or "category" in args):
        raise ScenarioError(f"{place}: {verb}: either lines, or category and amount")
    if verb == "advance_to" and len(args) != 1:
        raise ScenarioError(f"{place}: advance_to: an instant or {{days: N}} is expected")
    return args


def _expect(verb: str, args: Node, value: Value, place: str) -> Node:
    expect = Node() if value is None else value
    if not isinstance(expect, Node):
        raise ScenarioError(f"{place}: expect: a mapping of fields is expected, not {value!r}")
    known = expectable(verb, frozenset(args))
    if known is None:
        raise ScenarioError(f"{place}: state: one of {{issuer}}, {{issuer, enterprise, year?}}, {{provider}}, {{redemption}}")
    for name in expect:
        if name not in known:
            raise ScenarioError(f"{place}: {verb}: unknown expectation {name!r}; known are {', '.join(sorted(known)) or 'none'}")
    return expect
