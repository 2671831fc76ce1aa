"""What decisions read and change: notes, quotas, orders, redemptions, parties. Plain data; amounts are fen.

What is made for every command has its `__init__` written out: compiled, that is twenty times faster than the one `dataclass` makes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import NamedTuple

from hub.domain.policy import Category, EnterpriseKind


class LineFlag(StrEnum):
    """Why a line is never supported (rules.md S2)."""

    PATENT_APPLICATION = "PATENT_APPLICATION"
    STATUTORY_TEST = "STATUTORY_TEST"
    FISCALLY_FUNDED = "FISCALLY_FUNDED"
    NON_INNOVATION = "NON_INNOVATION"


class Line(NamedTuple):
    """One line of an order."""

    category: Category
    amount_fen: int
    flags: tuple[LineFlag, ...] = ()


class State(StrEnum):
    """States of a redemption (rules.md, Capture)."""

    AUTHORIZED = "AUTHORIZED"
    PENDING_REVIEW = "PENDING_REVIEW"
    HELD = "HELD"
    CLEARED = "CLEARED"
    SETTLED = "SETTLED"
    VOIDED = "VOIDED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    REFUNDED = "REFUNDED"


class PayeeKind(StrEnum):
    """Who is paid."""

    PROVIDER = "PROVIDER"
    ENTERPRISE = "ENTERPRISE"


class WalletKey(NamedTuple):
    """What guards the notes and quota of one enterprise at one issuer."""

    issuer: str
    enterprise: str


class OrderKey(NamedTuple):
    """One contract: the provider's own number of it (rules.md O1)."""

    provider: str
    order_no: str


@dataclass(slots=True)
class Note:
    """One voucher. `available + reserved + redeemed + returned = face`, always. `counted_year` is the quota year
    in which its face was counted under quota basis FACE, 0 while it is not."""

    note_id: int
    voucher_no: str
    wallet: WalletKey
    face: int
    available: int
    reserved: int
    redeemed: int
    returned: int
    issued_on: date
    expires_on: date
    counted_year: int = 0
    cancelled: bool = False

    def expired(self, today: date) -> bool:
        """Say whether the note is past its validity `[issued_on, expires_on)`."""
        return self.expires_on <= today

    def live(self, today: date) -> bool:
        """Say whether the note may still be drawn or take value back."""
        return self.expires_on > today and not self.cancelled


def in_order(note: Note) -> tuple[date, str]:
    """Return the place of a note in the order of drawing: soonest expiry first, then by number (rules.md A3)."""
    return note.expires_on, note.voucher_no


@dataclass(slots=True)
class Wallet:
    """Notes and quotas of one enterprise at one issuer. `notes` are those that still matter, sorted by (expiry, number)
    (rules.md A3); `last_expiry` is the latest expiry of all notes ever held, None where none was."""

    key: WalletKey
    last_expiry: date | None = None
    notes: list[Note] = field(default_factory=list)
    quota_used: dict[int, int] = field(default_factory=dict)
    issued: dict[int, int] = field(default_factory=dict)

    def note(self, note_id: int) -> Note:
        """Return a note by id; raise LookupError where the wallet has none such."""
        for note in self.notes:
            if note.note_id == note_id:
                return note
        raise LookupError(note_id)


@dataclass(slots=True, init=False)
class OrderState:
    """What is known and committed of an order. `committed` is, by issuer, what is authorized, cleared and not refunded."""

    key: OrderKey
    enterprise: str
    lines: tuple[Line, ...]
    committed: dict[str, int]

    def __init__(self, key: OrderKey, enterprise: str, lines: tuple[Line, ...], committed: dict[str, int] | None = None) -> None:
        self.key, self.enterprise, self.lines = key, enterprise, lines
        self.committed = {} if committed is None else committed

    @property
    def total(self) -> int:
        """All subsidies on the order."""
        return sum(self.committed.values())


class Draw(NamedTuple):
    """What a redemption holds of one note."""

    note_id: int
    voucher_no: str
    amount: int


@dataclass(slots=True, init=False)
class Redemption:
    """One voucher use on one order. `subsidy` is what stands now; `line_refunds` the fee given back per final line."""

    redemption_id: str
    wallet: WalletKey
    acquirer: str
    order: OrderKey
    policy_id: int
    policy_version: str
    state: State
    lines: tuple[Line, ...]
    authorized: int
    subsidy: int
    payee_kind: PayeeKind
    quota_year: int
    authorized_at: datetime
    expires_on: date
    draws: tuple[Draw, ...]
    refunded: int
    line_refunds: tuple[int, ...]
    invoice_no: str
    delivered_on: date | None
    window_no: int
    settled_on: date | None

    def __init__(
        self,
        redemption_id: str,
        wallet: WalletKey,
        acquirer: str,
        order: OrderKey,
        policy_id: int,
        policy_version: str,
        state: State,
        lines: tuple[Line, ...],
        authorized: int,
        subsidy: int,
        payee_kind: PayeeKind,
        quota_year: int,
        authorized_at: datetime,
        expires_on: date,
        draws: tuple[Draw, ...],
        refunded: int = 0,
        line_refunds: tuple[int, ...] = (),
        invoice_no: str = "",
        delivered_on: date | None = None,
        window_no: int = 0,
        settled_on: date | None = None,
    ) -> None:
        self.redemption_id, self.wallet, self.acquirer, self.order = redemption_id, wallet, acquirer, order
        self.policy_id, self.policy_version = policy_id, policy_version
        self.state, self.lines, self.authorized, self.subsidy = state, lines, authorized, subsidy
        self.payee_kind, self.quota_year, self.authorized_at, self.expires_on = payee_kind, quota_year, authorized_at, expires_on
        self.draws, self.refunded, self.line_refunds = draws, refunded, line_refunds
        self.invoice_no, self.delivered_on, self.window_no, self.settled_on = invoice_no, delivered_on, window_no, settled_on

    def copied(self) -> Redemption:
        """Return another of the same values, for a decision to change."""
        return Redemption(
            self.redemption_id, self.wallet, self.acquirer, self.order, self.policy_id, self.policy_version, self.state, self.lines,
            self.authorized, self.subsidy, self.payee_kind, self.quota_year, self.authorized_at, self.expires_on, self.draws, self.refunded,
            self.line_refunds, self.invoice_no, self.delivered_on, self.window_no, self.settled_on,
        )  # fmt: skip

    @property
    def payee(self) -> str:
        """Unified social credit code of whoever is paid."""
        return self.order.provider if self.payee_kind is PayeeKind.PROVIDER else self.wallet.enterprise


@dataclass(frozen=True, slots=True)
class Enterprise:
    """A holder of vouchers, as its division registered it. `sanctioned_on` is the first day of a negative-list entry in force."""

    uscc: str
    name: str
    division: str
    kind: EnterpriseKind
    sme_no: str = ""
    sme_valid_from: date | None = None
    sme_valid_until: date | None = None
    staff: int = 0
    sanctioned_on: date | None = None


@dataclass(frozen=True, slots=True)
class Provider:
    """A service institution, as its home admitted it. `rating` is in hundredths, 0 unrated. `suspended_on` and `quality_listed_on` are
    the first days of the suspension and of the membership of the quality-provider list in force."""

    uscc: str
    name: str
    home: str
    categories: tuple[Category, ...]
    admitted_on: date
    rating: int = 0
    suspended_on: date | None = None
    quality_listed_on: date | None = None


class Recognition(NamedTuple):
    """A dated, directional recognition `[valid_from, valid_until)` of one provider by one issuer. `agreement` says that a tripartite
    agreement is signed; `require_agreement` that it counts only while one is registered and in force."""

    valid_from: date
    valid_until: date | None
    agreement: bool
    require_agreement: bool = False


class ClassRule(NamedTuple):
    """A dated recognition `[valid_from, valid_until)` by one issuer of all providers that meet every condition set: home at or below
    `home`, listing `category`, rated `min_rating` hundredths or better, on the quality-provider list, with an agreement in force."""

    class_id: str
    valid_from: date
    valid_until: date | None
    home: str = ""
    category: Category | None = None
    min_rating: int = 0
    quality_listed: bool = False
    require_agreement: bool = False


class Agreement(NamedTuple):
    """A tripartite agreement (三方协议) of one issuer with one provider, in force `[signed_on, valid_until)`."""

    signed_on: date
    valid_until: date | None


class InvoiceUse(NamedTuple):
    """One use of an invoice number of a provider (rules.md C3)."""

    issuer: str
    redemption_id: str
    order_no: str
