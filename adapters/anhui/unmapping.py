"""Commands of Anhui's cities said again in the columns of their workbooks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import TypeVar

from adapters.anhui.mapping import CODES, MARK, VALID, WAN_YUAN, YUAN, map_record, write_day
from adapters.runtime.model import Kind, Mapped
from adapters.runtime.unmapping import category_out, enterprise_kind_out, evidence_out, flags_out, unmapping_of
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.participant.v1 import participant_pb2 as participant
from yrd.registry.v1 import registry_pb2 as registry
from yrd.voucher.v1 import voucher_pb2 as voucher

T = TypeVar("T")


def _day(text: str) -> str:
    return write_day(date.fromisoformat(text)) if text else ""


def _number(fen: int, scale: int) -> str:
    """Write an amount as a cell shows it: no more decimals than it needs."""
    text = f"{Decimal(fen) / scale:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _enterprise(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, participant.RegisterEnterpriseRequest)
    firm = mapped.request.enterprise
    return {
        "编号": mapped.native_id,
        "统一社会信用代码": firm.uscc,
        "企业名称": firm.name,
        "所在市": CODES.outward("division", firm.division),
        "企业类别": enterprise_kind_out(CODES, firm.kind),
        "入库登记编号": firm.sme_no,
        "登记起始": _day(firm.sme_valid_from),
        "登记截止": _day(firm.sme_valid_until),
        "职工人数": str(firm.staff),
        MARK: VALID,
    }


def _provider(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, registry.AdmitProviderRequest)
    provider = mapped.request.provider
    return {
        "编号": mapped.native_id,
        "统一社会信用代码": provider.uscc,
        "机构名称": provider.name,
        "服务领域": "、".join(category_out(CODES, each) for each in provider.categories),
        "入库时间": _day(provider.admitted_on),
        # A rating of nought is what the hub keeps of "not rated"; the cities leave it empty.
        "星级": _number(provider.rating, 100) if provider.rating else "",
        MARK: VALID,
    }


def _recognition(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, registry.RecognizeProviderRequest)
    given = mapped.request.recognition
    return {
        "编号": mapped.native_id,
        "发券市": CODES.outward("division", given.issuer),
        "机构信用代码": given.provider,
        "互认起始": _day(given.valid_from),
        "互认截止": _day(given.valid_until),
        "三方协议": "是" if given.agreement else "否",
        MARK: VALID,
    }


def _voucher(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, voucher.IssueVouchersRequest)
    item = _only(mapped.request.items, "note")
    return {
        "编号": mapped.native_id,
        "发券市": CODES.outward("division", mapped.request.issuer),
        "企业信用代码": item.enterprise,
        "券号": _only(item.voucher_nos, "note"),
        "面额（万元）": _number(item.face_fen, WAN_YUAN),
        MARK: VALID,
    }


def _only(items: Sequence[T], what: str) -> T:
    """Return the one item of a list; raise ValueError for any other number, for which a row has no place."""
    if len(items) != 1:
        raise ValueError(f"a row holds one {what}, not {len(items)}")
    return items[0]


def _authorization(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, clearing.AuthorizeRequest)
    given = mapped.request.input
    line = _only(given.order.lines, "order line")
    flags = flags_out(CODES, line)
    if len(flags) > 1:
        raise ValueError(f"a row holds at most one flag, not {len(flags)}")
    return {
        "编号": mapped.native_id,
        "发券地": CODES.outward("division", given.issuer),
        "企业信用代码": given.enterprise,
        "机构信用代码": given.provider,
        "合同号": given.order.order_no,
        "服务类别": category_out(CODES, line.category),
        "服务费（元）": _number(line.amount_fen, YUAN),
        "不支持情形": "".join(flags),
        MARK: VALID,
    }


def _final(lines: Sequence[clearing.OrderLine]) -> tuple[str, str]:
    """Return the final category and fee; empty where the lines stay as authorized."""
    if not lines:
        return "", ""
    line = _only(lines, "order line")
    return category_out(CODES, line.category), _number(line.amount_fen, YUAN)


def _capture(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, clearing.CaptureRequest)
    request = mapped.request
    service, fee = _final(request.lines)
    return {
        "编号": mapped.native_id,
        "订单编号": mapped.refers_to,
        "企业信用代码": mapped.key,
        "发票号": request.invoice_no,
        "完成日期": _day(request.delivered_on),
        "实际服务类别": service,
        "实际服务费（元）": fee,
        "附件": "、".join(evidence_out(CODES, piece) for piece in request.evidence),
        MARK: VALID,
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
    "unmapped.xlsx",
    "编号",
)
"""Says a command in a workbook's columns, or raises ValueError: one order line, one numbered note a row, divisions that the code list
names and evidence without digests are all that a row can hold."""
