"""The rows a batch has locked and read, changed in memory by its decisions, and what of them must be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from hub.codec.events import Event
from hub.codec.outcome import Outcome
from hub.domain.decision import Decision
from hub.domain.issue import IssueSnapshot
from hub.domain.model import (
    Agreement,
    ClassRule,
    Enterprise,
    InvoiceUse,
    Note,
    OrderKey,
    OrderState,
    Provider,
    Recognition,
    Redemption,
    Wallet,
    WalletKey,
    in_order,
)
from hub.domain.policy import Policy, policy_in_force
from hub.domain.posting import Account, Transfer, move
from hub.domain.snapshot import Snapshot


class RequestKey(NamedTuple):
    """Whose request (rules.md I1)."""

    participant_id: str
    request_id: str


@dataclass(slots=True)
class Keys:
    """What a batch touches. Commands on a redemption or application name it alone; the loader finds the rest through it.

    `requests` are those that a command answers beside its own; `issuing` are issuers that issue, each with the year of issue, 0 for that of
    the batch's date.
    """

    wallets: set[WalletKey] = field(default_factory=set)
    orders: set[OrderKey] = field(default_factory=set)
    redemptions: set[str] = field(default_factory=set)
    applications: set[str] = field(default_factory=set)
    enterprises: set[str] = field(default_factory=set)
    providers: set[str] = field(default_factory=set)
    recognitions: set[tuple[str, str]] = field(default_factory=set)
    captures: set[tuple[str, str]] = field(default_factory=set)
    numbers: set[tuple[str, str]] = field(default_factory=set)
    issuing: set[tuple[str, int]] = field(default_factory=set)
    requests: set[RequestKey] = field(default_factory=set)
    clears: bool = False


class Application(NamedTuple):
    """An application as locked."""

    application_id: str
    wallet: WalletKey
    kind: str
    requested: int
    approved: int
    state: str
    filed_at: datetime


class StoredOutcome(NamedTuple):
    """What an idempotency record holds."""

    digest: bytes
    outcome: Outcome


class JournalEntry(NamedTuple):
    """A transfer and the window it belongs to, 0 for none."""

    transfer: Transfer
    window_no: int


@dataclass(slots=True)
class WorkingSet:
    """Loaded under locks, changed by `apply`, written once."""

    now: datetime
    policies: dict[int, Policy] = field(default_factory=dict)
    outcomes: dict[RequestKey, StoredOutcome] = field(default_factory=dict)
    wallets: dict[WalletKey, Wallet] = field(default_factory=dict)
    versions: dict[WalletKey, int] = field(default_factory=dict)
    """Of the wallets: how many transfers and cancellations they have seen."""
    whole: set[WalletKey] = field(default_factory=set)
    """Wallets of which every note that may be drawn is here; of the others only the notes of the redemptions named."""
    orders: dict[OrderKey, OrderState] = field(default_factory=dict)
    redemptions: dict[str, Redemption] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    enterprises: dict[str, Enterprise] = field(default_factory=dict)
    providers: dict[str, Provider] = field(default_factory=dict)
    recognitions: dict[tuple[str, str], tuple[Recognition, ...]] = field(default_factory=dict)
    class_rules: dict[str, tuple[ClassRule, ...]] = field(default_factory=dict)
    """By issuer."""
    agreements: dict[tuple[str, str], tuple[Agreement, ...]] = field(default_factory=dict)
    """By issuer and provider, as recognitions are."""
    invoices: dict[tuple[str, str], tuple[InvoiceUse, ...]] = field(default_factory=dict)
    known_invoices: set[tuple[str, str]] = field(default_factory=set)
    windows: dict[str, int] = field(default_factory=dict)
    taken_numbers: set[tuple[str, str]] = field(default_factory=set)
    issued_totals: dict[str, int] = field(default_factory=dict)
    """By issuer that issues: all face it ever issued."""
    next_note_id: Callable[[], int] = lambda: 0

    new_wallets: set[WalletKey] = field(default_factory=set)
    dirty_wallets: set[WalletKey] = field(default_factory=set)
    new_notes: list[Note] = field(default_factory=list)
    dirty_notes: dict[int, Note] = field(default_factory=dict)
    dirty_quotas: set[tuple[WalletKey, int]] = field(default_factory=set)
    dirty_totals: set[str] = field(default_factory=set)
    new_orders: set[OrderKey] = field(default_factory=set)
    dirty_orders: set[OrderKey] = field(default_factory=set)
    new_redemptions: dict[str, None] = field(default_factory=dict)
    dirty_redemptions: dict[str, None] = field(default_factory=dict)
    new_invoice_uses: dict[tuple[str, str, str], InvoiceUse] = field(default_factory=dict)
    freed_invoices: set[tuple[str, str, str]] = field(default_factory=set)
    dirty_applications: set[str] = field(default_factory=set)
    journal: list[JournalEntry] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    records: dict[RequestKey, StoredOutcome] = field(default_factory=dict)

    # -- reading ---------------------------------------------------------------------------------------------------------------

    def policy_of(self, issuer: str, day: date) -> Policy | None:
        """Return the issuer's policy in force on a day."""
        return policy_in_force([policy for policy in self.policies.values() if policy.issuer == issuer], day)

    def snapshot(self, wallet: WalletKey, order: OrderKey, policy: Policy | None) -> Snapshot:
        """Return what an authorization may read."""
        issuer, enterprise = wallet
        pair = issuer, order.provider
        return Snapshot(
            enterprise=self.enterprises.get(enterprise),
            provider=self.providers.get(order.provider),
            policy=policy,
            recognitions=self.recognitions.get(pair, ()),
            class_rules=self.class_rules.get(issuer, ()),
            agreements=self.agreements.get(pair, ()),
            wallet=self.wallets.get(wallet),
            order=self.orders.get(order),
        )

    def redemption_snapshot(self, redemption_id: str, invoice_no: str = "") -> Snapshot | None:
        """Return what a command on a redemption may read, its policy pinned (rules.md P1); None where there is no such redemption."""
        redemption = self.redemptions.get(redemption_id)
        if redemption is None:
            return None
        snapshot = self.snapshot(redemption.wallet, redemption.order, self.policies[redemption.policy_id])
        snapshot.redemption = redemption
        if invoice_no:
            snapshot.invoice_uses = self.invoices.get((redemption.order.provider, invoice_no), ())
        return snapshot

    def issue_snapshot(self, issuer: str, enterprises: set[str], day: date, today: date) -> IssueSnapshot:
        """Return what an issue may read. Notes dated before the first policy fall under the one in force today."""
        return IssueSnapshot(
            policy=self.policy_of(issuer, day) or self.policy_of(issuer, today),
            enterprises={uscc: self.enterprises[uscc] for uscc in enterprises if uscc in self.enterprises},
            wallets={uscc: wallet for uscc in enterprises if (wallet := self.wallets.get(WalletKey(issuer, uscc))) is not None},
            taken_numbers=frozenset(number for owner, number in self.taken_numbers if owner == issuer),
            issued_total=self.issued_totals.get(issuer, 0),
        )

    # -- changing --------------------------------------------------------------------------------------------------------------

    def apply(self, decision: Decision) -> None:
        """Apply a decision, so that the next one in the batch sees it as if it had been committed."""
        self._apply_new_notes(decision)
        for transfer in decision.transfers:
            self._apply_transfer(transfer)
        for count in decision.counts:
            note = self.dirty_notes[count.note_id]
            note.counted_year = count.year
        if decision.cancelled_note:
            self._cancel(decision.cancelled_note)
        if decision.order is not None:
            self._put_order(decision.order)
        if decision.redemption is not None:
            self._put_redemption(decision)

    def _apply_new_notes(self, decision: Decision) -> None:
        if decision.issued is None:
            return
        key, year, total = decision.issued
        last = max(note.expires_on for note in decision.new_notes)
        wallet = self.wallets.get(key)
        if wallet is None:
            wallet = self.wallets[key] = Wallet(key, last_expiry=last)
            self.new_wallets.add(key)
            self.whole.add(key)
        elif wallet.last_expiry is None or wallet.last_expiry < last:
            wallet.last_expiry = last
        for note in decision.new_notes:
            # The issuing transfer below fills the note; it starts with nothing on it.
            note.available = 0
            self.new_notes.append(note)
            self.dirty_notes[note.note_id] = note
            self.taken_numbers.add((key.issuer, note.voucher_no))
        wallet.notes = sorted([*wallet.notes, *decision.new_notes], key=in_order)
        wallet.issued[year] = wallet.issued.get(year, 0) + total
        self.dirty_quotas.add((key, year))
        self.issued_totals[key.issuer] = self.issued_totals.get(key.issuer, 0) + total
        self.dirty_totals.add(key.issuer)

    def _change(self, key: WalletKey) -> None:
        self.dirty_wallets.add(key)
        self.versions[key] = self.versions.get(key, 0) + 1

    def _apply_transfer(self, transfer: Transfer) -> None:
        wallet = self.wallets[transfer.wallet]
        self._change(transfer.wallet)
        for note_id, amount in transfer.notes:
            note = self.dirty_notes.get(note_id) or wallet.note(note_id)
            self.dirty_notes[note_id] = note
            move(note, transfer.debit, transfer.credit, amount)
        if transfer.quota:
            year = transfer.quota_year
            wallet.quota_used[year] = wallet.quota_used.get(year, 0) + transfer.quota
            self.dirty_quotas.add((transfer.wallet, year))
        window = self.windows.get(transfer.wallet.issuer, 1) if transfer.windowed else 0
        self.journal.append(JournalEntry(transfer, window))

    def _cancel(self, note_id: int) -> None:
        for wallet in self.wallets.values():
            for note in wallet.notes:
                if note.note_id == note_id:
                    note.cancelled = True
                    self._change(wallet.key)
                    self.dirty_notes[note_id] = note

    def _put_order(self, order: OrderState) -> None:
        known = self.orders.get(order.key)
        if known is None:
            self.new_orders.add(order.key)
        elif known == order:
            # Captured on the lines as authorized: nothing to write.
            return
        self.orders[order.key] = order
        self.dirty_orders.add(order.key)

    def _put_redemption(self, decision: Decision) -> None:
        redemption = decision.redemption
        assert redemption is not None
        for transfer in decision.transfers:
            if transfer.windowed and transfer.debit is Account.RESERVED:
                redemption.window_no = self.windows.get(redemption.wallet.issuer, 1)
        redemption_id = redemption.redemption_id
        if redemption_id not in self.redemptions:
            self.new_redemptions[redemption_id] = None
        self.redemptions[redemption_id] = redemption
        self.dirty_redemptions[redemption_id] = None
        if decision.invoice is None and not decision.frees_invoice:
            return
        invoice = (redemption.order.provider, redemption.invoice_no)
        if decision.invoice is not None:
            self.invoices[invoice] = (*self.invoices.get(invoice, ()), decision.invoice)
            self.new_invoice_uses[(*invoice, decision.invoice.issuer)] = decision.invoice
        if decision.frees_invoice:
            issuer = redemption.wallet.issuer
            self.invoices[invoice] = tuple(use for use in self.invoices.get(invoice, ()) if use.issuer != issuer)
            if self.new_invoice_uses.pop((*invoice, issuer), None) is None:
                self.freed_invoices.add((*invoice, issuer))
