"""Shanghai's commands said again in the platform's own fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from adapters.runtime.model import Kind, Mapped
from adapters.runtime.unmapping import category_out, enterprise_kind_out, evidence_out, flags_out, listed, unmapping_of
from adapters.shanghai.mapping import CODES, map_record
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.participant.v1 import participant_pb2 as participant
from yrd.registry.v1 import registry_pb2 as registry
from yrd.voucher.v1 import voucher_pb2 as voucher


def _yuan(fen: int) -> str:
    """Write fen as JSON numbers are written, without closing zeros: `8000`, `8000.5`, `8000.05`."""
    return f"{fen // 100}.{fen % 100:02d}".rstrip("0").rstrip(".")


def _enterprise(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, participant.RegisterEnterpriseRequest)
    firm = mapped.request.enterprise
    return {
        "id": mapped.native_id,
        "creditCode": firm.uscc,
        "name": firm.name,
        "regionCode": firm.division,
        "type": enterprise_kind_out(CODES, firm.kind),
        "smeRegNo": firm.sme_no,
        "smeFrom": firm.sme_valid_from,
        "smeTo": firm.sme_valid_until,
        "employees": str(firm.staff),
        "deletedAt": "",
    }


def _provider(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, registry.AdmitProviderRequest)
    provider = mapped.request.provider
    return {
        "id": mapped.native_id,
        "creditCode": provider.uscc,
        "name": provider.name,
        **dict(listed("serviceTypes", (category_out(CODES, each) for each in provider.categories))),
        "joinedOn": provider.admitted_on,
        # A rating of nought is what the hub keeps of "not rated"; the platform says null.
        "stars": _yuan(provider.rating) if provider.rating else "",
        "deletedAt": "",
    }


def _recognition(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, registry.RecognizeProviderRequest)
    given = mapped.request.recognition
    return {
        "id": mapped.native_id,
        "creditCode": given.provider,
        "startDate": given.valid_from,
        "endDate": given.valid_until,
        "agreementSigned": str(given.agreement).lower(),
        "deletedAt": "",
    }


def _voucher(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, voucher.IssueVouchersRequest)
    (item,) = mapped.request.items
    (number,) = item.voucher_nos
    return {
        "id": mapped.native_id,
        "voucherNo": number,
        "creditCode": item.enterprise,
        "amount": _yuan(item.face_fen),
        "deletedAt": "",
    }


def _lines(name: str, lines: Iterable[clearing.OrderLine]) -> Iterator[tuple[str, str]]:
    for at, line in enumerate(lines):
        yield f"{name}[{at}].type", category_out(CODES, line.category)
        yield f"{name}[{at}].fee", _yuan(line.amount_fen)
        yield from listed(f"{name}[{at}].exclusions", flags_out(CODES, line))


def _authorization(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, clearing.AuthorizeRequest)
    given = mapped.request.input
    return {
        "id": mapped.native_id,
        "voucherRegion": given.issuer,
        "creditCode": given.enterprise,
        "providerCode": given.provider,
        "orderNo": given.order.order_no,
        **dict(_lines("items", given.order.lines)),
        "allOrNothing": str(given.all_or_nothing).lower(),
        "deletedAt": "",
    }


def _capture(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, clearing.CaptureRequest)
    request, attachments = mapped.request, dict[str, str]()
    for at, piece in enumerate(request.evidence):
        attachments[f"attachments[{at}].type"] = evidence_out(CODES, piece)
        attachments[f"attachments[{at}].sha256"] = piece.sha256
    return {
        "id": mapped.native_id,
        "authorizationId": mapped.refers_to,
        "creditCode": mapped.key,
        "invoiceNo": request.invoice_no,
        "finishedOn": request.delivered_on,
        **dict(_lines("finalItems", request.lines)),
        **attachments,
        "deletedAt": "",
    }


unmap = unmapping_of(
    {
        Kind.ENTERPRISE: _enterprise,
        Kind.PROVIDER: _provider,
        Kind.RECOGNITION: _recognition,
        Kind.VOUCHER: _voucher,
        Kind.AUTHORIZATION: _authorization,
        Kind.CAPTURE: _capture,
    },
    map_record,
    "redemptions-1.json",
    "id",
)
"""Says a command in the platform's fields, or raises ValueError. Electronic vouchers have one number and no count of notes."""
