"""An in-memory ledger that loads and keeps rows as the database does: only what commands name, only what decisions marked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from itertools import count
from typing import Any

from hub.application.batch import Keys, WorkingSet
from hub.application.commands import LedgerCommand
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller
from hub.domain.model import Note, OrderState, Wallet, WalletKey
from tests.unit.builders import TODAY, at


def _order_copy(order: OrderState) -> OrderState:
    return replace(order, committed=dict(order.committed))


@dataclass
class Ledger:
    """All rows there are, in a working set that no command runs on."""

    rows: WorkingSet = field(default_factory=lambda: WorkingSet(now=at(TODAY)))
    last_note_id: int = 0

    def run(self, command: LedgerCommand, caller: Caller) -> Outcome:
        """Run one command in a batch of its own."""
        return self.run_batch([(command, caller)])[0]

    def run_batch(self, items: Iterable[tuple[LedgerCommand, Caller]]) -> list[Outcome]:
        """Run commands in one batch: load once, decide one after the other, keep once."""
        items = list(items)
        ws = self.load([command for command, _ in items])
        outcomes = [command.run(ws, caller) for command, caller in items]
        self.keep(ws)
        return outcomes

    def load(self, commands: Iterable[LedgerCommand]) -> WorkingSet:
        """Return what the loader would: the rows that the commands name, and those found through a redemption."""
        keys, rows = Keys(), self.rows
        for command in commands:
            command.touch(keys)
        ids = count(self.last_note_id + 1)
        ws = WorkingSet(now=rows.now, policies=rows.policies, next_note_id=lambda: next(ids))
        ws.redemptions = {key: replace(rows.redemptions[key]) for key in keys.redemptions if key in rows.redemptions}
        found = ws.redemptions.values()
        drawn = {draw.note_id for item in found for draw in item.draws}
        for key in keys.wallets | {item.wallet for item in found}:
            if key in rows.wallets:
                ws.wallets[key] = self._load_wallet(rows.wallets[key], drawn, keys)
        for order in keys.orders | {item.order for item in found}:
            if order in rows.orders:
                ws.orders[order] = _order_copy(rows.orders[order])
        enterprises = keys.enterprises | {key.enterprise for key in ws.wallets}
        ws.enterprises = {key: rows.enterprises[key] for key in enterprises if key in rows.enterprises}
        providers = keys.providers | {item.order.provider for item in found}
        ws.providers = {key: rows.providers[key] for key in providers if key in rows.providers}
        ws.recognitions = {key: rows.recognitions[key] for key in keys.recognitions if key in rows.recognitions}
        for redemption_id, number in keys.captures:
            if redemption_id in ws.redemptions:
                invoice = (ws.redemptions[redemption_id].order.provider, number)
                if rows.invoices.get(invoice):
                    ws.invoices[invoice] = rows.invoices[invoice]
                    ws.known_invoices.add(invoice)
        if keys.clears:
            ws.windows = {item.wallet.issuer: rows.windows.get(item.wallet.issuer, 1) for item in found}
        ws.taken_numbers = keys.numbers & rows.taken_numbers
        return ws

    @staticmethod
    def _load_wallet(wallet: Wallet, drawn: set[int], keys: Keys) -> Wallet:
        def wanted(note: Note) -> bool:
            named = (note.wallet.issuer, note.voucher_no) in keys.numbers
            return note.available > 0 or note.reserved > 0 or note.note_id in drawn or named

        notes = [replace(note) for note in wallet.notes if wanted(note)]
        return Wallet(wallet.key, wallet.last_expiry, notes, dict(wallet.quota_used), dict(wallet.issued))

    def keep(self, ws: WorkingSet) -> None:
        """Write what decisions marked, and no more."""
        rows = self.rows
        for key in ws.new_wallets | ws.dirty_wallets:
            wallet = rows.wallets.setdefault(key, Wallet(key))
            wallet.last_expiry = ws.wallets[key].last_expiry
        for note in ws.new_notes:
            wallet = rows.wallets[note.wallet]
            wallet.notes = sorted([*wallet.notes, replace(note)], key=lambda item: (item.expires_on, item.voucher_no))
            rows.taken_numbers.add((note.wallet.issuer, note.voucher_no))
            self.last_note_id = max(self.last_note_id, note.note_id)
        for note in ws.dirty_notes.values():
            kept = rows.wallets[note.wallet].note(note.note_id)
            for name in ("available", "reserved", "redeemed", "returned", "counted_year", "cancelled"):
                setattr(kept, name, getattr(note, name))
        for key, year in ws.dirty_quotas:
            wallet = rows.wallets[key]
            wallet.quota_used[year] = ws.wallets[key].quota_used.get(year, 0)
            wallet.issued[year] = ws.wallets[key].issued.get(year, 0)
        for order in ws.dirty_orders | ws.new_orders:
            rows.orders[order] = _order_copy(ws.orders[order])
        for redemption_id in ws.dirty_redemptions:
            rows.redemptions[redemption_id] = replace(ws.redemptions[redemption_id])
        # Use by use, as the tables have them: what a command did not read of an invoice, other issuers' uses, stays.
        for provider, number, issuer in ws.freed_invoices:
            uses = rows.invoices.get((provider, number), ())
            rows.invoices[provider, number] = tuple(use for use in uses if use.issuer != issuer)
        for (provider, number, _), use in ws.new_invoice_uses.items():
            rows.invoices[provider, number] = (*rows.invoices.get((provider, number), ()), use)
        rows.journal.extend(ws.journal)
        rows.events.extend(ws.events)

    def copy(self) -> Ledger:
        """Return a ledger of the same rows that shares nothing that changes."""
        rows = self.rows
        twin = WorkingSet(now=rows.now, policies=rows.policies, windows=dict(rows.windows), taken_numbers=set(rows.taken_numbers))
        twin.enterprises, twin.providers, twin.recognitions = dict(rows.enterprises), dict(rows.providers), dict(rows.recognitions)
        twin.invoices, twin.journal, twin.events = dict(rows.invoices), list(rows.journal), list(rows.events)
        twin.orders = {key: _order_copy(order) for key, order in rows.orders.items()}
        twin.redemptions = {key: replace(item) for key, item in rows.redemptions.items()}
        for key, wallet in rows.wallets.items():
            notes = [replace(note) for note in wallet.notes]
            twin.wallets[key] = Wallet(key, wallet.last_expiry, notes, dict(wallet.quota_used), dict(wallet.issued))
        return Ledger(twin, self.last_note_id)

    def wallet(self, issuer: str, enterprise: str) -> Wallet:
        """Return a wallet, empty where there is none."""
        key = WalletKey(issuer, enterprise)
        return self.rows.wallets.get(key, Wallet(key))


def _fields(item: Any) -> tuple[object, ...]:
    return tuple(getattr(item, each.name) for each in fields(item))


def frozen(ledger: Ledger) -> dict[str, object]:
    """Return the whole state as plain values, to be compared with itself later."""
    rows = ledger.rows
    return {
        "notes": {note.note_id: _fields(note) for wallet in rows.wallets.values() for note in wallet.notes},
        "wallets": {key: (item.last_expiry, dict(item.quota_used), dict(item.issued)) for key, item in rows.wallets.items()},
        "orders": {key: (item.enterprise, item.lines, dict(item.committed)) for key, item in rows.orders.items()},
        "redemptions": {key: _fields(item) for key, item in rows.redemptions.items()},
        "invoices": {key: sorted(uses) for key, uses in rows.invoices.items() if uses},
        "journal": list(rows.journal),
        "events": list(rows.events),
    }
