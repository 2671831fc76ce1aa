"""Reads of the pool, which is open to all participants."""

from __future__ import annotations

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode
from registry import store
from registry.codec import provider_message, recognition_message
from yrd.registry.v1 import registry_pb2 as pb


async def get_provider(tx: Transaction, request: pb.GetProviderRequest) -> pb.GetProviderResponse | Refusal:
    """Return one provider with its standing of today. PROVIDER_NOT_FOUND."""
    fields = Fields()
    fields.uscc("uscc", request.uscc)
    if fields.refusal is not None:
        return fields.refusal
    provider = await store.find_provider(tx.session, request.uscc, tx.today)
    return pb.GetProviderResponse(provider=provider_message(provider)) if provider else Refusal(RefusalCode.PROVIDER_NOT_FOUND)


async def list_providers(tx: Transaction, request: pb.ListProvidersRequest) -> pb.ListProvidersResponse | Refusal:
    """List providers by code, all or those of one division and below it."""
    fields = Fields()
    if request.home:
        fields.division("home", request.home)
    page = fields.refusal or keyset.read_page(request.page_size, request.page_token, keyset.word)
    if isinstance(page, Refusal):
        return page
    found = await store.page_of_providers(tx.session, request.home, page, tx.today)
    shown, token = page.cut(found, lambda item: [item.uscc])
    return pb.ListProvidersResponse(providers=[provider_message(item) for item in shown], next_page_token=token)


async def list_recognitions(tx: Transaction, request: pb.ListRecognitionsRequest) -> pb.ListRecognitionsResponse | Refusal:
    """List the recognitions of one issuer, past and revoked ones included."""
    fields = Fields()
    fields.division("issuer", request.issuer)
    page = fields.refusal or keyset.read_page(request.page_size, request.page_token, keyset.word, keyset.day, keyset.number)
    if isinstance(page, Refusal):
        return page
    found = await store.page_of_recognitions(tx.session, request.issuer, page)
    shown, token = page.cut(found, lambda row: [row.provider, row.valid_from.isoformat(), str(row.id)])
    messages = [recognition_message(store.recognition(row)) for row in shown]
    return pb.ListRecognitionsResponse(recognitions=messages, next_page_token=token)
