"""Reviews, ratings and the runs that made them. Nothing here is overwritten: an annulled review stays, each new rating is a further row.

The list of quality providers itself, `registry.quality_listing`, stands with recognition, which reads it.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, Identity, Index, LargeBinary, SmallInteger, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from registry.tables import SCHEMA


def _instant(*, nullable: bool = False) -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=nullable)


def _fen() -> Column[int]:
    return Column(BigInteger, nullable=False)


class ReviewRow(SQLModel, table=True):
    """What an enterprise said of one order: the key allows one."""

    __tablename__ = "review"
    __table_args__ = (
        CheckConstraint("stars BETWEEN 1 AND 5", name="review_stars"),
        CheckConstraint("(annulled_at IS NULL) = (annulled_by = '')", name="review_annulled"),
        Index("review_newest", "provider", "filed_at", "order_no"),
        {"schema": SCHEMA},
    )

    provider: str = Field(sa_type=Text, primary_key=True, foreign_key=f"{SCHEMA}.provider.uscc")
    order_no: str = Field(sa_type=Text, primary_key=True)
    enterprise: str = Field(sa_type=Text)
    stars: int = Field(sa_column=Column(SmallInteger, nullable=False))
    disputed: bool
    comment: str = Field(sa_type=Text)
    filed_by: str = Field(sa_type=Text)
    filed_at: datetime = Field(sa_column=_instant())
    annulled_by: str = Field(default="", sa_type=Text)
    annulled_at: datetime | None = Field(default=None, sa_column=_instant(nullable=True))
    annulled_reason: str = Field(default="", sa_type=Text)


class ScoreRow(SQLModel, table=True):
    """A rating and what it rests on, from the day it was computed until the next. A trigger refuses every change of these rows."""

    __tablename__ = "quality_score"
    __table_args__ = (
        CheckConstraint("rating = 0 OR rating BETWEEN 100 AND 500", name="quality_score_rating"),
        Index("quality_score_latest", "provider", "computed_on", "id"),
        {"schema": SCHEMA},
    )

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    provider: str = Field(sa_type=Text, foreign_key=f"{SCHEMA}.provider.uscc")
    computed_on: date
    formula_version: str = Field(sa_type=Text)
    inputs_sha256: bytes = Field(sa_column=Column(LargeBinary, nullable=False))
    rating: int = Field(sa_column=Column(SmallInteger, nullable=False))
    orders: int
    enterprises: int
    cleared: int = Field(sa_column=_fen())
    refunded: int = Field(sa_column=_fen())
    delivery_days_median: int
    parts: dict[str, Any] = Field(sa_column=Column(JSONB, nullable=False))


class RunRow(SQLModel, table=True):
    """One computation of all ratings."""

    __tablename__ = "quality_run"
    __table_args__ = ({"schema": SCHEMA},)

    id: int | None = Field(default=None, sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    ran_on: date = Field(index=True)
    ran_at: datetime = Field(sa_column=_instant())
    formula_version: str = Field(sa_type=Text)
    providers: int
    changed: int
    listed: int
    delisted: int
