"""Shanghai's files: JSON pages as the platform answers and posts them, `<resource>-<page>.json`, and JSON result documents."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from adapters.runtime.documents import flatten, read_page
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.results import ObligationRow, OutcomeRow, PositionRow, RedemptionRow, Results, VoucherRow
from adapters.runtime.tables import ResultTables, Style, table
from adapters.shanghai.mapping import CODES, is_instant

_RESOURCES = {
    Kind.ENTERPRISE: "enterprises",
    Kind.PROVIDER: "providers",
    Kind.RECOGNITION: "recognitions",
    Kind.VOUCHER: "vouchers",
    Kind.AUTHORIZATION: "authorizations",
    Kind.CAPTURE: "redemptions",
}
RESOURCES = tuple(_RESOURCES.values())
"""The platform's resources, in the order in which their records are sent."""

# Pulled pages are numbered; a page of a backfill says its days, and what was posted its message.
_PAGE = re.compile(r"([a-z]+)-(?:[0-9]+|backfill-[0-9]{8}-[0-9]{8}-[0-9]+|posted-[A-Za-z0-9_-]{1,64})\.json", re.ASCII)
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
    """Return what a page holds, by its name: `<resource>-<page>.json`, `…-backfill-<days>-<page>.json`, `…-posted-<message>.json`."""
    found = _PAGE.fullmatch(name)
    return tuple(kind for kind, resource in _RESOURCES.items() if found and found[1] == resource)


def read(path: Path, name: str, wanted: tuple[Kind, ...]) -> Iterator[NativeRecord | Broken]:
    """Yield the records of a page, which are changes in the order of time; one whose `deletedAt` is an instant is marked as withdrawn."""
    for kind in kinds(name):
        if kind in wanted:
            for item in read_page(path, name, kind, "id", "data", changes=True):
                if isinstance(item, NativeRecord) and is_instant(item.fields.get("deletedAt", "").strip()):
                    yield replace(item, deleted=True)
                else:
                    yield item


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
