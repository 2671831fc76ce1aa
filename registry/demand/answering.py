"""The provider's side, and the appointment that both come to."""

from __future__ import annotations

from uuid import UUID

from hub.application.commands import LedgerCommand
from hub.application.ids import time_ordered_uuid
from hub.application.reserving import ReserveOrderCommand
from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.model import OrderKey, OrderState
from hub.domain.refusals import Refusal, RefusalCode, invalid_state
from registry.demand import codec, domain, store
from registry.demand.domain import DemandState, InvitationState, OfferState
from registry.demand.posting import close_offers
from registry.demand.tables import AppointmentRow, DemandRow, InvitationRow, OfferRow
from yrd.registry.v1 import demand_pb2 as pb


async def submit_offer(tx: Transaction, request: pb.SubmitOfferRequest) -> pb.SubmitOfferResponse | Refusal:
    """Offer on an open demand; an earlier open offer of the provider is replaced.

    DEMAND_NOT_FOUND for who is not invited or speaks for another; INVALID_STATE where the demand is not open or the invitation declined;
    PROVIDER_SUSPENDED; ENTRY_NOT_FOUND where the entry is not the provider's own.
    """
    fields = Fields()
    values = codec.read_offer(request.offer, fields)
    found = fields.refusal or await _invited(tx, values["demand_id"], values["provider"])
    if isinstance(found, Refusal):
        return found
    demand, invitation = found
    refusal = domain.valid_to_refused(values["valid_to"], store.standing(demand), tx.today)
    if refusal is None and await store.suspended(tx.session, [invitation.provider], tx.today):
        refusal = Refusal(RefusalCode.PROVIDER_SUSPENDED)
    if refusal is None and values["entry_id"] and not await store.owns_entry(tx.session, invitation.provider, values["entry_id"]):
        refusal = Refusal(RefusalCode.ENTRY_NOT_FOUND)
    if refusal is not None:
        return refusal
    await _replace_open(tx, demand, invitation.provider)
    row = OfferRow(
        offer_id=UUID(time_ordered_uuid(tx.now)),
        home=invitation.home,
        state=OfferState.OPEN,
        offered_at=tx.now,
        offered_by=tx.caller.participant_id,
        **{**values, "demand_id": demand.demand_id},
    )
    invitation.state = InvitationState.OFFERED
    tx.session.add_all((row, invitation))
    await tx.session.flush()
    for told in codec.offer_changed(row, demand, "Submit", tx.now, tx.today):
        tx.emit(told)
    return pb.SubmitOfferResponse(offer=codec.offer_message(row, demand, tx.today))


async def _invited(tx: Transaction, demand_id: str, provider: str) -> tuple[DemandRow, InvitationRow] | Refusal:
    """Return an open demand, locked, and the invitation that the caller may answer."""
    demand = await store.find(tx.session, demand_id, lock=True)
    invitation = await tx.session.get(InvitationRow, (demand.demand_id, provider)) if demand else None
    if demand is None or invitation is None or not domain.answers_for(tx.caller, provider, invitation.home):
        return Refusal(RefusalCode.DEMAND_NOT_FOUND)
    refusal = domain.closed(store.standing(demand), tx.today) or domain.declined(InvitationState(invitation.state))
    return refusal or (demand, invitation)


async def _replace_open(tx: Transaction, demand: DemandRow, provider: str) -> None:
    for offer in await store.offers(tx.session, demand.demand_id):
        if offer.provider == provider and offer.state == OfferState.OPEN:
            offer.state = OfferState.REPLACED
            tx.session.add(offer)
    await tx.session.flush()


async def withdraw_offer(tx: Transaction, request: pb.WithdrawOfferRequest) -> pb.WithdrawOfferResponse | Refusal:
    """Withdraw an open offer. OFFER_NOT_FOUND for who does not answer for the provider; INVALID_STATE."""
    fields = Fields()
    fields.uuid("offer_id", request.offer_id)
    found = None if fields.refusal else await store.demand_of_offer(tx.session, request.offer_id)
    if found is None or not domain.answers_for(tx.caller, found[1].provider, found[1].home):
        return fields.refusal or Refusal(RefusalCode.OFFER_NOT_FOUND)
    demand, offer = found
    refusal = _offer_closed(tx, demand, offer)
    if refusal is not None:
        return refusal
    offer.state = OfferState.WITHDRAWN
    tx.session.add(offer)
    await tx.session.flush()
    for told in codec.offer_changed(offer, demand, "Withdraw", tx.now, tx.today):
        tx.emit(told)
    return pb.WithdrawOfferResponse(offer=codec.offer_message(offer, demand, tx.today))


def _offer_closed(tx: Transaction, demand: DemandRow, offer: OfferRow) -> Refusal | None:
    state = domain.offer_state(OfferState(offer.state), offer.valid_to, store.standing(demand).today(tx.today), tx.today)
    return domain.offer_closed(state)


async def decline_invitation(tx: Transaction, request: pb.DeclineInvitationRequest) -> pb.DeclineInvitationResponse | Refusal:
    """Decline an invitation for good; an open offer is withdrawn with it. DEMAND_NOT_FOUND, INVALID_STATE."""
    fields = Fields()
    fields.uuid("demand_id", request.demand_id)
    fields.uscc("provider", request.provider)
    found = fields.refusal or await _invited(tx, request.demand_id, request.provider)
    if isinstance(found, Refusal):
        return found
    demand, invitation = found
    for offer in await store.offers(tx.session, demand.demand_id):
        if offer.provider == invitation.provider and offer.state == OfferState.OPEN:
            offer.state = OfferState.WITHDRAWN
            tx.session.add(offer)
    invitation.state = InvitationState.DECLINED
    tx.session.add(invitation)
    await tx.session.flush()
    for told in codec.invitations_changed(demand, [invitation], "Decline", tx.now, tx.today):
        tx.emit(told)
    return pb.DeclineInvitationResponse(invitation=codec.invitation_message(invitation))


async def order_of_offer(tx: Transaction, request: pb.AcceptOfferRequest) -> LedgerCommand | None:
    """Return the reservation that an acceptance needs on the ledger before it; None where it will be refused."""
    found = await _acceptable(tx, request, lock=False)
    if isinstance(found, Refusal):
        return None
    demand, offer = found
    order_key = OrderKey(offer.provider, domain.order_number(tx.today, demand.demand_id.hex[16:]))
    return ReserveOrderCommand(OrderState(order_key, demand.enterprise, codec.lines_of(offer.lines)))


async def accept_offer(tx: Transaction, request: pb.AcceptOfferRequest) -> pb.AcceptOfferResponse | Refusal:
    """Accept an open offer: the appointment is made, its order's number reserved before, and the other offers end.

    OFFER_NOT_FOUND, NOT_PERMITTED for others than the enterprise's platform; INVALID_STATE where demand or offer is not open any more;
    PROVIDER_SUSPENDED, ENTERPRISE_SANCTIONED where that has happened since.
    """
    found = await _acceptable(tx, request, lock=True)
    if isinstance(found, Refusal):
        return found
    demand, offer = found
    order_no = domain.order_number(tx.today, demand.demand_id.hex[16:])
    if not await store.reserved(tx.session, offer.provider, order_no, demand.enterprise):
        # What was in the way when the reservation was due has gone since, or the day has changed.
        return invalid_state(
            "受理期间情况已变,请以新请求编号重新办理", "the state changed meanwhile: accept again under another request id"
        )
    offer.state = OfferState.ACCEPTED
    demand.state, demand.accepted_offer = DemandState.APPOINTED, offer.offer_id
    row = AppointmentRow(
        demand_id=demand.demand_id,
        offer_id=offer.offer_id,
        enterprise=demand.enterprise,
        division=demand.division,
        provider=offer.provider,
        home=offer.home,
        order_no=order_no,
        lines=offer.lines,
        deliver_by=domain.deliver_by(tx.today, offer.delivery_days),
        entry_id=offer.entry_id,
        appointed_at=tx.now,
        appointed_by=tx.caller.participant_id,
    )
    tx.session.add_all((offer, row))
    await close_offers(tx, demand, offer.provider)
    tx.emit(codec.demand_changed(demand, "Appoint", tx.now, tx.today))
    for told in codec.appointment_made(row, demand, tx.now):
        tx.emit(told)
    return pb.AcceptOfferResponse(appointment=codec.appointment_message(row, demand))


async def _acceptable(tx: Transaction, request: pb.AcceptOfferRequest, *, lock: bool) -> tuple[DemandRow, OfferRow] | Refusal:
    """Return the offer and its demand where the caller may accept it now."""
    fields = Fields()
    fields.uuid("offer_id", request.offer_id)
    found = None if fields.refusal else await store.demand_of_offer(tx.session, request.offer_id, lock=lock)
    if found is None or not domain.sees_all(tx.caller, found[0].division):
        return fields.refusal or Refusal(RefusalCode.OFFER_NOT_FOUND)
    demand, offer = found
    refusal = (
        domain.may_post(tx.caller, demand.division)
        or domain.closed(store.standing(demand), tx.today)
        or _offer_closed(tx, demand, offer)
        or await _barred(tx, demand, offer)
    )
    return refusal or (demand, offer)


async def _barred(tx: Transaction, demand: DemandRow, offer: OfferRow) -> Refusal | None:
    if await store.suspended(tx.session, [offer.provider], tx.today):
        return Refusal(RefusalCode.PROVIDER_SUSPENDED)
    known = await store.enterprise(tx.session, demand.enterprise, tx.today)
    if known is None or known[1]:
        return Refusal(RefusalCode.ENTERPRISE_SANCTIONED)
    # An enterprise that moved belongs to another platform now.
    return None if known[0] == demand.division else domain.may_post(tx.caller, known[0])


async def get_appointment(tx: Transaction, request: pb.GetAppointmentRequest) -> pb.GetAppointmentResponse | Refusal:
    """Return the appointment of a demand. DEMAND_NOT_FOUND for who has no part in it; APPOINTMENT_NOT_FOUND to the enterprise's side."""
    fields = Fields()
    fields.uuid("demand_id", request.demand_id)
    if fields.refusal is not None:
        return fields.refusal
    demand = await store.find(tx.session, request.demand_id)
    if demand is None:
        return Refusal(RefusalCode.DEMAND_NOT_FOUND)
    row = await tx.session.get(AppointmentRow, demand.demand_id)
    if domain.sees_all(tx.caller, demand.division):
        if row is None:
            return Refusal(RefusalCode.APPOINTMENT_NOT_FOUND)
    elif row is None or not domain.answers_for(tx.caller, row.provider, row.home):
        return Refusal(RefusalCode.DEMAND_NOT_FOUND)
    return pb.GetAppointmentResponse(appointment=codec.appointment_message(row, demand))
