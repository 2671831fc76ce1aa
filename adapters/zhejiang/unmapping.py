"""Zhejiang's commands said again in the platform's own fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from adapters.runtime.model import Kind, Mapped
from adapters.runtime.unmapping import category_out, enterprise_kind_out, evidence_out, flags_out, listed, unmapping_of
from adapters.zhejiang.mapping import CODES, VALID, map_record, write_day
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.participant.v1 import participant_pb2 as participant
from yrd.registry.v1 import registry_pb2 as registry
from yrd.voucher.v1 import voucher_pb2 as voucher


def _day(text: str) -> str:
    return write_day(date.fromisoformat(text)) if text else ""


def _yes(answer: bool) -> str:
    return "shi" if answer else "fou"


def _enterprise(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, participant.RegisterEnterpriseRequest)
    firm = mapped.request.enterprise
    return {
        "bianhao": mapped.native_id,
        "xydm": firm.uscc,
        "qymc": firm.name,
        "xzqh": firm.division,
        "qylx": enterprise_kind_out(CODES, firm.kind),
        "rkbh": firm.sme_no,
        "rkqi": _day(firm.sme_valid_from),
        "rkzhi": _day(firm.sme_valid_until),
        "zgrs": str(firm.staff),
        "zt": VALID,
    }


def _provider(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, registry.AdmitProviderRequest)
    provider = mapped.request.provider
    return {
        "bianhao": mapped.native_id,
        "xydm": provider.uscc,
        "jgmc": provider.name,
        **dict(listed("fwlb", (category_out(CODES, each) for each in provider.categories))),
        "rkrq": _day(provider.admitted_on),
        # A rating of nought is what the hub keeps of "not rated"; the platform leaves it empty.
        "pingji": f"{provider.rating // 100}.{provider.rating % 100:02d}" if provider.rating else "",
        "zt": VALID,
    }


def _recognition(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, registry.RecognizeProviderRequest)
    given = mapped.request.recognition
    return {
        "bianhao": mapped.native_id,
        "fqd": given.issuer,
        "jgdm": given.provider,
        "qi": _day(given.valid_from),
        "zhi": _day(given.valid_until),
        "sfxy": _yes(given.agreement),
        "zt": VALID,
    }


def _voucher(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, voucher.IssueVouchersRequest)
    (item,) = mapped.request.items
    return {
        "bianhao": mapped.native_id,
        "fqd": mapped.request.issuer,
        "xydm": item.enterprise,
        "mianzhi": str(item.face_fen),
        "zhangshu": str(item.count),
        "zt": VALID,
    }


def _lines(lines: Iterable[clearing.OrderLine]) -> Iterator[tuple[str, str]]:
    for at, line in enumerate(lines):
        yield f"mx[{at}].lb", category_out(CODES, line.category)
        yield f"mx[{at}].je", str(line.amount_fen)
        yield from listed(f"mx[{at}].bzc", flags_out(CODES, line))


def _authorization(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, clearing.AuthorizeRequest)
    given = mapped.request.input
    return {
        "bianhao": mapped.native_id,
        "fqd": given.issuer,
        "qydm": given.enterprise,
        "jgdm": given.provider,
        "ddh": given.order.order_no,
        "zqhq": _yes(given.all_or_nothing),
        **dict(_lines(given.order.lines)),
        "zt": VALID,
    }


def _capture(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, clearing.CaptureRequest)
    request, documents = mapped.request, dict[str, str]()
    for at, piece in enumerate(request.evidence):
        documents[f"cl[{at}].lx"] = evidence_out(CODES, piece)
        documents[f"cl[{at}].zy"] = piece.sha256
    return {
        "bianhao": mapped.native_id,
        "sqbh": mapped.refers_to,
        "qydm": mapped.key,
        "fph": request.invoice_no,
        "jfrq": _day(request.delivered_on),
        **dict(_lines(request.lines)),
        **documents,
        "zt": VALID,
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
    # The province's own folder may speak of all its divisions.
    "330000/unmapped.jsonl",
    "bianhao",
)
"""Says a command in the platform's fields, or raises ValueError. Notes are counted here, never numbered."""
