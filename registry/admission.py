"""Admission of providers by their home province (rules.md P2)."""

from __future__ import annotations

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.model import Provider
from hub.domain.refusals import Refusal
from registry import domain, store
from registry.codec import provider_changed, provider_message, read_provider
from registry.tables import ProviderRow
from yrd.registry.v1 import registry_pb2 as pb


async def admit_provider(tx: Transaction, request: pb.AdmitProviderRequest) -> pb.AdmitProviderResponse | Refusal:
    """Admit a provider, or renew name, categories, rating and date of one admitted before. Standing is not touched.

    NOT_PERMITTED for anyone but its home's platform; ALREADY_EXISTS where it was admitted with another home.
    """
    fields = Fields()
    wanted = read_provider(request.provider, fields)
    refusal = fields.refusal or domain.may_admit(tx.caller, wanted.home)
    if refusal is not None:
        return refusal
    if not await _insert(tx, wanted):
        known = await store.locked_provider(tx.session, wanted.uscc, tx.today)
        assert known is not None, "providers are never deleted"
        refusal = domain.moved(known, wanted.home)
        if refusal is not None:
            return refusal
        await _renew(tx, wanted)
    kept = await store.find_provider(tx.session, wanted.uscc, tx.today)
    assert kept is not None
    message = provider_message(kept)
    tx.emit(provider_changed(message, "Admit"))
    return pb.AdmitProviderResponse(provider=message)


async def _insert(tx: Transaction, wanted: Provider) -> bool:
    """Insert a new provider; False where it is known, also to one who committed while we waited."""
    values = {
        "uscc": wanted.uscc,
        "name": wanted.name,
        "home": wanted.home,
        "categories": [category.value for category in wanted.categories],
        "admitted_on": wanted.admitted_on,
        "rating": wanted.rating,
        "admitted_at": tx.now,
        "admitted_by": tx.caller.division,
    }
    statement = insert(ProviderRow).values(values).on_conflict_do_nothing().returning(col(ProviderRow.uscc))
    return (await tx.session.execute(statement)).first() is not None


async def _renew(tx: Transaction, wanted: Provider) -> None:
    row = await tx.session.get_one(ProviderRow, wanted.uscc)
    row.name, row.admitted_on, row.rating = wanted.name, wanted.admitted_on, wanted.rating
    row.categories = [category.value for category in wanted.categories]
    tx.session.add(row)
    await tx.session.flush()
