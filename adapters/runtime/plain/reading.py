"""Plain records into the hub's terms, by the province's table of names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from adapters.runtime import commands
from adapters.runtime.model import Broken, FieldTable, Kind, Mapped, NativeRecord
from adapters.runtime.plain.form import Form, placed
from adapters.runtime.row import Reject, Row, mapping_of
from yrd.clearing.v1 import clearing_pb2 as clearing


@dataclass(frozen=True, slots=True)
class _Record:
    """A record by slots. A slot the province has no field for is empty, as is a field left empty."""

    form: Form
    kind: Kind
    row: Row

    def name(self, slot: str, *at: int) -> str:
        """Return the native field of a slot, or nothing."""
        return placed(self.form.fields[self.kind].get(slot, ""), at)

    def has(self, slot: str, *at: int) -> bool:
        """Say whether a slot has a field and the field a text."""
        name = self.name(slot, *at)
        return bool(name) and bool(self.row.optional(name))

    def text(self, slot: str, limit: int = 64) -> str:
        return self.row.text(self.name(slot), limit)

    def issuer(self) -> str:
        """Return the issuer: the province itself where its files name none."""
        name = self.name("issuer")
        return self.row.division(name, self.form.division) if name else self.form.division

    def day(self, slot: str) -> str:
        name = self.name(slot)
        return self.row.optional_day(name, self.form.read_day, self.form.day) if name else ""

    def required_day(self, slot: str) -> str:
        return self.row.day(self.name(slot), self.form.read_day, self.form.day)

    def yes(self, slot: str) -> bool:
        name = self.name(slot)
        if not name:
            return False
        value = self.row.text(name)
        if value not in (self.form.yes, self.form.no):
            raise Reject(name, "BAD_FLAG", value, f"{self.form.yes}/{self.form.no}")
        return value == self.form.yes

    def codes(self, slot: str, of: str, *at: int) -> list[str]:
        """Return the contract's values of a list: entries of a JSON list, or the parts of a cell."""
        name = self.name(slot, *at)
        if not name:
            return []
        if name.endswith("[]"):
            return [self.row.code(placed(name, (index,)), of) for index in range(self.row.count(name[:-2]))]
        text = self.row.optional(name)
        return [self.row.meaning(name, of, part.strip()) for part in text.split(self.form.separator)] if text else []

    def places(self, *slots: str) -> list[int]:
        """Return the places of a group that are filled in: a half-filled one is among them, and will be rejected, not guessed."""
        first = self.name(slots[0])
        if "{n}" in first:
            return [at for at in range(self.form.columns) if any(self.has(slot, at) for slot in slots)]
        return list(range(self.row.count(first.partition("[]")[0]))) if first else []

    def lines(self) -> list[clearing.OrderLine]:
        places = self.places("lines.category", "lines.amount", "lines.flags")
        return [
            commands.line(
                self.row.code(self.name("lines.category", at), "category"),
                self.row.money(self.name("lines.amount", at), self.form.fen),
                self.codes("lines.flags", "flag", at),
            )
            for at in places
        ]

    def documents(self) -> list[clearing.Evidence]:
        found = []
        for at in self.places("evidence.kind", "evidence.sha256"):
            digest = self.name("evidence.sha256", at)
            kind = self.row.code(self.name("evidence.kind", at), "evidence")
            found.append(commands.evidence(kind, self.row.sha256(digest) if digest else ""))
        return found


def mapping(form: Form, table: FieldTable) -> Callable[[NativeRecord], Mapped | Broken]:
    """Return the province's `map`: a record's command, or why there is none."""

    def mapper(read: Callable[[_Record], Mapped]) -> Callable[[NativeRecord], Mapped]:
        def map_one(native: NativeRecord) -> Mapped:
            record = _Record(form, native.kind, Row(native, table[native.kind], form.codes))
            mark = record.row.text(form.mark)
            if mark not in (form.valid, form.withdrawn):
                raise Reject(form.mark, "BAD_FLAG", mark, f"{form.valid}/{form.withdrawn}")
            return read(record)

        return map_one

    return mapping_of({kind: mapper(read) for kind, read in _READERS.items()})


def _enterprise(record: _Record) -> Mapped:
    kind = record.row.code(record.name("kind"), "enterprise_kind")
    start, until = record.day("sme_from"), record.day("sme_until")
    record.row.period(record.name("sme_until"), start, until)
    return commands.register(
        record.text("id"),
        uscc=record.row.uscc(record.name("uscc")),
        name=record.text("name", 200),
        division=record.row.division(record.name("division"), record.form.division),
        kind=kind,
        sme_no=record.row.sme_no(record.name("sme_no"), kind),
        sme_from=start,
        sme_until=until,
        staff=record.row.whole(record.name("staff"), 0, 10_000_000) if record.has("staff") else 0,
    )


def _provider(record: _Record) -> Mapped:
    rating = record.name("rating")
    return commands.admit(
        record.text("id"),
        uscc=record.row.uscc(record.name("uscc")),
        name=record.text("name", 200),
        home=record.form.division,
        categories=record.codes("categories", "category"),
        admitted_on=record.required_day("admitted_on"),
        rating=record.row.rating(rating) if rating else 0,
    )


def _recognition(record: _Record) -> Mapped:
    start, until = record.required_day("valid_from"), record.day("valid_until")
    record.row.period(record.name("valid_until"), start, until)
    return commands.recognize(
        record.text("id"),
        issuer=record.issuer(),
        provider=record.row.uscc(record.name("provider")),
        valid_from=start,
        valid_until=until,
        agreement=record.yes("agreement"),
    )


def _voucher(record: _Record) -> Mapped:
    return commands.issue(
        record.text("id"),
        issuer=record.issuer(),
        enterprise=record.row.uscc(record.name("enterprise")),
        face_fen=record.row.money(record.name("face"), record.form.fen),
        count=record.row.whole(record.name("count"), 1, 1000) if record.has("count") else 0,
        voucher_nos=[record.text("voucher_no")] if record.has("voucher_no") else [],
        issued_on=record.day("issued_on"),
    )


def _authorization(record: _Record) -> Mapped:
    return commands.authorize(
        record.text("id"),
        issuer=record.row.any_division(record.name("issuer")),
        enterprise=record.row.uscc(record.name("enterprise")),
        provider=record.row.uscc(record.name("provider")),
        order_no=record.text("order_no"),
        lines=record.lines(),
        lines_field=record.name("lines.category", 0),
        all_or_nothing=record.yes("all_or_nothing"),
    )


def _capture(record: _Record) -> Mapped:
    return commands.capture(
        record.text("id"),
        authorization=record.text("authorization"),
        authorization_field=record.name("authorization"),
        enterprise=record.row.uscc(record.name("enterprise")),
        invoice_no=record.text("invoice_no"),
        delivered_on=record.required_day("delivered_on"),
        documents=record.documents(),
        lines=record.lines(),
    )


_READERS: dict[str, Callable[[_Record], Mapped]] = {
    Kind.ENTERPRISE: _enterprise,
    Kind.PROVIDER: _provider,
    Kind.RECOGNITION: _recognition,
    Kind.VOUCHER: _voucher,
    Kind.AUTHORIZATION: _authorization,
    Kind.CAPTURE: _capture,
}
