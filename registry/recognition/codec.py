"""Recognitions, classes, agreements and verdicts: messages to domain and back."""

from __future__ import annotations

import re
from datetime import date, datetime

from google.protobuf.timestamp_pb2 import Timestamp

from hub.codec import enums
from hub.codec.encode import timestamp
from hub.codec.events import POOL, Event, event
from hub.codec.fields import Fields
from hub.domain.policy import Category
from registry.codec import NAME_CHARS_MAX, RATING_MAX
from registry.domain import Period
from registry.recognition.domain import AgreementTerms, ClassTerms, Recognition
from registry.recognition.tables import AgreementRow, ClassRecognitionRow, RecognitionRow
from yrd.common.v1 import types_pb2
from yrd.events.v1 import events_pb2
from yrd.registry.v1 import recognition_pb2 as pb
from yrd.registry.v1 import registry_pb2

_SHA256 = re.compile(r"[0-9a-f]{64}")


def read_recognition(message: registry_pb2.Recognition, fields: Fields, at: str = "recognition") -> Recognition:
    """Read a recognition."""
    period = _period(fields, f"{at}.valid_from", message.valid_from, f"{at}.valid_until", message.valid_until)
    return Recognition(
        issuer=fields.division(f"{at}.issuer", message.issuer),
        provider=fields.uscc(f"{at}.provider", message.provider),
        period=period,
        agreement=message.agreement,
        require_agreement=message.require_agreement,
    )


def read_class(message: pb.ClassRecognition, fields: Fields, at: str = "class_recognition") -> ClassTerms:
    """Read a recognition by class. One that asks for nothing is wrong: to recognise everyone is a policy's default."""
    home = fields.division(f"{at}.home", message.home) if message.home else ""
    category = fields.enum(f"{at}.category", message.category, enums.CATEGORY_IN) if message.category else None
    terms = ClassTerms(
        issuer=fields.division(f"{at}.issuer", message.issuer),
        home=home,
        category=category,
        min_rating=fields.between(f"{at}.min_rating", message.min_rating, 0, RATING_MAX),
        quality_listed=message.quality_listed,
        require_agreement=message.require_agreement,
        period=_period(fields, f"{at}.valid_from", message.valid_from, f"{at}.valid_until", message.valid_until),
    )
    if terms.boundless:
        fields.wrong(at, "must set a condition; to recognise every provider publish a policy with recognition default POOL")
    return terms


def read_agreement(message: pb.TripartiteAgreement, fields: Fields, today: date, at: str = "agreement") -> AgreementTerms:
    """Read a tripartite agreement. It was signed already."""
    period = _period(fields, f"{at}.signed_on", message.signed_on, f"{at}.valid_until", message.valid_until)
    if period.since > today:
        fields.wrong(f"{at}.signed_on", f"must not be after today, {today}")
    if not _SHA256.fullmatch(message.document_sha256):
        fields.wrong(f"{at}.document_sha256", "must be the SHA-256 of the signed document, 64 lower-case hexadecimal digits")
    return AgreementTerms(
        issuer=fields.division(f"{at}.issuer", message.issuer),
        number=fields.number(f"{at}.number", message.number),
        provider=fields.uscc(f"{at}.provider", message.provider),
        platform_division=fields.division(f"{at}.platform_division", message.platform_division),
        platform_name=fields.text(f"{at}.platform_name", message.platform_name, NAME_CHARS_MAX),
        document_sha256=message.document_sha256,
        period=period,
    )


def _period(fields: Fields, at: str, since: str, end_at: str, until: str) -> Period:
    before = len(fields.violations)
    period = Period(fields.date(at, since), fields.optional_date(end_at, until))
    # Dates that could not be read are placeholders: there is nothing to compare.
    if len(fields.violations) == before and period.until is not None and period.until <= period.since:
        fields.wrong(end_at, f"must be after {at.rsplit('.', 1)[-1]}")
    return period


def recognition_message(item: Recognition) -> registry_pb2.Recognition:
    """A recognition as participants see it."""
    return registry_pb2.Recognition(
        issuer=item.issuer,
        provider=item.provider,
        valid_from=item.period.since.isoformat(),
        valid_until=day(item.period.until),
        agreement=item.agreement,
        require_agreement=item.require_agreement,
    )


def recognition_of(row: RecognitionRow) -> Recognition:
    """A stored recognition."""
    return Recognition(row.issuer, row.provider, Period(row.valid_from, row.valid_until), row.agreement, row.require_agreement)


def class_message(row: ClassRecognitionRow) -> pb.ClassRecognition:
    """A recognition by class as participants see it."""
    return pb.ClassRecognition(
        class_id=str(row.class_id),
        issuer=row.issuer,
        home=row.home,
        category=enums.CATEGORY_OUT[Category(row.category)] if row.category else types_pb2.CATEGORY_UNSPECIFIED,
        min_rating=row.min_rating,
        quality_listed=row.quality_listed,
        require_agreement=row.require_agreement,
        valid_from=row.valid_from.isoformat(),
        valid_until=day(row.valid_until),
        entered_by=row.entered_by,
        entered_at=timestamp(row.entered_at),
        ended_by=row.ended_by,
        ended_at=_instant(row.ended_at),
        ended_reason=row.ended_reason,
    )


def agreement_message(row: AgreementRow) -> pb.TripartiteAgreement:
    """An agreement as its parties see it."""
    return pb.TripartiteAgreement(
        issuer=row.issuer,
        number=row.number,
        provider=row.provider,
        platform_division=row.platform_division,
        platform_name=row.platform_name,
        document_sha256=row.document_sha256,
        signed_on=row.signed_on.isoformat(),
        valid_until=day(row.valid_until),
        entered_by=row.entered_by,
        entered_at=timestamp(row.entered_at),
        ended_by=row.ended_by,
        ended_at=_instant(row.ended_at),
        ended_reason=row.ended_reason,
    )


def recognition_changed(item: registry_pb2.Recognition) -> Event:
    """Tell everyone of a recognition; in order with the provider's own changes."""
    return event(POOL, item.provider, events_pb2.RecognitionChanged(recognition=item))


def class_changed(item: pb.ClassRecognition) -> Event:
    """Tell everyone of a recognition by class; in order for each issuer."""
    return event(POOL, item.issuer, events_pb2.ClassRecognitionChanged(class_recognition=item))


def agreement_changed(item: pb.TripartiteAgreement) -> Event:
    """Tell everyone that an agreement stands or ended; in order with the provider's own changes. The document stays with its parties."""
    told = pb.TripartiteAgreement()
    told.CopyFrom(item)
    told.ClearField("document_sha256")
    return event(POOL, item.provider, events_pb2.AgreementChanged(agreement=told))


def day(value: date | None) -> str:
    """A date, empty where there is none."""
    return value.isoformat() if value else ""


def _instant(value: datetime | None) -> Timestamp | None:
    return timestamp(value) if value else None
