"""Parts of page positions that only lists of the pool have."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID


def instant(part: str) -> datetime:
    """An instant with its zone. Raises ValueError."""
    value = datetime.fromisoformat(part)
    if value.tzinfo is None:
        raise ValueError("an instant has a zone")
    return value


def identifier(part: str) -> UUID:
    """An id. Raises ValueError."""
    return UUID(part)
