"""Zhejiang's records in the hub's terms. Amounts are whole fen, dates `2026/2/3`, fields pinyin.

The folder a file lies in says who speaks: a county may speak of its own firms and notes, not of its neighbour's.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

from adapters.runtime import commands
from adapters.runtime.codes import load_codes
from adapters.runtime.model import FieldTable, Kind, Mapped, NativeRecord
from adapters.runtime.row import Reject, Row, mapping_of
from yrd.clearing.v1 import clearing_pb2 as clearing

DIVISION = "330000"
FEN = 1
FORM = "YYYY/M/D"
VALID, WITHDRAWN = "1", "0"
MARK = "withdrawal mark (状态): 1 or absent valid, 0 withdrawn"
CODES = load_codes(Path(__file__).parent / "codes.yaml")
_DAY = re.compile(r"^(\d{4})/(\d{1,2})/(\d{1,2})$", re.ASCII)

MAPPED: FieldTable = {
    Kind.ENTERPRISE: {
        "bianhao": "native id",
        "xydm": "enterprise.uscc (信用代码)",
        "qymc": "enterprise.name (企业名称)",
        "xzqh": "enterprise.division (行政区划)",
        "qylx": "enterprise.kind (企业类型; code list enterprise_kind)",
        "rkbh": "enterprise.sme_no (入库编号)",
        "rkqi": "enterprise.sme_valid_from (入库起)",
        "rkzhi": "enterprise.sme_valid_until (入库止)",
        "zgrs": "enterprise.staff (职工人数)",
        "zt": MARK,
    },
    Kind.PROVIDER: {
        "bianhao": "native id",
        "xydm": "provider.uscc (信用代码)",
        "jgmc": "provider.name (机构名称)",
        "fwlb[]": "provider.categories (服务类别; code list category)",
        "rkrq": "provider.admitted_on (入库日期)",
        "pingji": "provider.rating, hundredths (评级)",
        "zt": MARK,
    },
    Kind.RECOGNITION: {
        "bianhao": "native id",
        "fqd": "recognition.issuer (发券地)",
        "jgdm": "recognition.provider (机构代码)",
        "qi": "recognition.valid_from (起)",
        "zhi": "recognition.valid_until (止)",
        "sfxy": "recognition.agreement (三方协议)",
        "zt": MARK,
    },
    Kind.VOUCHER: {
        "bianhao": "native id",
        "fqd": "issuer (发券地)",
        "xydm": "items[0].enterprise (信用代码)",
        "mianzhi": "items[0].face_fen, in fen (面值)",
        "zhangshu": "items[0].count (张数)",
        "zt": MARK,
    },
    Kind.AUTHORIZATION: {
        "bianhao": "native id",
        "fqd": "input.issuer (发券地)",
        "qydm": "input.enterprise (企业代码)",
        "jgdm": "input.provider (机构代码)",
        "ddh": "input.order.order_no (订单号)",
        "zqhq": "input.all_or_nothing (足额或全无)",
        "mx[].lb": "input.order.lines[].category (类别; code list category)",
        "mx[].je": "input.order.lines[].amount_fen, in fen (金额)",
        "mx[].bzc[]": "input.order.lines[].flags (不支持; code list flag)",
        "zt": MARK,
    },
    Kind.CAPTURE: {
        "bianhao": "native id",
        "sqbh": "redemption_id, through the outcome of that authorization (授权编号)",
        "qydm": "partition key (企业代码)",
        "fph": "invoice_no (发票号)",
        "jfrq": "delivered_on (交付日期)",
        "mx[].lb": "lines[].category (类别; code list category)",
        "mx[].je": "lines[].amount_fen, in fen (金额)",
        "mx[].bzc[]": "lines[].flags (不支持; code list flag)",
        "cl[].lx": "evidence[].kind (材料类型; code list evidence)",
        "cl[].zy": "evidence[].sha256 (摘要)",
        "zt": MARK,
    },
}

DROPPED: FieldTable = {
    Kind.ENTERPRISE: {"lianxiren": "personal data the hub does not need", "dianhua": "personal data the hub does not need"},
    Kind.PROVIDER: {"lianxiren": "personal data the hub does not need", "dizhi": "not used in clearing"},
    Kind.RECOGNITION: {"xybh": "the agreement stays with the issuer; that it is signed is what counts"},
    Kind.VOUCHER: {"fffs": "how the notes were given out (普发, 申领); not used in clearing"},
    Kind.AUTHORIZATION: {"xmmc": "business secret the hub does not need"},
    Kind.CAPTURE: {"jingbanren": "personal data the hub does not need"},
}


def read_day(text: str) -> date:
    """Read `2026/2/3`; raise ValueError for anything else."""
    found = _DAY.fullmatch(text)
    if found is None:
        raise ValueError(text)
    year, month, day = (int(part) for part in found.groups())
    return date(year, month, day)


def write_day(day: date) -> str:
    """Write `2026/2/3`."""
    return f"{day.year}/{day.month}/{day.day}"


def _row(record: NativeRecord) -> Row:
    row = Row(record, MAPPED[record.kind], CODES)
    # Files of the years before the mark have none; a mark of another kind waits for a person.
    if (mark := row.optional("zt")) not in ("", VALID, WITHDRAWN):
        raise Reject("zt", "BAD_FLAG", mark, f"{VALID}/{WITHDRAWN}")
    return row


def _speaker(record: NativeRecord) -> str:
    """Return the division whose folder the record came from: the last one, as archives have a folder of the year above it."""
    folder, _, _ = record.file.rpartition("/")
    return folder.rpartition("/")[2] or DIVISION


def _enterprise(record: NativeRecord) -> Mapped:
    row = _row(record)
    kind = row.code("qylx", "enterprise_kind")
    start, until = row.optional_day("rkqi", read_day, FORM), row.optional_day("rkzhi", read_day, FORM)
    row.period("rkzhi", start, until)
    return commands.register(
        row.text("bianhao", 64),
        uscc=row.uscc("xydm"),
        name=row.text("qymc"),
        division=row.division("xzqh", _speaker(record)),
        kind=kind,
        sme_no=row.sme_no("rkbh", kind),
        sme_from=start,
        sme_until=until,
        staff=row.whole("zgrs", 0, 10_000_000),
    )


def _provider(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.admit(
        row.text("bianhao", 64),
        uscc=row.uscc("xydm"),
        name=row.text("jgmc"),
        home=DIVISION,
        categories=[row.code(f"fwlb[{at}]", "category") for at in range(row.count("fwlb"))],
        admitted_on=row.day("rkrq", read_day, FORM),
        rating=row.rating("pingji"),
    )


def _recognition(record: NativeRecord) -> Mapped:
    row = _row(record)
    start, until = row.day("qi", read_day, FORM), row.optional_day("zhi", read_day, FORM)
    row.period("zhi", start, until)
    return commands.recognize(
        row.text("bianhao", 64),
        issuer=row.division("fqd", _speaker(record)),
        provider=row.uscc("jgdm"),
        valid_from=start,
        valid_until=until,
        agreement=row.yes("sfxy"),
    )


def _voucher(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.issue(
        row.text("bianhao", 64),
        issuer=row.division("fqd", _speaker(record)),
        enterprise=row.uscc("xydm"),
        face_fen=row.money("mianzhi", FEN),
        count=row.whole("zhangshu", 1, 1000),
    )


def _lines(row: Row) -> list[clearing.OrderLine]:
    return [
        commands.line(
            row.code(f"mx[{at}].lb", "category"),
            row.money(f"mx[{at}].je", FEN),
            [row.code(f"mx[{at}].bzc[{of}]", "flag") for of in range(row.count(f"mx[{at}].bzc"))],
        )
        for at in range(row.count("mx"))
    ]


def _authorization(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.authorize(
        row.text("bianhao", 64),
        issuer=row.any_division("fqd"),
        enterprise=row.uscc("qydm"),
        provider=row.uscc("jgdm"),
        order_no=row.text("ddh", 64),
        lines=_lines(row),
        lines_field="mx",
        all_or_nothing=row.yes("zqhq"),
    )


def _capture(record: NativeRecord) -> Mapped:
    row = _row(record)
    return commands.capture(
        row.text("bianhao", 64),
        authorization=row.text("sqbh", 64),
        authorization_field="sqbh",
        enterprise=row.uscc("qydm"),
        invoice_no=row.text("fph", 64),
        delivered_on=row.day("jfrq", read_day, FORM),
        documents=[commands.evidence(row.code(f"cl[{at}].lx", "evidence"), row.sha256(f"cl[{at}].zy")) for at in range(row.count("cl"))],
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
"""Maps one record, or says why it cannot."""
