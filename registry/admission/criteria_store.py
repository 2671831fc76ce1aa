"""Admission criteria as they are stored: never edited."""

from __future__ import annotations

from datetime import date

from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.codec.fields import Fields
from registry.admission import criteria
from registry.admission.criteria import Criteria
from registry.admission.criteria_codec import read_criteria
from registry.admission.tables import CriteriaRow
from yrd.registry.v1 import admission_pb2 as pb


async def of_version(session: AsyncSession, division: str, version: str) -> CriteriaRow | None:
    """Return the criteria of a version, or None."""
    return (await session.exec(select(CriteriaRow).where(CriteriaRow.division == division, CriteriaRow.version == version))).first()


async def row_in_force(session: AsyncSession, division: str, day: date) -> CriteriaRow | None:
    """Return the criteria of a province in force on a day, or None."""
    rows = {}
    for row in (await session.exec(select(CriteriaRow).where(CriteriaRow.division == division))).all():
        rows[stored(row)] = row
    found = criteria.in_force(rows, day)
    return rows[found] if found else None


async def in_force(session: AsyncSession, division: str, day: date) -> Criteria | None:
    """Return the criteria of a province in force on a day, decoded, or None."""
    row = await row_in_force(session, division, day)
    return stored(row) if row else None


async def by_id(session: AsyncSession, criteria_id: int) -> Criteria:
    """Return criteria that are known to be there."""
    return stored(await session.get_one(CriteriaRow, criteria_id))


def stored(row: CriteriaRow) -> Criteria:
    """Decode stored criteria; they were checked when they were published."""
    return read_criteria(pb.AdmissionCriteria.FromString(row.body), Fields())
