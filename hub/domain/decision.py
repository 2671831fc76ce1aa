"""Decisions: what a command comes to. A decision is data; the ledger applies and writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from hub.domain.model import InvoiceUse, Note, OrderState, Redemption, WalletKey
from hub.domain.posting import Transfer
from hub.domain.reasons import Reason
from hub.domain.refusals import Refusal


class NoteCount(NamedTuple):
    """Quota basis FACE: the note's face is counted in `year` from now on, or no longer where `year` is 0."""

    note_id: int
    year: int


@dataclass(slots=True, init=False)
class Breakdown:
    """How an amount came about (rules.md A1, A2, A3, A5)."""

    entitlement: int
    subsidy: int
    clamps: tuple[str, ...]
    vouchers_used: int
    enterprise_pays: int

    def __init__(
        self, entitlement: int = 0, subsidy: int = 0, clamps: tuple[str, ...] = (), vouchers_used: int = 0, enterprise_pays: int = 0
    ) -> None:
        self.entitlement, self.subsidy, self.clamps = entitlement, subsidy, clamps
        self.vouchers_used, self.enterprise_pays = vouchers_used, enterprise_pays


@dataclass(slots=True, init=False)
class Decision:
    """An approval or a refusal. A refusal may carry changes too (rules.md C2, C4: refused, and the reservation released)."""

    refusal: Refusal | None
    reasons: list[Reason]
    redemption: Redemption | None
    transfers: list[Transfer]
    counts: list[NoteCount]
    new_notes: list[Note]
    issued: tuple[WalletKey, int, int] | None
    cancelled_note: int
    order: OrderState | None
    invoice: InvoiceUse | None
    frees_invoice: bool
    breakdown: Breakdown | None
    released: int
    forfeited: int
    returned: int
    cause: str

    def __init__(
        self,
        refusal: Refusal | None = None,
        reasons: list[Reason] | None = None,
        redemption: Redemption | None = None,
        transfers: list[Transfer] | None = None,
        counts: list[NoteCount] | None = None,
        new_notes: list[Note] | None = None,
        issued: tuple[WalletKey, int, int] | None = None,
        cancelled_note: int = 0,
        order: OrderState | None = None,
        invoice: InvoiceUse | None = None,
        frees_invoice: bool = False,
        breakdown: Breakdown | None = None,
        released: int = 0,
        forfeited: int = 0,
        returned: int = 0,
        cause: str = "",
    ) -> None:
        self.refusal = refusal
        self.reasons = [] if reasons is None else reasons
        self.redemption = redemption
        self.transfers = [] if transfers is None else transfers
        self.counts = [] if counts is None else counts
        self.new_notes = [] if new_notes is None else new_notes
        self.issued, self.cancelled_note = issued, cancelled_note
        self.order, self.invoice, self.frees_invoice = order, invoice, frees_invoice
        self.breakdown = breakdown
        self.released, self.forfeited, self.returned = released, forfeited, returned
        self.cause = cause


def refuse(refusal: Refusal) -> Decision:
    """Return a refusal that changes nothing."""
    return Decision(refusal=refusal, reasons=list(refusal.reasons))
