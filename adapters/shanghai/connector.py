"""Shanghai's files: JSON pages as the platform answers them, `<resource>-<page>.json`, and JSON result documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from adapters.runtime.documents import flatten, read_page
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.results import ObligationRow, OutcomeRow, PositionRow, RedemptionRow, Results, VoucherRow
from adapters.runtime.tables import ResultTables, Style, table
from adapters.shanghai.mapping import CODES

_RESOURCES = {
    Kind.ENTERPRISE: "enterprises",
    Kind.PROVIDER: "providers",
    Kind.RECOGNITION: "recognitions",
    Kind.VOUCHER: "vouchers",
    Kind.AUTHORIZATION: "authorizations",
    Kind.CAPTURE: "redemptions",
}
_PAGE = re.compile(r"([a-z]+)-[0-9]+\.json")
_STYLE = Style(CODES)
_TABLES = ResultTables(
    redemptions=table(
        "redemptions",
        RedemptionRow,
        """
        redemptionId redemption_id
        orderNo order_no
        voucherRegion issuer
        serviceRegion acquirer
        creditCode enterprise
        providerCode provider
        status state redemption_state
        policyVersion policy_version
        authorizedAmount authorized_fen money
        subsidyAmount subsidy_fen money
        refundedAmount refunded_fen money
        payTo payee payee
        invoiceNo invoice_no
        finishedOn delivered_on day
        paidOn settled_on day
        settlementId window_id
        basis basis
        """,
    ),
    vouchers=table(
        "vouchers",
        VoucherRow,
        """
        region issuer
        voucherNo voucher_no
        creditCode enterprise
        amount face_fen money
        returnedAmount returned_fen money
        issuedOn issued_on day
        expiresOn expires_on day
        """,
    ),
    obligations=table(
        "obligations",
        ObligationRow,
        """
        settlementId window_id
        payerRegion debtor
        payeeCode creditor
        amount amount_fen money
        status state obligation_state
        """,
    ),
    positions=table("positions", PositionRow, "settlementId window_id\nregion division\nnetAmount amount_fen money"),
    outcomes=table(
        "receipts",
        OutcomeRow,
        """
        resource kind
        id native_id
        page file
        line line
        result outcome outcome
        message message
        """,
    ),
)


def kinds(name: str) -> tuple[Kind, ...]:
    """Return what a page holds, by its name `<resource>-<page>.json`."""
    found = _PAGE.fullmatch(name)
    return tuple(kind for kind, resource in _RESOURCES.items() if found and found[1] == resource)


def read(path: Path, name: str, wanted: tuple[Kind, ...]) -> Iterator[NativeRecord | Broken]:
    """Yield the records of a page."""
    for kind in kinds(name):
        if kind in wanted:
            yield from read_page(path, name, kind, "id", "data")


def write(results: Results, folder: Path) -> list[Path]:
    """Write one document a resource, as the platform's import takes them, and return the files."""
    return [_document(folder / f"{name}-result.json", name, rows) for name, rows in _TABLES.write(results, _STYLE).items()]


def _document(path: Path, name: str, rows: list[dict[str, str]]) -> Path:
    text = json.dumps({"resource": name, "total": len(rows), "data": rows}, ensure_ascii=False, indent=1)
    path.write_text(text + "\n", encoding="utf-8")
    return path


def load(folder: Path) -> Results:
    """Read the result documents back."""
    pages = {name: json.loads((folder / f"{name}-result.json").read_text(encoding="utf-8")) for name in _TABLES.headers()}
    return _TABLES.read({name: [dict(flatten(item)) for item in page["data"]] for name, page in pages.items()}, _STYLE)
