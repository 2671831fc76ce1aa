"""What a run would do: everything is read, mapped and decided upon as it would be, and nothing is written, sent or acknowledged."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict

from adapters.runtime.deciding import Verdict, before_of, decide
from adapters.runtime.deliveries import Landed
from adapters.runtime.effects import unpacked
from adapters.runtime.follow import Send, steps
from adapters.runtime.model import PHASE_OF, Adapter, Broken, Kind, Mapped
from adapters.runtime.queueing import ORDER
from adapters.runtime.reading import kinds_in, records_in
from adapters.runtime.records import Delivered, Known
from adapters.runtime.repeats import Repeats
from adapters.runtime.rows import Place, Row, row_of
from adapters.runtime.source import Delivery
from adapters.runtime.state import State
from adapters.runtime.vanishing import missing_rows
from adapters.runtime.work import Work

CHUNK = 500


class What(StrEnum):
    """What would happen to a record."""

    NEW = "NEW"
    CHANGED = "CHANGED"
    WITHDRAWN = "WITHDRAWN"
    UNCHANGED = "UNCHANGED"
    WAITING = "WAITING"
    QUARANTINED = "QUARANTINED"


@dataclass(frozen=True, slots=True)
class Change:
    """A record, and what would happen to it. `commands` are the methods that would be sent, in order; `fields` (name, before, after)."""

    kind: str
    native_id: str
    what: What
    file: str
    line: str
    commands: tuple[str, ...] = ()
    fields: tuple[tuple[str, str, str], ...] = ()
    reason: str = ""
    zh: str = ""
    en: str = ""

    def as_dict(self) -> dict[str, object]:
        """Return it as plain data."""
        changed = [{"field": name, "before": before, "after": after} for name, before, after in self.fields]
        plain = {name: getattr(self, name) for name in ("kind", "native_id", "what", "file", "line", "reason", "zh", "en")}
        return {**plain, "what": self.what.value, "commands": list(self.commands), "fields": changed}


@dataclass(slots=True)
class Forecast:
    """Counts by kind and by what would happen, and every record to which something would."""

    counts: Counter[tuple[str, What]] = field(default_factory=Counter)
    changes: list[Change] = field(default_factory=list)
    rows: int = 0

    @property
    def quarantined(self) -> int:
        """Rows that would go into quarantine."""
        return sum(count for (_, what), count in self.counts.items() if what is What.QUARANTINED)

    def as_dict(self) -> dict[str, object]:
        """Return it as plain data."""
        kinds: dict[str, dict[str, int]] = {}
        for (kind, what), count in sorted(self.counts.items()):
            kinds.setdefault(kind or "?", {})[what.value] = count
        return {"rows": self.rows, "kinds": kinds, "changes": [change.as_dict() for change in self.changes]}


class DryLanding:
    """Implements `source.Landing` in a folder that is thrown away; cursors begin where the adapter's own stand and are not kept."""

    def __init__(self, folder: Path, state: State, *, prefix: str = "", historic: bool = False) -> None:
        self._folder, self._state, self._prefix, self._historic = folder, state, prefix, historic
        self._cursors: dict[str, str] = {}
        self._digests: dict[str, str] = {}
        self.landed: list[tuple[Delivery, bool]] = []

    def part(self, name: str) -> Path:
        """Return where the bytes of an unfinished delivery are gathered."""
        path = self._folder / "parts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def put(self, name: str, content: Path | Iterable[bytes], *, cursor: tuple[str, str] | None = None) -> Delivery | None:
        """Keep a delivery for the forecast, unless these bytes landed last under this name."""
        number = self._state.deliveries.last_number() + len(self.landed) + 1
        path = self._folder / str(number) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Path):
            content.rename(path)
        else:
            path.write_bytes(b"".join(content))
        if cursor is not None:
            self.keep(*cursor)
        digest = digest_of_file(path)
        if digest == (self._digests.get(name) or self._state.deliveries.last_digest(name)):
            return None
        self._digests[name] = digest
        delivery = Delivery(number, name, path, digest)
        self.landed.append((delivery, self._historic))
        return delivery

    def cursor(self, key: str) -> str:
        """Return what was last kept under a key, here or by the adapter."""
        return self._cursors.get(key) or self._state.cursor(self._prefix + key)

    def keep(self, key: str, value: str) -> None:
        """Keep a cursor for the length of the forecast."""
        self._cursors[key] = value


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def waiting(state: State, where: Callable[[Landed], Delivery]) -> list[tuple[Delivery, bool]]:
    """Return the deliveries that landed and are not wholly read: a run would begin with them."""
    return [(where(landed), landed.historic) for landed in state.deliveries.waiting(1_000_000)]


def forecast(
    adapter: Adapter,
    state: State,
    deliveries: Sequence[tuple[Delivery, bool]],
    now: str,
    progress: Callable[[int, int], None] | None = None,
) -> Forecast:
    """Say what taking these deliveries in would do, in the order of their phases. Nothing is written: the work is thrown away."""
    found = Forecast()
    work = Work(state, adapter.name, now)
    in_order = sorted(deliveries, key=lambda each: min((ORDER[PHASE_OF[kind]] for kind in kinds_in(adapter, each[0].name)), default=0))
    for count, (delivery, historic) in enumerate(in_order, start=1):
        rows = _rows(adapter, delivery, historic)
        repeats = Repeats(adapter, delivery.number, partial(records_in, adapter, delivery.path, delivery.name), historic=historic)
        while chunk := list(islice(rows, CHUNK)):
            editions = [row.item for row in chunk if isinstance(row.item, Delivered)]
            work.load([each.record for each in editions], authorizations=[each.refers_to for each in editions if each.refers_to])
            for row in chunk:
                _add(found, _change(adapter, work, row, repeats))
        for kind, broken in _gone(adapter, state, delivery, historic=historic):
            _add(found, _unusable(kind.value, broken))
        if progress is not None:
            progress(count, len(deliveries))
    return found


def _rows(adapter: Adapter, delivery: Delivery, historic: bool) -> Iterator[Row]:
    if kinds_in(adapter, delivery.name):
        for number, item in enumerate(records_in(adapter, delivery.path, delivery.name)):
            yield row_of(adapter, Place(delivery.number, number, historic), item)


def _gone(adapter: Adapter, state: State, delivery: Delivery, *, historic: bool) -> list[tuple[Kind, Broken]]:
    if not kinds_in(adapter, delivery.name):
        return []
    landed = Landed(delivery.number, delivery.name, delivery.digest, "", "LANDED", 0, 0, 0, 0, 0, "", False, False, historic)
    return missing_rows(adapter, state.db, landed, records_in(adapter, delivery.path, delivery.name))


def _add(found: Forecast, change: Change) -> None:
    found.rows += 1
    found.counts[(change.kind, change.what)] += 1
    if change.what is not What.UNCHANGED:
        found.changes.append(change)


def _change(adapter: Adapter, work: Work, row: Row, repeats: Repeats) -> Change:
    broken = row.item if isinstance(row.item, Broken) else repeats.judge(work, row.item)
    if isinstance(broken, Broken):
        return _unusable(row.kind or "", broken)
    assert isinstance(row.item, Delivered)
    delivered, edition = row.item, row.item.edition
    if broken is Verdict.UNCHANGED:
        return Change(edition.kind.value, edition.native_id, What.UNCHANGED, delivered.file, delivered.line)
    place = (edition.kind.value, edition.native_id)
    known = work.of(delivered.record)
    way = steps(edition, before_of(work, known) if known else None)
    commands = tuple(each.method for each in way if isinstance(each, Send)) if isinstance(way, list) else ()
    verdict = decide(work, delivered)
    if verdict is Verdict.QUARANTINED:
        held = work.held_of(delivered.record)
        said = (held.reason_code, held.reason_zh, held.reason_en) if held else ("", "", "")
        return Change(*place, What.QUARANTINED, delivered.file, delivered.line, (), (), *said)
    if verdict is Verdict.UNCHANGED:
        return Change(*place, What.UNCHANGED, delivered.file, delivered.line)
    if edition.deleted:
        return Change(*place, What.WITHDRAWN, delivered.file, delivered.line, commands)
    if known is None:
        return Change(*place, What.NEW, delivered.file, delivered.line, commands or (edition.method,))
    if verdict is Verdict.PARKED:
        return Change(*place, What.WAITING, delivered.file, delivered.line, commands, _fields(adapter, known, delivered))
    return Change(*place, What.CHANGED, delivered.file, delivered.line, commands, _fields(adapter, known, delivered))


def _unusable(kind: str, broken: Broken) -> Change:
    said = (broken.reason_code, broken.reason_zh, broken.reason_en)
    return Change(kind, broken.native_id, What.QUARANTINED, broken.file, broken.line, (), (), *said)


def _fields(adapter: Adapter, known: Known, delivered: Delivered) -> tuple[tuple[str, str, str], ...]:
    """Return the fields in which an edition differs from what the hub holds, in native words where the format can say both."""
    edition = delivered.edition
    if not known.held or not edition.request:
        return ()
    before, after = (_said(adapter, delivered, request) for request in (known.held, edition.request))
    names = dict.fromkeys((*before, *after))
    return tuple((name, before.get(name, ""), after.get(name, "")) for name in names if before.get(name, "") != after.get(name, ""))


def _said(adapter: Adapter, delivered: Delivered, request: bytes) -> dict[str, str]:
    edition = delivered.edition
    message = unpacked(edition.method, request)
    mapped = Mapped(edition.method, message, edition.key, edition.native_id, delivered.refers_to, delivered.refers_field)
    if adapter.unmap is not None:
        try:
            return dict(adapter.unmap(edition.kind, mapped))
        except ValueError:
            pass  # the native form cannot say what the hub holds; the contract's own words can
    return dict(_flat("", MessageToDict(message, preserving_proto_field_name=True)))


def _flat(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _flat(f"{name}[{index}]", inner)
    else:
        yield name, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
