"""Objections during the public notice (公示): anyone may raise one, the home province handles it; one upheld stops the admission."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import or_, tuple_
from sqlmodel import col, select

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.application.within import stem
from hub.codec.fields import Fields
from hub.domain.caller import Caller, Role
from hub.domain.refusals import Refusal, RefusalCode
from registry.admission import application, application_store
from registry.admission.application import Act, State
from registry.admission.application_codec import OPINION_CHARS_MAX, OUTCOME_IN, noticed, objection_message, read_evidence
from registry.admission.positions import identifier, instant
from registry.admission.tables import AdmissionApplicationRow, ObjectionRow
from yrd.registry.v1 import admission_pb2 as pb

_ACTS = {"UPHELD": Act.UPHOLD, "DISMISSED": Act.DISMISS}


async def raise_objection(tx: Transaction, request: pb.RaiseObjectionRequest) -> pb.RaiseObjectionResponse | Refusal:
    """Object to an application under public notice. APPLICATION_NOT_FOUND; INVALID_STATE where it is not under public notice."""
    fields = Fields()
    fields.text("reason", request.reason, OPINION_CHARS_MAX)
    evidence = read_evidence(request.evidence_sha256, fields, "evidence_sha256")
    row = await application_store.find(tx, fields, request.application_id, lock=True)
    if isinstance(row, Refusal):
        return row
    refusal = application.objection_refused(State(row.state), row.notice_until, tx.today)
    if refusal is not None:
        return refusal
    objection = ObjectionRow(
        # One objection per request id, like applications.
        objection_id=UUID(request.request_id),
        application_id=row.application_id,
        reason=request.reason,
        evidence=evidence,
        raised_at=tx.now,
        raised_by=tx.caller.participant_id,
        raised_division=tx.caller.division,
    )
    if await tx.session.get(ObjectionRow, objection.objection_id) is not None:
        return Refusal(RefusalCode.ALREADY_EXISTS, metadata=(("objection_id", request.request_id),))
    tx.session.add(objection)
    await tx.session.flush()
    message = await application_store.happen(tx, row, Act.OBJECT, request.reason)
    return message if isinstance(message, Refusal) else pb.RaiseObjectionResponse(objection=objection_message(objection))


async def resolve_objection(tx: Transaction, request: pb.ResolveObjectionRequest) -> pb.ResolveObjectionResponse | Refusal:
    """Uphold or dismiss an objection. Upholding stops the application.

    OBJECTION_NOT_FOUND; NOT_PERMITTED for anyone but the home's platform; INVALID_STATE where it is handled, or the application is over.
    """
    fields = Fields()
    objection_id = fields.uuid("objection_id", request.objection_id)
    outcome = fields.enum("outcome", request.outcome, OUTCOME_IN)
    fields.text("resolution", request.resolution, OPINION_CHARS_MAX)
    if fields.refusal is not None:
        return fields.refusal
    objection = await tx.session.get(ObjectionRow, UUID(objection_id))
    if objection is None:
        return Refusal(RefusalCode.OBJECTION_NOT_FOUND)
    row = await application_store.find(tx, fields, str(objection.application_id), lock=True)
    assert not isinstance(row, Refusal), "applications are never deleted"
    # Read again under the application's lock: someone else may have handled it meanwhile.
    await tx.session.refresh(objection)
    refusal = application.may_decide(tx.caller, row.home) or application.handled(objection.outcome)
    if refusal is not None:
        return refusal
    objection.outcome, objection.resolution = outcome, request.resolution
    objection.resolved_at, objection.resolved_by = tx.now, tx.caller.participant_id
    tx.session.add(objection)
    await tx.session.flush()
    message = await application_store.happen(tx, row, _ACTS[outcome], request.resolution)
    if isinstance(message, Refusal):
        return message
    if row.state == State.STOPPED:
        tx.emit(noticed(row, opened=False))
    return pb.ResolveObjectionResponse(objection=objection_message(objection), application=message)


async def list_objections(tx: Transaction, request: pb.ListObjectionsRequest) -> pb.ListObjectionsResponse | Refusal:
    """List objections by age: those to applications the caller sees, and those it raised."""
    fields = Fields()
    wanted = [_visible(tx.caller)]
    if request.application_id:
        wanted.append(col(ObjectionRow.application_id) == fields.uuid("application_id", request.application_id))
    if request.open_only:
        # What was open when its application ended otherwise is nobody's task any more.
        wanted += [col(ObjectionRow.outcome) == "", col(AdmissionApplicationRow.state) == State.PUBLIC_NOTICE.value]
    page = fields.refusal or keyset.read_page(tx.caller, request, instant, identifier)
    if isinstance(page, Refusal):
        return page
    order = (col(ObjectionRow.raised_at), col(ObjectionRow.objection_id))
    statement = select(ObjectionRow, AdmissionApplicationRow.provider).join(AdmissionApplicationRow).where(*wanted).order_by(*order)
    if page.after is not None:
        statement = statement.where(tuple_(*order) > page.after)
    found = (await tx.session.exec(statement.limit(page.fetch))).all()
    shown, token = page.cut(found, lambda item: [item[0].raised_at.isoformat(), str(item[0].objection_id)])
    messages = [objection_message(row, applicant=_hidden(tx.caller, row)) for row, _ in shown]
    return pb.ListObjectionsResponse(objections=messages, next_page_token=token)


def _visible(caller: Caller) -> Any:
    own = col(ObjectionRow.raised_by) == caller.participant_id
    if caller.role is Role.COORDINATOR:
        return True
    if caller.role is Role.PLATFORM:
        return or_(own, col(AdmissionApplicationRow.home).startswith(stem(caller.division)))
    return or_(own, col(AdmissionApplicationRow.provider) == caller.participant_id.rpartition("/provider-")[2])


def _hidden(caller: Caller, row: ObjectionRow) -> bool:
    return caller.role is Role.PROVIDER and row.raised_by != caller.participant_id
