"""Tables of admission: what providers were on any day, the criteria, the applications and what happened to them."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Column, Date, DateTime, Identity, Index, LargeBinary, SmallInteger, Text, UniqueConstraint, Uuid
from sqlmodel import Field, SQLModel

from registry.tables import SCHEMA

OPEN_STATES = ("SUBMITTED", "UNDER_REVIEW", "PUBLIC_NOTICE")


def _instant(*, nullable: bool = False) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


def _bigserial() -> Column[int]:
    return Column(BigInteger, Identity(always=True), primary_key=True)


class ProviderVersionRow(SQLModel, table=True):
    """A provider as one change left it: when it counts from, when and by whom it was recorded, why. Rows are only ever added."""

    __tablename__ = "provider_version"
    __table_args__ = (
        Index("provider_version_provider", "provider", "version_id"),
        Index("provider_version_recorded", "recorded_at"),
        {"schema": SCHEMA},
    )

    version_id: int | None = Field(default=None, sa_column=_bigserial())
    provider: str = Field(sa_type=Text, foreign_key=f"{SCHEMA}.provider.uscc")
    cause: str = Field(sa_type=Text)
    effective_on: date
    recorded_at: datetime = Field(sa_column=_instant())
    participant_id: str = Field(sa_type=Text)
    division: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    application_id: UUID | None = Field(default=None, sa_column=Column(Uuid, nullable=True))
    name: str = Field(sa_type=Text)
    home: str = Field(sa_type=Text)
    categories: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    admitted_on: date
    rating: int = Field(sa_column=Column(SmallInteger, nullable=False))
    valid_until: date | None = None
    suspended_on: date | None = None
    removed_on: date | None = None


class CriteriaRow(SQLModel, table=True):
    """Admission criteria of a province, as published."""

    __tablename__ = "admission_criteria"
    __table_args__ = (UniqueConstraint("division", "version", name="admission_criteria_version"), {"schema": SCHEMA})

    criteria_id: int | None = Field(default=None, sa_column=_bigserial())
    division: str = Field(sa_type=Text)
    version: str = Field(sa_type=Text)
    effective_from: date
    effective_until: date | None = None
    body: bytes = Field(sa_type=LargeBinary)
    published_at: datetime = Field(sa_column=_instant())
    published_by: str = Field(sa_type=Text)


class AdmissionApplicationRow(SQLModel, table=True):
    """An application. `body` is what the applicant says, `evaluation` what the review was decided on; a provider has one open at a time."""

    __tablename__ = "admission_application"
    __table_args__ = (
        Index("admission_application_open", "provider", unique=True, postgresql_where=f"state IN {OPEN_STATES}"),
        Index("admission_application_home", "home", "filed_at"),
        {"schema": SCHEMA},
    )

    application_id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    provider: str = Field(sa_type=Text)
    home: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    criteria_id: int = Field(sa_type=BigInteger, foreign_key=f"{SCHEMA}.admission_criteria.criteria_id")
    body: bytes = Field(sa_type=LargeBinary)
    filed_at: datetime = Field(sa_column=_instant())
    filed_by: str = Field(sa_type=Text)
    notice_from: date | None = Field(default=None, sa_type=Date)
    notice_until: date | None = Field(default=None, sa_type=Date)
    evaluation: bytes | None = Field(default=None, sa_type=LargeBinary)


class ApplicationEventRow(SQLModel, table=True):
    """Something that happened to an application. Rows are only ever added. `body` is the step of the review where it is one."""

    __tablename__ = "admission_event"
    __table_args__ = (Index("admission_event_application", "application_id", "event_id"), {"schema": SCHEMA})

    event_id: int | None = Field(default=None, sa_column=_bigserial())
    application_id: UUID = Field(sa_type=Uuid, foreign_key=f"{SCHEMA}.admission_application.application_id")
    cause: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    at: datetime = Field(sa_column=_instant())
    participant_id: str = Field(sa_type=Text)
    division: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    body: bytes | None = Field(default=None, sa_type=LargeBinary)


class ObjectionRow(SQLModel, table=True):
    """An objection to an application; `outcome` is empty while it is open."""

    __tablename__ = "admission_objection"
    __table_args__ = (Index("admission_objection_application", "application_id"), {"schema": SCHEMA})

    objection_id: UUID = Field(sa_column=Column(Uuid, primary_key=True))
    application_id: UUID = Field(sa_type=Uuid, foreign_key=f"{SCHEMA}.admission_application.application_id")
    reason: str = Field(sa_type=Text)
    evidence: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    raised_at: datetime = Field(sa_column=_instant())
    raised_by: str = Field(sa_type=Text)
    raised_division: str = Field(sa_type=Text)
    outcome: str = Field(default="", sa_type=Text)
    resolution: str = Field(default="", sa_type=Text)
    resolved_at: datetime | None = Field(default=None, sa_column=_instant(nullable=True))
    resolved_by: str = Field(default="", sa_type=Text)
