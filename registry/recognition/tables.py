"""Tables of recognition, all read by the clearing path. History is dated rows: an end is written once, beside what was first said."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import BigInteger, Boolean, Column, DateTime, Identity, Index, SmallInteger, Text, text
from sqlmodel import Field, SQLModel

from registry.tables import SCHEMA

_PROVIDER = f"{SCHEMA}.provider.uscc"


def _instant(*, nullable: bool) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


def _flag() -> Column[bool]:
    return Column(Boolean, nullable=False, server_default=text("false"))


def _text() -> Column[str]:
    return Column(Text, nullable=False, server_default=text("''"))


class RecognitionRow(SQLModel, table=True):
    """A directional recognition, `[valid_from, valid_until)`. Revoking sets `valid_until`; `stated_until` then keeps what it was before."""

    __tablename__ = "recognition"
    __table_args__ = (
        Index("recognition_pair", "issuer", "provider"),
        Index("recognition_provider", "provider"),
        {"schema": SCHEMA},
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    issuer: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text, foreign_key=_PROVIDER)
    valid_from: date
    valid_until: date | None = None
    agreement: bool = False
    require_agreement: bool = Field(default=False, sa_column=_flag())
    entered_by: str = Field(sa_type=Text)
    # NULL for what was entered before this was kept.
    entered_at: datetime | None = Field(default=None, sa_column=_instant(nullable=True))
    stated_until: date | None = None
    ended_by: str = Field(default="", sa_column=_text())
    ended_at: datetime | None = Field(default=None, sa_column=_instant(nullable=True))


class ClassRecognitionRow(SQLModel, table=True):
    """A recognition by class, `[valid_from, valid_until)`. Empty, NULL, 0 or false sets no condition."""

    __tablename__ = "class_recognition"
    __table_args__ = (Index("class_recognition_issuer", "issuer"), {"schema": SCHEMA})

    class_id: UUID = Field(primary_key=True)
    issuer: str = Field(sa_type=Text)
    home: str = Field(default="", sa_type=Text)
    category: str = Field(default="", sa_type=Text)
    min_rating: int = Field(default=0, sa_column=Column(SmallInteger, nullable=False))
    quality_listed: bool = False
    require_agreement: bool = False
    valid_from: date
    valid_until: date | None = None
    entered_by: str = Field(sa_type=Text)
    entered_at: datetime = Field(sa_column=_instant(nullable=False))
    stated_until: date | None = None
    ended_by: str = Field(default="", sa_type=Text)
    ended_at: datetime | None = Field(default=None, sa_column=_instant(nullable=True))
    ended_reason: str = Field(default="", sa_type=Text)


class AgreementRow(SQLModel, table=True):
    """A tripartite agreement, in force `[signed_on, valid_until)`."""

    __tablename__ = "agreement"
    __table_args__ = (
        Index("agreement_pair", "issuer", "provider"),
        Index("agreement_provider", "provider"),
        {"schema": SCHEMA},
    )

    issuer: str = Field(primary_key=True, sa_type=Text)
    number: str = Field(primary_key=True, sa_type=Text)
    provider: str = Field(sa_type=Text, foreign_key=_PROVIDER)
    platform_division: str = Field(sa_type=Text)
    platform_name: str = Field(sa_type=Text)
    document_sha256: str = Field(sa_type=Text)
    signed_on: date
    valid_until: date | None = None
    entered_by: str = Field(sa_type=Text)
    entered_at: datetime = Field(sa_column=_instant(nullable=False))
    stated_until: date | None = None
    ended_by: str = Field(default="", sa_type=Text)
    ended_at: datetime | None = Field(default=None, sa_column=_instant(nullable=True))
    ended_reason: str = Field(default="", sa_type=Text)


class QualityListingRow(SQLModel, table=True):
    """A membership of the quality-provider list (优质服务机构库), `[listed_from, listed_until)`."""

    __tablename__ = "quality_listing"
    __table_args__ = ({"schema": SCHEMA},)

    provider: str = Field(primary_key=True, sa_type=Text, foreign_key=_PROVIDER)
    listed_from: date = Field(primary_key=True)
    listed_until: date | None = None
