"""A batch leaves exactly the outcomes and the state of the same commands run one at a time, each on rows loaded for it alone."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import event, given
from hypothesis import strategies as st

from hub.codec.outcome import Outcome
from tests.property.auditor import audit
from tests.property.ledger import Ledger, frozen
from tests.property.profile import PROFILE
from tests.property.worlds import ORDERS, Item, authorizations, commands_on, ledgers, order_lines, voucher_commands

AUTHORIZED_BEFORE = 12
IN_BATCH = 10


@st.composite
def batches(draw: st.DrawFn) -> tuple[Ledger, list[Item]]:
    """A ledger with redemptions in several states, and commands that meet on the same wallets, orders and redemptions."""
    ledger = draw(ledgers())
    menu = {order: draw(order_lines) for order in ORDERS}
    for number in range(draw(st.integers(1, AUTHORIZED_BEFORE))):
        ledger.run(*draw(authorizations(number, menu)))
    known = list(ledger.rows.redemptions)
    for _ in range(draw(st.integers(0, 4)) if known else 0):
        ledger.run(*draw(commands_on(ledger, known)))
    ledger.rows.now += timedelta(days=draw(st.sampled_from([0, 0, 1, 40])))
    items: list[Item] = []
    for number in range(draw(st.integers(2, IN_BATCH))):
        kind = draw(st.sampled_from(["authorize", "command", "command", "voucher"]))
        if kind == "authorize" or (kind == "command" and not known):
            items.append(draw(authorizations(100 + number, menu)))
        elif kind == "command":
            items.append(draw(commands_on(ledger, known)))
        else:
            items.append(draw(voucher_commands(ledger)))
    return ledger, items


@PROFILE
@given(batches())
def test_a_batch_is_the_sequence_of_its_commands(drawn: tuple[Ledger, list[Item]]) -> None:
    ledger, items = drawn
    together, apart = ledger.copy(), ledger.copy()
    in_batch = together.run_batch(items)
    one_by_one: list[Outcome] = [apart.run(*item) for item in items]
    event(f"answered {sum(outcome.ok for outcome in in_batch)} of {len(items)}")
    assert in_batch == one_by_one
    assert frozen(together) == frozen(apart)
    audit(together)


@PROFILE
@given(batches(), st.integers(0, IN_BATCH))
def test_a_batch_may_be_cut_anywhere(drawn: tuple[Ledger, list[Item]], cut: int) -> None:
    ledger, items = drawn
    whole, halves = ledger.copy(), ledger.copy()
    assert whole.run_batch(items) == halves.run_batch(items[:cut]) + halves.run_batch(items[cut:])
    assert frozen(whole) == frozen(halves)


@PROFILE
@given(batches())
def test_a_refusal_in_a_batch_leaves_its_neighbours_alone(drawn: tuple[Ledger, list[Item]]) -> None:
    """Without the commands that changed nothing, the others come to the same."""
    ledger, items = drawn
    apart = ledger.copy()
    effective: list[Item] = []
    outcomes: list[Outcome] = []
    for item in items:
        before = frozen(apart)
        outcome = apart.run(*item)
        if frozen(apart) != before:
            effective.append(item)
            outcomes.append(outcome)
    alone = ledger.copy()
    assert alone.run_batch(effective) == outcomes
    assert frozen(alone) == frozen(apart)
