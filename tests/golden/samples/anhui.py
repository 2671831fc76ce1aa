"""Anhui's part of the world, as workbooks from two cities; and rows that are broken."""

from __future__ import annotations

import io
import re
import zipfile
from decimal import Decimal

from openpyxl import Workbook

from tests.golden.samples.world import Cells, Claim, Firm, Issue, Lab, Order, Recognition, World

TYPES = {"TECH_SME": "科技型中小企业", "START_UP_TECH": "初创科技企业", "TEAM": "创新团队", "ABOVE_SCALE": "规上企业"}
SERVICES = {
    "INSPECTION_TESTING": "检测服务",
    "RESEARCH": "委托研发",
    "INSTRUMENT": "仪器共享",
    "CONSULTING": "咨询服务",
    "IP": "知识产权服务",
    "TECH_TRANSFER": "技术转移",
    "LITERATURE": "文献服务",
    "ST_FINANCE": "科技金融服务",
}
FLAGS = {"PATENT_APPLICATION": "专利申请费用", "STATUTORY_TEST": "强制检测", "FISCALLY_FUNDED": "已获财政资助"}
PAPERS = {"CONTRACT": "合同", "INVOICE": "发票", "PAYMENT_PROOF": "付款凭证", "RESULT_REPORT": "成果报告"}
PLACES = {
    "310000": "上海市",
    "320000": "江苏省",
    "330000": "浙江省",
    "330500": "湖州市",
    "330522": "长兴县",
    "340100": "合肥市",
    "340200": "芜湖市",
}
CITIES = {"340100": "hefei", "340200": "wuhu"}


def files(world: World) -> dict[str, bytes]:
    found = {}
    for code, name in CITIES.items():
        sheets = {
            sheet: [*rows_, {**rows_[0], "编号": f"{rows_[0]['编号'][:-4]}8{code[3]}01", "状态": "作废"}]
            for sheet, rows_ in rows(world, code).items()
        }
        (_break_hefei if code == "340100" else _break_wuhu)(sheets)
        found[f"{code}-{name}-2026.xlsx"] = _book(sheets, PLACES[code])
    return found


def yuan(fen: int) -> int | Decimal:
    return fen // 100 if fen % 100 == 0 else Decimal(fen) / 100


def rows(world: World, city: str) -> dict[str, list[Cells]]:
    """Return a city's good rows by sheet; labs and their orders go with the city that keeps them, in turn."""
    mine = {lab.uscc for at, lab in enumerate(world.labs["340000"]) if (at % 2 == 0) == (city == "340100")}
    sheets = {
        "企业": [_firm(f) for f in world.firms["340000"] if f.town == city],
        "机构": [_lab(lab) for lab in world.labs["340000"] if lab.uscc in mine],
        "互认": [_recognition(r) for r in world.recognitions["340000"] if r.issuer == city],
        "发券": [_issue(i) for i in world.issues["340000"] if i.issuer == city],
        "服务订单": [_order(o) for o in world.orders["340000"] if o.lab in mine],
        "兑付申请": [_claim(c) for c in world.claims["340000"] if c.order.lab in mine],
    }
    return {name: [{**row, "状态": "有效"} for row in found] for name, found in sheets.items()}


def _firm(f: Firm) -> Cells:
    return {
        "编号": f.id,
        "统一社会信用代码": f.uscc,
        "企业名称": f.name,
        "所在市": PLACES[f.town],
        "企业类别": TYPES[f.kind],
        "入库登记编号": f.sme_no,
        "登记起始": f.sme_from,
        "登记截止": f.sme_until,
        "职工人数": f.staff,
        "联系人": f.contact,
        "手机": f.phone,
    }


def _lab(lab: Lab) -> Cells:
    return {
        "编号": lab.id,
        "统一社会信用代码": lab.uscc,
        "机构名称": lab.name,
        "服务领域": "、".join(SERVICES[category] for category in lab.categories),
        "入库时间": lab.admitted,
        "星级": None if lab.rating is None else yuan(lab.rating),
        "联系人": lab.contact,
        "通讯地址": lab.address,
    }


def _recognition(r: Recognition) -> Cells:
    return {
        "编号": r.id,
        "发券市": PLACES[r.issuer],
        "机构信用代码": r.lab,
        "互认起始": r.start,
        "互认截止": r.until,
        "三方协议": "是" if r.agreement else "否",
        "备注": "长三角互认",
    }


def _issue(i: Issue) -> Cells:
    return {
        "编号": i.id,
        "发券市": PLACES[i.issuer],
        "企业信用代码": i.firm,
        "券号": i.no,
        "面额（万元）": Decimal(i.face) / 10000 if i.face % 10000 else i.face // 10000,
        "经费渠道": "省市共担",
    }


def _order(o: Order) -> Cells:
    (line,) = o.lines
    return {
        "编号": o.id,
        "发券地": PLACES[o.issuer],
        "企业信用代码": o.firm,
        "机构信用代码": o.lab,
        "合同号": o.order_no,
        "服务类别": SERVICES[line.category],
        "服务费（元）": yuan(line.fen),
        "不支持情形": FLAGS[line.flags[0]] if line.flags else None,
        "项目内容": o.title,
    }


def _claim(c: Claim) -> Cells:
    final = c.final[0] if c.final else None
    return {
        "编号": c.id,
        "订单编号": c.order.id,
        "企业信用代码": c.order.firm,
        "发票号": c.invoice,
        "完成日期": f"{c.delivered.year}年{c.delivered.month}月{c.delivered.day}日" if c.handler[0] in "赵钱孙" else c.delivered,
        "实际服务类别": SERVICES[final.category] if final else None,
        "实际服务费（元）": yuan(final.fen) if final else None,
        "附件": "、".join(PAPERS[kind] for kind, _ in c.evidence),
        "经手人": c.handler,
    }


def _spoil(sheets: dict[str, list[Cells]], sheet: str, after: int, number: str | None, changes: Cells) -> None:
    sheets[sheet].insert(after, {**sheets[sheet][0], "编号": number, **changes})


def _break_hefei(sheets: dict[str, list[Cells]]) -> None:
    """Put rows among the good ones that no hub should see."""
    _spoil(sheets, "企业", 5, "AH-QY-9001", {"统一社会信用代码": "91340100MA2B12343A"})  # check digit
    _spoil(sheets, "企业", 18, "AH-QY-9002", {"所在市": "上海市"})  # another province's firm
    _spoil(sheets, "企业", 33, "AH-QY-9003", {"登记起始": "2026年春"})  # no date
    sheets["企业"].insert(44, {**sheets["企业"][10], "职工人数": 999})  # an id used twice
    _spoil(sheets, "机构", 4, None, {})  # no id
    _spoil(sheets, "发券", 8, "AH-FQ-9001", {"券号": "AH340100-2026-90001", "面额（万元）": "2.0000005"})  # less than a fen
    _spoil(sheets, "发券", 21, "AH-FQ-9002", {"券号": "AH340100-2026-90002", "面额（万元）": -2})  # negative
    _spoil(sheets, "服务订单", 11, "AH-DD-9001", {"服务类别": "餐饮服务"})  # no such service
    _spoil(sheets, "兑付申请", 6, "AH-DF-9001", {"订单编号": "AH-DD-7777"})  # an order nobody sent


def _break_wuhu(sheets: dict[str, list[Cells]]) -> None:
    """Put rows among the good ones that no hub should see."""
    _spoil(sheets, "企业", 7, "AH-QY-9101", {"企业名称": None})  # no name
    _spoil(sheets, "企业", 21, "AH-QY-9102", {"职工人数": "约五十人"})  # no number
    _spoil(sheets, "互认", 3, "AH-HR-9101", {"发券市": "芜湖县"})  # not in the code list
    _spoil(sheets, "发券", 9, "AH-FQ-9101", {"券号": "AH340200-2026-90101", "面额（万元）": "贰万"})  # no amount
    _spoil(sheets, "服务订单", 5, "AH-DD-9101", {"服务费（元）": "1200.505"})  # three decimals
    _spoil(sheets, "兑付申请", 4, "AH-DF-9101", {"附件": "发票、白条"})  # no such paper


def _book(sheets: dict[str, list[Cells]], city: str) -> bytes:
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        header = list(rows[0])
        sheet.append([f"{city}科技创新券台账（{name}）"])
        sheet.append(header)
        for row in rows:
            sheet.append([row[column] for column in header])
        for cells in sheet.iter_rows(min_row=3):
            for cell in cells:
                if cell.is_date:
                    cell.number_format = "yyyy-mm-dd"
    raw = io.BytesIO()
    book.save(raw)
    return _still(raw.getvalue())


def _still(raw: bytes) -> bytes:
    """Return the workbook without the times of its making and without compression, so that its bytes depend on its content alone."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as new:
        for name in sorted(old.namelist()):
            data = old.read(name)
            if name == "docProps/core.xml":
                data = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2026-02-10T00:00:00Z", data)
            new.writestr(zipfile.ZipInfo(name, date_time=(2026, 2, 10, 0, 0, 0)), data)
    return out.getvalue()
