"""Recognition of providers by issuers: dated and directional (rules.md P2, C4)."""

from __future__ import annotations

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode
from registry import domain, store
from registry.codec import read_recognition, recognition_changed, recognition_message
from registry.tables import RecognitionRow
from yrd.registry.v1 import registry_pb2 as pb


async def recognize_provider(tx: Transaction, request: pb.RecognizeProviderRequest) -> pb.RecognizeProviderResponse | Refusal:
    """Recognise a provider for an issuer's vouchers. One that says the same as another changes nothing and tells nobody.

    Periods may overlap; a provider is recognised on a day that any of them covers. NOT_PERMITTED for anyone but the issuer's
    platform; PROVIDER_NOT_FOUND.
    """
    fields = Fields()
    wanted = read_recognition(request.recognition, fields)
    refusal = fields.refusal or domain.may_recognize(tx.caller, wanted.issuer)
    if refusal is not None:
        return refusal
    if not await store.lock_provider(tx.session, wanted.provider):
        return Refusal(RefusalCode.PROVIDER_NOT_FOUND)
    message = recognition_message(wanted)
    known = await store.recognitions_of_pair(tx.session, wanted.issuer, wanted.provider)
    if wanted not in map(store.recognition, known):
        row = RecognitionRow(
            issuer=wanted.issuer,
            provider=wanted.provider,
            valid_from=wanted.period.since,
            valid_until=wanted.period.until,
            agreement=wanted.agreement,
            entered_by=tx.caller.division,
        )
        tx.session.add(row)
        tx.emit(recognition_changed(message))
    return pb.RecognizeProviderResponse(recognition=message)


async def revoke_recognition(tx: Transaction, request: pb.RevokeRecognitionRequest) -> pb.RevokeRecognitionResponse | Refusal:
    """End every recognition of the pair that is in force or still to come; what is authorized already stays (rules.md C4).

    Answers with the latest begun. NOT_PERMITTED for anyone but the issuer's platform; RECOGNITION_NOT_FOUND where nothing is left to end.
    """
    fields = Fields()
    fields.division("issuer", request.issuer)
    fields.uscc("provider", request.provider)
    refusal = fields.refusal or domain.may_recognize(tx.caller, request.issuer)
    if refusal is not None:
        return refusal
    await store.lock_provider(tx.session, request.provider)
    ended: list[domain.Recognition] = []
    for row in await store.recognitions_of_pair(tx.session, request.issuer, request.provider):
        period = domain.Period(row.valid_from, row.valid_until).ended(tx.today)
        if period is not None:
            row.valid_until = period.until
            tx.session.add(row)
            ended.append(store.recognition(row))
            tx.emit(recognition_changed(recognition_message(ended[-1])))
    if not ended:
        return Refusal(RefusalCode.RECOGNITION_NOT_FOUND)
    return pb.RevokeRecognitionResponse(recognition=recognition_message(domain.last_in_force(ended, tx.today)))
