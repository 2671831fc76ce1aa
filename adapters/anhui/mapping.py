"""Anhui's rows in the hub's terms. Faces are ten thousand yuan (万元), fees yuan, dates Excel dates, divisions by name."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from adapters.runtime import commands
from adapters.runtime.codes import load_codes
from adapters.runtime.model import FieldTable, Kind, Mapped, NativeRecord
from adapters.runtime.row import Reject, Row, mapping_of
from yrd.clearing.v1 import clearing_pb2 as clearing

DIVISION = "340000"
YUAN = 100
WAN_YUAN = 1_000_000
FORM = "YYYY年M月D日"
MARK = "状态"
VALID, WITHDRAWN = "有效", "作废"
_MARK_SAID = "withdrawal mark: 作废 withdraws the row, 有效 states it; absent in older workbooks"
CODES = load_codes(Path(__file__).parent / "codes.yaml")
_DAY = re.compile(r"^(\d{4})年(\d{1,2})月(\d{1,2})日$", re.ASCII)

MAPPED: FieldTable = {
    Kind.ENTERPRISE: {
        "编号": "native id",
        "统一社会信用代码": "enterprise.uscc",
        "企业名称": "enterprise.name",
        "所在市": "enterprise.division (code list division)",
        "企业类别": "enterprise.kind (code list enterprise_kind)",
        "入库登记编号": "enterprise.sme_no",
        "登记起始": "enterprise.sme_valid_from",
        "登记截止": "enterprise.sme_valid_until",
        "职工人数": "enterprise.staff",
        MARK: _MARK_SAID,
    },
    Kind.PROVIDER: {
        "编号": "native id",
        "统一社会信用代码": "provider.uscc",
        "机构名称": "provider.name",
        "服务领域": "provider.categories, separated by 、 (code list category)",
        "入库时间": "provider.admitted_on",
        "星级": "provider.rating, hundredths",
        MARK: _MARK_SAID,
    },
    Kind.RECOGNITION: {
        "编号": "native id",
        "发券市": "recognition.issuer (code list division)",
        "机构信用代码": "recognition.provider",
        "互认起始": "recognition.valid_from",
        "互认截止": "recognition.valid_until",
        "三方协议": "recognition.agreement",
        MARK: _MARK_SAID,
    },
    Kind.VOUCHER: {
        "编号": "native id",
        "发券市": "issuer (code list division)",
        "企业信用代码": "items[0].enterprise",
        "券号": "items[0].voucher_nos[0]",
        "面额（万元）": "items[0].face_fen, from ten thousand yuan",
        MARK: _MARK_SAID,
    },
    Kind.AUTHORIZATION: {
        "编号": "native id",
        "发券地": "input.issuer (code list division)",
        "企业信用代码": "input.enterprise",
        "机构信用代码": "input.provider",
        "合同号": "input.order.order_no",
        "服务类别": "input.order.lines[0].category (code list category)",
        "服务费（元）": "input.order.lines[0].amount_fen, from yuan",
        "不支持情形": "input.order.lines[0].flags (code list flag)",
        MARK: _MARK_SAID,
    },
    Kind.CAPTURE: {
        "编号": "native id",
        "订单编号": "redemption_id, through the outcome of that authorization",
        "企业信用代码": "partition key",
        "发票号": "invoice_no",
        "完成日期": "delivered_on",
        "实际服务类别": "lines[0].category (code list category); empty means as authorized",
        "实际服务费（元）": "lines[0].amount_fen, from yuan",
        "附件": "evidence, separated by 、 (code list evidence); no digests: the files stay with the city",
        MARK: _MARK_SAID,
    },
}

DROPPED: FieldTable = {
    Kind.ENTERPRISE: {"联系人": "personal data the hub does not need", "手机": "personal data the hub does not need"},
    Kind.PROVIDER: {"联系人": "personal data the hub does not need", "通讯地址": "not used in clearing"},
    Kind.RECOGNITION: {"备注": "free text"},
    Kind.VOUCHER: {"经费渠道": "the policy's funding shares say who bears what"},
    Kind.AUTHORIZATION: {"项目内容": "business secret the hub does not need"},
    Kind.CAPTURE: {"经手人": "personal data the hub does not need"},
}


def read_day(text: str) -> date:
    """Read `2026年2月3日`; raise ValueError for anything else."""
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day = (int(part) for part in found.groups())
    return date(year, month, day)


def write_day(day: date) -> str:
    """Write `2026年2月3日`."""
    return f"{day.year}年{day.month}月{day.day}日"


def _row(record: NativeRecord) -> Row:
    row = Row(record, MAPPED[record.kind], CODES)
    mark = row.optional(MARK)
    if mark not in ("", VALID, WITHDRAWN):
        raise Reject(MARK, "UNMAPPED_CODE", mark, MARK)
    return row


def _enterprise(record: NativeRecord) -> Mapped:
    row = _row(record)
    kind = row.code("企业类别", "enterprise_kind")
    start, until = row.optional_day("登记起始", read_day, FORM), row.optional_day("登记截止", read_day, FORM)
    row.period("登记截止", start, until)
    return commands.register(
        row.text("编号", 64),
        uscc=row.uscc("统一社会信用代码"),
        name=row.text("企业名称"),
        division=row.placed("所在市", row.code("所在市", "division"), DIVISION),
        kind=kind,
        sme_no=row.sme_no("入库登记编号", kind),
        sme_from=start,
        sme_until=until,
        staff=row.whole("职工人数", 0, 10_000_000),
    )


def _provider(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.admit(
        row.text("编号", 64),
        uscc=row.uscc("统一社会信用代码"),
        name=row.text("机构名称"),
        home=DIVISION,
        categories=[row.meaning("服务领域", "category", part) for part in row.text("服务领域").split("、")],
        admitted_on=row.day("入库时间", read_day, FORM),
        rating=row.rating("星级"),
    )


def _recognition(record: NativeRecord) -> Mapped:
    row = _row(record)
    start, until = row.day("互认起始", read_day, FORM), row.optional_day("互认截止", read_day, FORM)
    row.period("互认截止", start, until)
    return commands.recognize(
        row.text("编号", 64),
        issuer=row.placed("发券市", row.code("发券市", "division"), DIVISION),
        provider=row.uscc("机构信用代码"),
        valid_from=start,
        valid_until=until,
        agreement=row.yes("三方协议"),
    )


def _voucher(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.issue(
        row.text("编号", 64),
        issuer=row.placed("发券市", row.code("发券市", "division"), DIVISION),
        enterprise=row.uscc("企业信用代码"),
        face_fen=row.money("面额（万元）", WAN_YUAN),
        voucher_nos=[row.text("券号", 64)],
    )


def _authorization(record: NativeRecord) -> Mapped:
    row = _row(record)
    flag = row.optional("不支持情形")
    line = commands.line(
        row.code("服务类别", "category"), row.money("服务费（元）", YUAN), [row.meaning("不支持情形", "flag", flag)] if flag else []
    )
    return commands.authorize(
        row.text("编号", 64),
        issuer=row.code("发券地", "division"),
        enterprise=row.uscc("企业信用代码"),
        provider=row.uscc("机构信用代码"),
        order_no=row.text("合同号", 64),
        lines=[line],
        lines_field="服务类别",
    )


def _final(row: Row) -> list[clearing.OrderLine]:
    """Return the final line where the city wrote one; a half-written one is rejected, not guessed."""
    if not (row.optional("实际服务类别") or row.optional("实际服务费（元）")):
        return []
    return [commands.line(row.code("实际服务类别", "category"), row.money("实际服务费（元）", YUAN))]


def _capture(record: NativeRecord) -> Mapped:
    row = _row(record)
    papers = row.optional("附件")
    return commands.capture(
        row.text("编号", 64),
        authorization=row.text("订单编号", 64),
        authorization_field="订单编号",
        enterprise=row.uscc("企业信用代码"),
        invoice_no=row.text("发票号", 64),
        delivered_on=row.day("完成日期", read_day, FORM),
        documents=[commands.evidence(row.meaning("附件", "evidence", part)) for part in papers.split("、") if part],
        lines=_final(row),
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
