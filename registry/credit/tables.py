"""Credit records, append-only; the sanctions that follow from them; who asked what. A person is only ever a keyed reference."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from registry.tables import SCHEMA


def _instant() -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=False)


class RecordRow(SQLModel, table=True):
    """A record's subject and origin. A trigger refuses every change of these rows."""

    __tablename__ = "credit_record"
    __table_args__ = (
        CheckConstraint("subject_kind IN ('ENTERPRISE', 'PROVIDER', 'TEAM', 'PERSON')", name="credit_record_kind"),
        CheckConstraint("subject_kind <> 'PERSON' OR subject_id ~ '^[0-9a-f]{64}$'", name="credit_record_person"),
        Index("credit_record_newest", "entered_at", "record_id"),
        {"schema": SCHEMA},
    )

    record_id: UUID = Field(primary_key=True)
    subject_kind: str = Field(sa_type=Text)
    subject_id: str = Field(sa_type=Text)
    entered_by: str = Field(sa_type=Text)
    entered_at: datetime = Field(sa_column=_instant())


class VersionRow(SQLModel, table=True):
    """What a record says, from the instant it was made until the next. A trigger refuses every change of these rows."""

    __tablename__ = "credit_version"
    __table_args__ = ({"schema": SCHEMA},)

    record_id: UUID = Field(primary_key=True, foreign_key=f"{SCHEMA}.credit_record.record_id")
    version: int = Field(primary_key=True)
    act: str = Field(sa_type=Text)
    note: str = Field(sa_type=Text)
    made_by: str = Field(sa_type=Text)
    made_at: datetime = Field(sa_column=_instant())
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    appeal: str = Field(sa_type=Text)
    referred_to: str = Field(sa_type=Text)
    referred_on: date | None = None
    ended_on: date | None = None
    rules_version: str = Field(sa_type=Text)


class SanctionRow(SQLModel, table=True):
    """A sanction that follows from the newest version of a record, `[since, until)`. Clearing reads SUSPEND_PROVIDER here."""

    __tablename__ = "credit_sanction"
    __table_args__ = (
        CheckConstraint("until IS NULL OR until > since", name="credit_sanction_period"),
        Index("credit_sanction_subject", "subject_id", "effect"),
        Index("credit_sanction_record", "record_id"),
        {"schema": SCHEMA},
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    record_id: UUID = Field(foreign_key=f"{SCHEMA}.credit_record.record_id")
    subject_id: str = Field(sa_type=Text)
    effect: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    since: date
    until: date | None = None
    rule: str = Field(sa_type=Text)


class QueryRow(SQLModel, table=True):
    """A question about one subject, and what was answered. A trigger refuses every change of these rows."""

    __tablename__ = "credit_query"
    __table_args__ = (
        Index("credit_query_participant", "participant_id", "id"),
        Index("credit_query_subject", "subject_sha256", "id"),
        {"schema": SCHEMA},
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    participant_id: str = Field(sa_type=Text)
    division: str = Field(sa_type=Text)
    asked_at: datetime = Field(sa_column=_instant())
    purpose: str = Field(sa_type=Text)
    case_no: str = Field(sa_type=Text)
    subject_sha256: str = Field(sa_type=Text)
    barred: bool


class BucketRow(SQLModel, table=True):
    """How much a participant may still ask: tokens in parts of 3,600,000, at an instant. `refused` counts what was too much."""

    __tablename__ = "credit_bucket"
    __table_args__ = ({"schema": SCHEMA},)

    participant_id: str = Field(sa_type=Text, primary_key=True)
    parts: int = Field(sa_column=Column(BigInteger, nullable=False))
    filled_at: datetime = Field(sa_column=_instant())
    refused: int = Field(sa_column=Column(BigInteger, nullable=False))
