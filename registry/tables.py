"""The tables that the whole pool rests on and clearing reads, in their own PostgreSQL schema.

They say what is now; what was is kept beside them (`provider_version`), or is dated rows.
"""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, Column, DateTime, Identity, Index, SmallInteger, Text
from sqlmodel import Field, SQLModel

SCHEMA = "registry"


def _instant() -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=False)


class ProviderRow(SQLModel, table=True):
    """A service institution, as its home province admitted it last."""

    __tablename__ = "provider"
    __table_args__ = ({"schema": SCHEMA},)

    uscc: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    home: str = Field(sa_type=Text, index=True)
    categories: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    admitted_on: date
    rating: int = Field(sa_column=Column(SmallInteger, nullable=False))
    admitted_at: datetime = Field(sa_column=_instant())
    admitted_by: str = Field(sa_type=Text)
    valid_until: date | None = None
    removed_on: date | None = None


class SuspensionRow(SQLModel, table=True):
    """A period out of good standing, `[since, until)`: by suspension, by removal, because the admission ran out, or by a credit record."""

    __tablename__ = "suspension"
    __table_args__ = (
        Index("suspension_open", "provider", "kind", unique=True, postgresql_where="until IS NULL AND record_id IS NULL"),
        {"schema": SCHEMA},
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    provider: str = Field(sa_type=Text, foreign_key=f"{SCHEMA}.provider.uscc")
    since: date
    until: date | None = None
    reason: str = Field(sa_type=Text)
    entered_by: str = Field(sa_type=Text)
    ended_by: str = Field(default="", sa_type=Text)
    ended_reason: str = Field(default="", sa_type=Text)
    kind: str = Field(default="SUSPENSION", sa_column=Column(Text, nullable=False, server_default="SUSPENSION"))
    record_id: UUID | None = None


class NegativeListRow(SQLModel, table=True):
    """An entry of the negative list, `[since, until)`, as clearing reads it; `record_id` names the credit record it follows from."""

    __tablename__ = "negative_list"
    __table_args__ = (Index("negative_list_enterprise", "enterprise"), {"schema": SCHEMA})

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    enterprise: str = Field(sa_type=Text)
    since: date
    until: date | None = None
    reason: str = Field(sa_type=Text)
    entered_by: str = Field(sa_type=Text)
    ended_by: str = Field(default="", sa_type=Text)
    ended_reason: str = Field(default="", sa_type=Text)
    record_id: UUID | None = None
