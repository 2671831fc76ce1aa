"""The ledger's tables. Money is bigint fen; CHECK constraints repeat what the domain guarantees.

SQLModel does not validate `table=True` classes: validation is the domain's, the constraints here are the last line.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    SmallInteger,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel


def _fen() -> Column[int]:
    return Column(BigInteger, nullable=False)


def _instant() -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=False)


class ParticipantRow(SQLModel, table=True):
    """A system admitted to the hub."""

    __tablename__ = "participant"

    participant_id: str = Field(primary_key=True, sa_type=Text)
    division: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    scopes: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    registered_at: datetime = Field(sa_column=_instant())


class EnterpriseRow(SQLModel, table=True):
    """A holder of vouchers, as its division registered it."""

    __tablename__ = "enterprise"

    uscc: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    division: str = Field(sa_type=Text, index=True)
    kind: str = Field(sa_type=Text)
    sme_no: str = Field(sa_type=Text)
    sme_valid_from: date | None = None
    sme_valid_until: date | None = None
    staff: int = 0
    registered_at: datetime = Field(sa_column=_instant())


class PolicyRow(SQLModel, table=True):
    """A published policy. `body` is `yrd.policy.v1.Policy`; rows are never updated."""

    __tablename__ = "policy"
    __table_args__ = (UniqueConstraint("issuer", "version"),)

    policy_id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    issuer: str = Field(sa_type=Text, index=True)
    version: str = Field(sa_type=Text)
    effective_from: date
    effective_until: date | None = None
    body: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    published_at: datetime = Field(sa_column=_instant())
    published_by: str = Field(sa_type=Text)


class ReferenceVersionRow(SQLModel, table=True):
    """How often the reference data of a kind changed: `policy`; `enterprise`, with the negative list; `pool`, with standing and
    recognition. Triggers count, within the transaction that changes; who has such data in memory compares."""

    __tablename__ = "reference_version"

    kind: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(sa_column=Column(BigInteger, nullable=False))


class SweepMarkRow(SQLModel, table=True):
    """Everything of a kind that was due on or before `until` has been swept; the next sweep begins after it."""

    __tablename__ = "sweep_mark"

    kind: str = Field(primary_key=True, sa_type=Text)
    until: date


class WalletRow(SQLModel, table=True):
    """Guards the notes and quotas of one enterprise at one issuer: they are read and written under this row's lock. `version` rises
    with each change of them, so that a process that has them in memory knows whether they are still what it has."""

    __tablename__ = "wallet"

    issuer: str = Field(primary_key=True, sa_type=Text)
    enterprise: str = Field(primary_key=True, sa_type=Text)
    last_expiry: date
    version: int = Field(sa_column=Column(BigInteger, nullable=False, server_default="0"))


class VoucherRow(SQLModel, table=True):
    """A note. The four parts always add up to the face."""

    __tablename__ = "voucher"
    __table_args__ = (
        UniqueConstraint("issuer", "voucher_no"),
        CheckConstraint("available >= 0 AND reserved >= 0 AND redeemed >= 0 AND returned >= 0 AND face > 0", name="voucher_not_negative"),
        CheckConstraint("available + reserved + redeemed + returned = face", name="voucher_adds_up"),
        Index("voucher_wallet", "issuer", "enterprise"),
        # On no column that clearing changes, not even in a predicate: its updates then write into no index.
        Index("voucher_due", "expires_on"),
    )

    note_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    issuer: str = Field(sa_type=Text)
    enterprise: str = Field(sa_type=Text)
    voucher_no: str = Field(sa_type=Text)
    face: int = Field(sa_column=_fen())
    available: int = Field(sa_column=_fen())
    reserved: int = Field(sa_column=_fen())
    redeemed: int = Field(sa_column=_fen())
    returned: int = Field(sa_column=_fen())
    issued_on: date
    expires_on: date
    counted_year: int = Field(sa_column=Column(SmallInteger, nullable=False))
    cancelled: bool = False


class QuotaRow(SQLModel, table=True):
    """Quota used and face issued, per wallet and quota year."""

    __tablename__ = "quota"
    __table_args__ = (CheckConstraint("used >= 0 AND issued >= 0", name="quota_not_negative"),)

    issuer: str = Field(primary_key=True, sa_type=Text)
    enterprise: str = Field(primary_key=True, sa_type=Text)
    year: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    used: int = Field(sa_column=_fen())
    issued: int = Field(sa_column=_fen())


class IssuedTotalRow(SQLModel, table=True):
    """All face that an issuer ever issued, fen: at most MAX_FEN (rules.md V1). Written under the issuer's advisory lock on issuing."""

    __tablename__ = "issued_total"

    issuer: str = Field(primary_key=True, sa_type=Text)
    face: int = Field(sa_column=_fen())


class OrderRow(SQLModel, table=True):
    """An order: what it costs, and what each issuer commits on it. Its lock guards rule O2."""

    __tablename__ = "service_order"
    __table_args__ = (CheckConstraint("committed_total BETWEEN 0 AND expenditure", name="order_within_expenditure"),)

    provider: str = Field(primary_key=True, sa_type=Text)
    order_no: str = Field(primary_key=True, sa_type=Text)
    enterprise: str = Field(sa_type=Text)
    lines: list[object] = Field(sa_column=Column(JSONB, nullable=False))
    expenditure: int = Field(sa_column=_fen())
    committed: dict[str, int] = Field(sa_column=Column(JSONB, nullable=False))
    committed_total: int = Field(sa_column=_fen())


class RedemptionRow(SQLModel, table=True):
    """One voucher use on one order."""

    __tablename__ = "redemption"
    __table_args__ = (
        CheckConstraint("subsidy >= 0 AND subsidy <= authorized AND refunded >= 0 AND authorized > 0", name="redemption_amounts"),
        # On no column that changes, as with notes.
        Index("redemption_ttl", "expires_on"),
        Index("redemption_provider", "provider"),
        Index("redemption_enterprise", "enterprise"),
    )

    redemption_id: UUID = Field(primary_key=True)
    issuer: str = Field(sa_type=Text)
    enterprise: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    order_no: str = Field(sa_type=Text)
    acquirer: str = Field(sa_type=Text)
    policy_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: str = Field(sa_type=Text)
    lines: list[object] = Field(sa_column=Column(JSONB, nullable=False))
    line_refunds: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    authorized: int = Field(sa_column=_fen())
    subsidy: int = Field(sa_column=_fen())
    refunded: int = Field(sa_column=_fen())
    payee_kind: str = Field(sa_type=Text)
    payee: str = Field(sa_type=Text)
    quota_year: int = Field(sa_column=Column(SmallInteger, nullable=False))
    authorized_at: datetime = Field(sa_column=_instant())
    expires_on: date
    draw_notes: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    draw_numbers: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    draw_amounts: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    invoice_no: str = Field(sa_type=Text)
    delivered_on: date | None = None
    window_no: int = Field(sa_column=Column(BigInteger, nullable=False))
    settled_on: date | None = None


class InvoiceRow(SQLModel, table=True):
    """An invoice number of a provider and the one order it belongs to (rules.md C3)."""

    __tablename__ = "invoice"

    provider: str = Field(primary_key=True, sa_type=Text)
    invoice_no: str = Field(primary_key=True, sa_type=Text)
    order_no: str = Field(sa_type=Text)


class InvoiceUseRow(SQLModel, table=True):
    """The one redemption per issuer that an invoice serves (rules.md C3)."""

    __tablename__ = "invoice_use"

    provider: str = Field(primary_key=True, sa_type=Text)
    invoice_no: str = Field(primary_key=True, sa_type=Text)
    issuer: str = Field(primary_key=True, sa_type=Text)
    redemption_id: UUID


class JournalRow(SQLModel, table=True):
    """One transfer, never updated. Every balance can be derived from these rows alone."""

    __tablename__ = "journal"
    __table_args__ = (
        CheckConstraint("amount > 0 OR (amount = 0 AND quota <> 0)", name="journal_moves_something"),
        Index("journal_window", "issuer", "window_no", "payee", postgresql_where="window_no > 0"),
    )

    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    at: datetime = Field(sa_column=_instant())
    cause: str = Field(sa_type=Text)
    debit: str = Field(sa_type=Text)
    credit: str = Field(sa_type=Text)
    amount: int = Field(sa_column=_fen())
    issuer: str = Field(sa_type=Text)
    enterprise: str = Field(sa_type=Text)
    notes: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    note_amounts: list[int] = Field(sa_column=Column(ARRAY(BigInteger), nullable=False))
    payee: str = Field(sa_type=Text)
    redemption_id: UUID | None = None
    provider: str = Field(sa_type=Text)
    order_no: str = Field(sa_type=Text)
    committed: int = Field(sa_column=_fen())
    quota_year: int = Field(sa_column=Column(SmallInteger, nullable=False))
    quota: int = Field(sa_column=_fen())
    window_no: int = Field(sa_column=Column(BigInteger, nullable=False))


class AccountSumRow(SQLModel, table=True):
    """Credits less debits of an issuer's account over the transfers up to `account_sum_until` (`summing.py`)."""

    __tablename__ = "account_sum"

    issuer: str = Field(primary_key=True, sa_type=Text)
    account: str = Field(primary_key=True, sa_type=Text)
    amount: int = Field(sa_column=_fen())


class AccountSumUntilRow(SQLModel, table=True):
    """The one row that says up to which transfer the accounts are summed."""

    __tablename__ = "account_sum_until"
    __table_args__ = (CheckConstraint("id = 1", name="account_sum_until_one"),)

    id: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    until_seq: int = Field(sa_column=Column(BigInteger, nullable=False))


class IdempotencyRow(SQLModel, table=True):
    """What was answered to a request id (rules.md I1). `status` is the gRPC code; `body` the response, or `google.rpc.Status`.

    Rows are never deleted. NULL as `body` is an answer no longer kept (`forgetting.py`).
    """

    __tablename__ = "idempotency"

    participant_id: str = Field(primary_key=True, sa_type=Text)
    request_id: UUID = Field(primary_key=True)
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    status: int = Field(sa_column=Column(SmallInteger, nullable=False))
    body: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    at: datetime = Field(sa_column=_instant())


class OutboxRow(SQLModel, table=True):
    """An event to publish. `topic` is `<division>.out` or `pool`."""

    __tablename__ = "outbox"
    __table_args__ = (Index("outbox_unpublished", "seq", postgresql_where="published_at IS NULL"),)

    seq: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    topic: str = Field(sa_type=Text)
    key: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    occurred_at: datetime = Field(sa_column=_instant())
    payload: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    published_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True), nullable=True))


class InboxRow(SQLModel, table=True):
    """A record that a consumer has handled."""

    __tablename__ = "inbox"

    consumer: str = Field(primary_key=True, sa_type=Text)
    topic: str = Field(primary_key=True, sa_type=Text)
    source_id: str = Field(primary_key=True, sa_type=Text)
    received_at: datetime = Field(sa_column=_instant())


class DeadLetterRow(SQLModel, table=True):
    """A record that could not be handled: whole, with the reason, and what became of it."""

    __tablename__ = "dead_letter"
    __table_args__ = (
        CheckConstraint("state IN ('OPEN', 'RESOLVED', 'DISCARDED')", name="dead_letter_state"),
        Index("dead_letter_record", "topic", "partition", "record_offset"),
        Index("dead_letter_open", "division", "id", postgresql_where="state = 'OPEN'"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    topic: str = Field(sa_type=Text)
    partition: int
    record_offset: int = Field(sa_column=Column(BigInteger, nullable=False))
    key: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    headers: dict[str, str] = Field(sa_column=Column(JSONB, nullable=False))
    value: bytes | None = Field(default=None, sa_column=Column(LargeBinary, nullable=True))
    reason: str = Field(sa_type=Text)
    failed_at: datetime = Field(sa_column=_instant())
    division: str = Field(sa_type=Text, sa_column_kwargs={"server_default": ""})
    code: str = Field(sa_type=Text, sa_column_kwargs={"server_default": ""})
    source_id: str = Field(sa_type=Text, sa_column_kwargs={"server_default": ""})
    state: str = Field(sa_type=Text, sa_column_kwargs={"server_default": "OPEN"})


class ApplicationRow(SQLModel, table=True):
    """An application or top-up (rules.md V1)."""

    __tablename__ = "voucher_application"
    __table_args__ = (CheckConstraint("requested > 0 AND approved BETWEEN 0 AND requested", name="application_amounts"),)

    application_id: UUID = Field(primary_key=True)
    issuer: str = Field(sa_type=Text)
    enterprise: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    requested: int = Field(sa_column=_fen())
    approved: int = Field(sa_column=_fen())
    state: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    filed_at: datetime = Field(sa_column=_instant())


class VerificationRow(SQLModel, table=True):
    """The log of the triple check (rules.md V3)."""

    __tablename__ = "verification"

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    at: datetime = Field(sa_column=_instant())
    participant_id: str = Field(sa_type=Text)
    issuer: str = Field(sa_type=Text)
    enterprise: str = Field(sa_type=Text)
    voucher_no: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    order_no: str = Field(sa_type=Text)
    valid: bool
    reasons: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))


class OpenWindowRow(SQLModel, table=True):
    """Number of an issuer's open window. Clearing reads it under a shared advisory lock, closing moves it under the exclusive one."""

    __tablename__ = "open_window"

    issuer: str = Field(primary_key=True, sa_type=Text)
    window_no: int = Field(sa_column=Column(BigInteger, nullable=False))


class WindowRow(SQLModel, table=True):
    """A closed settlement window."""

    __tablename__ = "settlement_window"

    window_id: UUID = Field(primary_key=True)
    closed_at: datetime = Field(sa_column=_instant())
    closed_by: str = Field(sa_type=Text)


class WindowIssuerRow(SQLModel, table=True):
    """Which of an issuer's windows a settlement window closed."""

    __tablename__ = "window_issuer"
    __table_args__ = (UniqueConstraint("issuer", "window_no"),)

    window_id: UUID = Field(primary_key=True, foreign_key="settlement_window.window_id")
    issuer: str = Field(primary_key=True, sa_type=Text)
    window_no: int = Field(sa_column=Column(BigInteger, nullable=False))


class ObligationRow(SQLModel, table=True):
    """One debt of a window (rules.md T1)."""

    __tablename__ = "obligation"
    __table_args__ = (CheckConstraint("amount > 0", name="obligation_positive"), Index("obligation_creditor", "creditor"))

    window_id: UUID = Field(primary_key=True, foreign_key="settlement_window.window_id")
    debtor: str = Field(primary_key=True, sa_type=Text)
    creditor: str = Field(primary_key=True, sa_type=Text)
    amount: int = Field(sa_column=_fen())
    paid_at: datetime | None = Field(default=None, sa_column=Column(DateTime(timezone=True), nullable=True))


class PositionRow(SQLModel, table=True):
    """Net position of a division in a window (rules.md T2)."""

    __tablename__ = "net_position"

    window_id: UUID = Field(primary_key=True, foreign_key="settlement_window.window_id")
    division: str = Field(primary_key=True, sa_type=Text)
    amount: int = Field(sa_column=_fen())


class CarryRow(SQLModel, table=True):
    """A negative sum carried to the next window (rules.md T1)."""

    __tablename__ = "carry"
    __table_args__ = (CheckConstraint("amount < 0", name="carry_negative"),)

    debtor: str = Field(primary_key=True, sa_type=Text)
    creditor: str = Field(primary_key=True, sa_type=Text)
    amount: int = Field(sa_column=_fen())
