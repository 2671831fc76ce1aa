"""Postings: append-only double-entry transfers between an issuer's accounts (design: Ledger).

Every transfer moves an amount from a debit to a credit account of one issuer. Where notes are concerned it says how much of
which note, so that every balance (accounts, notes, quotas, orders, redemptions) can be derived from transfers alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from hub.domain.model import Note, OrderKey, WalletKey


class Account(StrEnum):
    """Accounts of an issuer. PAYABLE is kept per payee."""

    APPROPRIATION = "appropriation"
    OUTSTANDING = "outstanding"
    RESERVED = "reserved"
    PAYABLE = "payable"
    PAID = "paid"
    RETURNED = "returned"


class Cause(StrEnum):
    """Why a transfer was made."""

    ISSUE = "ISSUE"
    AUTHORIZE = "AUTHORIZE"
    RELEASE = "RELEASE"
    CLEAR = "CLEAR"
    FORFEIT = "FORFEIT"
    REFUND = "REFUND"
    EXPIRE = "EXPIRE"
    CANCEL = "CANCEL"
    PAY = "PAY"


@dataclass(slots=True, init=False)
class Transfer:
    """One transfer. `notes` are (note id, amount) and add up to `amount` unless the cause is PAY; `quota` is the change of the
    quota used in `quota_year`; `committed` the change of what is committed on `order`."""

    cause: Final[Cause]
    debit: Final[Account]
    credit: Final[Account]
    amount: Final[int]
    wallet: Final[WalletKey]
    notes: Final[tuple[tuple[int, int], ...]]
    payee: Final[str]
    redemption_id: Final[str]
    order: Final[OrderKey | None]
    committed: Final[int]
    quota_year: Final[int]
    quota: Final[int]
    windowed: Final[bool]

    def __init__(
        self,
        cause: Cause,
        debit: Account,
        credit: Account,
        amount: int,
        wallet: WalletKey,
        notes: tuple[tuple[int, int], ...] = (),
        payee: str = "",
        redemption_id: str = "",
        order: OrderKey | None = None,
        committed: int = 0,
        quota_year: int = 0,
        quota: int = 0,
        windowed: bool = False,
    ) -> None:
        self.cause, self.debit, self.credit, self.amount = cause, debit, credit, amount
        self.wallet, self.notes, self.payee, self.redemption_id = wallet, notes, payee, redemption_id
        self.order, self.committed = order, committed
        self.quota_year, self.quota, self.windowed = quota_year, quota, windowed


def move(note: Note, debit: Account, credit: Account, amount: int) -> None:
    """Move an amount on a note, from the part that one account stands for to the part of the other."""
    _add(note, debit, -amount)
    _add(note, credit, amount)


def _add(note: Note, account: Account, amount: int) -> None:
    # The appropriation stands for no part of a note: there the note does not exist yet.
    if account is Account.OUTSTANDING:
        note.available += amount
    elif account is Account.RESERVED:
        note.reserved += amount
    elif account is Account.PAYABLE or account is Account.PAID:
        note.redeemed += amount
    elif account is Account.RETURNED:
        note.returned += amount
