"""Credit records kept and read. A version is only ever added; the sanctions in force are written anew with it, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import delete, text
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from hub.application.transaction import Transaction
from hub.domain.clock import local_date
from registry.credit import rules
from registry.credit.codec import content_stored, credit_changed, stored_content
from registry.credit.domain import Act, Appeal, Effect, Reason, Record, Sanction, Subject, SubjectKind, sanctions_of
from registry.credit.following import follow
from registry.credit.tables import RecordRow, SanctionRow, VersionRow
from registry.domain import Period

_RECORDS = """
SELECT r.record_id::text, r.subject_kind, r.subject_id, r.entered_by, r.entered_at, v.version, v.content, v.appeal, v.referred_to,
  v.referred_on, v.ended_on
FROM registry.credit_record AS r CROSS JOIN LATERAL (
  SELECT * FROM registry.credit_version AS n WHERE n.record_id = r.record_id ORDER BY n.version DESC LIMIT 1) AS v"""


async def find_record(session: AsyncSession, record_id: str) -> Record | None:
    """Return a record as it is now, or None."""
    found = (await session.execute(text(f"{_RECORDS} WHERE r.record_id = :id"), {"id": UUID(record_id)})).first()
    return _record(found) if found else None


async def lock_record(session: AsyncSession, record_id: str) -> Record | None:
    """Lock a record until the transaction ends and return it as it is then, or None."""
    await session.execute(text("SELECT FROM registry.credit_record WHERE record_id = :id FOR UPDATE"), {"id": UUID(record_id)})
    return await find_record(session, record_id)


async def page_of_records(session: AsyncSession, stem: str, page: Page) -> list[tuple[Record, str]]:
    """Return records entered by divisions that begin with `stem`, newest first, each with its instant."""
    after = "" if page.after is None else " AND (r.entered_at, r.record_id) < (:at, :id)"
    where = f" WHERE starts_with(r.entered_by, :stem){after} ORDER BY r.entered_at DESC, r.record_id DESC LIMIT :fetch"
    parameters: dict[str, Any] = {"stem": stem, "fetch": page.fetch}
    if page.after is not None:
        parameters |= {"at": page.after[0], "id": page.after[1]}
    found = (await session.execute(text(_RECORDS + where), parameters)).all()
    return [(_record(row), row[4].isoformat()) for row in found]


def _record(row: Sequence[Any]) -> Record:
    record_id, kind, subject_id, entered_by, entered_at, version, content, appeal, referred_to, referred_on, ended_on = row
    return Record(
        record_id=record_id,
        subject=Subject(SubjectKind(kind), subject_id),
        entered_by=entered_by,
        entered_on=local_date(entered_at),
        version=version,
        content=stored_content(content),
        appeal=Appeal(appeal),
        referred_to=referred_to,
        referred_on=referred_on,
        ended_on=ended_on,
    )


async def versions(session: AsyncSession, record_id: str) -> Sequence[VersionRow]:
    """Return all versions of a record, oldest first."""
    found = select(VersionRow).where(VersionRow.record_id == UUID(record_id)).order_by(col(VersionRow.version))
    return (await session.exec(found)).all()


async def sanctions(session: AsyncSession, record_ids: Iterable[str]) -> dict[str, list[Sanction]]:
    """Return the sanctions that follow from records, by record."""
    wanted = [UUID(item) for item in record_ids]
    found = await session.exec(select(SanctionRow).where(col(SanctionRow.record_id).in_(wanted)).order_by(col(SanctionRow.id)))
    by_record: dict[str, list[Sanction]] = {}
    for row in found.all():
        by_record.setdefault(str(row.record_id), []).append(Sanction(Effect(row.effect), Period(row.since, row.until), row.rule))
    return by_record


async def enter(tx: Transaction, record: Record) -> tuple[Sanction, ...]:
    """Keep a new record; return the sanctions that follow from it."""
    row = RecordRow(
        record_id=UUID(record.record_id),
        subject_kind=record.subject.kind.value,
        subject_id=record.subject.id,
        entered_by=record.entered_by,
        entered_at=tx.now,
    )
    tx.session.add(row)
    await tx.session.flush()
    return await append(tx, record, Act.ENTER, "")


async def append(tx: Transaction, record: Record, act: Act, note: str) -> tuple[Sanction, ...]:
    """Add a version, bring the sanctions in force in line with it, and tell everyone that something changed. The record is locked."""
    in_use = rules.current()
    row = VersionRow(
        record_id=UUID(record.record_id),
        version=record.version,
        act=act.value,
        note=note,
        made_by=tx.caller.division,
        made_at=tx.now,
        content=content_stored(record.content),
        appeal=record.appeal.value,
        referred_to=record.referred_to,
        referred_on=record.referred_on,
        ended_on=record.ended_on,
        rules_version=in_use.version,
    )
    tx.session.add(row)
    if act in (Act.ENTER, Act.CORRECT, Act.END, Act.UPHOLD):
        following = sanctions_of(record, in_use)
        await _replace_sanctions(tx, record, following)
        await follow(tx, record, following, note)
        tx.emit(credit_changed(record.subject, tx.now))
        return following
    await tx.session.flush()
    return tuple((await sanctions(tx.session, [record.record_id])).get(record.record_id, ()))


async def _replace_sanctions(tx: Transaction, record: Record, following: tuple[Sanction, ...]) -> None:
    key = UUID(record.record_id)
    await tx.session.execute(delete(SanctionRow).where(col(SanctionRow.record_id) == key))
    tx.session.add_all(
        SanctionRow(
            record_id=key,
            subject_id=record.subject.id,
            effect=item.effect.value,
            reason=record.content.reason.value,
            since=item.period.since,
            until=item.period.until,
            rule=item.rule,
        )
        for item in following
    )
    await tx.session.flush()


# Entries without a record are older than the records.
_IN_FORCE = """
SELECT subject_id, effect, reason, since, until FROM registry.credit_sanction
WHERE subject_id = ANY(:ids) AND since <= :today AND (until IS NULL OR until > :today)
UNION ALL SELECT enterprise, 'BAR_VOUCHERS', 'OTHER', since, until FROM registry.negative_list
WHERE enterprise = ANY(:ids) AND record_id IS NULL AND since <= :today AND (until IS NULL OR until > :today)"""


async def in_force(session: AsyncSession, subjects: Iterable[Subject], today: date) -> dict[str, list[tuple[Effect, Reason, Period]]]:
    """Return the sanctions in force on subjects, by their ids. One statement, whoever is known and whoever is not."""
    found = await session.execute(text(_IN_FORCE), {"ids": [item.id for item in subjects], "today": today})
    by_subject: dict[str, list[tuple[Effect, Reason, Period]]] = {}
    for subject_id, effect, reason, since, until in found.all():
        by_subject.setdefault(subject_id, []).append((Effect(effect), Reason(reason), Period(since, until)))
    return by_subject
