"""Demands, invitations, offers and appointments: who may do what, in which state, until which day (rules.md C9, C10, O1). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from hub.domain.caller import Caller, Role
from hub.domain.refusals import Refusal, invalid, invalid_state, not_permitted

INVITED_MAX = 100
"""Providers invited to one demand, at most."""
DUE_DAYS_MAX = 366


class DemandState(StrEnum):
    """State of a demand. EXPIRED is never stored: it is what an open demand is after its last day."""

    OPEN = "OPEN"
    APPOINTED = "APPOINTED"
    WITHDRAWN = "WITHDRAWN"
    EXPIRED = "EXPIRED"


class InvitationState(StrEnum):
    """State of an invitation."""

    INVITED = "INVITED"
    OFFERED = "OFFERED"
    DECLINED = "DECLINED"


class OfferState(StrEnum):
    """State of an offer. EXPIRED is never stored: it is what an open offer is after its last day, or its demand's."""

    OPEN = "OPEN"
    ACCEPTED = "ACCEPTED"
    WITHDRAWN = "WITHDRAWN"
    REPLACED = "REPLACED"
    CLOSED = "CLOSED"
    EXPIRED = "EXPIRED"


@dataclass(frozen=True, slots=True)
class Standing:
    """What decisions read of a demand: whose it is, its stored state and its last day."""

    division: str
    state: DemandState
    due_on: date

    def today(self, day: date) -> DemandState:
        """Return the state on a day."""
        return DemandState.EXPIRED if self.state is DemandState.OPEN and day > self.due_on else self.state


def offer_state(state: OfferState, valid_to: date, demand: DemandState, day: date) -> OfferState:
    """Return the state of an offer on a day, its demand being in that state."""
    over = day > valid_to or demand is DemandState.EXPIRED
    return OfferState.EXPIRED if state is OfferState.OPEN and over else state


def may_post(caller: Caller, division: str) -> Refusal | None:
    """An enterprise's own platform speaks for it."""
    if caller.acts_for(division):
        return None
    return not_permitted("仅企业所在地平台可以办理该企业的需求", "only the platform of the enterprise's division acts for it")


def answers_for(caller: Caller, provider: str, home: str) -> bool:
    """Say whether the caller is a provider or speaks for its home."""
    return caller.is_provider(provider) or caller.acts_for(home)


def sees_all(caller: Caller, division: str) -> bool:
    """Say whether the caller sees a demand whole: the enterprise's side and the coordination group do."""
    return caller.role is not Role.PROVIDER and caller.sees(division)


def due_refused(due_on: date, today: date) -> Refusal | None:
    """A demand runs from today to a year ahead."""
    if today <= due_on <= today + timedelta(days=DUE_DAYS_MAX):
        return None
    return invalid("demand.due_on", f"must be from today, {today}, to a year ahead")


def closed(demand: Standing, today: date) -> Refusal | None:
    """Only an open demand is invited to, offered on, accepted or withdrawn."""
    state = demand.today(today)
    if state is DemandState.OPEN:
        return None
    return invalid_state(f"该需求状态为 {_ZH[state]},不再受理", f"the demand is {state}, no longer open")


_ZH = {
    DemandState.APPOINTED: "已对接",
    DemandState.WITHDRAWN: "已撤回",
    DemandState.EXPIRED: "已过期",
    DemandState.OPEN: "受理中",
}


def too_many_invited(count: int) -> Refusal | None:
    """Refuse one invitation too many."""
    if count <= INVITED_MAX:
        return None
    return invalid_state(f"一项需求至多邀请 {INVITED_MAX} 家机构", f"a demand takes at most {INVITED_MAX} invitations")


def declined(state: InvitationState) -> Refusal | None:
    """A provider that declined has done with the demand."""
    if state is not InvitationState.DECLINED:
        return None
    return invalid_state("该机构已谢绝邀请", "the provider declined the invitation")


def valid_to_refused(valid_to: date, demand: Standing, today: date) -> Refusal | None:
    """An offer stands from today to the demand's last day at the latest."""
    if today <= valid_to <= demand.due_on:
        return None
    return invalid("offer.valid_to", f"must be from today, {today}, to the demand's due date, {demand.due_on}")


def offer_closed(state: OfferState) -> Refusal | None:
    """Only an open offer is accepted or withdrawn."""
    if state is OfferState.OPEN:
        return None
    return invalid_state(f"该报价状态为 {state},不可办理", f"the offer is {state}, no longer open")


_CONTACT = re.compile(r"(?<!\d)1[3-9]\d{9}(?!\d)|(?<!\d)0\d{2,3}[-\s]?\d{7,8}(?!\d)|[\w.+-]+@[\w-]+\.[\w.]+")


def contact_in(text: str) -> bool:
    """Say whether a text holds what looks like a telephone number or a mail address: providers read it before the appointment."""
    return _CONTACT.search(text) is not None


def order_number(day: date, unique: str) -> str:
    """Return the number of an order made by an appointment, known by its beginning; `unique` is a UUID's hexadecimal digits."""
    return f"XQ{day:%Y%m%d}-{unique[:16].upper()}"


def deliver_by(day: date, days: int) -> date:
    """Return the day by which an offer accepted today delivers."""
    return day + timedelta(days=days)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A provider's best hit for a demand."""

    provider: str
    doc_id: int
    points: int
    preferred: bool
    affordable: bool


def rank(found: Iterable[Candidate], most: int) -> list[Candidate]:
    """Order matches: those within the budget first, then those of the preferred division, then by score. A hit worth less than
    a third of the best is no match, wherever it is."""
    candidates = list(found)
    best = max((item.points for item in candidates), default=0)
    near = (item for item in candidates if 3 * item.points >= best)
    return sorted(near, key=lambda item: (not item.affordable, not item.preferred, -item.points, item.provider))[:most]


def affordable(price: int | None, budget: int) -> bool:
    """Say whether a price fits a budget; one on quotation may fit."""
    return not budget or price is None or price <= budget
