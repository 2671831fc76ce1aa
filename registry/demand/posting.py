"""The enterprise's side: demands posted, matched, invited for, withdrawn, read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from hub.application import keyset
from hub.application.ids import time_ordered_uuid
from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode
from registry.demand import codec, domain, store
from registry.demand.domain import DemandState, InvitationState, OfferState
from registry.demand.matching import match
from registry.demand.tables import DemandRow, InvitationRow
from registry.search.codec import reading_message
from yrd.registry.v1 import demand_pb2 as pb

MATCHES = 20
MATCHES_MAX = 50


async def post_demand(tx: Transaction, request: pb.PostDemandRequest) -> pb.PostDemandResponse | Refusal:
    """Post a demand, and invite its best matches where asked.

    ENTERPRISE_NOT_FOUND; NOT_PERMITTED for others than the enterprise's platform; ENTERPRISE_SANCTIONED.
    """
    fields = Fields()
    values = codec.read_demand(request.demand, fields)
    fields.between("invite_best", request.invite_best, 0, codec.INVITE_MAX)
    refusal = fields.refusal or domain.due_refused(values["due_on"], tx.today)
    if refusal is not None:
        return refusal
    known = await store.enterprise(tx.session, values["enterprise"], tx.today)
    if known is None or not tx.caller.sees(known[0]):
        return Refusal(RefusalCode.ENTERPRISE_NOT_FOUND)
    division, sanctioned = known
    refusal = domain.may_post(tx.caller, division)
    if refusal is not None:
        return refusal
    if sanctioned:
        return Refusal(RefusalCode.ENTERPRISE_SANCTIONED)
    row = DemandRow(
        demand_id=UUID(time_ordered_uuid(tx.now)),
        division=division,
        state=DemandState.OPEN,
        posted_at=tx.now,
        posted_by=tx.caller.participant_id,
        **values,
    )
    tx.session.add(row)
    await tx.session.flush()
    tx.emit(codec.demand_changed(row, "Post", tx.now, tx.today))
    invited = await _invite(tx, row, [], request.invite_best)
    if isinstance(invited, Refusal):
        return invited
    return pb.PostDemandResponse(
        demand=codec.demand_message(row, tx.today, whole=True), invitations=[codec.invitation_message(item) for item in invited]
    )


async def invite_providers(tx: Transaction, request: pb.InviteProvidersRequest) -> pb.InviteProvidersResponse | Refusal:
    """Invite providers by name and the best matches.

    DEMAND_NOT_FOUND; NOT_PERMITTED; INVALID_STATE where the demand is not open; PROVIDER_NOT_FOUND, PROVIDER_SUSPENDED for one named.
    """
    fields = Fields()
    fields.uuid("demand_id", request.demand_id)
    fields.between("best", request.best, 0, codec.INVITE_MAX)
    for i, uscc in enumerate(request.providers):
        fields.uscc(f"providers[{i}]", uscc)
    if len(request.providers) > codec.NAMED_MAX or len(set(request.providers)) < len(request.providers):
        fields.wrong("providers", f"must name at most {codec.NAMED_MAX} providers, each once")
    if not request.providers and not request.best:
        fields.wrong("providers", "must name a provider, or `best` must be set")
    row = fields.refusal or await _own_open(tx, request.demand_id)
    invited = row if isinstance(row, Refusal) else await _invite(tx, row, list(request.providers), request.best)
    if isinstance(invited, Refusal):
        return invited
    return pb.InviteProvidersResponse(invitations=[codec.invitation_message(item) for item in invited])


async def _own_open(tx: Transaction, demand_id: str) -> DemandRow | Refusal:
    """Return a demand of the caller's side, locked and open."""
    row = await store.find(tx.session, demand_id, lock=True)
    if row is None or not tx.caller.sees(row.division):
        return Refusal(RefusalCode.DEMAND_NOT_FOUND)
    return domain.may_post(tx.caller, row.division) or domain.closed(store.standing(row), tx.today) or row


async def _invite(tx: Transaction, row: DemandRow, named: Sequence[str], best: int) -> Sequence[InvitationRow] | Refusal:
    known = {item.provider for item in await store.invitations(tx.session, row.demand_id)}
    homes = await store.homes_of(tx.session, named)
    for uscc in named:
        if uscc not in homes:
            return Refusal(RefusalCode.PROVIDER_NOT_FOUND, metadata=(("provider", uscc),))
    suspended = await store.suspended(tx.session, named, tx.today)
    if suspended:
        return Refusal(RefusalCode.PROVIDER_SUSPENDED, metadata=(("provider", min(suspended)),))
    wanted = {uscc: _invitation(row, uscc, homes[uscc], 0, tx.now) for uscc in named}
    if best:
        matches, _ = await match(tx.session, row, known, MATCHES_MAX, tx.today)
        hits = [item.hit for item in matches if item.hit.provider not in known | wanted.keys()][:best]
        wanted |= {hit.provider: _invitation(row, hit.provider, hit.division, hit.entry_id, tx.now) for hit in hits}
    refusal = domain.too_many_invited(len(known | wanted.keys()))
    if refusal is not None:
        return refusal
    new = await store.invite(tx.session, list(wanted.values()))
    invited = await store.invitations(tx.session, row.demand_id)
    for told in codec.invitations_changed(row, (item for item in invited if item.provider in new), "Invite", tx.now, tx.today):
        tx.emit(told)
    return invited


def _invitation(row: DemandRow, provider: str, home: str, entry_id: int, now: datetime) -> dict[str, Any]:
    return {
        "demand_id": row.demand_id,
        "provider": provider,
        "home": home,
        "entry_id": entry_id,
        "state": InvitationState.INVITED.value,
        "invited_at": now,
    }


async def withdraw_demand(tx: Transaction, request: pb.WithdrawDemandRequest) -> pb.WithdrawDemandResponse | Refusal:
    """Withdraw an open demand; offers on it end. DEMAND_NOT_FOUND, NOT_PERMITTED, INVALID_STATE."""
    fields = Fields()
    fields.uuid("demand_id", request.demand_id)
    row = fields.refusal or await _own_open(tx, request.demand_id)
    if isinstance(row, Refusal):
        return row
    row.state = DemandState.WITHDRAWN
    await close_offers(tx, row)
    tx.emit(codec.demand_changed(row, "Withdraw", tx.now, tx.today))
    return pb.WithdrawDemandResponse(demand=codec.demand_message(row, tx.today, whole=True))


async def close_offers(tx: Transaction, row: DemandRow, winner: str = "") -> None:
    """End the open offers of all but the winner, and tell whoever is still invited that there is nothing more to do."""
    for offer in await store.offers(tx.session, row.demand_id):
        if offer.state == OfferState.OPEN and offer.provider != winner:
            offer.state = OfferState.CLOSED
            tx.session.add(offer)
    tx.session.add(row)
    await tx.session.flush()
    rest = [
        item
        for item in await store.invitations(tx.session, row.demand_id)
        if item.provider != winner and item.state != InvitationState.DECLINED
    ]
    for told in codec.invitations_changed(row, rest, "Appoint" if winner else "Withdraw", tx.now, tx.today):
        tx.emit(told)


async def match_demand(tx: Transaction, request: pb.MatchDemandRequest) -> pb.MatchDemandResponse | Refusal:
    """Find providers for a demand, best first. DEMAND_NOT_FOUND for others than the enterprise's side and the coordination group."""
    fields = Fields()
    fields.uuid("demand_id", request.demand_id)
    if fields.refusal is not None:
        return fields.refusal
    row = await store.find(tx.session, request.demand_id)
    if row is None or not domain.sees_all(tx.caller, row.division):
        return Refusal(RefusalCode.DEMAND_NOT_FOUND)
    invited = {item.provider for item in await store.invitations(tx.session, row.demand_id)}
    most = min(request.providers_max, MATCHES_MAX) if request.providers_max > 0 else MATCHES
    matches, found = await match(tx.session, row, invited, most, tx.today)
    return pb.MatchDemandResponse(matches=matches, reading=reading_message(found))


async def get_demand(tx: Transaction, request: pb.GetDemandRequest) -> pb.GetDemandResponse | Refusal:
    """Return a demand as far as the caller may see it; DEMAND_NOT_FOUND where that is nothing."""
    fields = Fields()
    fields.uuid("demand_id", request.demand_id)
    if fields.refusal is not None:
        return fields.refusal
    row = await store.find(tx.session, request.demand_id)
    if row is None:
        return Refusal(RefusalCode.DEMAND_NOT_FOUND)
    everything = domain.sees_all(tx.caller, row.division)
    invited = [
        item
        for item in await store.invitations(tx.session, row.demand_id)
        if everything or domain.answers_for(tx.caller, item.provider, item.home)
    ]
    # Who declined has nothing more to see.
    if not everything and all(item.state == InvitationState.DECLINED for item in invited):
        return Refusal(RefusalCode.DEMAND_NOT_FOUND)
    mine = {item.provider for item in invited}
    offers = [item for item in await store.offers(tx.session, row.demand_id) if item.provider in mine]
    won = any(item.state == OfferState.ACCEPTED for item in offers)
    return pb.GetDemandResponse(
        demand=codec.demand_message(row, tx.today, whole=everything or won),
        invitations=[codec.invitation_message(item) for item in invited],
        offers=[codec.offer_message(item, row, tx.today) for item in offers],
    )


async def list_demands(tx: Transaction, request: pb.ListDemandsRequest) -> pb.ListDemandsResponse | Refusal:
    """List demands that the caller may see, newest first. Whose a demand is, providers learn from GetDemand when they are appointed."""
    fields = Fields()
    state = fields.enum("state", request.state, codec.STATE_IN) if request.state else None
    page = fields.refusal or keyset.read_page(tx.caller, request, datetime.fromisoformat, UUID)
    if isinstance(page, Refusal):
        return page
    found = await store.page(tx.session, tx.caller, state, tx.today, page)
    shown, token = page.cut(found, lambda row: [row.posted_at.isoformat(), str(row.demand_id)])
    messages = [codec.demand_message(row, tx.today, whole=domain.sees_all(tx.caller, row.division)) for row in shown]
    return pb.ListDemandsResponse(demands=messages, next_page_token=token)
