"""An auditor of its own: derives every balance from the journal alone and compares it with the state; knows no code of the domain."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from hub.application.batch import JournalEntry
from tests.property.ledger import Ledger

RESERVING = {"AUTHORIZED", "PENDING_REVIEW", "HELD"}
LIVE = RESERVING | {"CLEARED", "SETTLED"}
PART = {"outstanding": "available", "reserved": "reserved", "payable": "redeemed", "paid": "redeemed", "returned": "returned"}


class Books:
    """All sums that follow from a journal."""

    def __init__(self, journal: list[JournalEntry]) -> None:
        self.accounts: dict[str, Counter[str]] = defaultdict(Counter)
        self.payable: Counter[tuple[str, str]] = Counter()
        self.notes: dict[int, Counter[str]] = defaultdict(Counter)
        self.quota: Counter[tuple[Any, int]] = Counter()
        self.orders: Counter[tuple[Any, str]] = Counter()
        self.redemptions: Counter[str] = Counter()
        for entry in journal:
            self._post(entry)

    def _post(self, entry: JournalEntry) -> None:
        item = entry.transfer
        issuer, debit, credit = item.wallet.issuer, str(item.debit), str(item.credit)
        assert item.amount > 0 or (item.amount == 0 and item.quota != 0), f"moves nothing: {item}"
        assert item.cause == "PAY" or sum(amount for _, amount in item.notes) == item.amount, f"notes do not add up: {item}"
        assert all(amount > 0 for _, amount in item.notes)
        self.accounts[issuer][debit] -= item.amount
        self.accounts[issuer][credit] += item.amount
        for account, sign in ((debit, -1), (credit, 1)):
            if account == "payable" and item.amount:
                assert item.payee
                self.payable[issuer, item.payee] += sign * item.amount
        owed = item.amount > 0 and bool({debit, credit} & {"payable", "paid"}) and item.cause != "PAY"
        assert item.windowed is owed, f"in a window or not: {item}"
        assert (entry.window_no > 0) is owed
        for note_id, amount in item.notes:
            if debit in PART:
                self.notes[note_id][PART[debit]] -= amount
            self.notes[note_id][PART[credit]] += amount
        self.quota[item.wallet, item.quota_year] += item.quota
        if item.order is not None:
            self.orders[item.order, issuer] += item.committed
            self.redemptions[item.redemption_id] += item.committed


def audit(ledger: Ledger) -> None:
    """Raise AssertionError where a balance differs from what the journal says, or cannot be."""
    rows, books = ledger.rows, Books(ledger.rows.journal)
    _accounts(ledger, books)
    for key, wallet in rows.wallets.items():
        for note in wallet.notes:
            parts = {"available": note.available, "reserved": note.reserved, "redeemed": note.redeemed, "returned": note.returned}
            assert min(parts.values()) >= 0, note
            assert sum(parts.values()) == note.face, note
            assert {name: books.notes[note.note_id][name] for name in parts} == parts, note
            assert not note.counted_year or note.reserved + note.redeemed > 0, f"counted, and nobody draws on it: {note}"
        for year in {*wallet.quota_used, *(year for owner, year in books.quota if owner == key and year)}:
            assert wallet.quota_used.get(year, 0) == books.quota[key, year] >= 0, (key, year)
            assert wallet.quota_used.get(year, 0) == _quota(ledger, key, year), (key, year)
        by_year: Counter[int] = Counter()
        for note in wallet.notes:
            by_year[note.issued_on.year] += note.face
        assert by_year == +Counter(wallet.issued)
        assert wallet.last_expiry == max(note.expires_on for note in wallet.notes)
    for order_key, order in rows.orders.items():
        assert order.committed == {i: amount for (o, i), amount in books.orders.items() if o == order_key and amount}
        assert 0 <= sum(order.committed.values()) <= sum(line.amount_fen for line in order.lines), f"O2: {order}"
    for redemption_id, item in rows.redemptions.items():
        _redemption(item, books.redemptions[redemption_id])


def _accounts(ledger: Ledger, books: Books) -> None:
    rows = ledger.rows
    for issuer, sums in books.accounts.items():
        assert sum(sums.values()) == 0, f"debits and credits differ: {issuer} {sums}"
        assert all(amount >= 0 for account, amount in sums.items() if account != "appropriation"), (issuer, sums)
        own = [item for item in rows.redemptions.values() if item.wallet.issuer == issuer]
        assert sums["reserved"] == sum(item.subsidy for item in own if item.state in RESERVING)
        assert sums["payable"] == sum(item.subsidy for item in own if item.state == "CLEARED")
        assert sums["paid"] == sum(item.subsidy for item in own if item.state == "SETTLED")
        notes = [note for key, wallet in rows.wallets.items() if key.issuer == issuer for note in wallet.notes]
        assert sums["outstanding"] == sum(note.available for note in notes)
        assert sums["returned"] == sum(note.returned for note in notes)
        assert -sums["appropriation"] == sum(note.face for note in notes)
        payees = {item.payee for item in own}
        for payee in payees:
            assert books.payable[issuer, payee] == sum(item.subsidy for item in own if item.payee == payee and item.state == "CLEARED")


def _redemption(item: Any, committed: int) -> None:
    live = item.state in LIVE
    assert item.subsidy == committed == sum(draw.amount for draw in item.draws), item
    assert (item.subsidy > 0) is live, item
    assert 0 <= item.subsidy <= item.authorized
    assert all(draw.amount > 0 for draw in item.draws)
    assert len({draw.note_id for draw in item.draws}) == len(item.draws)
    assert all(0 <= back <= line.amount_fen for back, line in zip(item.line_refunds, item.lines, strict=False))
    assert (item.window_no > 0) is (item.state in ("CLEARED", "SETTLED", "REFUNDED"))


def _quota(ledger: Ledger, key: Any, year: int) -> int:
    """What should count: live subsidies under OFFSET, and the faces of counted notes."""
    rows = ledger.rows
    offset = sum(
        item.subsidy
        for item in rows.redemptions.values()
        if item.wallet == key and item.quota_year == year and rows.policies[item.policy_id].quota_basis == "OFFSET"
    )
    return offset + sum(note.face for note in rows.wallets[key].notes if note.counted_year == year)
