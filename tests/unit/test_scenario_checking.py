from collections import Counter

import pytest

from hub.cli.scenario.checking import count_differences, differences
from hub.cli.scenario.model import Difference, Fen, Got, Node, Obligations, Outcome, Positions, Step, Value
from hub.cli.scenario.names import Names

NAMES = Names()
LAB = NAMES.declare("lab", "310000")


def step(expect: dict[str, Value], verb: str = "authorize") -> Step:
    return Step(3, verb, Node(), Node(expect))


def differing(expected: Value, got: Got) -> list[Difference]:
    return differences(step({"field": expected}), Outcome("OK", values={"field": got}), NAMES)


def owed(debtor: str, creditor: str, amount: str) -> Node:
    return Node({"debtor": debtor, "creditor": creditor, "amount": amount})


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ("4800.00", Fen(480000)),
        ("4800", Fen(480000)),
        ("-3000.00", Fen(-300000)),
        ("5", 5),
        ("true", True),
        ("CLEARED", "CLEARED"),
        ([], []),
        (["PER_LINE_CAP", "PER_ORDER_CAP"], ["PER_LINE_CAP", "PER_ORDER_CAP"]),
        ([owed("1", "lab", "2.00"), owed("2", "lab", "1.00")], Obligations((("2", LAB, 100), ("1", LAB, 200)))),
        ([], Obligations(())),
        (Node({"310000": "-1.00", "320000": "0.00"}), Positions({"310000": -100, "330000": 100})),
    ],
)
def test_what_matches(expected: Value, got: Got) -> None:
    assert differing(expected, got) == []


@pytest.mark.parametrize(
    ("expected", "got", "shown", "shown_got"),
    [
        ("4800.00", Fen(480001), "4800.00", "4800.01"),
        ("4800.000", Fen(480000), "4800.000", "4800.00"),
        ("CLEARED", "HELD", "CLEARED", "HELD"),
        (["A", "B"], ["B", "A"], "[A, B]", "[B, A]"),
        (["A"], [], "[A]", "[]"),
        ("true", False, "true", "false"),
        ([owed("1", "lab", "2.00")], Obligations(()), "[1 → lab 2.00]", "[]"),
        ([], Obligations((("1", LAB, 200),)), "[]", "[1 → lab 2.00]"),
        (
            [owed("1", "lab", "2.00"), owed("1", "lab", "2.00")],
            Obligations((("1", LAB, 200),)),
            "[1 → lab 2.00; 1 → lab 2.00]",
            "[1 → lab 2.00]",
        ),
        (Node({"310000": "1.00"}), Positions({"330000": 100}), "{310000: 1.00}", "{310000: 0.00}"),
    ],
)
def test_what_differs_and_how_it_is_shown(expected: Value, got: Got, shown: str, shown_got: str) -> None:
    assert differing(expected, got) == [Difference(3, "authorize", "field", shown, shown_got)]


def test_what_is_not_named_is_not_checked() -> None:
    assert differences(step({"status": "OK"}), Outcome("OK", values={"status": "OK", "subsidy": Fen(1)}), NAMES) == []


def test_a_refusal_that_nobody_expected_explains_what_differs() -> None:
    outcome = Outcome("REFUSED", "QUOTA_EXCEEDED", "the cap is used up", {"status": "REFUSED", "refusal": "QUOTA_EXCEEDED"})
    assert differences(step({"subsidy": "1.00"}), outcome, NAMES) == [
        Difference(3, "authorize", "subsidy", "1.00", "—"),
        Difference(3, "authorize", "refusal", "—", "QUOTA_EXCEEDED: the cap is used up"),
    ]


def test_counts_are_a_partial_match() -> None:
    expect = step({"counts": Node({"AUTHORIZED": "1", "QUOTA_EXCEEDED": "1"})}, "concurrently")
    assert count_differences(expect, Counter(AUTHORIZED=1, QUOTA_EXCEEDED=1, OTHER=4)) == []
    assert count_differences(expect, Counter(AUTHORIZED=2)) == [
        Difference(3, "concurrently", "counts", "{AUTHORIZED: 1, QUOTA_EXCEEDED: 1}", "AUTHORIZED: 2")
    ]


def test_a_count_of_none_is_met_by_none() -> None:
    assert count_differences(step({"counts": Node({"CLEARED": "0"})}), Counter(VOIDED=1)) == []


def test_an_outcome_counts_as_its_refusal_else_its_status() -> None:
    assert [Outcome("REFUSED", "X").label, Outcome("VOIDED").label, Outcome().label] == ["X", "VOIDED", "OK"]
