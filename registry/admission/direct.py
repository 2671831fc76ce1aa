"""Admission by the home province's own word, without an application at the hub (rules.md P2): what its platform imports."""

from __future__ import annotations

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal
from registry.admission import domain
from registry.admission.changing import change, claim
from registry.admission.codec import provider_message, read_provider
from yrd.registry.v1 import registry_pb2 as pb


async def admit_provider(tx: Transaction, request: pb.AdmitProviderRequest) -> pb.AdmitProviderResponse | Refusal:
    """Admit a provider, or renew name, categories, rating and dates of one admitted before. Suspension is not touched.

    One that says what is known already changes nothing and tells nobody. NOT_PERMITTED for anyone but its home's platform;
    ALREADY_EXISTS where it was admitted with another home.
    """
    fields = Fields()
    wanted = read_provider(request.provider, fields)
    refusal = fields.refusal or domain.may_admit(tx.caller, wanted.home)
    if refusal is not None:
        return refusal
    known = await claim(tx, wanted)
    refusal = domain.moved(known, wanted.home) if known else None
    if refusal is not None:
        return refusal
    cause, after = domain.admit(known, wanted)
    if after == known:
        return pb.AdmitProviderResponse(provider=provider_message(after, tx.today))
    return pb.AdmitProviderResponse(provider=await change(tx, known, after, cause))
