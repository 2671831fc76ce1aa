"""Loading rows into the catalogue: whichever way a file comes in, its rows pass here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from hub.application.transaction import Transaction
from hub.domain.refusals import RefusalCode
from registry.catalogue import domain, store
from registry.catalogue.columns import Problem, read_row
from registry.catalogue.domain import Entry
from registry.catalogue.events import changes_of, entries_changed
from registry.catalogue.files import Read

Key = tuple[str, str, str]


@dataclass(slots=True)
class Parsed:
    """A file read: its entries by row, in order, what is wrong, and how many rows hold data."""

    entries: dict[int, Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    rows: int = 0


@dataclass(slots=True)
class Loaded:
    """What came of rows. `failed` counts rows; one row may have several problems."""

    rows: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    failed: int = 0
    problems: list[Problem] = field(default_factory=list)

    def add(self, other: Loaded) -> None:
        """Count another part of the same file."""
        self.rows += other.rows
        self.created += other.created
        self.updated += other.updated
        self.unchanged += other.unchanged
        self.failed += other.failed
        self.problems.extend(other.problems)


class Parser:
    """Reads rows into entries. It knows the keys of the rows before, so that a key that comes twice in a file is reported."""

    def __init__(self) -> None:
        self._rows: dict[Key, int] = {}

    def parse(self, rows: Iterable[Read]) -> Parsed:
        """Return what rows say."""
        parsed = Parsed()
        for number, cells in rows:
            # A problem of the heading belongs to no row of data.
            parsed.rows += not isinstance(cells, Problem) or number > 1 or cells.code is not RefusalCode.UNKNOWN_FIELD
            if isinstance(cells, Problem):
                parsed.problems.append(cells)
                continue
            entry = read_row(number, cells)
            if isinstance(entry, list):
                parsed.problems.extend(entry)
            elif entry.key in self._rows:
                parsed.problems.append(_twice(number, self._rows[entry.key]))
            else:
                self._rows[entry.key] = number
                parsed.entries[number] = entry
        return parsed


async def load(tx: Transaction, parsed: Parsed) -> Loaded:
    """Write the entries that the caller may write and leave their events; whatever else is wrong with a row is added to the problems."""
    homes = await store.homes_of(tx.session, (entry.provider for entry in parsed.entries.values()))
    merged = await store.merged_keys(tx.session, [entry.key for entry in parsed.entries.values()])
    problems, good = list(parsed.problems), list[Entry]()
    for number, entry in parsed.entries.items():
        problem = _refused(tx, number, entry, homes.get(entry.provider), merged.get(entry.key))
        if problem is None:
            good.append(entry)
        else:
            problems.append(problem)
    stamp = store.Stamp(tx.now, tx.caller.participant_id, "Import")
    written = await store.write(tx.session, [(entry, homes[entry.provider]) for entry in good], stamp)
    _tell(tx, written, homes)
    created = sum(item.version == 1 for item in written)
    problems.sort(key=lambda problem: problem.row)
    return Loaded(
        rows=parsed.rows,
        created=created,
        updated=len(written) - created,
        unchanged=len(good) - len(written),
        failed=parsed.rows - len(good),
        problems=problems,
    )


def _tell(tx: Transaction, written: list[store.Written], homes: dict[str, str]) -> None:
    by_home: dict[str, list[store.Written]] = defaultdict(list)
    for item in written:
        by_home[homes[item.provider][:2]].append(item)
    for items in by_home.values():
        for event in entries_changed(homes[items[0].provider], changes_of(items), "Import", tx.now):
            tx.emit(event)


def _refused(tx: Transaction, number: int, entry: Entry, home: str | None, merged_into: int | None) -> Problem | None:
    if home is None:
        return Problem(number, "provider", RefusalCode.PROVIDER_NOT_FOUND, "服务机构未入库", "the provider is not in the pool")
    if not domain.answers_for(tx.caller, entry.provider, home):
        return Problem(
            number, "provider", RefusalCode.NOT_PERMITTED, "该服务机构不属于导入方", "the provider is not one that the caller answers for"
        )
    if merged_into is not None:
        zh, en = f"该条目已并入 {merged_into}", f"the entry was merged into {merged_into}"
        return Problem(number, "code", RefusalCode.INVALID_STATE, zh, en, "请变更并入后的条目", "Change the entry it was merged into")
    return None


def _twice(number: int, first: int) -> Problem:
    return Problem(
        number,
        "code",
        RefusalCode.ALREADY_EXISTS,
        f"与第 {first} 行的服务机构、类型和编号相同",
        f"provider, kind and code are those of row {first}",
        "请合并两行或改用不同编号",
        "Make one row of the two, or give one another code",
    )
