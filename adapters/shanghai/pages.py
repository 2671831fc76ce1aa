"""What a page is: an object with a list `data`, and what stands around it. Items are looked at later, one by one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Page:
    """A page's head. `items` counts; `changed_at` is when the platform changed them, which it says of those it posts."""

    items: int
    next: str
    resource: str
    changed_at: datetime | None


def head_of(body: bytes) -> Page:
    """Return the head of a page; raise ValueError, saying what is wrong, for anything else."""
    try:
        page = json.loads(body.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"not JSON in UTF-8 ({type(error).__name__})") from None
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        raise ValueError("no list `data`")
    texts = [page.get(name, "") for name in ("next", "resource", "changedAt")]
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("`next`, `resource` or `changedAt` is no text")
    following, resource, said = texts
    at = datetime.fromisoformat(said) if said else None
    if at is not None and at.tzinfo is None:
        raise ValueError("`changedAt` has no offset")
    return Page(len(page["data"]), following, resource, at)
