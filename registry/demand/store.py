"""Reads, locks and writes of demands. Whatever changes a demand or what hangs on it holds the lock on the demand's row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, or_, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from hub.application.within import stem
from hub.domain.caller import Caller, Role
from registry.demand.domain import DemandState, InvitationState, Standing
from registry.demand.tables import DemandRow, InvitationRow, OfferRow

_ENTERPRISE = """
SELECT division, EXISTS (SELECT FROM registry.negative_list AS n
  WHERE n.enterprise = e.uscc AND n.since <= :today AND (n.until IS NULL OR n.until > :today))
FROM enterprise AS e WHERE uscc = :uscc"""


async def enterprise(session: AsyncSession, uscc: str, today: Any) -> tuple[str, bool] | None:
    """Return the division of an enterprise and whether it is on the negative list today; None where the hub does not know it."""
    row = (await session.execute(text(_ENTERPRISE), {"uscc": uscc, "today": today})).first()
    return (row[0], row[1]) if row else None


async def find(session: AsyncSession, demand_id: str, *, lock: bool = False) -> DemandRow | None:
    """Return a demand, locked where asked."""
    statement = select(DemandRow).where(DemandRow.demand_id == UUID(demand_id))
    return (await session.exec(statement.with_for_update() if lock else statement)).first()


def standing(row: DemandRow) -> Standing:
    """What decisions read of a demand."""
    return Standing(row.division, DemandState(row.state), row.due_on)


async def invitations(session: AsyncSession, demand_id: UUID) -> Sequence[InvitationRow]:
    """Return the invitations to a demand by provider."""
    statement = select(InvitationRow).where(InvitationRow.demand_id == demand_id).order_by(col(InvitationRow.provider))
    return (await session.exec(statement)).all()


async def invite(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> set[str]:
    """Invite providers; return those that were not invited before."""
    if not rows:
        return set()
    statement = insert(InvitationRow).values(list(rows)).on_conflict_do_nothing().returning(col(InvitationRow.provider))
    return set((await session.execute(statement)).scalars())


async def offers(session: AsyncSession, demand_id: UUID) -> Sequence[OfferRow]:
    """Return the offers on a demand, newest first."""
    order = (col(OfferRow.offered_at).desc(), col(OfferRow.offer_id).desc())
    return (await session.exec(select(OfferRow).where(OfferRow.demand_id == demand_id).order_by(*order))).all()


async def demand_of_offer(session: AsyncSession, offer_id: str, *, lock: bool = True) -> tuple[DemandRow, OfferRow] | None:
    """Return an offer and its demand, the demand locked unless only looked at, or None."""
    known = (await session.exec(select(OfferRow.demand_id).where(OfferRow.offer_id == UUID(offer_id)))).first()
    if known is None:
        return None
    demand = await find(session, str(known), lock=lock)
    assert demand is not None, "an offer refers to its demand"
    # Read after the lock, so that it shows what the lock waited for.
    return demand, await session.get_one(OfferRow, UUID(offer_id), populate_existing=True)


async def homes_of(session: AsyncSession, providers: Sequence[str]) -> dict[str, str]:
    """Return the home of each of these providers that is in the pool."""
    statement = text("SELECT uscc, home FROM registry.provider WHERE uscc = ANY(:uscc)")
    return {row[0]: row[1] for row in (await session.execute(statement, {"uscc": list(providers)})).all()}


async def suspended(session: AsyncSession, providers: Sequence[str], today: Any) -> set[str]:
    """Return which of these providers are out of good standing today."""
    statement = text(
        "SELECT provider FROM registry.suspension WHERE provider = ANY(:uscc) AND since <= :today AND (until IS NULL OR until > :today)"
    )
    return set((await session.execute(statement, {"uscc": list(providers), "today": today})).scalars())


async def owns_entry(session: AsyncSession, provider: str, entry_id: int) -> bool:
    """Say whether an entry in force is the provider's."""
    statement = text("SELECT 1 FROM registry.catalogue_entry WHERE entry_id = :id AND provider = :provider AND state = 'ACTIVE'")
    return (await session.execute(statement, {"id": entry_id, "provider": provider})).first() is not None


async def reserved(session: AsyncSession, provider: str, order_no: str, enterprise: str) -> bool:
    """Say whether an order number of a provider is the enterprise's on the ledger."""
    statement = text("SELECT 1 FROM service_order WHERE provider = :provider AND order_no = :order_no AND enterprise = :enterprise")
    found = await session.execute(statement, {"provider": provider, "order_no": order_no, "enterprise": enterprise})
    return found.first() is not None


async def page(session: AsyncSession, caller: Caller, state: DemandState | None, today: Any, wanted: Page) -> Sequence[DemandRow]:
    """Return demands that the caller may see, newest first."""
    order = (col(DemandRow.posted_at), col(DemandRow.demand_id))
    statement = select(DemandRow).order_by(order[0].desc(), order[1].desc()).limit(wanted.fetch)
    if caller.role is not Role.COORDINATOR:
        own = col(DemandRow.division).startswith(stem(caller.division)) if caller.role is Role.PLATFORM else None
        invited = col(DemandRow.demand_id).in_(_invited(caller))
        statement = statement.where(invited if own is None else or_(own, invited))
    if state is DemandState.EXPIRED:
        statement = statement.where(DemandRow.state == DemandState.OPEN, col(DemandRow.due_on) < today)
    elif state is DemandState.OPEN:
        statement = statement.where(DemandRow.state == DemandState.OPEN, col(DemandRow.due_on) >= today)
    elif state is not None:
        statement = statement.where(DemandRow.state == state)
    if wanted.after is not None:
        statement = statement.where(tuple_(*order) < wanted.after)
    return (await session.exec(statement)).all()


def _invited(caller: Caller) -> Any:
    """The demands that a provider, or a home's platform, still has to do with."""
    chosen = select(InvitationRow.demand_id).where(InvitationRow.state != InvitationState.DECLINED)
    if caller.role is Role.PROVIDER:
        return chosen.where(InvitationRow.provider == caller.participant_id.rpartition("/provider-")[2])
    return chosen.where(col(InvitationRow.home).startswith(stem(caller.division)))
