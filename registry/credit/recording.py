"""Entering, correcting, ending and referring records; appeals. Each is a further version: nothing is overwritten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import text

from hub.application.ids import time_ordered_uuid
from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode
from registry.codec import REASON_CHARS_MAX
from registry.credit import domain, store
from registry.credit.codec import AUTHORITY_CHARS_MAX, appeal_number, read_content, read_subject, record_message, team_division
from registry.credit.domain import Act, Appeal, Record, Subject, SubjectKind
from yrd.credit.v1 import credit_pb2 as pb

# Enterprises are the ledger's; the locks keep the records of one subject in order with what clears and with one another.
_ENTERPRISE = "SELECT division FROM enterprise WHERE uscc = :id FOR NO KEY UPDATE"
_PROVIDER = "SELECT home FROM registry.provider WHERE uscc = :id FOR NO KEY UPDATE"


async def record_credit(tx: Transaction, request: pb.RecordCreditRequest) -> pb.RecordCreditResponse | Refusal:
    """Enter a record; the sanctions that follow from it are in force everywhere with the commit.

    ENTERPRISE_NOT_FOUND and PROVIDER_NOT_FOUND for subjects that the hub does not know; NOT_PERMITTED for another division's subject.
    """
    fields = Fields()
    subject = read_subject(request.subject, fields)
    content = read_content(request.content, fields)
    if fields.refusal is not None:
        return fields.refusal
    division = await _division(tx, subject)
    refusal = division if isinstance(division, Refusal) else domain.may_record(tx.caller, division)
    if refusal is not None:
        return refusal
    record = Record(time_ordered_uuid(tx.now), subject, tx.caller.division, tx.today, 1, content)
    return pb.RecordCreditResponse(record=record_message(record, await store.enter(tx, record)))


async def _division(tx: Transaction, subject: Subject) -> str | Refusal | None:
    """Return the division a subject belongs to, the subject locked; None for a person."""
    match subject.kind:
        case SubjectKind.PERSON:
            return None
        case SubjectKind.TEAM:
            return team_division(subject)
        case SubjectKind.ENTERPRISE:
            statement, unknown = _ENTERPRISE, RefusalCode.ENTERPRISE_NOT_FOUND
        case SubjectKind.PROVIDER:
            statement, unknown = _PROVIDER, RefusalCode.PROVIDER_NOT_FOUND
    found: str | None = (await tx.session.execute(text(statement), {"id": subject.id})).scalar()
    return Refusal(unknown) if found is None else found


async def correct_credit(tx: Transaction, request: pb.CorrectCreditRequest) -> pb.CorrectCreditResponse | Refusal:
    """Let a record say something else from now on. CREDIT_RECORD_NOT_FOUND for others than who entered it; INVALID_STATE once ended."""
    fields = Fields()
    content = read_content(request.content, fields)
    note = fields.text("note", request.note, REASON_CHARS_MAX)
    record = await _own(tx, request.record_id, fields, domain.unchangeable)
    if isinstance(record, Refusal):
        return record
    return pb.CorrectCreditResponse(record=await _next(tx, replace(record, content=content), Act.CORRECT, note))


async def end_credit(tx: Transaction, request: pb.EndCreditRequest) -> pb.EndCreditResponse | Refusal:
    """End a record today. CREDIT_RECORD_NOT_FOUND for others than who entered it; INVALID_STATE once ended."""
    fields = Fields()
    note = fields.text("note", request.note, REASON_CHARS_MAX)
    record = await _own(tx, request.record_id, fields, domain.unchangeable)
    if isinstance(record, Refusal):
        return record
    return pb.EndCreditResponse(record=await end(tx, record, Act.END, note))


async def refer_credit(tx: Transaction, request: pb.ReferCreditRequest) -> pb.ReferCreditResponse | Refusal:
    """Mark a record as referred for prosecution, once. CREDIT_RECORD_NOT_FOUND for others than who entered it."""
    fields = Fields()
    to = fields.text("referred_to", request.referred_to, AUTHORITY_CHARS_MAX)
    on = fields.date("referred_on", request.referred_on)
    record = await _own(tx, request.record_id, fields, lambda known: domain.referral_refused(known, on, tx.today))
    if isinstance(record, Refusal):
        return record
    return pb.ReferCreditResponse(record=await _next(tx, replace(record, referred_to=to, referred_on=on), Act.REFER, ""))


async def file_credit_appeal(tx: Transaction, request: pb.FileCreditAppealRequest) -> pb.FileCreditAppealResponse | Refusal:
    """File an appeal of the subject, which its own platform may do too. INVALID_STATE while another waits, or once the record ended."""
    fields = Fields()
    record_id = fields.uuid("record_id", request.record_id)
    grounds = fields.text("grounds", request.grounds, REASON_CHARS_MAX)
    if fields.refusal is not None:
        return fields.refusal
    record = await store.lock_record(tx.session, record_id)
    if record is None or not (domain.may_see(tx.caller, record) or await _speaks_for(tx, record.subject)):
        return domain.NOT_FOUND
    refusal = domain.appeal_refused(record)
    if refusal is not None:
        return refusal
    made = await _next(tx, replace(record, appeal=Appeal.FILED), Act.APPEAL, grounds)
    return pb.FileCreditAppealResponse(appeal=made.appeal)


async def _speaks_for(tx: Transaction, subject: Subject) -> bool:
    division = await _division(tx, subject)
    return isinstance(division, str) and tx.caller.acts_for(division)


async def decide_credit_appeal(tx: Transaction, request: pb.DecideCreditAppealRequest) -> pb.DecideCreditAppealResponse | Refusal:
    """Decide an appeal: one that is upheld ends the record. INVALID_STATE where none waits."""
    fields = Fields()
    note = fields.text("note", request.note, REASON_CHARS_MAX)
    record = await _own(tx, request.record_id, fields, domain.decision_refused)
    if isinstance(record, Refusal):
        return record
    if request.upheld:
        message = await end(tx, replace(record, appeal=Appeal.UPHELD), Act.UPHOLD, note)
    else:
        message = await _next(tx, replace(record, appeal=Appeal.DISMISSED), Act.DISMISS, note)
    assert message.appeal != appeal_number(Appeal.FILED), "a decision decides"
    return pb.DecideCreditAppealResponse(record=message)


async def end(tx: Transaction, record: Record, act: Act, note: str) -> pb.CreditRecord:
    """End a locked record today."""
    return await _next(tx, replace(record, ended_on=record.ended_on or tx.today), act, note)


async def _own(tx: Transaction, record_id: str, fields: Fields, check: Callable[[Record], Refusal | None]) -> Record | Refusal:
    """Return the record, locked, if the request is sound, the record is the caller's to change, and `check` has nothing against it."""
    key = fields.uuid("record_id", record_id)
    if fields.refusal is not None:
        return fields.refusal
    record = await store.lock_record(tx.session, key)
    if record is None or not domain.may_see(tx.caller, record):
        return domain.NOT_FOUND
    return check(record) or record


async def _next(tx: Transaction, record: Record, act: Act, note: str) -> pb.CreditRecord:
    following = replace(record, version=record.version + 1)
    return record_message(following, await store.append(tx, following, act, note))
