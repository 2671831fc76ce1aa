"""Records that stand more than once in one delivery: an earlier edition of what is ordered in time, or a contradiction of a snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from adapters.runtime.deciding import Verdict
from adapters.runtime.model import Adapter, Broken, Kind
from adapters.runtime.reasons import describe
from adapters.runtime.records import Delivered
from adapters.runtime.rows import Item, Place, row_of
from adapters.runtime.work import Work


class Repeats:
    """Says of a row what the other rows of its delivery with the same id make of it. It depends on the delivery alone.

    The delivery is gone through for repeated ids only when a row would change what is known: nearly every delivery says a record once, and
    a record that is said again says the same. `items` reads the delivery from its beginning; `resumed` says that reading goes on in the
    middle, after rows that another process judged.
    """

    def __init__(
        self, adapter: Adapter, delivery: int, items: Callable[[], Iterator[Item]], *, historic: bool = False, resumed: bool = False
    ) -> None:
        self._adapter, self._delivery, self._items, self._historic = adapter, delivery, items, historic
        self._found: dict[tuple[Kind, str], list[Delivered]] | None = self._look() if resumed else None

    def judge(self, work: Work, row: Delivered) -> Verdict | Broken | None:
        """Return UNCHANGED for a row that a later one takes the place of, a broken row for a contradiction, None where it counts."""
        changes = _changes(work, row)
        if self._found is None:
            if not changes:
                return None
            self._found = self._look()
        others = [each for each in self._found.get(row.record, ()) if each.row != row.row]
        if any(_takes_over(each, row) for each in others if each.row > row.row):
            return Verdict.UNCHANGED
        # Of a record that is new the first row counts. Of one that was known before, a later row is as good as an earlier one.
        after = changes and _known_before(work, row)
        against = [each for each in others if _contradicts(each, row) and (after or each.row < row.row)]
        other = next((each for each in against if not any(_takes_over(later, each) for later in others if later.row > each.row)), None)
        if other is None:
            return None
        zh, en = describe("DUPLICATE_ID", f"{other.file}:{other.line}")
        edition = row.edition
        return Broken(row.file, row.line, edition.id_field, "DUPLICATE_ID", zh, en, edition.native_id, edition.native_id)

    def _look(self) -> dict[tuple[Kind, str], list[Delivered]]:
        """Return the usable rows of every record that stands more than once."""
        first: dict[tuple[Kind, str], int] = {}
        repeated: set[int] = set()
        for number, item in enumerate(self._items()):
            if not isinstance(item, Broken):
                before = first.setdefault((item[0].kind, item[0].native_id), number)
                if before != number:
                    repeated |= {before, number}
        found: dict[tuple[Kind, str], list[Delivered]] = {}
        for number, item in enumerate(self._items()) if repeated else ():
            if number in repeated:
                row = row_of(self._adapter, Place(self._delivery, number, self._historic), item)
                if isinstance(row.item, Delivered):
                    found.setdefault(row.item.record, []).append(row.item)
        return found


def _changes(work: Work, row: Delivered) -> bool:
    """Say whether a row says something else than what is known of its record, sent or waiting."""
    known, parked, edition = work.of(row.record), work.waiting(row.record), row.edition
    if known is not None and edition.historic and not known.historic:
        return False  # history never overrides what the live feed said
    said = (edition.digest, edition.deleted)
    return (known is not None and (known.digest, known.deleted) != said) or (
        parked is not None and (parked.edition.digest, parked.edition.deleted) != said
    )


def _known_before(work: Work, row: Delivered) -> bool:
    known, parked = work.of(row.record), work.waiting(row.record)
    return any(each is not None and each.delivery != row.delivery for each in (known, parked))


def _takes_over(later: Delivered, row: Delivered) -> bool:
    """A row that says so takes the place of what stands before it; a withdrawal does, and so does what comes after one."""
    return later.revises or later.edition.deleted or row.edition.deleted


def _contradicts(other: Delivered, row: Delivered) -> bool:
    """Which of two rows holds is not guessed. A withdrawal is no contradiction, nor is a row that says that it changes another."""
    return not (row.revises or row.edition.deleted or other.edition.deleted) and other.edition.digest != row.edition.digest
