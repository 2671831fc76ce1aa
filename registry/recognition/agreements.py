"""Tripartite agreements (三方协议) that a recognition may require: registered, ended, listed."""

from __future__ import annotations

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode, not_permitted
from registry.codec import REASON_CHARS_MAX
from registry.domain import Period
from registry.recognition import domain, store
from registry.recognition.codec import agreement_changed, agreement_message, read_agreement
from registry.recognition.domain import AgreementTerms
from registry.recognition.tables import AgreementRow
from registry.store import find_provider
from yrd.registry.v1 import recognition_pb2 as pb


async def register_agreement(tx: Transaction, request: pb.RegisterAgreementRequest) -> pb.RegisterAgreementResponse | Refusal:
    """Register an agreement. The same again changes nothing and tells nobody.

    NOT_PERMITTED for anyone but the issuer's platform; PROVIDER_NOT_FOUND; ALREADY_EXISTS where the number says something else.
    """
    fields = Fields()
    terms = read_agreement(request.agreement, fields, tx.today)
    refusal = fields.refusal or domain.may_recognize(tx.caller, terms.issuer)
    if refusal is not None:
        return refusal
    if not await store.lock_providers(tx.session, [terms.provider]):
        return Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    new = await store.insert_agreement(tx.session, terms, tx.caller.division, tx.now)
    row = await store.find_agreement(tx.session, terms.issuer, terms.number)
    assert row is not None, "agreements are never deleted"
    if row.ended_at is not None or _terms(row) != terms:
        return Refusal(RefusalCode.ALREADY_EXISTS, metadata=(("issuer", terms.issuer), ("number", terms.number)))
    message = agreement_message(row)
    if new:
        tx.emit(agreement_changed(message))
    return pb.RegisterAgreementResponse(agreement=message)


def _terms(row: AgreementRow) -> AgreementTerms:
    period = Period(row.signed_on, row.valid_until)
    return AgreementTerms(row.issuer, row.number, row.provider, row.platform_division, row.platform_name, row.document_sha256, period)


async def end_agreement(tx: Transaction, request: pb.EndAgreementRequest) -> pb.EndAgreementResponse | Refusal:
    """End an agreement today; what is authorized already stays (rules.md C4).

    NOT_PERMITTED for anyone but the issuer's platform; AGREEMENT_NOT_FOUND; INVALID_STATE where it has ended.
    """
    fields = Fields()
    fields.division("issuer", request.issuer)
    fields.number("number", request.number)
    fields.text("reason", request.reason, REASON_CHARS_MAX)
    refusal = fields.refusal or domain.may_recognize(tx.caller, request.issuer)
    if refusal is not None:
        return refusal
    row = await store.find_agreement(tx.session, request.issuer, request.number)
    if row is None:
        return Refusal(RefusalCode.AGREEMENT_NOT_FOUND)
    await store.lock_providers(tx.session, [row.provider])
    # Read again: the lock may have waited for whoever ended it.
    await tx.session.refresh(row)
    period = Period(row.signed_on, row.valid_until)
    ended = period.ended(tx.today)
    if ended is None:
        return domain.nothing_to_end(period)
    store.end_row(row, ended.until, tx.caller.division, tx.now)
    row.ended_reason = request.reason
    tx.session.add(row)
    message = agreement_message(row)
    tx.emit(agreement_changed(message))
    return pb.EndAgreementResponse(agreement=message)


async def list_agreements(tx: Transaction, request: pb.ListAgreementsRequest) -> pb.ListAgreementsResponse | Refusal:
    """List agreements of an issuer, of a provider, or between the two; past and ended ones included.

    NOT_PERMITTED for whoever is no party: the issuer's platform lists its own, the provider and its home's platform the provider's.
    """
    fields = Fields()
    if request.issuer:
        fields.division("issuer", request.issuer)
    if request.provider:
        fields.uscc("provider", request.provider)
    if not (request.issuer or request.provider):
        fields.wrong("issuer", "must be given where provider is not")
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.word, keyset.word)
    if isinstance(page, Refusal):
        return page
    if not await _is_party(tx, request.issuer, request.provider):
        return not_permitted("仅协议各方或协调组可以查询", "only a party to the agreements or the coordination group")
    found = await store.page_of_agreements(tx.session, request.issuer, request.provider, page)
    shown, token = page.cut(found, lambda row: [row.issuer, row.number])
    return pb.ListAgreementsResponse(agreements=[agreement_message(row) for row in shown], next_page_token=token)


async def _is_party(tx: Transaction, issuer: str, provider: str) -> bool:
    if issuer and tx.caller.sees(issuer):
        return True
    if not provider:
        return False
    known = await find_provider(tx.session, provider, tx.today)
    return tx.caller.is_provider(provider) or tx.caller.sees(known.home if known else "")
