"""What the page shows, as a document: the contract of `/api/overview`. Amounts are integer fen (rules.md M1)."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Label(_Part):
    """A code with its names."""

    code: str = Field(description="Stable code: a division of GB/T 2260, a state, a command")
    zh: str = Field(description="Name in Chinese")
    en: str = Field(description="Name in English")


class Flow(_Part):
    """Redemptions from one issuer's region to one acquirer's. In a total an empty code stands for all regions."""

    issuer: str = Field(description="Province-level code of the issuer")
    acquirer: str = Field(description="Province-level code of the acquirer")
    cleared_count: int = Field(default=0, description="Redemptions CLEARED or SETTLED")
    cleared_fen: int = Field(default=0, description="Their subsidy, less refunds, fen")
    pending_count: int = Field(default=0, description="Redemptions AUTHORIZED, PENDING_REVIEW or HELD")
    pending_fen: int = Field(default=0, description="Their subsidy, fen")


class Matrix(_Part):
    """Flows between regions: a cell for every ordered pair."""

    regions: tuple[Label, ...] = Field(description="Province-level divisions, by code")
    cells: tuple[Flow, ...] = Field(description="One per ordered pair of regions")
    totals: tuple[Flow, ...] = Field(description="Per issuer, per acquirer, and of everything")
    cross_region: Flow = Field(description="Sum of the cells whose two regions differ")


class IssuerTotals(_Part):
    """Where the face that one issuer issued stands. Issued = available + reserved + payable + paid + returned."""

    division: Label
    issued_fen: int = Field(default=0, description="Face of all notes, fen")
    available_fen: int = Field(default=0, description="Outstanding on notes, fen")
    reserved_fen: int = Field(default=0, description="Reserved by authorizations, fen")
    payable_fen: int = Field(default=0, description="Cleared and not yet paid, fen")
    paid_fen: int = Field(default=0, description="Settled, fen")
    returned_fen: int = Field(default=0, description="Expired, cancelled, forfeited or refunded, fen")


class OpenWindow(_Part):
    """An issuer's open settlement window."""

    issuer: Label
    window_no: int = Field(description="Number of the issuer's window")
    cleared_count: int = Field(default=0, description="Redemptions cleared in it")
    amount_fen: int = Field(default=0, description="Cleared minus refunded in it so far, fen")


class Fact(_Part):
    """A number used in a step: fen where the name ends in `_fen`, basis points in `_bp`."""

    name: str
    value: int


class Step(_Part):
    """One step of a decision."""

    rule: str = Field(description="Rule of docs/rules.md, such as `A2`")
    code: str = Field(description="Code of the clamp or refusal that the step produced; may be empty")
    clause: str = Field(description="Clause of the source document; may be empty")
    zh: str
    en: str
    facts: tuple[Fact, ...] = ()


class Decision(_Part):
    """What one command came to, and why."""

    cause: Label = Field(description="The command, such as `Authorize`")
    at: datetime
    steps: tuple[Step, ...] = ()


class RecentRedemption(_Part):
    """A redemption without names or full credit codes."""

    redemption_id: str
    issuer: Label
    acquirer: Label
    enterprise: str = Field(description="Masked unified social credit code")
    enterprise_division: Label
    provider: str = Field(description="Masked unified social credit code")
    policy_version: str
    state: Label
    authorized_fen: int = Field(description="Authorized, fen")
    subsidy_fen: int = Field(description="As it stands: authorized, captured, approved, less refunds, fen")
    changed_at: datetime
    decisions: tuple[Decision, ...] = Field(description="Newest first; empty once its events are no longer kept")


class Obligations(_Part):
    """Debts of closed windows that nobody has confirmed as paid."""

    unpaid_count: int
    unpaid_fen: int


class Outbox(_Part):
    """Events that are committed and not yet in Kafka."""

    unpublished: int
    oldest_age_seconds: int = Field(description="Age of the oldest, 0 where there is none")


class Overview(_Part):
    """The whole page at one instant, read from one snapshot of the ledger."""

    as_of: datetime = Field(description="The hub's clock when it was read")
    matrix: Matrix
    issuers: tuple[IssuerTotals, ...]
    windows: tuple[OpenWindow, ...]
    obligations: Obligations
    outbox: Outbox
    redemptions: tuple[RecentRedemption, ...] = Field(description="The last that changed, newest first")
