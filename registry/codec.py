"""Limits that all of the pool shares, and entries of the negative list."""

from __future__ import annotations

from datetime import date

from hub.codec import enums
from hub.domain.model import Provider
from yrd.registry.v1 import registry_pb2 as pb

NAME_CHARS_MAX = 200
REASON_CHARS_MAX = 500
RATING_MAX = 500
"""Hundredths: 5.00."""


def provider_message(item: Provider) -> pb.Provider:
    """A provider as clearing sees it: in good standing or not. What the pool knows of it is `registry.admission.codec`'s to say."""
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


def _date(day: date | None) -> str:
    return day.isoformat() if day else ""
