"""What a province of plain tables says of itself: how it writes values, and the native name of everything the hub needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from adapters.runtime.codes import Codes
from adapters.runtime.model import FieldTable, Kind

SLOTS: Mapping[Kind, Mapping[str, str]] = {
    Kind.ENTERPRISE: {
        "id": "native id",
        "uscc": "enterprise.uscc",
        "name": "enterprise.name",
        "division": "enterprise.division",
        "kind": "enterprise.kind (code list enterprise_kind)",
        "sme_no": "enterprise.sme_no",
        "sme_from": "enterprise.sme_valid_from",
        "sme_until": "enterprise.sme_valid_until",
        "staff": "enterprise.staff",
    },
    Kind.PROVIDER: {
        "id": "native id",
        "uscc": "provider.uscc",
        "name": "provider.name",
        "categories": "provider.categories (code list category)",
        "admitted_on": "provider.admitted_on",
        "rating": "provider.rating, 0.00 to 5.00, in hundredths",
    },
    Kind.RECOGNITION: {
        "id": "native id",
        "issuer": "recognition.issuer",
        "provider": "recognition.provider",
        "valid_from": "recognition.valid_from",
        "valid_until": "recognition.valid_until",
        "agreement": "recognition.agreement",
    },
    Kind.VOUCHER: {
        "id": "native id",
        "issuer": "issuer",
        "enterprise": "items[0].enterprise",
        "face": "items[0].face_fen",
        "count": "items[0].count",
        "voucher_no": "items[0].voucher_nos[0]",
        "issued_on": "issued_on",
    },
    Kind.AUTHORIZATION: {
        "id": "native id",
        "issuer": "input.issuer",
        "enterprise": "input.enterprise",
        "provider": "input.provider",
        "order_no": "input.order.order_no",
        "all_or_nothing": "input.all_or_nothing",
        "lines.category": "input.order.lines[].category (code list category)",
        "lines.amount": "input.order.lines[].amount_fen",
        "lines.flags": "input.order.lines[].flags (code list flag)",
    },
    Kind.CAPTURE: {
        "id": "native id",
        "authorization": "redemption_id, through the outcome of that authorization",
        "enterprise": "partition key",
        "invoice_no": "invoice_no",
        "delivered_on": "delivered_on",
        "lines.category": "lines[].category (code list category); no line means as authorized",
        "lines.amount": "lines[].amount_fen",
        "lines.flags": "lines[].flags (code list flag)",
        "evidence.kind": "evidence[].kind (code list evidence)",
        "evidence.sha256": "evidence[].sha256",
    },
}
"""Everything the hub takes of each kind, by slot: a province names the native field of those it has. The contract says what is required."""

OPTIONAL: Mapping[Kind, frozenset[str]] = {
    Kind.ENTERPRISE: frozenset({"sme_from", "sme_until", "staff"}),
    Kind.PROVIDER: frozenset({"rating"}),
    Kind.RECOGNITION: frozenset({"issuer", "valid_until", "agreement"}),
    Kind.VOUCHER: frozenset({"issuer", "count", "voucher_no", "issued_on"}),
    Kind.AUTHORIZATION: frozenset({"all_or_nothing", "lines.flags"}),
    Kind.CAPTURE: frozenset({"lines.category", "lines.amount", "lines.flags", "evidence.kind", "evidence.sha256"}),
}
"""Slots a province may have no field for. Without an issuer the province itself issues; the others stay empty."""


@dataclass(frozen=True, slots=True)
class Form:
    """A province's own way. `fields` gives by kind and slot the native name.

    In a name of `lines.` or `evidence.`, `[]` stands for the place in a JSON list (`items[].amount`), and `{n}` for the number of a
    group of columns (`金额{n}`: 金额1, 金额2, up to `columns`). A slot of several values is a JSON list where its name ends in `[]`, else
    one cell of parts with a `separator`. `mark` is the field by which a record is withdrawn. `fen` is how many
    fen the province's unit of money holds (100: yuan; 1: fen), `day` how it writes days, in the letters YYYY, MM and DD.
    """

    division: str
    codes: Codes
    fields: Mapping[Kind, Mapping[str, str]]
    mark: str
    valid: str
    withdrawn: str
    yes: str = "是"
    no: str = "否"
    fen: int = 100
    day: str = "YYYY-MM-DD"
    columns: int = 3
    separator: str = "；"

    def __post_init__(self) -> None:
        """Raise ValueError for a slot that does not exist or is missing, so that a slip of the pen shows at start."""
        for kind, slots in SLOTS.items():
            names = self.fields.get(kind, {})
            if strangers := set(names) - set(slots):
                raise ValueError(f"{kind}: no such slot: {', '.join(sorted(strangers))}; there are {', '.join(slots)}")
            if missing := set(slots) - OPTIONAL[kind] - set(names):
                raise ValueError(f"{kind}: no field is named for {', '.join(sorted(missing))}")

    def read_day(self, text: str) -> date:
        """Read a day in the province's form; raise ValueError for anything else, a missing leading zero included."""
        parts = [text[self.day.index(letters) : self.day.index(letters) + len(letters)] for letters in ("YYYY", "MM", "DD")]
        if not all(part.isascii() and part.isdecimal() for part in parts):
            raise ValueError(text)
        found = date(*map(int, parts))
        if self.write_day(found) != text:
            raise ValueError(text)
        return found

    def write_day(self, day: date) -> str:
        """Write a day in the province's form."""
        return self.day.replace("YYYY", f"{day.year:04d}").replace("MM", f"{day.month:02d}").replace("DD", f"{day.day:02d}")

    def mapped(self) -> FieldTable:
        """Return the mapping table: every native field and where it goes."""
        return {kind: self._mapped(kind, names) for kind, names in self.fields.items()}

    def _mapped(self, kind: Kind, names: Mapping[str, str]) -> dict[str, str]:
        table: dict[str, str] = {}
        for slot, name in names.items():
            numbers = range(self.columns) if "{n}" in name else range(1)
            for at in numbers:
                target = SLOTS[kind][slot]
                table[name.replace("{n}", str(at + 1))] = target.replace("[]", f"[{at}]", 1) if "{n}" in name else target
        return {**table, self.mark: f"withdrawal mark: {self.valid} or {self.withdrawn}"}


def placed(name: str, at: tuple[int, ...]) -> str:
    """Return a native name with its places filled in: `mx[].bz[]` at (0, 1) is `mx[0].bz[1]`, `金额{n}` at (0,) is `金额1`."""
    for index in at:
        name = name.replace("{n}", str(index + 1)) if "{n}" in name else name.replace("[]", f"[{index}]", 1)
    return name
