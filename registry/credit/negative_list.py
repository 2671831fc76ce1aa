"""Sanctions on enterprises in two steps (沪科合〔2022〕19号 五(四)): on the negative list from today on, and off it again."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlmodel import col, select

from hub.application.ids import time_ordered_uuid
from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode, invalid_state
from registry import domain
from registry.codec import REASON_CHARS_MAX
from registry.credit import store
from registry.credit.codec import credit_changed, entry_message
from registry.credit.domain import Act, Content, CreditList, Reason, Record, Subject, SubjectKind
from registry.credit.recording import end
from registry.domain import Period
from registry.tables import NegativeListRow
from yrd.credit.v1 import credit_pb2 as pb

# Enterprises are the ledger's; the lock keeps two entries or clearances of one enterprise in order.
_DIVISION = "SELECT division FROM enterprise WHERE uscc = :uscc FOR NO KEY UPDATE"


async def sanction_enterprise(tx: Transaction, request: pb.SanctionEnterpriseRequest) -> pb.SanctionEnterpriseResponse | Refusal:
    """Put an enterprise on the negative list from today on. It goes on record as any other entry, its reason of the class OTHER.

    ENTERPRISE_NOT_FOUND; NOT_PERMITTED for others than its platform and the coordination group; INVALID_STATE if it is on it.
    """
    refusal = await _refused(tx, request.enterprise, request.reason)
    if refusal is not None:
        return refusal
    known = await _in_force(tx, request.enterprise)
    if known:
        return invalid_state(
            f"该企业自 {known[0].since} 起已列入负面清单", f"the enterprise is on the negative list since {known[0].since}"
        )
    content = Content(CreditList.NEGATIVE, Reason.OTHER, request.reason, "", "", (), Period(tx.today, None))
    subject = Subject(SubjectKind.ENTERPRISE, request.enterprise)
    record = Record(time_ordered_uuid(tx.now), subject, tx.caller.division, tx.today, 1, content)
    await store.enter(tx, record)
    (row,) = await _in_force(tx, request.enterprise)
    return pb.SanctionEnterpriseResponse(entry=entry_message(row))


async def clear_enterprise(tx: Transaction, request: pb.ClearEnterpriseRequest) -> pb.ClearEnterpriseResponse | Refusal:
    """End the entries in force for an enterprise today, and the records they follow from. An entry of today ends empty: it never counted.

    ENTERPRISE_NOT_FOUND; NOT_PERMITTED for others than its platform and the coordination group; INVALID_STATE if there is none.
    """
    refusal = await _refused(tx, request.enterprise, request.reason)
    if refusal is not None:
        return refusal
    rows = await _in_force(tx, request.enterprise)
    if not rows:
        return invalid_state("该企业不在负面清单上", "the enterprise is not on the negative list")
    for record_id in dict.fromkeys(row.record_id for row in rows):
        await _end_record(tx, record_id, request.reason)
    for row in rows:
        await tx.session.refresh(row)
    unrecorded = [row for row in rows if row.record_id is None]
    for row in unrecorded:
        row.until, row.ended_by, row.ended_reason = tx.today, tx.caller.division, request.reason
        tx.session.add(row)
    if len(unrecorded) == len(rows):
        tx.emit(credit_changed(Subject(SubjectKind.ENTERPRISE, request.enterprise), tx.now))
    return pb.ClearEnterpriseResponse(entries=[entry_message(row) for row in rows])


async def _end_record(tx: Transaction, record_id: UUID | None, note: str) -> None:
    record = await store.lock_record(tx.session, str(record_id)) if record_id else None
    if record is not None:
        await end(tx, record, Act.END, note)


async def _refused(tx: Transaction, uscc: str, reason: str) -> Refusal | None:
    fields = Fields()
    fields.uscc("enterprise", uscc)
    fields.text("reason", reason, REASON_CHARS_MAX)
    if fields.refusal is not None:
        return fields.refusal
    row = (await tx.session.execute(text(_DIVISION), {"uscc": uscc})).first()
    return Refusal(RefusalCode.ENTERPRISE_NOT_FOUND) if row is None else domain.may_sanction(tx.caller, row[0])


async def _in_force(tx: Transaction, uscc: str) -> Sequence[NegativeListRow]:
    until = col(NegativeListRow.until)
    in_force = (NegativeListRow.enterprise == uscc, col(NegativeListRow.since) <= tx.today, until.is_(None) | (until > tx.today))
    return (await tx.session.exec(select(NegativeListRow).where(*in_force).order_by(col(NegativeListRow.id)))).all()
