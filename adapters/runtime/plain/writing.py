"""The hub's terms said again in plain records, by the same table of names."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any

from adapters.runtime.model import Broken, Kind, Mapped, NativeRecord
from adapters.runtime.plain.form import Form, placed
from adapters.runtime.unmapping import Unmap, category_out, enterprise_kind_out, evidence_out, flags_out, unmapping_of
from yrd.clearing.v1 import clearing_pb2 as clearing


@dataclass(slots=True)
class _Cells:
    """Native fields on their way out. A slot without a field is passed over: reading back finds what is lost."""

    form: Form
    kind: Kind
    found: dict[str, str] = field(default_factory=dict)

    def put(self, slot: str, text: str, *at: int) -> None:
        name = self.form.fields[self.kind].get(slot)
        if name:
            self.found[placed(name, at)] = text

    def day(self, slot: str, text: str) -> None:
        self.put(slot, self.form.write_day(date.fromisoformat(text)) if text else "")

    def yes(self, slot: str, answer: bool) -> None:
        self.put(slot, self.form.yes if answer else self.form.no)

    def money(self, slot: str, fen: int, *at: int) -> None:
        self.put(slot, f"{Decimal(fen) / self.form.fen:f}", *at)

    def many(self, slot: str, words: Sequence[str], *at: int) -> None:
        name = placed(self.form.fields[self.kind].get(slot, ""), at)
        if name.endswith("[]"):
            self.found.update({placed(name, (index,)): word for index, word in enumerate(words)})
        elif name:
            self.found[name] = self.form.separator.join(words)

    def lines(self, lines: Iterable[clearing.OrderLine]) -> None:
        for at, line in enumerate(lines):
            self.put("lines.category", category_out(self.form.codes, line.category), at)
            self.money("lines.amount", line.amount_fen, at)
            self.many("lines.flags", flags_out(self.form.codes, line), at)


def unmapping(form: Form, map_record: Callable[[NativeRecord], Mapped | Broken], file: str) -> Unmap:
    """Return the province's `unmap`. `file` is a name under which its files come."""

    def builder(kind: Kind, write: Callable[[_Cells, Any], None]) -> Callable[[Mapped], dict[str, str]]:
        def build(mapped: Mapped) -> dict[str, str]:
            cells = _Cells(form, kind)
            cells.put("id", mapped.native_id)
            write(cells, mapped)
            return {**cells.found, form.mark: form.valid}

        return build

    builders = {kind: builder(kind, write) for kind, write in _WRITERS.items()}
    # The id's field has another name in each kind; reading back needs the fields alone.
    return unmapping_of(builders, map_record, file, "id")


def _enterprise(cells: _Cells, mapped: Any) -> None:
    firm = mapped.request.enterprise
    cells.put("uscc", firm.uscc)
    cells.put("name", firm.name)
    cells.put("division", firm.division)
    cells.put("kind", enterprise_kind_out(cells.form.codes, firm.kind))
    cells.put("sme_no", firm.sme_no)
    cells.day("sme_from", firm.sme_valid_from)
    cells.day("sme_until", firm.sme_valid_until)
    cells.put("staff", str(firm.staff))


def _provider(cells: _Cells, mapped: Any) -> None:
    provider = mapped.request.provider
    cells.put("uscc", provider.uscc)
    cells.put("name", provider.name)
    cells.many("categories", [category_out(cells.form.codes, each) for each in provider.categories])
    cells.day("admitted_on", provider.admitted_on)
    # A rating of nought is what the hub keeps of "not rated".
    cells.put("rating", f"{Decimal(provider.rating) / 100:f}" if provider.rating else "")


def _recognition(cells: _Cells, mapped: Any) -> None:
    given = mapped.request.recognition
    cells.put("issuer", given.issuer)
    cells.put("provider", given.provider)
    cells.day("valid_from", given.valid_from)
    cells.day("valid_until", given.valid_until)
    cells.yes("agreement", given.agreement)


def _voucher(cells: _Cells, mapped: Any) -> None:
    (item,) = mapped.request.items
    cells.put("issuer", mapped.request.issuer)
    cells.put("enterprise", item.enterprise)
    cells.money("face", item.face_fen)
    cells.put("count", str(item.count) if item.count else "")
    cells.put("voucher_no", "".join(item.voucher_nos[:1]))
    cells.day("issued_on", mapped.request.issued_on)


def _authorization(cells: _Cells, mapped: Any) -> None:
    given = mapped.request.input
    cells.put("issuer", given.issuer)
    cells.put("enterprise", given.enterprise)
    cells.put("provider", given.provider)
    cells.put("order_no", given.order.order_no)
    cells.yes("all_or_nothing", given.all_or_nothing)
    cells.lines(given.order.lines)


def _capture(cells: _Cells, mapped: Any) -> None:
    cells.put("authorization", mapped.refers_to)
    cells.put("enterprise", mapped.key)
    cells.put("invoice_no", mapped.request.invoice_no)
    cells.day("delivered_on", mapped.request.delivered_on)
    cells.lines(mapped.request.lines)
    for at, piece in enumerate(mapped.request.evidence):
        cells.put("evidence.kind", evidence_out(cells.form.codes, piece), at)
        cells.put("evidence.sha256", piece.sha256, at)


_WRITERS: dict[Kind, Callable[[_Cells, Any], None]] = {
    Kind.ENTERPRISE: _enterprise,
    Kind.PROVIDER: _provider,
    Kind.RECOGNITION: _recognition,
    Kind.VOUCHER: _voucher,
    Kind.AUTHORIZATION: _authorization,
    Kind.CAPTURE: _capture,
}
