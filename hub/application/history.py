"""An issuer's past as plain data: what a replay starts from (docs/policies.md, What-if)."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from hub.domain.model import Agreement, ClassRule, Enterprise, Line, OrderKey, Provider, Recognition, State, WalletKey
from hub.domain.policy import Policy


class PastNote(NamedTuple):
    """A note as it was issued."""

    voucher_no: str
    face: int
    issued_on: date
    expires_on: date


class Issued(NamedTuple):
    """Notes issued to one enterprise by one item of an issue."""

    at: datetime
    wallet: WalletKey
    notes: tuple[PastNote, ...]


class Cancelled(NamedTuple):
    """A note cancelled."""

    at: datetime
    wallet: WalletKey
    voucher_no: str


class Changed(NamedTuple):
    """A change of one of the issuer's redemptions, and how it stood after it. `codes` are the refusal codes among the change's reasons,
    `fee` the fee a refund gave back."""

    at: datetime
    cause: str
    redemption_id: str
    wallet: WalletKey
    acquirer: str
    order: OrderKey
    policy_version: str
    state: State
    lines: tuple[Line, ...]
    authorized: int
    subsidy: int
    draws: tuple[tuple[str, int], ...]
    invoice_no: str
    delivered_on: date | None
    quota_year: int
    authorized_at: datetime
    expires_on: date
    codes: tuple[str, ...]
    fee: int


class Elsewhere(NamedTuple):
    """What another issuer's redemption on one of our orders commits from now on (rules.md O2)."""

    at: datetime
    redemption_id: str
    issuer: str
    wallet: WalletKey
    order: OrderKey
    lines: tuple[Line, ...]
    subsidy: int


Past = Issued | Cancelled | Changed | Elsewhere


@dataclass(slots=True)
class History:
    """Everything that happened to one issuer's notes and redemptions, in the order in which it was decided, and who took part.

    Parties are as the hub knows them today. `line_refunds` are the fees given back per line of a redemption, in all.
    """

    issuer: str
    policies: dict[str, Policy] = field(default_factory=dict)
    events: list[Past] = field(default_factory=list)
    enterprises: dict[str, Enterprise] = field(default_factory=dict)
    providers: dict[str, Provider] = field(default_factory=dict)
    recognitions: dict[str, tuple[Recognition, ...]] = field(default_factory=dict)
    agreements: dict[str, tuple[Agreement, ...]] = field(default_factory=dict)
    class_rules: tuple[ClassRule, ...] = ()
    line_refunds: dict[str, tuple[int, ...]] = field(default_factory=dict)
    redemptions: int = 0
    """How many redemptions the ledger has of this issuer; more than the events tell of where the history is incomplete."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy to be tried on everything authorized or issued from `since` on."""

    policy: Policy
    since: date
