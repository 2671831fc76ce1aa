"""What clearing reads of a record: rows of the negative list and periods out of good standing, in line with it in its own transaction."""

from __future__ import annotations

from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import text

from hub.application.transaction import Transaction
from registry.credit.domain import Effect, Record, Sanction
from registry.domain import Period


class _Kept(NamedTuple):
    """Where clearing reads an effect: the statement that adds a row, which adds none for a provider that is in no pool."""

    table: str
    add: str


_KEPT = {
    Effect.BAR_VOUCHERS: _Kept(
        "registry.negative_list",
        "INSERT INTO registry.negative_list (enterprise, since, until, reason, entered_by, ended_by, ended_reason, record_id) "
        "VALUES (:subject, :since, :until, :reason, :by, '', '', :record)",
    ),
    # No reinstatement ends a period of the kind CREDIT: only the record does.
    Effect.SUSPEND_PROVIDER: _Kept(
        "registry.suspension",
        "INSERT INTO registry.suspension (provider, since, until, reason, entered_by, ended_by, ended_reason, kind, record_id) "
        "SELECT uscc, CAST(:since AS date), CAST(:until AS date), CAST(:reason AS text), CAST(:by AS text), '', '', 'CREDIT', "
        "CAST(:record AS uuid) FROM registry.provider WHERE uscc = :subject",
    ),
}


async def follow(tx: Transaction, record: Record, following: tuple[Sanction, ...], note: str) -> None:
    """End today what is no longer so, add what is new; what stays is left alone."""
    if not record.subject.is_organisation:
        return
    for effect, kept in _KEPT.items():
        wanted = {item.period for item in following if item.effect is effect}
        known = await _live(tx, kept.table, record.record_id)
        gone = [row_id for row_id, period in known.items() if period not in wanted]
        if gone:
            await _end(tx, kept.table, gone, note)
        new = [period for period in wanted - set(known.values()) if period.until is None or period.until > tx.today]
        for period in sorted(new, key=lambda item: (item.since, item.until or date.max)):
            await tx.session.execute(text(kept.add), _values(record, period))


async def _live(tx: Transaction, table: str, record_id: str) -> dict[int, Period]:
    statement = f"SELECT id, since, until FROM {table} WHERE record_id = :record AND (until IS NULL OR until > :today)"
    found = await tx.session.execute(text(statement), {"record": UUID(record_id), "today": tx.today})
    return {row_id: Period(since, until) for row_id, since, until in found.all()}


async def _end(tx: Transaction, table: str, ids: list[int], note: str) -> None:
    statement = (
        f"UPDATE {table} SET until = greatest(since, CAST(:today AS date)), ended_by = :by, ended_reason = :note WHERE id = ANY(:ids)"
    )
    await tx.session.execute(text(statement), {"today": tx.today, "by": tx.caller.division, "note": note, "ids": ids})


def _values(record: Record, period: Period) -> dict[str, Any]:
    return {
        "subject": record.subject.id,
        "since": period.since,
        "until": period.until,
        "reason": record.content.text,
        "by": record.entered_by,
        "record": UUID(record.record_id),
    }
