"""Applications: filed by the provider itself or its home platform (自愿申报), and withdrawn."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.divisions import province_of
from hub.domain.refusals import Refusal, RefusalCode
from registry import store
from registry.admission import application, application_store, criteria_store, domain
from registry.admission.application import OPEN, Act, State
from registry.admission.application_codec import applicant_message, noticed, read_applicant
from registry.admission.criteria import Applicant, Kind
from registry.admission.tables import AdmissionApplicationRow as Row
from registry.codec import REASON_CHARS_MAX
from yrd.registry.v1 import admission_pb2 as pb


async def apply_for_admission(tx: Transaction, request: pb.ApplyForAdmissionRequest) -> pb.ApplyForAdmissionResponse | Refusal:
    """File an application under the criteria in force today, for renewal where the provider is in the pool.

    NOT_PERMITTED for others than the provider itself and its home platform; CRITERIA_NOT_FOUND; ALREADY_EXISTS where an application of
    the provider is open (its id is in the metadata) or the provider has another home.
    """
    fields = Fields()
    applicant = read_applicant(request.applicant, fields)
    refusal = fields.refusal or application.may_apply(tx.caller, applicant.uscc, applicant.home)
    if refusal is not None:
        return refusal
    known = await store.find_provider(tx.session, applicant.uscc, tx.today)
    refusal = domain.moved(known, applicant.home) if known else None
    if refusal is not None:
        return refusal
    criteria = await criteria_store.row_in_force(tx.session, province_of(applicant.home), tx.today)
    if criteria is None:
        return Refusal(RefusalCode.CRITERIA_NOT_FOUND)
    assert criteria.criteria_id is not None
    row = await _insert(tx, UUID(request.request_id), applicant, application.kind_of(known), criteria.criteria_id)
    if isinstance(row, Refusal):
        return row
    return pb.ApplyForAdmissionResponse(application=await application_store.note(tx, row, Act.APPLY))


async def _insert(tx: Transaction, application_id: UUID, applicant: Applicant, kind: Kind, criteria_id: int) -> Row | Refusal:
    """Insert an application; ALREADY_EXISTS where another is open, also by one who committed while we waited."""
    values = {
        # One application per request id: the id of the request is as unique and as random as any other.
        "application_id": application_id,
        "provider": applicant.uscc,
        "home": applicant.home,
        "kind": kind.value,
        "state": State.SUBMITTED.value,
        "criteria_id": criteria_id,
        "body": applicant_message(applicant).SerializeToString(deterministic=True),
        "filed_at": tx.now,
        "filed_by": tx.caller.participant_id,
    }
    statement = insert(Row).values(values).on_conflict_do_nothing().returning(col(Row.application_id))
    if (await tx.session.execute(statement)).first() is not None:
        return await tx.session.get_one(Row, application_id)
    known = select(Row.application_id).where(Row.provider == applicant.uscc, col(Row.state).in_(OPEN))
    found = (await tx.session.exec(known)).first()
    return Refusal(
        RefusalCode.ALREADY_EXISTS,
        metadata=(("application_id", str(found or application_id)),),
        detail_zh="该机构已有申请在办理中",
        detail_en="an application of this provider is open",
    )


async def withdraw_application(tx: Transaction, request: pb.WithdrawApplicationRequest) -> pb.WithdrawApplicationResponse | Refusal:
    """Withdraw an application that is open. APPLICATION_NOT_FOUND; NOT_PERMITTED for who may not apply for it; INVALID_STATE."""
    fields = Fields()
    fields.text("reason", request.reason, REASON_CHARS_MAX)
    row = await application_store.find(tx, fields, request.application_id, lock=True)
    if isinstance(row, Refusal):
        return row
    refusal = application.may_apply(tx.caller, row.provider, row.home)
    if refusal is not None:
        return refusal
    noticed_before = row.state == State.PUBLIC_NOTICE
    message = await application_store.happen(tx, row, Act.WITHDRAW, request.reason)
    if isinstance(message, Refusal):
        return message
    if noticed_before:
        tx.emit(noticed(row, opened=False))
    return pb.WithdrawApplicationResponse(application=message)
