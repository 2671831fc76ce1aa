"""Small worlds for tests of the rules: parties, policies, notes, and a desk that decides and applies in memory."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from hub.application.batch import WorkingSet
from hub.domain.authorize import Authorize, decide_authorize, quote
from hub.domain.caller import Caller, Role
from hub.domain.capture import Capture, decide_capture, lapse
from hub.domain.clock import SHANGHAI, local_date
from hub.domain.decision import Breakdown, Decision
from hub.domain.issue import Issue, IssueItem, decide_cancel, decide_expiry, decide_issue
from hub.domain.model import (
    Enterprise,
    Line,
    LineFlag,
    Note,
    OrderKey,
    PayeeKind,
    Provider,
    Recognition,
    Redemption,
    State,
    Wallet,
    WalletKey,
)
from hub.domain.policy import Category, CategoryRule, EnterpriseKind, EvidenceKind, Mode, Policy, RecognitionDefault, RecognitionRule
from hub.domain.refusals import Refusal, RefusalCode
from hub.domain.review import Approve, Refund, Reject, Void, decide_approve, decide_refund, decide_reject, decide_void

ISSUER = "310000"
SECOND_ISSUER = "310118"
ACQUIRER = "320000"
ENTERPRISE = "91310118MA1JTERT16"
PROVIDER = "12310104425001236Q"
OTHER_ENTERPRISE = "91330522MA2B12343A"
TODAY = date(2026, 3, 2)
TESTING = Category.INSPECTION_TESTING
YUAN = 100

ACQUIRER_CALLS = Caller("js", ACQUIRER, Role.PLATFORM)
ISSUER_CALLS = Caller("sh", ISSUER, Role.PLATFORM)
STRANGER_CALLS = Caller("zj", "330000", Role.PLATFORM)


def at(day: date, hour: int = 9) -> datetime:
    """Return an instant of a Shanghai day."""
    return datetime(day.year, day.month, day.day, hour, tzinfo=SHANGHAI)


def line(yuan: int, category: Category = TESTING, *flags: LineFlag) -> Line:
    """Return a line of so many whole yuan."""
    return Line(category, yuan * YUAN, flags)


def policy(**changes: Any) -> Policy:
    """Return a policy of ISSUER that pays half of inspection and testing to any pool provider, with roomy caps."""
    base = Policy(
        issuer=ISSUER,
        version="v1",
        effective_from=date(2026, 1, 1),
        mode=Mode.PRE_SUBSIDY,
        annual_cap_fen=1_000_000 * YUAN,
        categories={TESTING: CategoryRule(5000)},
        recognition=RecognitionRule(RecognitionDefault.POOL),
        policy_id=1,
    )
    return replace(base, **changes)


def enterprise(**changes: Any) -> Enterprise:
    """Return an eligible enterprise of ISSUER."""
    base = Enterprise(ENTERPRISE, "示例科技", "310118", EnterpriseKind.TECH_SME, sme_no="202631011800000001", staff=20)
    return replace(base, **changes)


def provider(**changes: Any) -> Provider:
    """Return an admitted provider of ACQUIRER."""
    return replace(Provider(PROVIDER, "示例实验室", ACQUIRER, (TESTING,), date(2026, 1, 1)), **changes)


def note(number: int, face: int = 1000 * YUAN, **changes: Any) -> Note:
    """Return an undrawn note of one year's validity; `changes` may set its parts."""
    wallet = changes.pop("wallet", WalletKey(ISSUER, ENTERPRISE))
    made = Note(number, f"N{number:04d}", wallet, face, face, 0, 0, 0, date(2026, 1, 5), date(2027, 1, 5))
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def redemption(identifier: str, wallet: WalletKey, order: OrderKey) -> Redemption:
    """Return a redemption just authorized, of one line and nothing drawn."""
    half, ends = 50 * YUAN, date(2026, 6, 1)
    parts = identifier, wallet, ACQUIRER, order, 1, "v1", State.AUTHORIZED, (line(100),), half, half
    return Redemption(*parts, PayeeKind.PROVIDER, TODAY.year, at(TODAY), ends, ())


@dataclass
class Desk:
    """An in-memory ledger of one clock: every method decides, applies what was decided, and returns the decision."""

    ws: WorkingSet = field(default_factory=lambda: WorkingSet(now=at(TODAY)))
    _ids: Any = field(default_factory=lambda: itertools.count(1001))

    @property
    def today(self) -> date:
        return local_date(self.ws.now)

    def advance(self, day: date) -> None:
        self.ws.now = at(day)

    def days(self, count: int) -> None:
        self.ws.now += timedelta(days=count)

    def hold(self, *notes: Note, used: int = 0) -> Wallet:
        """Give notes to the wallet they name, issued outside the journal."""
        key = notes[0].wallet
        wallet = self.ws.wallets.setdefault(key, Wallet(key))
        wallet.notes = sorted([*wallet.notes, *notes], key=lambda item: (item.expires_on, item.voucher_no))
        wallet.last_expiry = max(item.expires_on for item in wallet.notes)
        if used:
            wallet.quota_used[self.today.year] = used
        return wallet

    def wallet(self, issuer: str = ISSUER) -> Wallet:
        return self.ws.wallets[WalletKey(issuer, ENTERPRISE)]

    def order_total(self, order: str = "o1") -> int:
        return self.ws.orders[OrderKey(PROVIDER, order)].total

    def redemption(self, redemption_id: str) -> Redemption:
        return self.ws.redemptions[redemption_id]

    def command(
        self, *lines: Line, issuer: str = ISSUER, order: str = "o1", all_or_nothing: bool = False, enterprise: str = ENTERPRISE
    ) -> Authorize:
        return Authorize(WalletKey(issuer, enterprise), OrderKey(PROVIDER, order), lines, f"r{next(self._ids)}", all_or_nothing)

    def authorize(self, *lines: Line, caller: Caller = ACQUIRER_CALLS, **options: Any) -> Decision:
        command = self.command(*lines, **options)
        snapshot = self.ws.snapshot(command.wallet, command.order, self.ws.policy_of(command.wallet.issuer, self.today))
        return self._apply(decide_authorize(snapshot, command, caller, self.ws.now))

    def quote(self, *lines: Line, **options: Any) -> tuple[Breakdown, list[RefusalCode]]:
        command = self.command(*lines, **options)
        snapshot = self.ws.snapshot(command.wallet, command.order, self.ws.policy_of(command.wallet.issuer, self.today))
        breakdown, found, _ = quote(snapshot, command, self.ws.now)
        return breakdown, found

    def capture(
        self,
        redemption_id: str,
        *lines: Line,
        invoice: str = "I-1",
        delivered: date | None = None,
        evidence: tuple[EvidenceKind, ...] = tuple(EvidenceKind),
        caller: Caller = ACQUIRER_CALLS,
    ) -> Decision:
        command = Capture(redemption_id, invoice, delivered or self.today, evidence, lines)
        snapshot = self.ws.redemption_snapshot(redemption_id, invoice)
        assert snapshot is not None
        return self._apply(decide_capture(snapshot, command, caller, self.ws.now))

    def approve(self, redemption_id: str, approved: int, caller: Caller = ISSUER_CALLS) -> Decision:
        snapshot = self.ws.redemption_snapshot(redemption_id)
        assert snapshot is not None
        return self._apply(decide_approve(snapshot, Approve(redemption_id, approved), caller, self.ws.now))

    def reject(self, redemption_id: str, caller: Caller = ISSUER_CALLS) -> Decision:
        snapshot = self.ws.redemption_snapshot(redemption_id)
        assert snapshot is not None
        return self._apply(decide_reject(snapshot, Reject(redemption_id, "材料不符"), caller, self.ws.now))

    def void(self, redemption_id: str, caller: Caller = ACQUIRER_CALLS) -> Decision:
        snapshot = self.ws.redemption_snapshot(redemption_id)
        assert snapshot is not None
        return self._apply(decide_void(snapshot, Void(redemption_id), caller, self.ws.now))

    def refund(self, redemption_id: str, fee: int, index: int | None = None, caller: Caller = ACQUIRER_CALLS) -> Decision:
        snapshot = self.ws.redemption_snapshot(redemption_id)
        assert snapshot is not None
        return self._apply(decide_refund(snapshot, Refund(redemption_id, fee, index), caller, self.ws.now))

    def lapse(self, redemption_id: str) -> Decision:
        snapshot = self.ws.redemption_snapshot(redemption_id)
        assert snapshot is not None
        return self._apply(lapse(snapshot, self.ws.now))

    def issue(
        self, *items: IssueItem, issued_on: date | None = None, issuer: str = ISSUER, caller: Caller = ISSUER_CALLS
    ) -> list[Note] | Refusal:
        day = issued_on or self.today
        snapshot = self.ws.issue_snapshot(issuer, {item.enterprise for item in items}, day, self.today)
        made = decide_issue(snapshot, Issue(issuer, items, day), caller, self.ws.now, lambda: next(self._ids))
        if isinstance(made, Refusal):
            return made
        for decision in made:
            self.ws.apply(decision)
        return [item for decision in made for item in decision.new_notes]

    def cancel(self, voucher_no: str, issuer: str = ISSUER, caller: Caller = ISSUER_CALLS) -> Decision:
        decision = decide_cancel(self.ws.wallets.get(WalletKey(issuer, ENTERPRISE)), issuer, voucher_no, caller)
        if decision.refusal is None:
            self.ws.apply(decision)
        return decision

    def expire_notes(self, issuer: str = ISSUER) -> list[Decision]:
        decisions = decide_expiry(self.wallet(issuer), self.today)
        for decision in decisions:
            self.ws.apply(decision)
        return decisions

    def set_state(self, redemption_id: str, **changes: Any) -> None:
        """Change a redemption by hand, as a confirmed payment does."""
        self.ws.redemptions[redemption_id] = replace(self.redemption(redemption_id), **changes)

    def _apply(self, decision: Decision) -> Decision:
        if decision.redemption is not None:
            self.ws.apply(decision)
        return decision


def desk(*policies: Policy, notes: int = 10, recognitions: tuple[Recognition, ...] = ()) -> Desk:
    """Return a desk with one enterprise, one provider, the given policies (one of `policy()` if none) and notes of 1,000 yuan."""
    made = Desk()
    for number, item in enumerate(policies or (policy(),), start=1):
        made.ws.policies[number] = replace(item, policy_id=number)
    made.ws.enterprises[ENTERPRISE] = enterprise()
    made.ws.providers[PROVIDER] = provider()
    if recognitions:
        made.ws.recognitions[ISSUER, PROVIDER] = recognitions
    if notes:
        made.hold(*(note(number) for number in range(1, notes + 1)))
    return made


def code(decision: Decision) -> str:
    """Return the code of a refusal, empty for an approval."""
    return decision.refusal.code.value if decision.refusal else ""


def approved(decision: Decision) -> Redemption:
    """Return the redemption of an approval."""
    assert decision.refusal is None, decision.refusal
    assert decision.redemption is not None
    return decision.redemption
