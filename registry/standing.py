"""Standing of providers: suspension and reinstatement, each counting from today (rules.md C4)."""

from __future__ import annotations

from sqlalchemy import update
from sqlmodel import col

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.model import Provider
from hub.domain.refusals import Refusal, RefusalCode
from registry import domain, store
from registry.codec import REASON_CHARS_MAX, provider_changed, provider_message
from registry.tables import SuspensionRow
from yrd.registry.v1 import registry_pb2 as pb


async def suspend_provider(tx: Transaction, request: pb.SuspendProviderRequest) -> pb.SuspendProviderResponse | Refusal:
    """Take a provider out of good standing from today on.

    PROVIDER_NOT_FOUND; NOT_PERMITTED for others than its home's platform and the coordination group; INVALID_STATE if suspended.
    """
    provider = await _provider(tx, request.provider, request.reason)
    refusal = provider if isinstance(provider, Refusal) else domain.suspension_refused(provider)
    if refusal is not None:
        return refusal
    row = SuspensionRow(provider=request.provider, since=tx.today, reason=request.reason, entered_by=tx.caller.division)
    tx.session.add(row)
    return pb.SuspendProviderResponse(provider=await _changed(tx, request.provider, "Suspend"))


async def reinstate_provider(tx: Transaction, request: pb.ReinstateProviderRequest) -> pb.ReinstateProviderResponse | Refusal:
    """Bring a provider back into good standing from today on. A suspension of today ends empty: it never counted.

    PROVIDER_NOT_FOUND; NOT_PERMITTED for others than its home's platform and the coordination group; INVALID_STATE if not suspended.
    """
    provider = await _provider(tx, request.provider, request.reason)
    refusal = provider if isinstance(provider, Refusal) else domain.reinstatement_refused(provider)
    if refusal is not None:
        return refusal
    in_force = (
        col(SuspensionRow.provider) == request.provider,
        col(SuspensionRow.since) <= tx.today,
        col(SuspensionRow.until).is_(None) | (col(SuspensionRow.until) > tx.today),
    )
    ending = {"until": tx.today, "ended_by": tx.caller.division, "ended_reason": request.reason}
    await tx.session.execute(update(SuspensionRow).where(*in_force).values(ending))
    return pb.ReinstateProviderResponse(provider=await _changed(tx, request.provider, "Reinstate"))


async def _provider(tx: Transaction, uscc: str, reason: str) -> Provider | Refusal:
    """Return the provider, locked, if the request is sound and the caller may change its standing."""
    fields = Fields()
    fields.uscc("provider", uscc)
    fields.text("reason", reason, REASON_CHARS_MAX)
    if fields.refusal is not None:
        return fields.refusal
    provider = await store.locked_provider(tx.session, uscc, tx.today)
    if provider is None:
        return Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    return domain.may_change_standing(tx.caller, provider.home) or provider


async def _changed(tx: Transaction, uscc: str, cause: str) -> pb.Provider:
    await tx.session.flush()
    provider = await store.find_provider(tx.session, uscc, tx.today)
    assert provider is not None
    message = provider_message(provider)
    tx.emit(provider_changed(message, cause))
    return message
