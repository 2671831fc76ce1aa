"""Recognition of providers by name, one or many at once: dated and directional (rules.md P2, C4)."""

from __future__ import annotations

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.codec.outcome import refusal_message
from hub.domain.refusals import Refusal, RefusalCode
from registry.recognition import domain, store
from registry.recognition.codec import read_recognition, recognition_changed, recognition_message, recognition_of
from registry.recognition.domain import Recognition
from yrd.registry.v1 import recognition_pb2
from yrd.registry.v1 import registry_pb2 as pb

ROWS_MAX = 1_000


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
    (outcome,) = await _recognize(tx, [wanted])
    return outcome if isinstance(outcome, Refusal) else pb.RecognizeProviderResponse(recognition=recognition_message(wanted))


async def bulk_recognize(tx: Transaction, request: recognition_pb2.BulkRecognizeRequest) -> recognition_pb2.BulkRecognizeResponse | Refusal:
    """Recognise up to 1,000 providers, each row as `recognize_provider` does; a refused row does not stop its neighbours."""
    fields = Fields()
    if not 1 <= len(request.recognitions) <= ROWS_MAX:
        fields.wrong("recognitions", f"must be 1 to {ROWS_MAX} recognitions")
        assert fields.refusal is not None
        return fields.refusal
    rows = [_read_row(tx, item, f"recognitions[{i}]") for i, item in enumerate(request.recognitions)]
    outcomes = iter(await _recognize(tx, [row for row in rows if isinstance(row, Recognition)]))
    answer = recognition_pb2.BulkRecognizeResponse()
    for row in rows:
        outcome = row if isinstance(row, Refusal) else next(outcomes)
        if isinstance(outcome, Refusal):
            answer.outcomes.add(refusal=refusal_message(outcome))
        else:
            assert isinstance(row, Recognition)
            answer.outcomes.add(recognition=recognition_message(row), created=outcome)
    return answer


def _read_row(tx: Transaction, message: pb.Recognition, at: str) -> Recognition | Refusal:
    fields = Fields()
    wanted = read_recognition(message, fields, at)
    return fields.refusal or domain.may_recognize(tx.caller, wanted.issuer) or wanted


async def _recognize(tx: Transaction, wanted: list[Recognition]) -> list[bool | Refusal]:
    """Store what is new and tell of it; for each, whether it was new, or PROVIDER_NOT_FOUND."""
    known_providers = await store.lock_providers(tx.session, [item.provider for item in wanted])
    issuers = sorted({item.issuer for item in wanted})
    known = {recognition_of(row) for row in await store.recognitions_of(tx.session, issuers, sorted(known_providers))}
    outcomes: list[bool | Refusal] = []
    for item in wanted:
        if item.provider not in known_providers:
            outcomes.append(Refusal(RefusalCode.PROVIDER_NOT_FOUND, metadata=(("provider", item.provider),)))
            continue
        outcomes.append(item not in known)
        if item not in known:
            known.add(item)
            tx.session.add(store.recognition_row(item, tx.caller.division, tx.now))
            tx.emit(recognition_changed(recognition_message(item)))
    return outcomes


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
    await store.lock_providers(tx.session, [request.provider])
    ended: list[Recognition] = []
    for row in await store.recognitions_of(tx.session, [request.issuer], [request.provider]):
        period = recognition_of(row).period.ended(tx.today)
        if period is not None:
            store.end_row(row, period.until, tx.caller.division, tx.now)
            tx.session.add(row)
            ended.append(recognition_of(row))
            tx.emit(recognition_changed(recognition_message(ended[-1])))
    if not ended:
        return Refusal(RefusalCode.RECOGNITION_NOT_FOUND)
    return pb.RevokeRecognitionResponse(recognition=recognition_message(domain.last_in_force(ended, tx.today)))


async def list_recognitions(tx: Transaction, request: pb.ListRecognitionsRequest) -> pb.ListRecognitionsResponse | Refusal:
    """List the recognitions of one issuer, past and revoked ones included."""
    fields = Fields()
    fields.division("issuer", request.issuer)
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.word, keyset.day, keyset.number)
    if isinstance(page, Refusal):
        return page
    found = await store.page_of_recognitions(tx.session, request.issuer, page)
    shown, token = page.cut(found, lambda row: [row.provider, row.valid_from.isoformat(), str(row.id)])
    messages = [recognition_message(recognition_of(row)) for row in shown]
    return pb.ListRecognitionsResponse(recognitions=messages, next_page_token=token)
