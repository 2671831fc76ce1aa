"""Postings: append-only double-entry transfers between an issuer's accounts (design: Ledger).

Every transfer moves an amount from a debit to a credit account of one issuer. Where notes are concerned it says how much of
which note, so that every balance (accounts, notes, quotas, orders, redemptions) can be derived from transfers alone.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from hub.domain.model import OrderKey, WalletKey


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


class Transfer(NamedTuple):
    """One transfer. `notes` are (note id, amount) and add up to `amount` unless the cause is PAY; `quota` is the change of the
    quota used in `quota_year`; `committed` the change of what is committed on `order`."""

    cause: Cause
    debit: Account
    credit: Account
    amount: int
    wallet: WalletKey
    notes: tuple[tuple[int, int], ...] = ()
    payee: str = ""
    redemption_id: str = ""
    order: OrderKey | None = None
    committed: int = 0
    quota_year: int = 0
    quota: int = 0
    windowed: bool = False


_BUCKET = {
    Account.OUTSTANDING: "available",
    Account.RESERVED: "reserved",
    Account.PAYABLE: "redeemed",
    Account.PAID: "redeemed",
    Account.RETURNED: "returned",
}


def bucket(account: Account) -> str | None:
    """Return which part of a note an account stands for; None for the appropriation, where the note does not exist yet."""
    return _BUCKET.get(account)
