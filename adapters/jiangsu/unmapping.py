"""Jiangsu's commands said again in the system's own columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from adapters.jiangsu.mapping import ADDED, CODES, DOCUMENTS, MARK, map_record
from adapters.runtime.model import Kind, Mapped
from adapters.runtime.unmapping import category_out, enterprise_kind_out, evidence_out, flags_out, unmapping_of
from hub.domain.money import format_yuan
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.participant.v1 import participant_pb2 as participant
from yrd.registry.v1 import registry_pb2 as registry
from yrd.voucher.v1 import voucher_pb2 as voucher

_LINES = 2
T = TypeVar("T")


def grouped(fen: int) -> str:
    """Write `4,800.00`, the way the system prints money."""
    whole, _, decimals = format_yuan(fen).partition(".")
    return f"{int(whole):,}.{decimals}" if abs(fen) >= 100_000 else f"{whole}.{decimals}"


def _day(text: str) -> str:
    return text.replace("-", "")


def _enterprise(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, participant.RegisterEnterpriseRequest)
    firm = mapped.request.enterprise
    return {
        "企业编号": mapped.native_id,
        "统一社会信用代码": firm.uscc,
        "企业名称": firm.name,
        "行政区划": firm.division,
        "企业类型": enterprise_kind_out(CODES, firm.kind),
        "入库登记编号": firm.sme_no,
        "入库有效期起": _day(firm.sme_valid_from),
        "入库有效期止": _day(firm.sme_valid_until),
        "职工人数": str(firm.staff),
        MARK: ADDED,
    }


def _provider(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, registry.AdmitProviderRequest)
    provider = mapped.request.provider
    return {
        "机构编号": mapped.native_id,
        "统一社会信用代码": provider.uscc,
        "机构名称": provider.name,
        "服务类别": "；".join(category_out(CODES, each) for each in provider.categories),
        "入库日期": _day(provider.admitted_on),
        # A rating of nought is what the hub keeps of "not rated"; the system leaves it empty.
        "评分": f"{provider.rating // 100}.{provider.rating % 100:02d}" if provider.rating else "",
        MARK: ADDED,
    }


def _recognition(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, registry.RecognizeProviderRequest)
    given = mapped.request.recognition
    return {
        "互认编号": mapped.native_id,
        "机构代码": given.provider,
        "生效日期": _day(given.valid_from),
        "失效日期": _day(given.valid_until),
        "是否签订协议": "是" if given.agreement else "否",
        MARK: ADDED,
    }


def _voucher(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, voucher.IssueVouchersRequest)
    (item,) = _exactly_one(mapped.request.items)
    (number,) = _exactly_one(item.voucher_nos)
    return {
        "发放编号": mapped.native_id,
        "券号": number,
        "统一社会信用代码": item.enterprise,
        "金额(元)": grouped(item.face_fen),
        MARK: ADDED,
    }


def _exactly_one(items: Sequence[T]) -> Sequence[T]:
    """Return what holds one item; raise ValueError for any other number, for which a row has no place."""
    if len(items) != 1:
        raise ValueError(f"a row holds one note, not {len(items)}")
    return items


def _lines(lines: Sequence[clearing.OrderLine]) -> dict[str, str]:
    """Return the two numbered groups of columns; raise ValueError for what they cannot hold."""
    if len(lines) > _LINES:
        raise ValueError(f"a row holds at most {_LINES} order lines, not {len(lines)}")
    cells = {f"{name}{number}": "" for number in range(1, _LINES + 1) for name in ("服务类别", "金额", "不予支持")}
    for number, line in enumerate(lines, start=1):
        flags = flags_out(CODES, line)
        if len(flags) > 1:
            raise ValueError(f"an order line holds at most one flag, not {len(flags)}")
        cells[f"服务类别{number}"], cells[f"金额{number}"] = category_out(CODES, line.category), grouped(line.amount_fen)
        cells[f"不予支持{number}"] = "".join(flags)
    return cells


def _authorization(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, clearing.AuthorizeRequest)
    given = mapped.request.input
    return {
        "申请编号": mapped.native_id,
        "发券地区划": given.issuer,
        "企业代码": given.enterprise,
        "机构代码": given.provider,
        "订单号": given.order.order_no,
        **_lines(given.order.lines),
        MARK: ADDED,
    }


def _capture(mapped: Mapped) -> dict[str, str]:
    assert isinstance(mapped.request, clearing.CaptureRequest)
    request = mapped.request
    column_of = {word: column for column, word in DOCUMENTS.items()}
    papers = {column_of[evidence_out(CODES, piece)]: piece.sha256 for piece in request.evidence}
    return {
        "兑付编号": mapped.native_id,
        "申请编号": mapped.refers_to,
        "企业代码": mapped.key,
        "发票号码": request.invoice_no,
        "交付日期": _day(request.delivered_on),
        **_lines(request.lines),
        **{column: papers.get(column, "") for column in DOCUMENTS},
        MARK: ADDED,
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
    "unmapped.csv",
    "",
)
"""Says a command in the system's columns, or raises ValueError: two order lines with a flag each, one numbered note a row, evidence in
the order of its columns and with its digest are all that a row can hold."""
