"""Applications as they are stored. Whatever changes one holds the lock on its row; what happened to it is only ever added."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import func
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.refusals import Refusal, RefusalCode
from registry.admission import application
from registry.admission.application import Act, State
from registry.admission.application_codec import application_changed, application_message
from registry.admission.tables import AdmissionApplicationRow, ApplicationEventRow, CriteriaRow, ObjectionRow
from yrd.registry.v1 import admission_pb2 as pb

Row = AdmissionApplicationRow


async def find(tx: Transaction, fields: Fields, application_id: str, *, lock: bool = False) -> Row | Refusal:
    """Return an application, locked if asked, where the request is sound. APPLICATION_NOT_FOUND."""
    identifier = fields.uuid("application_id", application_id)
    if fields.refusal is not None:
        return fields.refusal
    statement = select(Row).where(Row.application_id == UUID(identifier))
    row = (await tx.session.exec(statement.with_for_update() if lock else statement)).first()
    return row or Refusal(RefusalCode.APPLICATION_NOT_FOUND)


async def happen(tx: Transaction, row: Row, act: Act, reason: str = "", body: bytes | None = None) -> pb.AdmissionApplication | Refusal:
    """Do something to an application: its state moves on, what happened is kept, its province is told. INVALID_STATE where it does not."""
    state = application.after(State(row.state), act)
    if isinstance(state, Refusal):
        return state
    row.state = state.value
    tx.session.add(row)
    return await note(tx, row, act, reason, body)


async def note(tx: Transaction, row: Row, act: Act, reason: str = "", body: bytes | None = None) -> pb.AdmissionApplication:
    """Keep what happened to an application, and tell its province."""
    happened = ApplicationEventRow(
        application_id=row.application_id,
        cause=act.value,
        state=row.state,
        at=tx.now,
        participant_id=tx.caller.participant_id,
        division=tx.caller.division,
        reason=reason,
        body=body,
    )
    tx.session.add(happened)
    await tx.session.flush()
    (message,) = await messages(tx.session, [row])
    tx.emit(application_changed(message, happened))
    return message


async def history(session: AsyncSession, row: Row) -> Sequence[ApplicationEventRow]:
    """Return all that happened to an application, oldest first."""
    event = ApplicationEventRow
    return (await session.exec(select(event).where(event.application_id == row.application_id).order_by(col(event.event_id)))).all()


async def open_objections(session: AsyncSession, applications: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many objections are open, by application; one without any is left out."""
    column = ObjectionRow.application_id
    statement = select(column, func.count()).where(col(column).in_(applications), ObjectionRow.outcome == "").group_by(col(column))
    return dict((await session.exec(statement)).all())


async def messages(session: AsyncSession, rows: Sequence[Row]) -> list[pb.AdmissionApplication]:
    """Return the messages of applications."""
    wanted = {row.criteria_id for row in rows}
    versions = dict(
        (await session.exec(select(CriteriaRow.criteria_id, CriteriaRow.version).where(col(CriteriaRow.criteria_id).in_(wanted)))).all()
    )
    objections = await open_objections(session, [row.application_id for row in rows])
    return [application_message(row, versions[row.criteria_id], objections.get(row.application_id, 0)) for row in rows]
