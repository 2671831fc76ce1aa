"""Reads, locks and writes of recognitions, classes and agreements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

from sqlalchemy import func, text, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from hub.application.keyset import Page
from registry.recognition.domain import AgreementTerms, ClassTerms, Recognition
from registry.recognition.tables import AgreementRow, ClassRecognitionRow, RecognitionRow

CLASSES_LOCK = 7_311
"""First key of the advisory locks on an issuer's classes; the second is its division."""


async def lock_providers(session: AsyncSession, uscc: Sequence[str]) -> set[str]:
    """Lock providers' rows, in order of their codes, until the transaction ends; return those that exist."""
    statement = text("SELECT uscc FROM registry.provider WHERE uscc = ANY(:uscc) ORDER BY uscc FOR NO KEY UPDATE")
    return set((await session.execute(statement, {"uscc": sorted(set(uscc))})).scalars())


async def recognitions_of(session: AsyncSession, issuers: Sequence[str], providers: Sequence[str]) -> Sequence[RecognitionRow]:
    """Return all recognitions of these providers by these issuers, past ones included, by provider and first day."""
    among = (col(RecognitionRow.issuer).in_(issuers), col(RecognitionRow.provider).in_(providers))
    order = (col(RecognitionRow.provider), col(RecognitionRow.valid_from), col(RecognitionRow.id))
    return (await session.exec(select(RecognitionRow).where(*among).order_by(*order))).all()


async def page_of_recognitions(session: AsyncSession, issuer: str, page: Page) -> Sequence[RecognitionRow]:
    """Return recognitions of an issuer by provider, then first day, then age."""
    order = (col(RecognitionRow.provider), col(RecognitionRow.valid_from), col(RecognitionRow.id))
    statement = select(RecognitionRow).where(RecognitionRow.issuer == issuer).order_by(*order).limit(page.fetch)
    if page.after is not None:
        statement = statement.where(tuple_(*order) > page.after)
    return (await session.exec(statement)).all()


def recognition_row(item: Recognition, entered_by: str, now: datetime) -> RecognitionRow:
    """A recognition to be stored."""
    return RecognitionRow(
        issuer=item.issuer,
        provider=item.provider,
        valid_from=item.period.since,
        valid_until=item.period.until,
        agreement=item.agreement,
        require_agreement=item.require_agreement,
        entered_by=entered_by,
        entered_at=now,
    )


def end_row(row: RecognitionRow | ClassRecognitionRow | AgreementRow, until: date | None, ended_by: str, now: datetime) -> None:
    """End a row, keeping what was said before."""
    row.stated_until, row.valid_until = row.valid_until, until
    row.ended_by, row.ended_at = ended_by, now


async def lock_classes(session: AsyncSession, issuer: str) -> None:
    """Hold an issuer's classes until the transaction ends, so that two settings of one class are in order."""
    await session.execute(text("SELECT pg_advisory_xact_lock(:key, :issuer)"), {"key": CLASSES_LOCK, "issuer": int(issuer)})


async def class_like(session: AsyncSession, terms: ClassTerms) -> ClassRecognitionRow | None:
    """Return a class of the same terms that nobody ended."""
    row = ClassRecognitionRow
    until = col(row.valid_until)
    same = (
        row.issuer == terms.issuer,
        row.home == terms.home,
        row.category == (terms.category.value if terms.category else ""),
        row.min_rating == terms.min_rating,
        row.quality_listed == terms.quality_listed,
        row.require_agreement == terms.require_agreement,
        row.valid_from == terms.period.since,
        until.is_(None) if terms.period.until is None else until == terms.period.until,
        col(row.ended_at).is_(None),
    )
    return (await session.exec(select(row).where(*same))).first()


async def count_classes(session: AsyncSession, issuer: str, today: date) -> int:
    """Count an issuer's classes in force or to come."""
    until = col(ClassRecognitionRow.valid_until)
    left = (ClassRecognitionRow.issuer == issuer, until.is_(None) | (until > today))
    return (await session.exec(select(func.count()).select_from(ClassRecognitionRow).where(*left))).one()


def class_row(class_id: str, terms: ClassTerms, entered_by: str, now: datetime) -> ClassRecognitionRow:
    """A class to be stored."""
    return ClassRecognitionRow(
        class_id=UUID(class_id),
        issuer=terms.issuer,
        home=terms.home,
        category=terms.category.value if terms.category else "",
        min_rating=terms.min_rating,
        quality_listed=terms.quality_listed,
        require_agreement=terms.require_agreement,
        valid_from=terms.period.since,
        valid_until=terms.period.until,
        entered_by=entered_by,
        entered_at=now,
    )


async def locked_class(session: AsyncSession, class_id: str) -> ClassRecognitionRow | None:
    """Return a class, locked."""
    statement = select(ClassRecognitionRow).where(ClassRecognitionRow.class_id == UUID(class_id)).with_for_update()
    return (await session.exec(statement)).first()


async def classes_of(session: AsyncSession, issuers: Sequence[str]) -> Sequence[ClassRecognitionRow]:
    """Return all classes of these issuers, past ones included."""
    order = (col(ClassRecognitionRow.valid_from), col(ClassRecognitionRow.class_id))
    return (await session.exec(select(ClassRecognitionRow).where(col(ClassRecognitionRow.issuer).in_(issuers)).order_by(*order))).all()


async def page_of_classes(session: AsyncSession, issuer: str, page: Page) -> Sequence[ClassRecognitionRow]:
    """Return classes of an issuer by first day, then id."""
    order = (col(ClassRecognitionRow.valid_from), col(ClassRecognitionRow.class_id))
    statement = select(ClassRecognitionRow).where(ClassRecognitionRow.issuer == issuer).order_by(*order).limit(page.fetch)
    if page.after is not None:
        statement = statement.where(tuple_(*order) > page.after)
    return (await session.exec(statement)).all()


async def insert_agreement(session: AsyncSession, terms: AgreementTerms, entered_by: str, now: datetime) -> bool:
    """Insert an agreement; False where its number is taken, also by one who committed while we waited."""
    values = {
        "issuer": terms.issuer,
        "number": terms.number,
        "provider": terms.provider,
        "platform_division": terms.platform_division,
        "platform_name": terms.platform_name,
        "document_sha256": terms.document_sha256,
        "signed_on": terms.period.since,
        "valid_until": terms.period.until,
        "entered_by": entered_by,
        "entered_at": now,
        "ended_by": "",
        "ended_reason": "",
    }
    statement = insert(AgreementRow).values(values).on_conflict_do_nothing().returning(col(AgreementRow.number))
    return (await session.execute(statement)).first() is not None


async def find_agreement(session: AsyncSession, issuer: str, number: str) -> AgreementRow | None:
    """Return an agreement, or None."""
    return await session.get(AgreementRow, (issuer, number))


async def agreements_of(session: AsyncSession, issuers: Sequence[str], providers: Sequence[str]) -> Sequence[AgreementRow]:
    """Return all agreements between these issuers and providers, past ones included."""
    among = (col(AgreementRow.issuer).in_(issuers), col(AgreementRow.provider).in_(providers))
    return (await session.exec(select(AgreementRow).where(*among).order_by(col(AgreementRow.signed_on)))).all()


async def page_of_agreements(session: AsyncSession, issuer: str, provider: str, page: Page) -> Sequence[AgreementRow]:
    """Return agreements by issuer, then number; empty `issuer` or `provider` means all."""
    order = (col(AgreementRow.issuer), col(AgreementRow.number))
    statement = select(AgreementRow).order_by(*order).limit(page.fetch)
    if issuer:
        statement = statement.where(AgreementRow.issuer == issuer)
    if provider:
        statement = statement.where(AgreementRow.provider == provider)
    if page.after is not None:
        statement = statement.where(tuple_(*order) > page.after)
    return (await session.exec(statement)).all()
