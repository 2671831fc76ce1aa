"""Admission criteria: published, never edited, superseded by date, like policies (rules.md Policy, P2)."""

from __future__ import annotations

from sqlalchemy import tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.codec.events import POOL, event
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode, not_permitted
from registry.admission import criteria_store
from registry.admission.criteria_codec import criteria_message, read_criteria
from registry.admission.tables import CriteriaRow
from yrd.events.v1 import events_pb2
from yrd.registry.v1 import admission_pb2 as pb


async def publish_admission_criteria(
    tx: Transaction, request: pb.PublishAdmissionCriteriaRequest
) -> pb.PublishAdmissionCriteriaResponse | Refusal:
    """Publish criteria. Those that say the same as the published ones of their version change nothing and tell nobody.

    NOT_PERMITTED for anyone but the province's platform; ALREADY_EXISTS where the version is published with other content.
    """
    fields = Fields()
    criteria = read_criteria(request.criteria, fields)
    if fields.refusal is not None:
        return fields.refusal
    if not tx.caller.acts_for(criteria.division):
        return not_permitted("仅本省平台可以发布入库标准", "only the province's platform publishes its criteria")
    message = criteria_message(criteria)
    values = {
        "division": criteria.division,
        "version": criteria.version,
        "effective_from": criteria.effective_from,
        "effective_until": criteria.effective_until,
        "body": message.SerializeToString(deterministic=True),
        "published_at": tx.now,
        "published_by": tx.caller.participant_id,
    }
    statement = insert(CriteriaRow).values(values).on_conflict_do_nothing().returning(col(CriteriaRow.criteria_id))
    if (await tx.session.execute(statement)).first() is not None:
        tx.emit(event(POOL, criteria.division, events_pb2.AdmissionCriteriaPublished(criteria=message)))
        return pb.PublishAdmissionCriteriaResponse(criteria=message)
    known = await criteria_store.of_version(tx.session, criteria.division, criteria.version)
    assert known is not None, "criteria are never deleted"
    if criteria_store.stored(known) != criteria:
        return Refusal(RefusalCode.ALREADY_EXISTS, metadata=(("division", criteria.division), ("version", criteria.version)))
    return pb.PublishAdmissionCriteriaResponse(criteria=message)


async def get_admission_criteria(tx: Transaction, request: pb.GetAdmissionCriteriaRequest) -> pb.GetAdmissionCriteriaResponse | Refusal:
    """Return the criteria of a version, or those in force on a date, today unless said. CRITERIA_NOT_FOUND."""
    fields = Fields()
    fields.division("division", request.division)
    if request.version:
        fields.number("version", request.version)
    day = fields.optional_date("on_date", request.on_date) or tx.today
    if fields.refusal is not None:
        return fields.refusal
    if request.version:
        row = await criteria_store.of_version(tx.session, request.division, request.version)
    else:
        row = await criteria_store.row_in_force(tx.session, request.division, day)
    if row is None:
        return Refusal(RefusalCode.CRITERIA_NOT_FOUND)
    return pb.GetAdmissionCriteriaResponse(criteria=pb.AdmissionCriteria.FromString(row.body))


async def list_admission_criteria(tx: Transaction, request: pb.ListAdmissionCriteriaRequest) -> pb.ListAdmissionCriteriaResponse | Refusal:
    """List the criteria of a province by effective date, then version; those to come and those past included."""
    fields = Fields()
    fields.division("division", request.division)
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.day, keyset.word)
    if isinstance(page, Refusal):
        return page
    order = (col(CriteriaRow.effective_from), col(CriteriaRow.version))
    statement = select(CriteriaRow).where(CriteriaRow.division == request.division).order_by(*order).limit(page.fetch)
    if page.after is not None:
        statement = statement.where(tuple_(*order) > page.after)
    shown, token = page.cut((await tx.session.exec(statement)).all(), lambda row: [row.effective_from.isoformat(), row.version])
    messages = [pb.AdmissionCriteria.FromString(row.body) for row in shown]
    return pb.ListAdmissionCriteriaResponse(criteria=messages, next_page_token=token)
