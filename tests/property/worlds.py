"""Random worlds: issuers with policies of every kind, an enterprise that several may support, providers at home and away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from hypothesis import strategies as st

from hub.application.commands import LedgerCommand
from hub.application.issuing import CancelCommand, ExpireWalletCommand, IssueCommand
from hub.application.redeeming import (
    AuthorizeCommand,
    approve_command,
    capture_command,
    lapse_command,
    refund_command,
    reject_command,
    void_command,
)
from hub.domain.authorize import Authorize
from hub.domain.caller import Caller, Role
from hub.domain.capture import Capture
from hub.domain.issue import IssueItem
from hub.domain.model import Line, LineFlag, OrderKey, Redemption, State, WalletKey
from hub.domain.policy import (
    Category,
    CategoryRule,
    EvidenceKind,
    ExpiryBasis,
    Mode,
    Policy,
    QuotaBasis,
    RecognitionDefault,
    RecognitionRule,
    RefundTarget,
    Residual,
)
from hub.domain.review import Approve, Refund, Reject, Void
from tests.property.ledger import Ledger
from tests.unit.builders import ENTERPRISE, OTHER_ENTERPRISE, TODAY, enterprise, provider

ISSUERS = ("310000", "310100", "310118")
"""Province, city and district: the enterprise is of all three, so all three may support one order."""
AWAY, HOME = "12310104425001236Q", "12310000425001999X"
HOMES = {AWAY: "320000", HOME: "310000"}
ENTERPRISES = (ENTERPRISE, OTHER_ENTERPRISE)
ORDERS = [OrderKey(AWAY, "o1"), OrderKey(AWAY, "o2"), OrderKey(HOME, "o1")]
INVOICES = ("I-1", "I-2", "I-3", "I-4", "I-5", "I-6")
CALLERS = {
    **{division: Caller(division, division, Role.PLATFORM) for division in ("310000", "310118", "320000", "330000")},
    "coordination": Caller("c", "000000", Role.COORDINATOR),
}
FULL_EVIDENCE = tuple(EvidenceKind)

_lines = st.builds(
    Line,
    st.sampled_from([*[Category.RESEARCH] * 4, Category.INSPECTION_TESTING, Category.DATA]),
    st.integers(1, 900),
    st.sampled_from([*[()] * 8, (LineFlag.STATUTORY_TEST,), (LineFlag.FISCALLY_FUNDED, LineFlag.NON_INNOVATION)]),
)
order_lines = st.lists(_lines, min_size=1, max_size=3).map(tuple)

_rules = st.builds(
    CategoryRule, st.sampled_from([10_000, 5_000, 3_333, 6_000, 8_000, 20]), st.sampled_from([None, None, None, 60, 200, 450])
)
_caps = st.sampled_from([None, None, 90, 150, 400, 777])


@st.composite
def policies(draw: st.DrawFn, /, issuer: str, **fixed: Any) -> Policy:
    """A policy of small amounts, so that every limit is met often."""
    made = Policy(
        issuer=issuer,
        version="v1",
        effective_from=TODAY - timedelta(days=800),
        mode=draw(st.sampled_from(Mode)),
        annual_cap_fen=draw(st.integers(1, 2500)),
        categories={Category.RESEARCH: draw(_rules), **({Category.INSPECTION_TESTING: draw(_rules)} if draw(st.booleans()) else {})},
        denomination_fen=draw(st.sampled_from([0, 0, 50, 100])),
        validity_months=draw(st.integers(2, 12)),
        expiry_basis=draw(st.sampled_from(ExpiryBasis)),
        annual_issue_cap_fen=draw(st.none() | st.integers(500, 4000)),
        quota_basis=draw(st.sampled_from(QuotaBasis)),
        per_order_cap_fen=draw(_caps),
        residual=draw(st.sampled_from(Residual)),
        recognition=RecognitionRule(RecognitionDefault.POOL),
        auto_clear_up_to_fen=draw(st.sampled_from([None, None, 0, 30, 100])),
        authorization_ttl_days=draw(st.sampled_from([5, 40, 90])),
        refund=draw(st.sampled_from(RefundTarget)),
    )
    return replace(made, **fixed)


@st.composite
def ledgers(draw: st.DrawFn) -> Ledger:
    """A ledger with parties and policies (some change on the way), and some notes, issued through the ledger's own command."""
    ledger = Ledger()
    rows = ledger.rows
    for uscc in ENTERPRISES:
        rows.enterprises[uscc] = enterprise(uscc=uscc)
    for uscc, home in HOMES.items():
        rows.providers[uscc] = provider(uscc=uscc, home=home)
    for issuer in ISSUERS:
        rows.windows[issuer] = draw(st.integers(1, 3))
        for number in range(draw(st.integers(1, 2))):
            start = TODAY + timedelta(days=15 if number else -800)
            made = draw(policies(issuer, version=f"v{number}", effective_from=start, policy_id=len(rows.policies) + 1))
            rows.policies[made.policy_id] = made
        for uscc in ENTERPRISES:
            for _ in range(draw(st.integers(1, 4)) if uscc == ENTERPRISE else draw(st.integers(0, 1))):
                ledger.run(
                    IssueCommand(issuer, (IssueItem(uscc, draw(faces), draw(st.integers(1, 2))),), draw(issue_days)), CALLERS["310000"]
                )
    return ledger


faces = st.sampled_from([50, 100, 200, 300, 7, 333])
issue_days = st.integers(0, 70).map(lambda days: TODAY - timedelta(days=days))


def redemption_id(number: int) -> str:
    """Return the id of the nth redemption of a run."""
    return str(UUID(int=number))


Item = tuple[LedgerCommand, Caller]


@st.composite
def authorizations(draw: st.DrawFn, number: int, menu: dict[OrderKey, tuple[Line, ...]]) -> Item:
    """Mostly well-formed: the order's own lines, the acquirer's platform."""
    order = draw(st.sampled_from(ORDERS))
    lines = draw(order_lines) if draw(_rarely) else menu[order]
    wallet = WalletKey(draw(st.sampled_from(ISSUERS)), OTHER_ENTERPRISE if draw(_rarely) else ENTERPRISE)
    command = Authorize(wallet, order, lines, redemption_id(number), all_or_nothing=draw(_rarely))
    return AuthorizeCommand(command), draw(_caller(HOMES[order.provider]))


@st.composite
def commands_on(draw: st.DrawFn, ledger: Ledger, known: Sequence[str]) -> Item:
    """A command on one of the redemptions known (or on none at all), mostly one that its state admits."""
    chosen = redemption_id(999_999) if draw(_rarely) else draw(st.sampled_from(known))
    item = ledger.rows.redemptions.get(chosen)
    verb = draw(st.sampled_from(_VERBS[item.state] if item and draw(st.integers(0, 4)) else _ANY))
    issuer, acquirer = (item.wallet.issuer, item.acquirer) if item else ("310000", "320000")
    caller = draw(_caller(issuer if verb in ("approve", "reject") else acquirer))
    today, subsidy = _today(ledger), item.subsidy if item else 100
    lines = item.lines if item else ()
    if verb == "capture":
        evidence = () if draw(_rarely) else FULL_EVIDENCE
        less = tuple(Line(line.category, -(-line.amount_fen // 3), line.flags) for line in lines)
        final = draw(st.sampled_from([(), less])) if draw(st.booleans()) else draw(order_lines)
        late = -1 if draw(_rarely) else draw(st.sampled_from([0, 1, 2, 30]))
        delivered = today - timedelta(days=late)
        return capture_command(Capture(chosen, draw(st.sampled_from(INVOICES)), delivered, evidence, final)), caller
    if verb == "approve":
        return approve_command(Approve(chosen, draw(st.just(subsidy) | st.integers(-1, subsidy + 1)))), caller
    if verb == "refund":
        index = draw(st.none() | st.integers(-1, 3)) if draw(_rarely) or len(lines) < 2 else draw(st.integers(0, len(lines) - 1))
        left = _left(item, index or 0)
        return refund_command(Refund(chosen, draw(st.just(left) | st.integers(0, left + 1)), index)), caller
    if verb == "reject":
        return reject_command(Reject(chosen, "材料不符")), caller
    return (void_command(Void(chosen)) if verb == "void" else lapse_command(chosen)), caller


def _left(item: Redemption | None, index: int) -> int:
    """What a line of a cleared redemption still holds."""
    if item is None or not 0 <= index < len(item.line_refunds):
        return 1
    return item.lines[index].amount_fen - item.line_refunds[index]


_VERBS: dict[State, list[str]] = {
    State.AUTHORIZED: ["capture", "capture", "capture", "void", "lapse"],
    State.PENDING_REVIEW: ["approve", "approve", "reject"],
    State.HELD: ["approve", "reject"],
    State.CLEARED: ["refund", "refund", "capture"],
    State.SETTLED: ["refund"],
    State.VOIDED: ["capture", "void"],
    State.EXPIRED: ["capture", "lapse"],
    State.REJECTED: ["approve", "refund"],
    State.REFUNDED: ["refund"],
}

_ANY = sorted({verb for verbs in _VERBS.values() for verb in verbs})


@st.composite
def voucher_commands(draw: st.DrawFn, ledger: Ledger) -> Item:
    """Issue, cancel, or the expiry sweep of a wallet."""
    wallet = WalletKey(draw(st.sampled_from(ISSUERS)), draw(st.sampled_from(ENTERPRISES)))
    caller = draw(_caller(wallet.issuer))
    verb = draw(st.sampled_from(["issue", "issue", "cancel", "expire", "expire"]))
    if verb == "expire":
        return ExpireWalletCommand(wallet), caller
    numbers = [note.voucher_no for note in ledger.wallet(*wallet).notes]
    if verb == "cancel":
        return CancelCommand(wallet, draw(st.sampled_from([*numbers, "none"]))), caller
    items = draw(st.lists(st.builds(IssueItem, st.sampled_from(ENTERPRISES), faces, st.integers(1, 2)), min_size=1, max_size=2))
    return IssueCommand(wallet.issuer, tuple(items), None if draw(st.booleans()) else _today(ledger)), caller


_rarely = st.integers(0, 11).map(lambda number: number == 7)


@st.composite
def _caller(draw: st.DrawFn, division: str) -> Caller:
    fitting = [caller for caller in CALLERS.values() if caller.acts_for(division)]
    return draw(st.sampled_from(list(CALLERS.values()) if draw(_rarely) else fitting))


def _today(ledger: Ledger) -> date:
    return (ledger.rows.now + timedelta(hours=8)).date() if ledger.rows.now.utcoffset() == timedelta(0) else ledger.rows.now.date()
