"""How a provider changes: what is now is written over, what was is added to its history, and everyone is told. The one way to do it."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from hub.application.transaction import Transaction
from registry import store
from registry.admission import domain
from registry.admission.codec import provider_changed, provider_message
from registry.admission.domain import Cause, Member
from registry.admission.tables import ProviderVersionRow
from registry.tables import ProviderRow, SuspensionRow
from yrd.registry.v1 import registry_pb2 as pb


async def claim(tx: Transaction, wanted: Member) -> Member | None:
    """Lock a provider and return it as it is, None where it is new; then its row is there, and locked.

    Of two who bring in the same new provider at once, one makes it and the other sees what the first made.
    """
    statement = insert(ProviderRow).values(
        _columns(wanted) | {"uscc": wanted.uscc, "admitted_at": tx.now, "admitted_by": tx.caller.division}
    )
    inserted = await tx.session.execute(statement.on_conflict_do_nothing().returning(col(ProviderRow.uscc)))
    if inserted.first() is not None:
        return None
    known = await store.locked_provider(tx.session, wanted.uscc, tx.today)
    assert known is not None, "providers are never deleted"
    return known


async def change(
    tx: Transaction, known: Member | None, after: Member, cause: Cause, reason: str = "", application_id: UUID | None = None
) -> pb.Provider:
    """Make a provider what it is after a change, keep that for ever, tell everyone, and return its message.

    The caller holds the provider's lock: `known` is what `claim` or `store.locked_provider` returned in this transaction.
    """
    if known is not None:
        where = col(ProviderRow.uscc) == after.uscc
        await tx.session.execute(update(ProviderRow).where(where).values(_columns(after)))
    await _absences(tx, known, after, reason)
    row = ProviderVersionRow(
        provider=after.uscc,
        cause=cause.value,
        effective_on=domain.counts_from(known, after, tx.today),
        recorded_at=tx.now,
        participant_id=tx.caller.participant_id,
        division=tx.caller.division,
        reason=reason,
        application_id=application_id,
        suspended_on=after.suspended_on,
        **_columns(after),
    )
    tx.session.add(row)
    await tx.session.flush()
    message = provider_message(after, tx.today)
    tx.emit(provider_changed(message, cause))
    return message


def _columns(member: Member) -> dict[str, Any]:
    return {
        "name": member.name,
        "home": member.home,
        "categories": [category.value for category in member.categories],
        "admitted_on": member.admitted_on,
        "rating": member.rating,
        "valid_until": member.valid_until,
        "removed_on": member.removed_on,
    }


# A period that has not begun ends where it begins: it never counted.
_END = text(
    "UPDATE registry.suspension SET until = greatest(since, CAST(:today AS date)), ended_by = :division, ended_reason = :reason "
    "WHERE provider = :provider AND kind = :kind AND until IS NULL"
)


async def _absences(tx: Transaction, known: Member | None, after: Member, reason: str) -> None:
    """End and begin the periods out of good standing, which the clearing path reads."""
    were, are = domain.absences(known) if known else {}, domain.absences(after)
    for kind in sorted(were.keys() | are.keys()):
        if were.get(kind) == are.get(kind):
            continue
        if kind in were:
            params = {"provider": after.uscc, "kind": kind.value, "today": tx.today, "division": tx.caller.division, "reason": reason}
            await tx.session.execute(_END, params)
        if kind in are:
            await _begin(tx, after.uscc, kind, are[kind], reason)


async def _begin(tx: Transaction, uscc: str, kind: domain.Absence, since: date, reason: str) -> None:
    row = SuspensionRow(provider=uscc, kind=kind.value, since=since, reason=reason, entered_by=tx.caller.division)
    tx.session.add(row)
    await tx.session.flush()
