"""Orders as contracts (O1), the policy of the day (P1), and conditions in CEL."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hub.domain import conditions
from hub.domain.checks import checks
from hub.domain.conditions import MAX_EXPRESSION_CHARS, MAX_LOOPS, Condition
from hub.domain.model import Line, LineFlag
from hub.domain.policy import Category, CategoryRule, policy_in_force
from tests.unit.builders import ENTERPRISE, OTHER_ENTERPRISE, PROVIDER, TESTING, approved, code, desk, enterprise, line, policy, provider


def test_o1_an_order_number_is_one_contract_of_one_enterprise() -> None:
    world = desk()
    world.authorize(line(100))
    world.ws.enterprises[OTHER_ENTERPRISE] = enterprise(uscc=OTHER_ENTERPRISE)
    decision = world.authorize(line(100), enterprise=OTHER_ENTERPRISE)
    assert code(decision) == "INVALID_ARGUMENT"
    assert decision.refusal is not None and decision.refusal.violations[0].field == "input.order.order_no"


def test_o1_lines_stay_while_something_is_committed() -> None:
    world = desk()
    first = approved(world.authorize(line(100)))
    decision = world.authorize(line(101))
    assert code(decision) == "INVALID_ARGUMENT"
    assert decision.refusal is not None and decision.refusal.violations[0].field == "input.order.lines"
    world.void(first.redemption_id)
    assert world.authorize(line(101)).refusal is None


def test_p1_the_policy_of_the_day_superseded_by_date_then_by_publication() -> None:
    july = policy(version="v2", effective_from=date(2026, 7, 1), categories={TESTING: CategoryRule(3000)})
    amended = replace(july, version="v3", categories={TESTING: CategoryRule(2000)})
    world = desk(policy(), july, amended)
    world.advance(date(2026, 6, 30))
    assert approved(world.authorize(line(100))).policy_version == "v1"
    world.advance(date(2026, 7, 1))
    decision = world.authorize(line(100), order="o2")
    assert approved(decision).policy_version == "v3"
    assert approved(decision).subsidy == 20_00
    world.advance(date(2025, 12, 31))
    assert code(world.authorize(line(100), order="o3")) == "POLICY_NOT_IN_FORCE"


def test_p1_no_policy_covers_no_day() -> None:
    assert policy_in_force((), date(2026, 3, 2)) is None
    ended = policy(effective_until=date(2026, 3, 2))
    assert policy_in_force((ended,), date(2026, 3, 2)) is None


def _check(expression: str) -> str | None:
    return conditions.check(Condition("c", expression))


@pytest.mark.parametrize(
    "expression",
    [
        "true",
        "order.amount_fen >= 100000 && enterprise.staff <= 500",
        "provider.rating >= 4 || provider.rating >= 4.5",
        "'INSTRUMENT' in order.categories || order.lines.all(l, l.amount_fen > 0 && size(l.flags) == 0)",
        "enterprise.division.startsWith('31') && provider.home != enterprise.division",
        "order.lines.exists(l, provider.categories.exists(c, c == l.category))",
        "voucher.available_fen >= order.expenditure_fen / 2 && voucher.count > 0",
        "provider.admitted_on < '2026-06-01' && enterprise.kind == 'TECH_SME' && enterprise.sme_no == ''",
    ],
)
def test_a_condition_that_may_be_published(expression: str) -> None:
    assert _check(expression) is None


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "order.amount_fen >",
        "order.amount_fen",
        "'yes'",
        "order.amuont_fen > 1",
        "applicant.kind == 'TEAM'",
        "1 / 0 == 1",
        "true && " * 400 + "true",
        "(" * 900 + "true" + ")" * 900,
    ],
)
def test_a_condition_that_is_refused_at_publication(expression: str) -> None:
    assert _check(expression)


def test_a_condition_is_bounded_in_length() -> None:
    assert _check("true" + " " * (MAX_EXPRESSION_CHARS - 4)) is None
    assert "longer" in str(_check("true" + " " * (MAX_EXPRESSION_CHARS - 3)))


@pytest.mark.parametrize("macro", ["all", "exists", "exists_one", "filter", "map"])
def test_a_condition_is_bounded_in_loops(macro: str) -> None:
    """A hundred lines in three nested loops are a million steps for each authorization: one issuer must not stop the hub."""

    def nested(depth: int) -> str:
        end = " == []" if macro in ("filter", "map") else ""
        return "".join(f"order.lines.{macro} // not )\n (x{n}, " for n in range(depth)) + "true" + f"){end}" * depth

    assert _check(nested(MAX_LOOPS)) is None
    assert "several conditions" in str(_check(nested(MAX_LOOPS + 1)))
    hidden = r"r'\' != '' && "
    assert "several conditions" in str(_check(hidden + nested(MAX_LOOPS + 1)))


def test_a_condition_that_fails_on_real_data_refuses() -> None:
    condition = Condition("c", "order.lines[0].amount_fen > 1")
    assert conditions.check(condition) is None
    assert conditions.holds(condition, {"order": {"lines": [{"amount_fen": 2}]}})
    assert not conditions.holds(condition, {"order": {"lines": []}})
    assert not conditions.holds(Condition("c", "order.lines"), {"order": {"lines": [1]}})


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("order.amount_fen == 7", True),
        ("order\n  .amount_fen == 7 && size(order.lines) == 2", True),
        ("order['amount' + '_fen'] == 7", True),
        ("order // the whole\n .amount_fen == 7", True),
        ("size(order) == 3", True),
        ("'lines' in order && order.note == 'order'", True),
        ("order.lines.exists(order, order == 2)", True),
        ("has(order.lines) && has(order.amount_fen)", True),
        ("has(order.other)", False),
        ("order == order && staff.order == 1", True),
        ("true", True),
    ],
)
def test_a_condition_sees_all_that_it_may_name(expression: str, expected: bool) -> None:
    """Only what an expression names is handed over; however it names it, the answer is the same as with everything."""
    context: conditions.Context = {"order": {"amount_fen": 7, "lines": [1, 2], "note": "order"}, "staff": {"order": 1}}
    assert conditions.holds(Condition("c", expression), context, tuple(context)) is expected


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_shape(item) for item in value[:1]]
    return type(value)


def test_conditions_are_tried_on_the_shape_they_will_see(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every field of the sample is there in earnest, and no other: else a misspelt name would pass, or a good one be refused."""
    seen: list[Any] = []

    def holds(_: Condition, context: Any) -> bool:
        seen.append(context)
        return True

    monkeypatch.setattr(conditions, "holds", holds)
    world = desk(policy(conditions=(Condition("c", "true"),)))
    command = world.command(line(100), Line(TESTING, 5, (LineFlag.STATUTORY_TEST,)))
    world.ws.providers[PROVIDER] = provider(rating=450, categories=(Category.IP,))
    snapshot = world.ws.snapshot(command.wallet, command.order, world.ws.policies[1])
    assert not list(checks(snapshot, command.wallet, command.order, command.lines, world.today))
    sample = _shape(conditions._SAMPLE)
    real = _shape(seen[0])
    # The sample's line has no flag, and the real rating is a number of stars like the sample's.
    assert real == sample
    assert seen[0]["provider"]["rating"] == 4.5
    assert seen[0]["order"]["amount_fen"] == 100_05
    assert seen[0]["order"]["lines"][1] == {"category": "INSPECTION_TESTING", "amount_fen": 5, "flags": ["STATUTORY_TEST"]}
    assert seen[0]["enterprise"]["uscc"] == ENTERPRISE
