"""Jiangsu's rows in the hub's terms. Amounts are yuan with thousands separators, dates eight digits, columns Chinese."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from adapters.runtime import commands
from adapters.runtime.codes import load_codes
from adapters.runtime.model import FieldTable, Kind, Mapped, NativeRecord
from adapters.runtime.row import Reject, Row, mapping_of
from yrd.clearing.v1 import clearing_pb2 as clearing

DIVISION = "320000"
YUAN = 100
FORM = "YYYYMMDD"
CODES = load_codes(Path(__file__).parent / "codes.yaml")
MARK = "操作"
ADDED, CHANGED, WITHDRAWN = "新增", "变更", "撤销"
_MARK_SAID = "withdrawal mark: 撤销 withdraws the record, 新增 and 变更 state it; absent in older files"
DOCUMENTS = {"合同摘要": "合同", "发票摘要": "发票", "付款凭证摘要": "付款凭证", "成果报告摘要": "成果报告"}

MAPPED: FieldTable = {
    Kind.ENTERPRISE: {
        "企业编号": "native id",
        "统一社会信用代码": "enterprise.uscc",
        "企业名称": "enterprise.name",
        "行政区划": "enterprise.division",
        "企业类型": "enterprise.kind (code list enterprise_kind)",
        "入库登记编号": "enterprise.sme_no",
        "入库有效期起": "enterprise.sme_valid_from",
        "入库有效期止": "enterprise.sme_valid_until",
        "职工人数": "enterprise.staff",
        MARK: _MARK_SAID,
    },
    Kind.PROVIDER: {
        "机构编号": "native id",
        "统一社会信用代码": "provider.uscc",
        "机构名称": "provider.name",
        "服务类别": "provider.categories, separated by ； (code list category)",
        "入库日期": "provider.admitted_on",
        "评分": "provider.rating, hundredths",
        MARK: _MARK_SAID,
    },
    Kind.RECOGNITION: {
        "互认编号": "native id",
        "机构代码": "recognition.provider",
        "生效日期": "recognition.valid_from",
        "失效日期": "recognition.valid_until",
        "是否签订协议": "recognition.agreement",
        MARK: _MARK_SAID,
    },
    Kind.VOUCHER: {
        "发放编号": "native id",
        "券号": "items[0].voucher_nos[0]",
        "统一社会信用代码": "items[0].enterprise",
        "金额(元)": "items[0].face_fen, from yuan",
        MARK: _MARK_SAID,
    },
    Kind.AUTHORIZATION: {
        "申请编号": "native id",
        "发券地区划": "input.issuer",
        "企业代码": "input.enterprise",
        "机构代码": "input.provider",
        "订单号": "input.order.order_no",
        "服务类别1": "input.order.lines[0].category (code list category)",
        "金额1": "input.order.lines[0].amount_fen, from yuan",
        "不予支持1": "input.order.lines[0].flags (code list flag)",
        "服务类别2": "input.order.lines[1].category (code list category); empty means one line",
        "金额2": "input.order.lines[1].amount_fen, from yuan",
        "不予支持2": "input.order.lines[1].flags (code list flag)",
        MARK: _MARK_SAID,
    },
    Kind.CAPTURE: {
        "兑付编号": "native id",
        "申请编号": "redemption_id, through the outcome of that authorization",
        "企业代码": "partition key",
        "发票号码": "invoice_no",
        "交付日期": "delivered_on",
        "服务类别1": "lines[0].category (code list category); empty means as authorized",
        "金额1": "lines[0].amount_fen, from yuan",
        "不予支持1": "lines[0].flags (code list flag)",
        "服务类别2": "lines[1].category (code list category)",
        "金额2": "lines[1].amount_fen, from yuan",
        "不予支持2": "lines[1].flags (code list flag)",
        "合同摘要": "evidence CONTRACT, sha256",
        "发票摘要": "evidence INVOICE, sha256",
        "付款凭证摘要": "evidence PAYMENT_PROOF, sha256",
        "成果报告摘要": "evidence RESULT_REPORT, sha256",
        MARK: _MARK_SAID,
    },
}

DROPPED: FieldTable = {
    Kind.ENTERPRISE: {"联系人": "personal data the hub does not need", "联系电话": "personal data the hub does not need"},
    Kind.PROVIDER: {"联系人": "personal data the hub does not need", "通讯地址": "not used in clearing"},
    Kind.RECOGNITION: {"协议编号": "the agreement stays with the province; that it is signed is what counts"},
    Kind.VOUCHER: {"发放方式": "how the firm applied; not used in clearing"},
    Kind.AUTHORIZATION: {"项目名称": "business secret the hub does not need"},
    Kind.CAPTURE: {"经办人": "personal data the hub does not need"},
}


def read_day(text: str) -> date:
    """Read `20260203`; raise ValueError for anything else."""
    if len(text) != 8 or not (text.isascii() and text.isdigit()):
        raise ValueError(text)
    return date(int(text[:4]), int(text[4:6]), int(text[6:]))


def _row(record: NativeRecord) -> Row:
    row = Row(record, MAPPED[record.kind], CODES)
    mark = row.optional(MARK)
    if mark not in ("", ADDED, CHANGED, WITHDRAWN):
        raise Reject(MARK, "UNMAPPED_CODE", mark, MARK)
    return row


def _enterprise(record: NativeRecord) -> Mapped:
    row = _row(record)
    kind = row.code("企业类型", "enterprise_kind")
    start, until = row.optional_day("入库有效期起", read_day, FORM), row.optional_day("入库有效期止", read_day, FORM)
    row.period("入库有效期止", start, until)
    return commands.register(
        row.text("企业编号", 64),
        uscc=row.uscc("统一社会信用代码"),
        name=row.text("企业名称"),
        division=row.division("行政区划", DIVISION),
        kind=kind,
        sme_no=row.sme_no("入库登记编号", kind),
        sme_from=start,
        sme_until=until,
        staff=row.whole("职工人数", 0, 10_000_000),
    )


def _provider(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.admit(
        row.text("机构编号", 64),
        uscc=row.uscc("统一社会信用代码"),
        name=row.text("机构名称"),
        home=DIVISION,
        categories=[row.meaning("服务类别", "category", part) for part in row.text("服务类别").split("；")],
        admitted_on=row.day("入库日期", read_day, FORM),
        rating=row.rating("评分"),
    )


def _recognition(record: NativeRecord) -> Mapped:
    row = _row(record)
    start, until = row.day("生效日期", read_day, FORM), row.optional_day("失效日期", read_day, FORM)
    row.period("失效日期", start, until)
    return commands.recognize(
        row.text("互认编号", 64),
        issuer=DIVISION,
        provider=row.uscc("机构代码"),
        valid_from=start,
        valid_until=until,
        agreement=row.yes("是否签订协议"),
    )


def _voucher(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.issue(
        row.text("发放编号", 64),
        issuer=DIVISION,
        enterprise=row.uscc("统一社会信用代码"),
        face_fen=row.money("金额(元)", YUAN, grouped=True),
        voucher_nos=[row.text("券号", 64)],
    )


def _line(row: Row, number: int) -> clearing.OrderLine:
    flag = row.optional(f"不予支持{number}")
    return commands.line(
        row.code(f"服务类别{number}", "category"),
        row.money(f"金额{number}", YUAN, grouped=True),
        [row.meaning(f"不予支持{number}", "flag", flag)] if flag else [],
    )


def _lines(row: Row) -> list[clearing.OrderLine]:
    """Return the lines that are filled in; a half-filled one is rejected, not guessed."""
    filled = [number for number in (1, 2) if any(row.optional(f"{name}{number}") for name in ("服务类别", "金额", "不予支持"))]
    return [_line(row, number) for number in filled]


def _authorization(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.authorize(
        row.text("申请编号", 64),
        issuer=row.any_division("发券地区划"),
        enterprise=row.uscc("企业代码"),
        provider=row.uscc("机构代码"),
        order_no=row.text("订单号", 64),
        lines=_lines(row),
        lines_field="服务类别1",
    )


def _capture(record: NativeRecord) -> Mapped:
    row = _row(record)
    given = [(kind, row.sha256(column)) for column, kind in DOCUMENTS.items()]
    return commands.capture(
        row.text("兑付编号", 64),
        authorization=row.text("申请编号", 64),
        authorization_field="申请编号",
        enterprise=row.uscc("企业代码"),
        invoice_no=row.text("发票号码", 64),
        delivered_on=row.day("交付日期", read_day, FORM),
        documents=[commands.evidence(row.meaning("发票摘要", "evidence", kind), sha256) for kind, sha256 in given if sha256],
        lines=_lines(row),
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
"""Maps one row, or says why it cannot."""
