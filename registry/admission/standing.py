"""Standing of providers: suspension, reinstatement, renewal and removal, each counting from today (rules.md P2, C4)."""

from __future__ import annotations

from collections.abc import Callable

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.caller import Caller
from hub.domain.divisions import province_of
from hub.domain.refusals import Refusal, RefusalCode
from registry import store
from registry.admission import criteria_store, domain
from registry.admission.changing import change
from registry.admission.domain import Cause, Member
from registry.codec import REASON_CHARS_MAX
from yrd.registry.v1 import registry_pb2 as pb

_May = Callable[[Caller, str], Refusal | None]


async def suspend_provider(tx: Transaction, request: pb.SuspendProviderRequest) -> pb.SuspendProviderResponse | Refusal:
    """Take a provider out of good standing from today on.

    PROVIDER_NOT_FOUND; NOT_PERMITTED for others than its home's platform and the coordination group; INVALID_STATE if suspended or removed.
    """
    done = await _turn(tx, request, domain.may_change_standing, lambda known: domain.suspend(known, tx.today), Cause.SUSPEND)
    return done if isinstance(done, Refusal) else pb.SuspendProviderResponse(provider=done)


async def reinstate_provider(tx: Transaction, request: pb.ReinstateProviderRequest) -> pb.ReinstateProviderResponse | Refusal:
    """Bring a provider back into good standing from today on. A suspension of today ends empty: it never counted.

    PROVIDER_NOT_FOUND; NOT_PERMITTED for others than its home's platform and the coordination group; INVALID_STATE if not suspended.
    """
    done = await _turn(tx, request, domain.may_change_standing, domain.reinstate, Cause.REINSTATE)
    return done if isinstance(done, Refusal) else pb.ReinstateProviderResponse(provider=done)


async def remove_provider(tx: Transaction, request: pb.RemoveProviderRequest) -> pb.RemoveProviderResponse | Refusal:
    """Take a provider out of the pool from today on; its row and history stay, and it may be admitted anew.

    PROVIDER_NOT_FOUND; NOT_PERMITTED for anyone but its home's platform; INVALID_STATE if removed.
    """
    done = await _turn(tx, request, domain.may_admit, lambda known: domain.remove(known, tx.today), Cause.REMOVE)
    return done if isinstance(done, Refusal) else pb.RemoveProviderResponse(provider=done)


async def renew_provider(tx: Transaction, request: pb.RenewProviderRequest) -> pb.RenewProviderResponse | Refusal:
    """Lengthen an admission to a day, or by the months of the home province's criteria in force.

    PROVIDER_NOT_FOUND; NOT_PERMITTED for anyone but its home's platform; CRITERIA_NOT_FOUND; INVALID_STATE if removed.
    """
    fields = _checked(request.provider, request.reason)
    until = fields.optional_date("valid_until", request.valid_until)
    if until is not None and not fields.violations and until <= tx.today:
        fields.wrong("valid_until", "must be after today")
    known = await _provider(tx, fields, request.provider, domain.may_admit)
    if isinstance(known, Refusal):
        return known
    if until is None:
        criteria = await criteria_store.in_force(tx.session, province_of(known.home), tx.today)
        if criteria is None:
            return Refusal(RefusalCode.CRITERIA_NOT_FOUND)
        until = domain.lasts_until(known, criteria.validity_months, tx.today)
    after = domain.renew(known, until)
    if isinstance(after, Refusal):
        return after
    return pb.RenewProviderResponse(provider=await change(tx, known, after, Cause.RENEW, request.reason))


_Request = pb.SuspendProviderRequest | pb.ReinstateProviderRequest | pb.RemoveProviderRequest


async def _turn(
    tx: Transaction, request: _Request, may: _May, turn: Callable[[Member], Member | Refusal], cause: Cause
) -> pb.Provider | Refusal:
    """Change the standing of the provider that a request names, if it is sound and the caller may."""
    known = await _provider(tx, _checked(request.provider, request.reason), request.provider, may)
    if isinstance(known, Refusal):
        return known
    after = turn(known)
    return after if isinstance(after, Refusal) else await change(tx, known, after, cause, request.reason)


def _checked(uscc: str, reason: str) -> Fields:
    fields = Fields()
    fields.uscc("provider", uscc)
    fields.text("reason", reason, REASON_CHARS_MAX)
    return fields


async def _provider(tx: Transaction, fields: Fields, uscc: str, may: _May) -> Member | Refusal:
    """Return the provider, locked, if the request is sound and the caller may change it."""
    if fields.refusal is not None:
        return fields.refusal
    provider = await store.locked_provider(tx.session, uscc, tx.today)
    if provider is None:
        return Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    return may(tx.caller, provider.home) or provider
