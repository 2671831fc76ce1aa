"""Providers and their changes: messages to domain and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, TypeVar

from hub.codec import encode, enums
from hub.codec.events import POOL, Event, event
from hub.codec.fields import Fields
from hub.domain.policy import Category
from registry.admission.domain import Cause, Member, Standing
from registry.admission.tables import ProviderVersionRow
from registry.codec import NAME_CHARS_MAX, RATING_MAX
from yrd.events.v1 import events_pb2
from yrd.registry.v1 import registry_pb2 as pb

T = TypeVar("T")

_STANDING = {
    Standing.GOOD: pb.PROVIDER_STANDING_GOOD,
    Standing.SUSPENDED: pb.PROVIDER_STANDING_SUSPENDED,
    Standing.LAPSED: pb.PROVIDER_STANDING_LAPSED,
    Standing.REMOVED: pb.PROVIDER_STANDING_REMOVED,
}


def named(wrapper: Any, prefix: str, member: Callable[[str], T]) -> dict[Any, T]:
    """Members of the domain by the number of the enum value that is named like them."""
    return {number: member(name.removeprefix(prefix)) for name, number in wrapper.items() if number}


def read_provider(message: pb.Provider, fields: Fields, at: str = "provider") -> Member:
    """Read what a home province says of a provider. Categories may be empty: they serve search, admission is not per category (P3)."""
    read = Member(
        uscc=fields.uscc(f"{at}.uscc", message.uscc),
        name=fields.text(f"{at}.name", message.name, NAME_CHARS_MAX),
        home=fields.division(f"{at}.home", message.home),
        categories=read_categories(message.categories, fields, f"{at}.categories"),
        admitted_on=fields.date(f"{at}.admitted_on", message.admitted_on),
        rating=fields.between(f"{at}.rating", message.rating, 0, RATING_MAX),
        valid_until=fields.optional_date(f"{at}.valid_until", message.valid_until),
    )
    # Dates that could not be read are placeholders: there is nothing to compare.
    if not fields.violations and read.valid_until is not None and read.valid_until <= read.admitted_on:
        fields.wrong(f"{at}.valid_until", "must be after admitted_on")
    return read


def read_categories(numbers: Sequence[int], fields: Fields, at: str) -> tuple[Category, ...]:
    """Read categories, each only once."""
    if len(set(numbers)) < len(numbers):
        fields.wrong(at, "must list each category only once")
    return tuple(fields.enum(f"{at}[{i}]", number, enums.CATEGORY_IN) for i, number in enumerate(numbers))


def provider_message(item: Member, day: date) -> pb.Provider:
    """A provider as participants see it, with its standing on a day."""
    return pb.Provider(
        uscc=item.uscc,
        name=item.name,
        home=item.home,
        categories=[enums.CATEGORY_OUT[category] for category in item.categories],
        admitted_on=item.admitted_on.isoformat(),
        rating=item.rating,
        standing=_STANDING[item.standing(day)],
        suspended_on=text_of(item.suspended_on),
        valid_until=text_of(item.valid_until),
        removed_on=text_of(item.removed_on),
    )


def provider_changed(item: pb.Provider, cause: Cause) -> Event:
    """Tell everyone of a provider. The key is the provider, so that its changes stay in order."""
    return event(POOL, item.uscc, events_pb2.ProviderChanged(provider=item, cause=cause.value))


def member_of(row: ProviderVersionRow) -> Member:
    """The provider as a change left it."""
    return Member(
        uscc=row.provider,
        name=row.name,
        home=row.home,
        categories=tuple(Category(name) for name in row.categories),
        admitted_on=row.admitted_on,
        rating=row.rating,
        valid_until=row.valid_until,
        suspended_on=row.suspended_on,
        removed_on=row.removed_on,
    )


def change_message(row: ProviderVersionRow) -> pb.ProviderChange:
    """A change as participants see it."""
    return pb.ProviderChange(
        change_id=row.version_id or 0,
        cause=row.cause,
        provider=provider_message(member_of(row), row.effective_on),
        effective_on=row.effective_on.isoformat(),
        recorded_at=encode.timestamp(row.recorded_at),
        participant_id=row.participant_id,
        division=row.division,
        reason=row.reason,
        application_id=str(row.application_id) if row.application_id else "",
    )


def text_of(day: date | None) -> str:
    """A date in a message; empty for none."""
    return day.isoformat() if day else ""
