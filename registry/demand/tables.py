"""Tables of demands. What ran out by date keeps the state it had: whoever reads it compares with the day (`registry.demand.domain`)."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, DateTime, ForeignKeyConstraint, Index, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from registry.tables import SCHEMA


def _instant() -> Column[datetime]:
    return Column(DateTime(timezone=True), nullable=False)


def _number() -> Column[int]:
    return Column(BigInteger, nullable=False)


def _json() -> Column[Any]:
    return Column(JSONB, nullable=False)


class DemandRow(SQLModel, table=True):
    """What an enterprise needs. `budget` is fen, 0 not told; empty category or division means any."""

    __tablename__ = "demand"
    __table_args__ = (
        CheckConstraint("state IN ('OPEN', 'APPOINTED', 'WITHDRAWN')", name="demand_state"),
        CheckConstraint("(state = 'APPOINTED') = (accepted_offer IS NOT NULL)", name="demand_accepted"),
        Index("demand_newest", "posted_at", "demand_id"),
        Index("demand_division", "division"),
        {"schema": SCHEMA},
    )

    demand_id: UUID = Field(primary_key=True)
    division: str = Field(sa_type=Text)
    enterprise: str = Field(sa_type=Text)
    title: str = Field(sa_type=Text)
    text: str = Field(sa_type=Text)
    category: str = Field(sa_type=Text)
    budget: int = Field(sa_column=_number())
    due_on: date
    preferred_division: str = Field(sa_type=Text)
    contact_name: str = Field(sa_type=Text)
    contact_reach: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    posted_at: datetime = Field(sa_column=_instant())
    posted_by: str = Field(sa_type=Text)
    accepted_offer: UUID | None = None


class InvitationRow(SQLModel, table=True):
    """A provider invited to a demand; `entry_id` 0 where no entry of it was matched."""

    __tablename__ = "demand_invitation"
    __table_args__ = (
        CheckConstraint("state IN ('INVITED', 'OFFERED', 'DECLINED')", name="demand_invitation_state"),
        Index("demand_invitation_provider", "provider"),
        Index("demand_invitation_home", "home"),
        {"schema": SCHEMA},
    )

    demand_id: UUID = Field(primary_key=True, foreign_key=f"{SCHEMA}.demand.demand_id")
    provider: str = Field(sa_type=Text, primary_key=True)
    home: str = Field(sa_type=Text)
    entry_id: int = Field(sa_column=_number())
    state: str = Field(sa_type=Text)
    invited_at: datetime = Field(sa_column=_instant())


class OfferRow(SQLModel, table=True):
    """An answer to an invitation. `lines` is `[[category, fen, [flag, …]], …]`, as an order's in the ledger; `price` their sum."""

    __tablename__ = "demand_offer"
    __table_args__ = (
        CheckConstraint("state IN ('OPEN', 'ACCEPTED', 'WITHDRAWN', 'REPLACED', 'CLOSED')", name="demand_offer_state"),
        CheckConstraint("price > 0", name="demand_offer_price"),
        ForeignKeyConstraint(["demand_id", "provider"], [f"{SCHEMA}.demand_invitation.demand_id", f"{SCHEMA}.demand_invitation.provider"]),
        Index("demand_offer_demand", "demand_id"),
        Index("demand_offer_open", "demand_id", "provider", unique=True, postgresql_where="state = 'OPEN'"),
        {"schema": SCHEMA},
    )

    offer_id: UUID = Field(primary_key=True)
    demand_id: UUID
    provider: str = Field(sa_type=Text)
    home: str = Field(sa_type=Text)
    entry_id: int = Field(sa_column=_number())
    lines: list[Any] = Field(sa_column=_json())
    price: int = Field(sa_column=_number())
    delivery_days: int
    valid_to: date
    note: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    offered_at: datetime = Field(sa_column=_instant())
    offered_by: str = Field(sa_type=Text)


class AppointmentRow(SQLModel, table=True):
    """What came of an accepted offer: the order that Authorize will be asked for, its number reserved."""

    __tablename__ = "appointment"
    __table_args__ = (UniqueConstraint("provider", "order_no", name="appointment_order"), {"schema": SCHEMA})

    demand_id: UUID = Field(primary_key=True, foreign_key=f"{SCHEMA}.demand.demand_id")
    offer_id: UUID = Field(foreign_key=f"{SCHEMA}.demand_offer.offer_id")
    enterprise: str = Field(sa_type=Text)
    division: str = Field(sa_type=Text)
    provider: str = Field(sa_type=Text)
    home: str = Field(sa_type=Text)
    order_no: str = Field(sa_type=Text)
    lines: list[Any] = Field(sa_column=_json())
    deliver_by: date
    entry_id: int = Field(sa_column=_number())
    appointed_at: datetime = Field(sa_column=_instant())
    appointed_by: str = Field(sa_type=Text)
