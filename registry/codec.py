"""Providers, recognitions and entries of the negative list: messages to domain and back."""

from __future__ import annotations

from datetime import date

from hub.codec import enums
from hub.codec.events import POOL, Event, event
from hub.codec.fields import Fields
from hub.domain.model import Provider
from hub.domain.policy import Category
from registry.domain import Period, Recognition
from registry.tables import NegativeListRow
from yrd.credit.v1 import credit_pb2
from yrd.events.v1 import events_pb2
from yrd.registry.v1 import registry_pb2 as pb

NAME_CHARS_MAX = 200
REASON_CHARS_MAX = 500
RATING_MAX = 500
"""Hundredths: 5.00."""


def read_provider(message: pb.Provider, fields: Fields, at: str = "provider") -> Provider:
    """Read what a home province says of a provider. Categories may be empty: they serve search, admission is not per category (P3)."""
    return Provider(
        uscc=fields.uscc(f"{at}.uscc", message.uscc),
        name=fields.text(f"{at}.name", message.name, NAME_CHARS_MAX),
        home=fields.division(f"{at}.home", message.home),
        categories=_categories(message, fields, at),
        admitted_on=fields.date(f"{at}.admitted_on", message.admitted_on),
        rating=fields.between(f"{at}.rating", message.rating, 0, RATING_MAX),
    )


def _categories(message: pb.Provider, fields: Fields, at: str) -> tuple[Category, ...]:
    if len(set(message.categories)) < len(message.categories):
        fields.wrong(f"{at}.categories", "must list each category only once")
    return tuple(fields.enum(f"{at}.categories[{i}]", number, enums.CATEGORY_IN) for i, number in enumerate(message.categories))


def read_recognition(message: pb.Recognition, fields: Fields, at: str = "recognition") -> Recognition:
    """Read a recognition."""
    before = len(fields.violations)
    since = fields.date(f"{at}.valid_from", message.valid_from)
    until = fields.optional_date(f"{at}.valid_until", message.valid_until)
    # Dates that could not be read are placeholders: there is nothing to compare.
    if len(fields.violations) == before and until is not None and until <= since:
        fields.wrong(f"{at}.valid_until", "must be after valid_from")
    return Recognition(
        issuer=fields.division(f"{at}.issuer", message.issuer),
        provider=fields.uscc(f"{at}.provider", message.provider),
        period=Period(since, until),
        agreement=message.agreement,
    )


def provider_message(item: Provider) -> pb.Provider:
    """A provider as participants see it, standing included."""
    suspended = item.suspended_on is not None
    return pb.Provider(
        uscc=item.uscc,
        name=item.name,
        home=item.home,
        categories=[enums.CATEGORY_OUT[category] for category in item.categories],
        admitted_on=item.admitted_on.isoformat(),
        rating=item.rating,
        standing=pb.PROVIDER_STANDING_SUSPENDED if suspended else pb.PROVIDER_STANDING_GOOD,
        suspended_on=_date(item.suspended_on),
    )


def recognition_message(item: Recognition) -> pb.Recognition:
    """A recognition as participants see it."""
    return pb.Recognition(
        issuer=item.issuer,
        provider=item.provider,
        valid_from=item.period.since.isoformat(),
        valid_until=_date(item.period.until),
        agreement=item.agreement,
    )


def entry_message(row: NegativeListRow) -> credit_pb2.NegativeListEntry:
    """An entry of the negative list."""
    return credit_pb2.NegativeListEntry(
        enterprise=row.enterprise, since=row.since.isoformat(), until=_date(row.until), reason=row.reason, entered_by=row.entered_by
    )


def provider_changed(item: pb.Provider, cause: str) -> Event:
    """Tell everyone of a provider. The key is the provider, so that its changes stay in order."""
    return event(POOL, item.uscc, events_pb2.ProviderChanged(provider=item, cause=cause))


def recognition_changed(item: pb.Recognition) -> Event:
    """Tell everyone of a recognition; in order with the provider's own changes."""
    return event(POOL, item.provider, events_pb2.RecognitionChanged(recognition=item))


def _date(day: date | None) -> str:
    return day.isoformat() if day else ""
