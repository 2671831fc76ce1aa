"""Reconciliation of a province, to the record: what it delivered, what became of it, what the hub holds, what the province was told. Pure.

Four accounts are compared: the native records, read anew from the deliveries kept; the adapter's memory; the hub's ledger, asked under the
province's own identity; and the result files, read back from the native form. Each record has exactly one fate, and what has none is a
difference. A record that is refused, quarantined or still waited for is explained, and so is no difference.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from adapters.runtime.model import Kind


class Fate(StrEnum):
    """What became of a native record."""

    ACCEPTED = "ACCEPTED"
    REFUSED = "REFUSED"
    QUARANTINED = "QUARANTINED"
    SET_ASIDE = "SET_ASIDE"
    SUPERSEDED = "SUPERSEDED"
    REPEATED = "REPEATED"
    NOTHING = "NOTHING"
    UNANSWERED = "UNANSWERED"
    WAITING = "WAITING"
    UNEXPLAINED = "UNEXPLAINED"


class Fault(StrEnum):
    """Kinds of differences."""

    RECORD_LOST = "RECORD_LOST"
    EDITION_NOT_SENT = "EDITION_NOT_SENT"
    RECORD_UNKNOWN = "RECORD_UNKNOWN"
    DELIVERY_MISSING = "DELIVERY_MISSING"
    DELIVERY_UNKNOWN = "DELIVERY_UNKNOWN"
    REDEMPTION_MISSING = "REDEMPTION_MISSING"
    REDEMPTION_DOUBLED = "REDEMPTION_DOUBLED"
    REDEMPTION_UNKNOWN = "REDEMPTION_UNKNOWN"
    ORDER_DIFFERS = "ORDER_DIFFERS"
    RESULT_MISSING = "RESULT_MISSING"
    RESULT_DOUBLED = "RESULT_DOUBLED"
    RESULT_UNKNOWN = "RESULT_UNKNOWN"
    RESULT_DIFFERS = "RESULT_DIFFERS"
    OUTCOME_MISSING = "OUTCOME_MISSING"
    OUTCOME_DOUBLED = "OUTCOME_DOUBLED"
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    OUTCOME_DIFFERS = "OUTCOME_DIFFERS"
    SUM_DIFFERS = "SUM_DIFFERS"


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """What a native authorization or capture says that the ledger must say too. `amount_fen` is the sum of its lines, 0 without."""

    issuer: str = ""
    enterprise: str = ""
    provider: str = ""
    order_no: str = ""
    amount_fen: int = 0
    invoice_no: str = ""
    delivered_on: str = ""


@dataclass(frozen=True, slots=True)
class Native:
    """One native record as a delivery holds it. `reason` says why it cannot be used, and is empty where it can.

    `amount_fen` is its money: the face of the notes, or the sum of the lines. `refers_to` is the authorization that a capture is about.
    `historic`: the delivery came by a backfill, so a newer edition may have come before it.
    """

    delivery: int
    file: str
    line: str
    kind: Kind | None
    native_id: str
    digest: str = ""
    deleted: bool = False
    reason: str = ""
    amount_fen: int = 0
    order: OrderFacts | None = None
    refers_to: str = ""
    historic: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Kind and native id; a row without them stands for itself: it is the file's line."""
        return (self.kind or "", self.native_id) if self.native_id else (f"\0{self.file}", self.line)


@dataclass(frozen=True, slots=True)
class Remembered:
    """What the adapter's memory says of a record: its last command's edition, outcome (empty while unanswered) and redemption.

    `queued`: the command has not left. `holds`: something stands at the hub for the record. `never_sent`: it was withdrawn first.
    """

    digest: str
    outcome: str
    delivery: int = 0
    queued: bool = False
    holds: bool = False
    never_sent: bool = False
    redemption_id: str = ""
    file: str = ""
    line: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """The adapter's memory. `quarantine` is the reason by (delivery, line), `parked` the digest by record, `deliveries` the name by number.

    `set_aside`: as `quarantine`, of rows that a person gave up. `gone`: deliveries whose files are no longer kept, and cannot be read.
    """

    sent: Mapping[tuple[str, str], Remembered] = field(default_factory=dict)
    quarantine: Mapping[tuple[int, str], str] = field(default_factory=dict)
    parked: Mapping[tuple[str, str], str] = field(default_factory=dict)
    deliveries: Mapping[int, str] = field(default_factory=dict)
    unread: frozenset[int] = frozenset()
    gone: frozenset[int] = frozenset()
    set_aside: Mapping[tuple[int, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that does not fit, to the record. `expected` is what the native record or the ledger says, `found` what the other side."""

    fault: Fault
    kind: str = ""
    native_id: str = ""
    file: str = ""
    line: str = ""
    redemption_id: str = ""
    field: str = ""
    expected: str = ""
    found: str = ""


@dataclass(slots=True)
class Account:
    """What came of the comparison of deliveries and memory.

    `standing` is the edition of each record that the hub accepted and that nothing has replaced, `known` all records delivered.
    """

    deliveries: int = 0
    records: int = 0
    fates: dict[str, Counter[str]] = field(default_factory=dict)
    amounts_fen: dict[str, Counter[str]] = field(default_factory=dict)
    reasons: dict[str, Counter[str]] = field(default_factory=dict)
    standing: dict[tuple[str, str], Native] = field(default_factory=dict)
    known: set[tuple[str, str]] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)

    def count(self, fate: Fate, reason: str, native: Native) -> None:
        """Add one record."""
        kind = native.kind or "unreadable"
        self.records += 1
        self.fates.setdefault(kind, Counter())[fate] += 1
        self.amounts_fen.setdefault(kind, Counter())[fate] += native.amount_fen
        if reason:
            self.reasons.setdefault(fate, Counter())[reason] += 1


def account(natives: Iterable[Native], memory: Memory, *, until_delivery: int = 0) -> Account:
    """Give every native record its fate. `natives` come in the order of their deliveries.

    Deliveries after `until_delivery` (0: none) say only what was superseded: their own records are not counted.
    """
    found = Account()
    editions: dict[tuple[str, str], list[Native]] = {}
    latest: dict[str, int] = {}
    for native in natives:
        editions.setdefault(native.key, []).append(native)
        latest[native.file] = native.delivery
    for key, given in editions.items():
        nameless = not given[-1].native_id
        # Of a row without an id only its file can say whether it was mended, by coming again.
        replaced = nameless and latest[given[-1].file] > given[-1].delivery
        for native, fate, reason in _fates(given, memory, memory.sent.get(key), replaced=replaced):
            if until_delivery and native.delivery > until_delivery:
                continue
            found.count(fate, reason, native)
            if fate is Fate.ACCEPTED:
                found.standing[key] = native
            elif fate is Fate.UNEXPLAINED:
                found.differences.append(_unexplained(native, Fault(reason), memory.sent.get(key)))
    found.known = set(editions)
    numbers = {native.delivery for given in editions.values() for native in given}
    found.deliveries = sum(1 for number in numbers if not until_delivery or number <= until_delivery)
    found.differences += _unknown(editions, memory, numbers)
    return found


def _fates(given: list[Native], memory: Memory, known: Remembered | None, *, replaced: bool) -> Iterator[tuple[Native, Fate, str]]:
    """Yield each edition of a record with its fate and the reason: of the quarantine, the refusal, or the difference."""
    *earlier, last = _in_effect(given)
    fate, reason = (Fate.SUPERSEDED, "") if replaced else _fate(last, memory, known)
    yield last, fate, reason
    # Where the last edition is held back, an earlier one still stands at the hub.
    stands = fate not in (Fate.QUARANTINED, Fate.SET_ASIDE, Fate.WAITING)
    later = last
    for native in reversed(earlier):
        held = _held(native, memory, known)
        if held is not None:
            yield native, *held
            continue
        if not stands and known is not None and known.digest == native.digest:
            stands = True
            yield native, *_answered(known)
        else:
            same = native.digest == later.digest and not native.reason
            yield native, Fate.REPEATED if same else Fate.SUPERSEDED, ""
        later = native


def _in_effect(given: list[Native]) -> list[Native]:
    """Return editions in the order in which they count: history that came after the live feed counts for less than that."""
    live = next((at for at, native in enumerate(given) if not native.historic), None)
    if live is None:
        return given
    late = [native for native in given[live:] if native.historic]
    return [*given[:live], *late, *(native for native in given[live:] if not native.historic)] if late else given


def _fate(native: Native, memory: Memory, known: Remembered | None) -> tuple[Fate, str]:
    """Return the fate of a last edition, and the reason."""
    held = _held(native, memory, known)
    if held is not None:
        return held
    if native.delivery in memory.unread:
        return Fate.WAITING, "NOT_READ_YET"
    if native.reason:
        return Fate.UNEXPLAINED, Fault.RECORD_LOST
    if memory.parked.get(native.key) == native.digest:
        return Fate.WAITING, "PARKED"
    if known is None:
        return (Fate.NOTHING, "") if native.deleted else (Fate.UNEXPLAINED, Fault.RECORD_LOST)
    if known.digest != native.digest:
        if native.deleted and not known.holds:
            return Fate.NOTHING, ""
        return (Fate.SUPERSEDED, "") if native.historic else (Fate.UNEXPLAINED, Fault.EDITION_NOT_SENT)
    return _answered(known)


def _held(native: Native, memory: Memory, known: Remembered | None) -> tuple[Fate, str] | None:
    """Return the fate of a row that lies in quarantine, or that was set aside and not sent after all; None of any other."""
    place = (native.delivery, native.line)
    if place in memory.quarantine:
        return Fate.QUARANTINED, memory.quarantine[place]
    sent = known is not None and known.digest == native.digest
    return (Fate.SET_ASIDE, memory.set_aside[place]) if place in memory.set_aside and not sent else None


def _answered(known: Remembered) -> tuple[Fate, str]:
    """Return the fate of the edition that the last command was for."""
    if known.never_sent:
        return Fate.NOTHING, ""
    if not known.outcome:
        return (Fate.WAITING, "QUEUED") if known.queued else (Fate.UNANSWERED, "")
    return (Fate.ACCEPTED, "") if known.outcome == "OK" else (Fate.REFUSED, known.outcome)


def _unexplained(native: Native, fault: Fault, known: Remembered | None) -> Difference:
    place = (native.kind or "", native.native_id, native.file, native.line)
    return Difference(
        fault, *place, field="edition", expected=native.digest[:16] or native.reason, found=known.digest[:16] if known else ""
    )


def _unknown(editions: Mapping[tuple[str, str], list[Native]], memory: Memory, numbers: set[int]) -> Iterator[Difference]:
    """Yield what the memory knows of these deliveries and none of them holds."""
    for (kind, native_id), known in memory.sent.items():
        if known.delivery in numbers and (kind, native_id) not in editions:
            yield Difference(Fault.RECORD_UNKNOWN, kind, native_id, known.file, known.line)
    places = {(native.delivery, native.line) for given in editions.values() for native in given}
    for (delivery, line), reason in memory.quarantine.items():
        if delivery in numbers and (delivery, line) not in places:
            yield Difference(Fault.RECORD_UNKNOWN, file=memory.deliveries.get(delivery, ""), line=line, found=reason)


def missing_deliveries(on_disk: Mapping[int, str], memory: Memory, *, since: int = 0) -> list[Difference]:
    """Return deliveries from `since` on of which only the disk, or only the memory knows; those no longer kept are left out."""
    lost = [number for number in memory.deliveries if number >= since and number not in on_disk and number not in memory.gone]
    strange = [number for number in on_disk if number not in memory.deliveries]
    return [
        *(Difference(Fault.DELIVERY_MISSING, file=memory.deliveries[number], expected=str(number)) for number in sorted(lost)),
        *(Difference(Fault.DELIVERY_UNKNOWN, file=on_disk[number], found=str(number)) for number in sorted(strange)),
    ]


def counted(differences: Sequence[Difference]) -> Counter[str]:
    """Return how many differences there are of each kind."""
    return Counter(each.fault.value for each in differences)
