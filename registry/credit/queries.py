"""Reads of records, for whoever entered them and for the coordination group, and of the log of questions. Nobody else lists anything."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlmodel import col, select

from hub.application import keyset
from hub.application.transaction import Transaction
from hub.application.within import stem
from hub.codec.encode import timestamp
from hub.codec.fields import Fields
from hub.domain.caller import Role
from hub.domain.refusals import Refusal
from registry.credit import domain, store
from registry.credit.codec import content_message, purpose_number, read_subject, record_message, stored_content
from registry.credit.tables import QueryRow, VersionRow
from yrd.credit.v1 import credit_pb2 as pb

PARTICIPANT_CHARS_MAX = 200


async def get_credit_record(tx: Transaction, request: pb.GetCreditRecordRequest) -> pb.GetCreditRecordResponse | Refusal:
    """Return a record with its versions. One that others entered is CREDIT_RECORD_NOT_FOUND, as if there were none."""
    fields = Fields()
    record_id = fields.uuid("record_id", request.record_id)
    if fields.refusal is not None:
        return fields.refusal
    record = await store.find_record(tx.session, record_id)
    if record is None or not domain.may_see(tx.caller, record):
        return domain.NOT_FOUND
    following = (await store.sanctions(tx.session, [record_id])).get(record_id, [])
    made = await store.versions(tx.session, record_id)
    return pb.GetCreditRecordResponse(record=record_message(record, following), versions=[_version(row) for row in made])


def _version(row: VersionRow) -> pb.CreditRecordVersion:
    return pb.CreditRecordVersion(
        version=row.version,
        act=row.act,
        note=row.note,
        made_by=row.made_by,
        made_at=timestamp(row.made_at),
        content=content_message(stored_content(row.content)),
    )


async def list_credit_records(tx: Transaction, request: pb.ListCreditRecordsRequest) -> pb.ListCreditRecordsResponse | Refusal:
    """List the records that the caller's side entered, newest first; all of them for the coordination group."""
    page = keyset.read_page(tx.caller, request, datetime.fromisoformat, UUID)
    if isinstance(page, Refusal):
        return page
    side = "" if tx.caller.role is Role.COORDINATOR else stem(tx.caller.division)
    found = await store.page_of_records(tx.session, side, page)
    shown, token = page.cut(found, lambda item: [item[1], item[0].record_id])
    following = await store.sanctions(tx.session, [record.record_id for record, _ in shown])
    messages = [record_message(record, following.get(record.record_id, [])) for record, _ in shown]
    return pb.ListCreditRecordsResponse(records=messages, next_page_token=token)


async def list_credit_queries(tx: Transaction, request: pb.ListCreditQueriesRequest) -> pb.ListCreditQueriesResponse | Refusal:
    """List who asked what, newest first, of one participant or about one subject where told."""
    fields = Fields()
    participant = fields.text("participant_id", request.participant_id, PARTICIPANT_CHARS_MAX, required=False)
    subject = read_subject(request.subject, fields) if request.HasField("subject") else None
    page = fields.refusal or keyset.read_page(tx.caller, request, keyset.number)
    if isinstance(page, Refusal):
        return page
    statement = select(QueryRow).order_by(col(QueryRow.id).desc()).limit(page.fetch)
    if participant:
        statement = statement.where(QueryRow.participant_id == participant)
    if subject is not None:
        statement = statement.where(QueryRow.subject_sha256 == subject.sha256)
    if page.after is not None:
        statement = statement.where(col(QueryRow.id) < page.after[0])
    shown, token = page.cut((await tx.session.exec(statement)).all(), lambda row: [str(row.id)])
    return pb.ListCreditQueriesResponse(queries=[_query(row) for row in shown], next_page_token=token)


def _query(row: QueryRow) -> pb.CreditQuery:
    return pb.CreditQuery(
        participant_id=row.participant_id,
        division=row.division,
        asked_at=timestamp(row.asked_at),
        purpose=purpose_number(row.purpose),
        case_no=row.case_no,
        subject_sha256=row.subject_sha256,
        barred=row.barred,
    )
