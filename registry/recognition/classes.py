"""Recognition of classes of providers: set, ended, listed (rules.md P2, C4)."""

from __future__ import annotations

from uuid import UUID

from hub.application import keyset
from hub.application.ids import time_ordered_uuid
from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode
from registry.codec import REASON_CHARS_MAX
from registry.domain import Period
from registry.recognition import domain, store
from registry.recognition.codec import class_changed, class_message, read_class
from yrd.registry.v1 import recognition_pb2 as pb


async def set_class_recognition(tx: Transaction, request: pb.SetClassRecognitionRequest) -> pb.SetClassRecognitionResponse | Refusal:
    """Recognise a class. One of the same terms that nobody ended is answered with; it changes nothing and tells nobody.

    NOT_PERMITTED for anyone but the issuer's platform; INVALID_STATE where the issuer has too many classes already.
    """
    fields = Fields()
    terms = read_class(request.class_recognition, fields)
    refusal = fields.refusal or domain.may_recognize(tx.caller, terms.issuer)
    if refusal is not None:
        return refusal
    await store.lock_classes(tx.session, terms.issuer)
    known = await store.class_like(tx.session, terms)
    if known is not None:
        return pb.SetClassRecognitionResponse(class_recognition=class_message(known))
    refusal = domain.too_many_classes(await store.count_classes(tx.session, terms.issuer, tx.today))
    if refusal is not None:
        return refusal
    row = store.class_row(time_ordered_uuid(tx.now), terms, tx.caller.division, tx.now)
    tx.session.add(row)
    message = class_message(row)
    tx.emit(class_changed(message))
    return pb.SetClassRecognitionResponse(class_recognition=message)


async def end_class_recognition(tx: Transaction, request: pb.EndClassRecognitionRequest) -> pb.EndClassRecognitionResponse | Refusal:
    """End a class today; what is authorized already stays (rules.md C4).

    RECOGNITION_NOT_FOUND; NOT_PERMITTED for anyone but the issuer's platform; INVALID_STATE where it has ended.
    """
    fields = Fields()
    class_id = fields.uuid("class_id", request.class_id)
    fields.text("reason", request.reason, REASON_CHARS_MAX)
    if fields.refusal is not None:
        return fields.refusal
    row = await store.locked_class(tx.session, class_id)
    if row is None:
        return Refusal(RefusalCode.RECOGNITION_NOT_FOUND)
    refusal = domain.may_recognize(tx.caller, row.issuer)
    if refusal is not None:
        return refusal
    period = Period(row.valid_from, row.valid_until)
    ended = period.ended(tx.today)
    if ended is None:
        return domain.nothing_to_end(period)
    store.end_row(row, ended.until, tx.caller.division, tx.now)
    row.ended_reason = request.reason
    tx.session.add(row)
    message = class_message(row)
    tx.emit(class_changed(message))
    return pb.EndClassRecognitionResponse(class_recognition=message)


async def list_class_recognitions(tx: Transaction, request: pb.ListClassRecognitionsRequest) -> pb.ListClassRecognitionsResponse | Refusal:
    """List the classes of one issuer, past and ended ones included. They are open to all participants, as recognitions are."""
    fields = Fields()
    fields.division("issuer", request.issuer)
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.day, UUID)
    if isinstance(page, Refusal):
        return page
    found = await store.page_of_classes(tx.session, request.issuer, page)
    shown, token = page.cut(found, lambda row: [row.valid_from.isoformat(), str(row.class_id)])
    return pb.ListClassRecognitionsResponse(class_recognitions=[class_message(row) for row in shown], next_page_token=token)
