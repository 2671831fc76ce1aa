"""Demands, offers and appointments: messages to rows and back, each cut to what its reader may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from hub.codec import encode, enums
from hub.codec.events import Event, event, out
from hub.codec.fields import Fields
from hub.codec.requests import read_lines
from hub.domain.model import Line, LineFlag
from hub.domain.policy import Category
from registry.demand import domain
from registry.demand.domain import DemandState, InvitationState, OfferState
from registry.demand.store import standing
from registry.demand.tables import AppointmentRow, DemandRow, InvitationRow, OfferRow
from yrd.clearing.v1 import clearing_pb2
from yrd.events.v1 import events_pb2
from yrd.registry.v1 import demand_pb2 as pb

TITLE_CHARS_MAX = 100
TEXT_CHARS_MAX = 2_000
CONTACT_CHARS_MAX = 50
REACH_CHARS_MAX = 100
NOTE_CHARS_MAX = 1_000
DAYS_MAX = 3_650
INVITE_MAX = 20
NAMED_MAX = 50

STATE_IN: dict[int, DemandState] = {
    number: DemandState(name.removeprefix("DEMAND_STATE_")) for name, number in pb.DemandState.items() if number
}
_STATE: dict[DemandState, Any] = {state: number for number, state in STATE_IN.items()}
_INVITATION = {state: pb.InvitationState.Value(f"INVITATION_STATE_{state.value}") for state in InvitationState}
_OFFER = {state: pb.OfferState.Value(f"OFFER_STATE_{state.value}") for state in OfferState}


def read_demand(message: pb.Demand, fields: Fields, at: str = "demand") -> dict[str, Any]:
    """Read what a platform says of a demand; every wrong field is noted."""
    for name, text in (("title", message.title), ("text", message.text)):
        if domain.contact_in(text):
            fields.wrong(f"{at}.{name}", "must hold no telephone number or mail address: those belong into contact")
    return {
        "enterprise": fields.uscc(f"{at}.enterprise", message.enterprise),
        "title": fields.text(f"{at}.title", message.title, TITLE_CHARS_MAX),
        "text": fields.text(f"{at}.text", message.text, TEXT_CHARS_MAX),
        "category": fields.enum(f"{at}.category", message.category, enums.CATEGORY_IN).value if message.category else "",
        "budget": fields.fen(f"{at}.budget_fen", message.budget_fen),
        "due_on": fields.date(f"{at}.due_on", message.due_on),
        "preferred_division": fields.division(f"{at}.preferred_division", message.preferred_division) if message.preferred_division else "",
        "contact_name": fields.text(f"{at}.contact.name", message.contact.name, CONTACT_CHARS_MAX),
        "contact_reach": fields.text(f"{at}.contact.reach", message.contact.reach, REACH_CHARS_MAX),
    }


def read_offer(message: pb.Offer, fields: Fields, at: str = "offer") -> dict[str, Any]:
    """Read an offer; every wrong field is noted."""
    lines = read_lines(message.lines, fields, f"{at}.lines")
    return {
        "demand_id": fields.uuid(f"{at}.demand_id", message.demand_id),
        "provider": fields.uscc(f"{at}.provider", message.provider),
        "entry_id": message.entry_id if message.entry_id >= 0 else fields.between(f"{at}.entry_id", -1, 0, 2**31 - 1),
        # As the ledger keeps the lines of an order.
        "lines": [[line.category.value, line.amount_fen, [flag.value for flag in line.flags]] for line in lines],
        "price": sum(line.amount_fen for line in lines),
        "delivery_days": fields.between(f"{at}.delivery_days", message.delivery_days, 1, DAYS_MAX),
        "valid_to": fields.date(f"{at}.valid_to", message.valid_to),
        "note": fields.text(f"{at}.note", message.note, NOTE_CHARS_MAX, required=False),
    }


def demand_message(row: DemandRow, today: date, *, whole: bool) -> pb.Demand:
    """A demand; without `whole` nothing that tells whose it is but its division."""
    message = pb.Demand(
        demand_id=str(row.demand_id),
        title=row.title,
        text=row.text,
        budget_fen=row.budget,
        due_on=row.due_on.isoformat(),
        preferred_division=row.preferred_division,
        division=row.division,
        state=_STATE[standing(row).today(today)],
        posted_at=encode.timestamp(row.posted_at),
    )
    if row.category:
        message.category = enums.CATEGORY_OUT[Category(row.category)]
    if whole:
        message.enterprise = row.enterprise
        message.contact.CopyFrom(contact_message(row))
        message.accepted_offer_id = str(row.accepted_offer or "")
    return message


def contact_message(row: DemandRow) -> pb.Contact:
    """Whom the enterprise is reached through."""
    return pb.Contact(name=row.contact_name, reach=row.contact_reach)


def invitation_message(row: InvitationRow) -> pb.Invitation:
    """An invitation."""
    return pb.Invitation(
        provider=row.provider,
        home=row.home,
        entry_id=row.entry_id,
        state=_INVITATION[InvitationState(row.state)],
        invited_at=encode.timestamp(row.invited_at),
    )


def offer_message(row: OfferRow, demand: DemandRow, today: date) -> pb.Offer:
    """An offer, in its state of today."""
    state = domain.offer_state(OfferState(row.state), row.valid_to, standing(demand).today(today), today)
    return pb.Offer(
        offer_id=str(row.offer_id),
        demand_id=str(row.demand_id),
        provider=row.provider,
        entry_id=row.entry_id,
        lines=lines_message(row.lines),
        delivery_days=row.delivery_days,
        valid_to=row.valid_to.isoformat(),
        note=row.note,
        price_fen=row.price,
        state=_OFFER[state],
        offered_at=encode.timestamp(row.offered_at),
    )


def lines_message(stored: Sequence[Any]) -> list[clearing_pb2.OrderLine]:
    """Stored lines as Authorize takes them."""
    return encode.lines(lines_of(stored))


def lines_of(stored: Sequence[Any]) -> tuple[Line, ...]:
    """Stored lines as the ledger knows them."""
    return tuple(Line(Category(category), fen, tuple(map(LineFlag, flags))) for category, fen, flags in stored)


def appointment_message(row: AppointmentRow, demand: DemandRow) -> pb.Appointment:
    """An appointment with the order as Authorize takes it."""
    return pb.Appointment(
        demand_id=str(row.demand_id),
        offer_id=str(row.offer_id),
        enterprise=row.enterprise,
        provider=row.provider,
        order=clearing_pb2.Order(order_no=row.order_no, lines=lines_message(row.lines)),
        deliver_by=row.deliver_by.isoformat(),
        contact=contact_message(demand),
        appointed_at=encode.timestamp(row.appointed_at),
        entry_id=row.entry_id,
    )


def demand_changed(row: DemandRow, cause: str, now: datetime, today: date) -> Event:
    """Tell the enterprise's province of its demand."""
    body = events_pb2.DemandChanged(demand=demand_message(row, today, whole=True), cause=cause, occurred_at=encode.timestamp(now))
    return event(out(row.division), row.enterprise, body)


def invitations_changed(demand: DemandRow, rows: Iterable[InvitationRow], cause: str, now: datetime, today: date) -> list[Event]:
    """Tell the home province of each provider, without what tells whose the demand is; of a refusal the enterprise's province too."""
    told: list[Event] = []
    for row in rows:
        body = events_pb2.InvitationChanged(cause=cause, occurred_at=encode.timestamp(now))
        body.demand.CopyFrom(demand_message(demand, today, whole=False))
        body.invitation.CopyFrom(invitation_message(row))
        topics = {out(row.home), out(demand.division)} if cause == "Decline" else {out(row.home)}
        told.extend(event(topic, row.provider, body) for topic in sorted(topics))
    return told


def offer_changed(row: OfferRow, demand: DemandRow, cause: str, now: datetime, today: date) -> list[Event]:
    """Tell the enterprise's province and the provider's home of an offer."""
    body = events_pb2.OfferChanged(offer=offer_message(row, demand, today), cause=cause, occurred_at=encode.timestamp(now))
    return [event(topic, row.provider, body) for topic in sorted({out(demand.division), out(row.home)})]


def appointment_made(row: AppointmentRow, demand: DemandRow, now: datetime) -> list[Event]:
    """Tell both sides of an appointment."""
    body = events_pb2.AppointmentMade(appointment=appointment_message(row, demand), occurred_at=encode.timestamp(now))
    return [event(topic, row.enterprise, body) for topic in sorted({out(row.division), out(row.home)})]
