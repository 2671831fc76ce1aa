"""Decisions: what a command comes to. A decision is data; the ledger applies and writes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from hub.domain.model import InvoiceUse, Note, OrderState, Redemption, WalletKey
from hub.domain.posting import Transfer
from hub.domain.reasons import Reason
from hub.domain.refusals import Refusal


class NoteCount(NamedTuple):
    """Quota basis FACE: the note's face is counted in `year` from now on, or no longer where `year` is 0."""

    note_id: int
    year: int


@dataclass(slots=True)
class Breakdown:
    """How an amount came about (rules.md A1, A2, A3, A5)."""

    entitlement: int = 0
    subsidy: int = 0
    clamps: tuple[str, ...] = ()
    vouchers_used: int = 0
    enterprise_pays: int = 0


@dataclass(slots=True)
class Decision:
    """An approval or a refusal. A refusal may carry changes too (rules.md C2, C4: refused, and the reservation released)."""

    refusal: Refusal | None = None
    reasons: list[Reason] = field(default_factory=list)
    redemption: Redemption | None = None
    transfers: list[Transfer] = field(default_factory=list)
    counts: list[NoteCount] = field(default_factory=list)
    new_notes: list[Note] = field(default_factory=list)
    issued: tuple[WalletKey, int, int] | None = None
    cancelled_note: int = 0
    order: OrderState | None = None
    invoice: InvoiceUse | None = None
    frees_invoice: bool = False
    breakdown: Breakdown | None = None
    released: int = 0
    forfeited: int = 0
    returned: int = 0
    cause: str = ""


def refuse(refusal: Refusal) -> Decision:
    """Return a refusal that changes nothing."""
    return Decision(refusal=refusal, reasons=list(refusal.reasons))
