"""Shanghai's records in the hub's terms. Amounts are yuan as JSON numbers, dates ISO, fields English."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from adapters.runtime import commands
from adapters.runtime.codes import load_codes
from adapters.runtime.model import FieldTable, Kind, Mapped, NativeRecord
from adapters.runtime.row import Reject, Row, mapping_of
from yrd.clearing.v1 import clearing_pb2 as clearing

DIVISION = "310000"
YUAN = 100
FORM = "YYYY-MM-DD"
INSTANT = "YYYY-MM-DDThh:mm:ss+08:00"
WITHDRAWN = "withdrawal mark: null, or when the platform withdrew the item"
CODES = load_codes(Path(__file__).parent / "codes.yaml")

MAPPED: FieldTable = {
    Kind.ENTERPRISE: {
        "id": "native id",
        "creditCode": "enterprise.uscc",
        "name": "enterprise.name",
        "regionCode": "enterprise.division",
        "type": "enterprise.kind (code list enterprise_kind)",
        "smeRegNo": "enterprise.sme_no",
        "smeFrom": "enterprise.sme_valid_from",
        "smeTo": "enterprise.sme_valid_until",
        "employees": "enterprise.staff",
        "deletedAt": WITHDRAWN,
    },
    Kind.PROVIDER: {
        "id": "native id",
        "creditCode": "provider.uscc",
        "name": "provider.name",
        "serviceTypes[]": "provider.categories (code list category)",
        "joinedOn": "provider.admitted_on",
        "stars": "provider.rating, hundredths",
        "deletedAt": WITHDRAWN,
    },
    Kind.RECOGNITION: {
        "id": "native id",
        "creditCode": "recognition.provider",
        "startDate": "recognition.valid_from",
        "endDate": "recognition.valid_until",
        "agreementSigned": "recognition.agreement",
        "deletedAt": WITHDRAWN,
    },
    Kind.VOUCHER: {
        "id": "native id",
        "voucherNo": "items[0].voucher_nos[0]",
        "creditCode": "items[0].enterprise",
        "amount": "items[0].face_fen, from yuan",
        "deletedAt": WITHDRAWN,
    },
    Kind.AUTHORIZATION: {
        "id": "native id",
        "voucherRegion": "input.issuer",
        "creditCode": "input.enterprise",
        "providerCode": "input.provider",
        "orderNo": "input.order.order_no",
        "allOrNothing": "input.all_or_nothing",
        "items[].type": "input.order.lines[].category (code list category)",
        "items[].fee": "input.order.lines[].amount_fen, from yuan",
        "items[].exclusions[]": "input.order.lines[].flags (code list flag)",
        "deletedAt": WITHDRAWN,
    },
    Kind.CAPTURE: {
        "id": "native id",
        "authorizationId": "redemption_id, through the outcome of that authorization",
        "creditCode": "partition key",
        "invoiceNo": "invoice_no",
        "finishedOn": "delivered_on",
        "finalItems[].type": "lines[].category (code list category)",
        "finalItems[].fee": "lines[].amount_fen, from yuan",
        "finalItems[].exclusions[]": "lines[].flags (code list flag)",
        "attachments[].type": "evidence[].kind (code list evidence)",
        "attachments[].sha256": "evidence[].sha256",
        "deletedAt": WITHDRAWN,
    },
}

DROPPED: FieldTable = {
    Kind.ENTERPRISE: {
        "contactName": "personal data the hub does not need",
        "contactMobile": "personal data the hub does not need",
        "updatedAt": "the platform's own bookkeeping",
    },
    Kind.PROVIDER: {
        "contactName": "personal data the hub does not need",
        "serviceHotline": "may be a person's number; the portal asks providers themselves",
        "address": "not used in clearing",
        "updatedAt": "the platform's own bookkeeping",
    },
    Kind.RECOGNITION: {"remark": "free text"},
    Kind.VOUCHER: {"channel": "how the firm applied; not used in clearing"},
    Kind.AUTHORIZATION: {"contractTitle": "business secret the hub does not need", "firmName": "known from the firm's registration"},
    Kind.CAPTURE: {"handler": "personal data the hub does not need"},
}


def is_instant(text: str) -> bool:
    """Say whether a text is an instant with its offset, as the platform writes them."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _row(record: NativeRecord) -> Row:
    row = Row(record, MAPPED[record.kind], CODES)
    # A mark that does not read is neither: such an item waits for a person.
    if (mark := row.optional("deletedAt")) and not is_instant(mark):
        raise Reject("deletedAt", "BAD_DATE", mark, INSTANT)
    return row


def _enterprise(record: NativeRecord) -> Mapped:
    row = _row(record)
    kind = row.code("type", "enterprise_kind")
    start, until = row.optional_day("smeFrom", date.fromisoformat, FORM), row.optional_day("smeTo", date.fromisoformat, FORM)
    row.period("smeTo", start, until)
    return commands.register(
        row.text("id", 64),
        uscc=row.uscc("creditCode"),
        name=row.text("name"),
        division=row.division("regionCode", DIVISION),
        kind=kind,
        sme_no=row.sme_no("smeRegNo", kind),
        sme_from=start,
        sme_until=until,
        staff=row.whole("employees", 0, 10_000_000),
    )


def _provider(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.admit(
        row.text("id", 64),
        uscc=row.uscc("creditCode"),
        name=row.text("name"),
        home=DIVISION,
        categories=[row.code(f"serviceTypes[{at}]", "category") for at in range(row.count("serviceTypes"))],
        admitted_on=row.day("joinedOn", date.fromisoformat, FORM),
        rating=row.rating("stars"),
    )


def _recognition(record: NativeRecord) -> Mapped:
    row = _row(record)
    start, until = row.day("startDate", date.fromisoformat, FORM), row.optional_day("endDate", date.fromisoformat, FORM)
    row.period("endDate", start, until)
    return commands.recognize(
        row.text("id", 64),
        issuer=DIVISION,
        provider=row.uscc("creditCode"),
        valid_from=start,
        valid_until=until,
        agreement=row.yes("agreementSigned"),
    )


def _voucher(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.issue(
        row.text("id", 64),
        issuer=DIVISION,
        enterprise=row.uscc("creditCode"),
        face_fen=row.money("amount", YUAN),
        voucher_nos=[row.text("voucherNo", 64)],
    )


def _lines(row: Row, name: str) -> list[clearing.OrderLine]:
    return [
        commands.line(
            row.code(f"{name}[{at}].type", "category"),
            row.money(f"{name}[{at}].fee", YUAN),
            [row.code(f"{name}[{at}].exclusions[{of}]", "flag") for of in range(row.count(f"{name}[{at}].exclusions"))],
        )
        for at in range(row.count(name))
    ]


def _authorization(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.authorize(
        row.text("id", 64),
        issuer=row.any_division("voucherRegion"),
        enterprise=row.uscc("creditCode"),
        provider=row.uscc("providerCode"),
        order_no=row.text("orderNo", 64),
        lines=_lines(row, "items"),
        lines_field="items",
        all_or_nothing=row.yes("allOrNothing"),
    )


def _capture(record: NativeRecord) -> Mapped:
    row = _row(record)
    documents = [
        commands.evidence(row.code(f"attachments[{at}].type", "evidence"), row.sha256(f"attachments[{at}].sha256"))
        for at in range(row.count("attachments"))
    ]
    return commands.capture(
        row.text("id", 64),
        authorization=row.text("authorizationId", 64),
        authorization_field="authorizationId",
        enterprise=row.uscc("creditCode"),
        invoice_no=row.text("invoiceNo", 64),
        delivered_on=row.day("finishedOn", date.fromisoformat, FORM),
        documents=documents,
        lines=_lines(row, "finalItems"),
    )


map_record = mapping_of(
    {
        Kind.ENTERPRISE: _enterprise,
        Kind.PROVIDER: _provider,
        Kind.RECOGNITION: _recognition,
        Kind.VOUCHER: _voucher,
        Kind.AUTHORIZATION: _authorization,
        Kind.CAPTURE: _capture,
    }
)
"""Maps one record, or says why it cannot."""
