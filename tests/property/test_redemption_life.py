"""The life of redemptions of several issuers on shared orders: any commands, any callers, any time (rules.md C0-C10, O2; T3's payment)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from google.rpc import status_pb2
from hypothesis import event
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from hub.application.batch import JournalEntry
from hub.application.redeeming import AuthorizeCommand
from hub.codec.outcome import Outcome
from hub.domain.clock import local_date
from hub.domain.model import Line, OrderKey, State
from hub.domain.posting import Account, Cause, Transfer
from tests.property import reference
from tests.property.auditor import audit
from tests.property.ledger import Ledger, frozen
from tests.property.profile import MACHINE
from tests.property.worlds import (
    ORDERS,
    Item,
    authorizations,
    commands_on,
    ledgers,
    order_lines,
    voucher_commands,
)
from tests.unit.builders import ENTERPRISE
from yrd.clearing.v1 import clearing_pb2

MOVES = {
    "": {"AUTHORIZED"},
    "AUTHORIZED": {"CLEARED", "PENDING_REVIEW", "HELD", "VOIDED", "EXPIRED"},
    "PENDING_REVIEW": {"CLEARED", "REJECTED"},
    "HELD": {"CLEARED", "REJECTED"},
    "CLEARED": {"CLEARED", "SETTLED", "REFUNDED"},
    "SETTLED": {"SETTLED", "REFUNDED"},
}
REFUSED_WITH_CHANGE = {
    "VOUCHER_EXPIRED": "EXPIRED",
    "PROVIDER_SUSPENDED": "VOIDED",
    "ENTERPRISE_SANCTIONED": "VOIDED",
    "INVALID_STATE": "EXPIRED",
}


_STEPS = ["authorize"] * 5 + ["command"] * 8 + ["voucher_command", "time_passes", "standing", "payment"]


def code_of(outcome: Outcome) -> str:
    """Return the code of a refusal, empty for an answer."""
    return "" if outcome.ok else status_pb2.Status.FromString(outcome.body).message.partition(":")[0]


class RedemptionLife(RuleBasedStateMachine):
    """Whatever comes, the books balance and every change is one that the rules name."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger()
        self.menu: dict[OrderKey, tuple[Line, ...]] = {}
        self.count = 0

    @initialize(ledger=ledgers(), lines=st.lists(order_lines, min_size=len(ORDERS), max_size=len(ORDERS)))
    def start(self, ledger: Ledger, lines: list[tuple[Line, ...]]) -> None:
        self.ledger, self.menu = ledger, dict(zip(ORDERS, lines, strict=True))

    @property
    def today(self) -> date:
        return local_date(self.ledger.rows.now)

    def _run(self, item: Item) -> Outcome:
        before = frozen(self.ledger)
        states = {key: value.state for key, value in self.ledger.rows.redemptions.items()}
        outcome = self.ledger.run(*item)
        after = frozen(self.ledger)
        changed = {key: value.state for key, value in self.ledger.rows.redemptions.items() if _differs(before, after, key)}
        assert len(changed) <= 1
        for key, state in changed.items():
            assert state in MOVES[states.get(key, "")], f"{states.get(key)} -> {state}"
        code = code_of(outcome)
        event(f"{type(item[0]).__name__} {code or ','.join(changed.values()) or 'ok'}")
        if code and changed:
            ((key, state),) = changed.items()
            assert states[key] is State.AUTHORIZED and REFUSED_WITH_CHANGE[code] == state
        elif code:
            assert after == before, f"{code} changed the state"
        return outcome

    @rule(data=st.data(), what=st.sampled_from(_STEPS))
    def step(self, data: st.DataObject, what: str) -> None:
        """One rule for all, so that the shares of commands stay as they are meant."""
        getattr(self, what)(data)

    def authorize(self, data: st.DataObject) -> None:
        self.count += 1
        item = data.draw(authorizations(self.count, self.menu), label="authorize")
        assert isinstance(item[0], AuthorizeCommand)
        command, rows = item[0].command, self.ledger.rows
        wallet, order = rows.wallets.get(command.wallet), rows.orders.get(command.order)
        policy = rows.policy_of(command.wallet.issuer, self.today)
        assert policy is not None
        twin = self.ledger.copy()
        expected = reference.authorize(
            policy, wallet, order, command.wallet.issuer, command.lines, self.today, all_or_nothing=command.all_or_nothing
        )
        heap = reference.coins(wallet, self.today)
        outcome = self._run(item)
        code = code_of(outcome)
        if code in LIMITS or (code == "VOUCHER_EXHAUSTED" and heap):
            assert code == expected.code
        if code:
            return
        made = clearing_pb2.AuthorizeResponse.FromString(outcome.body)
        assert (made.breakdown.subsidy_fen, list(made.breakdown.clamps), "") == expected
        drawn = reference.draws(heap[: expected.amount])
        redemption = self.ledger.rows.redemptions[command.redemption_id]
        assert [(draw.note_id, draw.amount) for draw in redemption.draws] == drawn
        assert made.breakdown.vouchers_used == len(drawn)
        assert self.ledger.wallet(*command.wallet).quota_used[self.today.year] <= policy.annual_cap_fen
        known = twin.rows.orders.get(command.order)
        others = known.total if known else 0
        assert known is None or (known.enterprise == command.wallet.enterprise and (known.lines == command.lines or not others))
        pays = sum(line.amount_fen for line in command.lines) - (0 if policy.mode == "POST_SUBSIDY" else others + expected.amount)
        assert made.breakdown.enterprise_pays_fen == pays

    def command(self, data: st.DataObject) -> None:
        known = list(self.ledger.rows.redemptions)
        if not known:
            self.authorize(data)
            return
        item = data.draw(commands_on(self.ledger, known[-6:]), label="command")
        before = self.ledger.copy()
        outcome = self._run(item)
        for key, now in self.ledger.rows.redemptions.items():
            was = before.rows.redemptions[key]
            if was.state is State.AUTHORIZED and now.delivered_on:
                self._captured(before, key)
            if was.draws != now.draws:
                self._gave_back(before, key)
            if now.line_refunds and was.line_refunds and was.line_refunds != now.line_refunds and outcome.ok:
                self._refunded(before, key)

    def _gave_back(self, before: Ledger, key: str) -> None:
        """C8: last drawn first, to the note while it lives, else to the issuer."""
        was, now = before.rows.redemptions[key], self.ledger.rows.redemptions[key]
        expected = reference.given_back([(draw.note_id, draw.amount) for draw in was.draws], was.subsidy - now.subsidy)
        left = {draw.note_id: draw.amount for draw in now.draws}
        for draw in was.draws:
            assert left.get(draw.note_id, 0) == draw.amount - expected[draw.note_id]
        policy = self.ledger.rows.policies[now.policy_id]
        refund = was.state in (State.CLEARED, State.SETTLED)
        for note_id, part in expected.items():
            old, new = before.rows.wallets[was.wallet].note(note_id), self.ledger.rows.wallets[was.wallet].note(note_id)
            alive = self.today < old.expires_on and not old.cancelled
            if refund:
                assert old.redeemed - new.redeemed == part
                assert (new.available - old.available == part) is (alive and policy.refund == "TO_VOUCHER")
            elif not alive:
                assert new.available <= old.available and new.returned - old.returned >= part
            elif policy.residual == "RETAIN":
                assert new.available - old.available == part

    def _captured(self, before: Ledger, key: str) -> None:
        """C1 on the final lines."""
        was, now = before.rows.redemptions[key], self.ledger.rows.redemptions[key]
        committed = before.rows.orders[now.order].committed
        entitled = reference.entitled(before.rows.policies[now.policy_id], now.lines, committed[now.wallet.issuer] - was.subsidy)
        spent = sum(line.amount_fen for line in now.lines) - (sum(committed.values()) - was.subsidy)
        assert 0 < now.subsidy == min(was.authorized, entitled, spent)

    def _refunded(self, before: Ledger, key: str) -> None:
        """C7 and O2, from the lines that remain."""
        was, now = before.rows.redemptions[key], self.ledger.rows.redemptions[key]
        rest = tuple(
            Line(line.category, line.amount_fen - back, line.flags) for line, back in zip(now.lines, now.line_refunds, strict=True)
        )
        committed = before.rows.orders[now.order].committed
        own = committed[now.wallet.issuer] - was.subsidy
        entitled = reference.entitled(before.rows.policies[now.policy_id], rest, own)
        spent = sum(line.amount_fen for line in rest) - (sum(committed.values()) - was.subsidy)
        assert now.subsidy == max(0, min(was.subsidy, entitled, spent))

    def voucher_command(self, data: st.DataObject) -> None:
        self._run(data.draw(voucher_commands(self.ledger), label="vouchers"))

    def time_passes(self, data: st.DataObject) -> None:
        self.ledger.rows.now += timedelta(days=data.draw(st.sampled_from([1, 1, 4, 20, 45]), label="days"))

    def standing(self, data: st.DataObject) -> None:
        """Someone is suspended or sanctioned since some day, or cleared again."""
        rows = self.ledger.rows
        days = data.draw(st.sampled_from([None, None, 0, 1, 3]), label="days since")
        since = None if days is None else self.today - timedelta(days=days)
        for uscc, item in rows.providers.items():
            if since is None or data.draw(st.booleans(), label=uscc):
                rows.providers[uscc] = replace(item, suspended_on=since)
        if since is None or data.draw(st.booleans(), label="enterprise"):
            rows.enterprises[ENTERPRISE] = replace(rows.enterprises[ENTERPRISE], sanctioned_on=since)

    def payment(self, data: st.DataObject) -> None:
        """T3, as the settlement writes it."""
        rows = self.ledger.rows
        cleared = [key for key, item in rows.redemptions.items() if item.state is State.CLEARED]
        if not cleared:
            return
        chosen = data.draw(st.sampled_from(cleared))
        item = rows.redemptions[chosen]
        rows.redemptions[chosen] = replace(item, state=State.SETTLED, settled_on=self.today)
        paid = Transfer(Cause.PAY, Account.PAYABLE, Account.PAID, item.subsidy, item.wallet, payee=item.payee, redemption_id=chosen)
        rows.journal.append(JournalEntry(paid, 0))

    @invariant()
    def the_books_balance(self) -> None:
        audit(self.ledger)


LIMITS = {"NOTHING_PAYABLE", "PER_LINE_CAP", "PER_ORDER_CAP", "QUOTA_EXCEEDED", "ACTUAL_EXPENDITURE_EXCEEDED"}


def _differs(before: dict[str, object], after: dict[str, object], key: str) -> bool:
    old, new = before["redemptions"], after["redemptions"]
    assert isinstance(old, dict) and isinstance(new, dict)
    return bool(old.get(key) != new[key])


TestRedemptionLife = RedemptionLife.TestCase
TestRedemptionLife.settings = MACHINE
