"""Pages of a list in a fixed order: what was asked for, checked part by part before it reaches the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from hub.application.paging import LARGEST_PAGE, asked_by, asked_otherwise, page_size, read_token, write_token
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal, invalid

T = TypeVar("T")

_BIGINT_MAX = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Page:
    """At most `size` items after the position `after`; None starts at the beginning. `asked` says of which list."""

    size: int
    after: tuple[Any, ...] | None
    asked: str = ""

    @property
    def fetch(self) -> int:
        """How many rows to read: one more than asked for tells whether a next page exists."""
        return self.size + 1

    def cut(self, found: Sequence[T], position: Callable[[T], list[str]]) -> tuple[Sequence[T], str]:
        """Return the items of this page and the token of the next, empty on the last page."""
        shown = found[: self.size]
        return shown, write_token([self.asked, *position(shown[-1])]) if len(found) > self.size else ""


def word(part: str) -> str:
    """A part of a position that is text. Raises ValueError for what PostgreSQL cannot hold."""
    if "\x00" in part:
        raise ValueError("text holds no NUL")
    return part


def day(part: str) -> date:
    """A part of a position that is a date. Raises ValueError."""
    return date.fromisoformat(part)


def number(part: str) -> int:
    """A part of a position that is a row's number. Raises ValueError."""
    value = int(part)
    if not 0 <= value <= _BIGINT_MAX:
        raise ValueError("no row has that number")
    return value


def read_page(caller: Caller, request: Any, *parts: Callable[[str], Any], largest: int = LARGEST_PAGE) -> Page | Refusal:
    """Return the page that a request asks for by its `page_size` and `page_token`.

    INVALID_ARGUMENT naming the field where the size is negative, or the token is not one of this list.
    """
    size, position = page_size(request.page_size, largest=largest), read_token(request.page_token, 1 + len(parts))
    if isinstance(size, Refusal):
        return size
    if isinstance(position, Refusal):
        return position
    asked = asked_by(caller, request)
    if position is None:
        return Page(size, None, asked)
    if position[0] != asked:
        return asked_otherwise()
    try:
        after = tuple(read(part) for read, part in zip(parts, position[1:], strict=True))
    except ValueError:
        return invalid("page_token", "is not a token of this list; start again without one")
    return Page(size, after, asked)
