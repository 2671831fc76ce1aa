"""Tables of the exchange beside outbox, inbox and dead letters: what was done about those, what was published how, webhooks."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Column, DateTime, Identity, Index, LargeBinary, SmallInteger, Text
from sqlmodel import Field, SQLModel


def _instant(*, nullable: bool = False) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


class DeadLetterActionRow(SQLModel, table=True):
    """What an operator did about a dead letter, and what came of it. Never changed or deleted."""

    __tablename__ = "dead_letter_action"
    __table_args__ = (
        CheckConstraint("action IN ('RETRY', 'DISCARD')", name="dead_letter_action_kind"),
        Index("dead_letter_action_letter", "dead_letter_id"),
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    dead_letter_id: int = Field(foreign_key="dead_letter.id", sa_type=BigInteger)
    action: str = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)
    note: str = Field(sa_type=Text)
    acted_by: str = Field(sa_type=Text)
    acted_at: datetime = Field(sa_column=_instant())


class OutboxTrimRow(SQLModel, table=True):
    """The one row that says up to which event the outbox was trimmed. Without it nothing was."""

    __tablename__ = "outbox_trim"
    __table_args__ = (CheckConstraint("id = 1", name="outbox_trim_one"),)

    id: int = Field(sa_column=Column(SmallInteger, primary_key=True, autoincrement=False))
    until_seq: int = Field(sa_column=Column(BigInteger, nullable=False))
    trimmed_at: datetime = Field(sa_column=_instant())


class ExchangeSchemaRow(SQLModel, table=True):
    """A form in which messages of a type were published on a topic. `descriptors` is a serialised FileDescriptorSet."""

    __tablename__ = "exchange_schema"

    topic: str = Field(primary_key=True, sa_type=Text)
    type: str = Field(primary_key=True, sa_type=Text)
    sha256: str = Field(primary_key=True, sa_type=Text)
    descriptors: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    registered_at: datetime = Field(sa_column=_instant())


class WebhookRow(SQLModel, table=True):
    """An HTTPS address that a province is told its events at. Everything up to `cursor` was taken there."""

    __tablename__ = "webhook"
    __table_args__ = (
        CheckConstraint("state IN ('ACTIVE', 'DISABLED', 'DELETED')", name="webhook_state"),
        Index("webhook_division", "division", "webhook_id"),
    )

    webhook_id: UUID = Field(primary_key=True)
    division: str = Field(sa_type=Text)
    registered_by: str = Field(sa_type=Text)
    url: str = Field(sa_type=Text)
    types: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    cursor: int = Field(sa_column=Column(BigInteger, nullable=False))
    state: str = Field(sa_type=Text)
    attempts: int
    last_error: str = Field(sa_type=Text)
    registered_at: datetime = Field(sa_column=_instant())
    failing_since: datetime | None = Field(default=None, sa_column=_instant(nullable=True))
    next_attempt_at: datetime | None = Field(default=None, sa_column=_instant(nullable=True))
    ended_at: datetime | None = Field(default=None, sa_column=_instant(nullable=True))
