"""The checker itself: it finds an order where there is one, and none where there is none."""

from __future__ import annotations

from tests.fixtures import delta
from tests.fixtures.linear import Operation, explain
from tests.fixtures.model import Authorize, Change, Command, Look, Result, World, apply, world

ISSUER = delta.CHANGXING
ONE_NOTE = world({ISSUER: [40_000]})
A, B = Authorize("a", ISSUER, "O-1", 60_000), Authorize("b", ISSUER, "O-2", 60_000)
WHOLE: Result = ("AUTHORIZED", 36_000, (36_000,))
REST: Result = ("AUTHORIZED", 4_000, (4_000,))


def _operation(command: Command, result: Result, began: float, ended: float) -> Operation[Command, Result]:
    return Operation(command, result, began, ended)


def _explained(*history: Operation[Command, Result], start: World = ONE_NOTE) -> list[Command] | None:
    order = explain(history, start, apply)
    return None if order is None else [operation.command for operation in order]


def test_overlapping_commands_may_come_in_any_order() -> None:
    assert _explained(_operation(A, REST, 0, 9), _operation(B, WHOLE, 1, 8)) == [B, A]


def test_what_had_ended_comes_before_what_began_later() -> None:
    assert _explained(_operation(A, REST, 0, 1), _operation(B, WHOLE, 2, 3)) is None
    assert _explained(_operation(A, WHOLE, 0, 1), _operation(B, REST, 2, 3)) == [A, B]


def test_the_same_note_drawn_twice_has_no_order() -> None:
    assert _explained(_operation(A, WHOLE, 0, 9), _operation(B, WHOLE, 1, 8)) is None


def test_a_stale_look_has_no_order() -> None:
    untouched: Result = ("wallet", 40_000, 0, 0)
    assert _explained(_operation(A, WHOLE, 0, 1), _operation(Look(ISSUER), untouched, 2, 3)) is None
    assert _explained(_operation(A, WHOLE, 0, 3), _operation(Look(ISSUER), untouched, 2, 4)) == [Look(ISSUER), A]


def test_a_torn_look_has_no_order() -> None:
    assert _explained(_operation(A, WHOLE, 0, 9), _operation(Look(ISSUER), ("wallet", 4_000, 36_000, 0), 1, 8)) is None


def test_a_redemption_ends_once() -> None:
    void, capture = Change("c", "Void", "a"), Change("d", "Capture", "a", "F-1")
    voided: Result = ("VOIDED", 0, (0,))
    first = _operation(A, WHOLE, 0, 1)
    assert _explained(first, _operation(void, voided, 2, 9), _operation(capture, ("INVALID_STATE",), 3, 8)) == [A, void, capture]
    both = ("CLEARED", 36_000, (36_000,))
    assert _explained(first, _operation(void, voided, 2, 9), _operation(capture, both, 3, 8)) is None


def test_the_same_request_has_one_effect() -> None:
    assert _explained(_operation(A, WHOLE, 0, 9), _operation(A, WHOLE, 1, 8)) == [A, A]
    assert _explained(_operation(A, WHOLE, 0, 9), _operation(A, REST, 1, 8)) is None
