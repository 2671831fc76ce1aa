"""Tables of the catalogue. An entry's row is its present state; every state it was in is a row of `catalogue_version`, never changed."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, BigInteger, CheckConstraint, Column, DateTime, Identity, Index, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from registry.tables import SCHEMA


def _instant(*, nullable: bool = False) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


def _amount() -> Column[int]:
    return Column(BigInteger, nullable=True)


class EntryRow(SQLModel, table=True):
    """An entry as it is now. Texts that do not apply to its kind are empty, numbers NULL; amounts are fen."""

    __tablename__ = "catalogue_entry"
    __table_args__ = (
        UniqueConstraint("provider", "kind", "code", name="catalogue_entry_natural"),
        CheckConstraint("kind IN ('SERVICE', 'INSTRUMENT', 'EXPERT', 'LITERATURE', 'DATA')", name="catalogue_entry_kind"),
        CheckConstraint("price_model IN ('FIXED', 'PER_UNIT', 'RANGE', 'QUOTATION')", name="catalogue_entry_price_model"),
        CheckConstraint("(price_model = 'QUOTATION') = (price_from IS NULL)", name="catalogue_entry_price"),
        CheckConstraint("price_from >= 0 AND price_to >= price_from", name="catalogue_entry_price_order"),
        CheckConstraint("state IN ('ACTIVE', 'RETIRED', 'MERGED')", name="catalogue_entry_state"),
        CheckConstraint("(state = 'MERGED') = (merged_into IS NOT NULL)", name="catalogue_entry_merged"),
        Index("catalogue_entry_changed", "changed_at", "entry_id"),
        Index("catalogue_entry_merged_into", "merged_into"),
        {"schema": SCHEMA},
    )

    entry_id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    provider: str = Field(sa_type=Text, foreign_key=f"{SCHEMA}.provider.uscc")
    kind: str = Field(sa_type=Text)
    code: str = Field(sa_type=Text)
    name: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    category: str = Field(sa_type=Text)
    keywords: list[str] = Field(sa_column=Column(ARRAY(Text), nullable=False))
    price_model: str = Field(sa_type=Text)
    unit: str = Field(sa_type=Text)
    price_from: int | None = Field(default=None, sa_column=_amount())
    price_to: int | None = Field(default=None, sa_column=_amount())
    delivery_days: int | None = None
    model: str = Field(sa_type=Text)
    maker: str = Field(sa_type=Text)
    serial_no: str = Field(sa_type=Text)
    original_value: int | None = Field(default=None, sa_column=_amount())
    institution: str = Field(sa_type=Text)
    owner: str = Field(sa_type=Text)
    place: str = Field(sa_type=Text)
    hours_per_year: int | None = None
    open_since: date | None = None
    title: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    link: str = Field(sa_type=Text)
    division: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    merged_into: int | None = Field(default=None, sa_column=_amount())
    version: int
    changed_at: datetime = Field(sa_column=_instant())
    changed_by: str = Field(sa_type=Text)
    digest: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class VersionRow(SQLModel, table=True):
    """A state that an entry was or is in. A trigger refuses every change of these rows."""

    __tablename__ = "catalogue_version"
    __table_args__ = ({"schema": SCHEMA},)

    entry_id: int = Field(sa_column=Column(BigInteger, primary_key=True, autoincrement=False))
    version: int = Field(primary_key=True)
    state: str = Field(sa_type=Text)
    content: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))
    cause: str = Field(sa_type=Text)
    changed_at: datetime = Field(sa_column=_instant())
    changed_by: str = Field(sa_type=Text)


class ImportRow(SQLModel, table=True):
    """One imported file: what came of its rows. The file itself is not kept."""

    __tablename__ = "catalogue_import"
    __table_args__ = (Index("catalogue_import_division", "division"), {"schema": SCHEMA})

    import_id: UUID = Field(primary_key=True)
    division: str = Field(sa_type=Text)
    imported_by: str = Field(sa_type=Text)
    format: str = Field(sa_type=Text)
    file_name: str = Field(sa_type=Text)
    sha256: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    rows: int
    created: int
    updated: int
    unchanged: int
    failed: int
    errors: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    imported_at: datetime = Field(sa_column=_instant())


class MergeRow(SQLModel, table=True):
    """A proposal that two providers or two entries are the same. A pair is proposed once, whatever was decided; `kept` is one of them."""

    __tablename__ = "merge_proposal"
    __table_args__ = (
        UniqueConstraint("subject", "left_key", "right_key", name="merge_proposal_pair"),
        CheckConstraint("subject IN ('PROVIDER', 'ENTRY')", name="merge_proposal_subject"),
        CheckConstraint("state IN ('PROPOSED', 'CONFIRMED', 'REJECTED')", name="merge_proposal_state"),
        CheckConstraint("kept IN (left_key, right_key)", name="merge_proposal_kept"),
        Index("merge_proposal_divisions", "left_division", "right_division"),
        {"schema": SCHEMA},
    )

    proposal_id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    subject: str = Field(sa_type=Text)
    left_key: str = Field(sa_type=Text)
    right_key: str = Field(sa_type=Text)
    left_division: str = Field(sa_type=Text)
    right_division: str = Field(sa_type=Text)
    kept: str = Field(sa_type=Text)
    score: int
    reasons: list[dict[str, Any]] = Field(sa_column=Column(JSONB, nullable=False))
    state: str = Field(sa_type=Text)
    left_confirmed_by: str = Field(default="", sa_type=Text)
    right_confirmed_by: str = Field(default="", sa_type=Text)
    proposed_at: datetime = Field(sa_column=_instant())
    decided_by: str = Field(default="", sa_type=Text)
    decided_at: datetime | None = Field(default=None, sa_column=_instant(nullable=True))
    decision_reason: str = Field(default="", sa_type=Text)


class ProviderMergeRow(SQLModel, table=True):
    """A provider that a confirmed merge found to be another: reads of the catalogue go there. Its own rows stay as they are."""

    __tablename__ = "provider_merge"
    __table_args__ = (Index("provider_merge_kept", "kept"), {"schema": SCHEMA})

    provider: str = Field(sa_type=Text, primary_key=True, foreign_key=f"{SCHEMA}.provider.uscc")
    kept: str = Field(sa_type=Text, foreign_key=f"{SCHEMA}.provider.uscc")
    proposal_id: int = Field(sa_column=Column(BigInteger, nullable=False))
    merged_at: datetime = Field(sa_column=_instant())
