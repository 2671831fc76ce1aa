"""What happened, replayed: under the policies of its day it comes out exactly as recorded, and under the same policy nothing changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from hub.application.history import Changed, Draft, Elsewhere, History
from hub.application.replaying import replay
from hub.application.whatif import compare
from hub.domain.clock import local_date
from hub.ledger.history import HistoryReader
from tests.property.ledger import Ledger
from tests.property.profile import PROFILE
from tests.property.worlds import (
    ISSUERS,
    ORDERS,
    authorizations,
    commands_on,
    ledgers,
    order_lines,
    policies,
    voucher_commands,
)
from yrd.events.v1 import events_pb2

_STEPS = ["authorize"] * 4 + ["command"] * 7 + ["voucher", "days", "days"]


@st.composite
def pasts(draw: st.DrawFn, *, one_policy: bool = False) -> Ledger:
    """A ledger on which a good deal has happened, under one policy of each issuer or under several."""
    ledger = draw(ledgers())
    if one_policy:
        ledger.rows.policies = {number: policy for number, policy in ledger.rows.policies.items() if policy.version == "v0"}
    menu = dict(zip(ORDERS, draw(st.lists(order_lines, min_size=len(ORDERS), max_size=len(ORDERS))), strict=True))
    count = 0
    for step in draw(st.lists(st.sampled_from(_STEPS), min_size=5, max_size=40)):
        known = list(ledger.rows.redemptions)
        if step == "days":
            ledger.rows.now += timedelta(days=draw(st.sampled_from([0, 1, 6, 20])), minutes=draw(st.integers(0, 600)))
        elif step == "voucher":
            ledger.run(*draw(voucher_commands(ledger)))
        elif step == "authorize" or not known:
            count += 1
            ledger.run(*draw(authorizations(count, menu)))
        else:
            ledger.run(*draw(commands_on(ledger, known)))
    return ledger


def history_of(ledger: Ledger, issuer: str) -> History:
    """What the outbox tells of an issuer, and the parties of the ledger."""
    rows = ledger.rows
    history = History(issuer, enterprises=dict(rows.enterprises), providers=dict(rows.providers))
    history.policies = {policy.version: policy for policy in rows.policies.values() if policy.issuer == issuer}
    history.line_refunds = {key: item.line_refunds for key, item in rows.redemptions.items() if any(item.line_refunds)}
    history.redemptions = sum(item.wallet.issuer == issuer for item in rows.redemptions.values())
    reader = HistoryReader(history)
    for event in rows.events:
        if event.type == "yrd.events.v1.RedemptionChanged":
            at: Any = events_pb2.RedemptionChanged.FromString(event.payload).occurred_at
        elif event.type == "yrd.events.v1.VouchersIssued":
            at = events_pb2.VouchersIssued.FromString(event.payload).occurred_at
        else:
            at = events_pb2.VoucherReturned.FromString(event.payload).occurred_at
        reader.take(event.topic, event.type, at.ToDatetime(tzinfo=rows.now.tzinfo), event.payload)
    orders = {event.order for event in history.events if isinstance(event, Changed)}
    history.events = [event for event in history.events if not isinstance(event, Elsewhere) or event.order in orders]
    return history


@settings(PROFILE, max_examples=150)
@given(pasts(), st.sampled_from(ISSUERS))
def test_the_policies_of_the_day_reproduce_what_happened(ledger: Ledger, issuer: str) -> None:
    history = history_of(ledger, issuer)
    result = replay(history)
    assert result.differing == {}
    for key, kept in ledger.rows.redemptions.items():
        if kept.wallet.issuer == issuer:
            made = result.rows.redemptions[key]
            assert (made.state, made.subsidy, made.authorized) == (kept.state, kept.subsidy, kept.authorized)
    for wallet_key, wallet in ledger.rows.wallets.items():
        if wallet_key.issuer == issuer:
            used = {year: fen for year, fen in result.rows.wallets[wallet_key].quota_used.items() if fen}
            assert used == {year: fen for year, fen in wallet.quota_used.items() if fen}


def _first_day(history: History) -> date:
    return min((local_date(event.at) for event in history.events), default=date(2026, 1, 1))


@settings(PROFILE, max_examples=100)
@given(pasts(one_policy=True), st.sampled_from(ISSUERS))
def test_the_same_policy_changes_nothing(ledger: Ledger, issuer: str) -> None:
    history = history_of(ledger, issuer)
    effect = compare(history, Draft(history.policies["v0"], _first_day(history)))
    assert effect.not_reproduced == {}
    assert (effect.total.less, effect.total.more, effect.total.refused, effect.refusals) == (0, 0, 0, {})
    assert effect.total.then_fen == effect.total.draft_fen
    assert effect.issued_then_fen == effect.issued_draft_fen


@settings(PROFILE, max_examples=150)
@given(pasts(), st.data())
def test_any_draft_keeps_within_its_own_limits_and_sums_agree(ledger: Ledger, data: st.DataObject) -> None:
    issuer = data.draw(st.sampled_from(ISSUERS))
    history = history_of(ledger, issuer)
    draft = data.draw(policies(issuer, version="draft"))
    since = _first_day(history) + timedelta(days=data.draw(st.sampled_from([0, 10])))
    effect = compare(history, Draft(draft, since))
    assert effect.total.redemptions == sum(row.redemptions for row in effect.enterprises.values())
    for group in (effect.enterprises, effect.months, effect.years, effect.categories, effect.funders):
        assert sum(row.then_fen for row in group.values()) == effect.total.then_fen
        assert sum(row.draft_fen for row in group.values()) == effect.total.draft_fen
    if since == _first_day(history):
        tried = replay(history, Draft(replace(draft), since))
        for key, wallet in tried.rows.wallets.items():
            assert all(0 <= used <= draft.annual_cap_fen for used in wallet.quota_used.values()), key
            assert all(note.available >= 0 and note.reserved >= 0 and note.redeemed >= 0 for note in wallet.notes)
        for order in tried.rows.orders.values():
            assert all(fen >= 0 for fen in order.committed.values())
