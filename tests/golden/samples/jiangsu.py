"""Jiangsu's part of the world, as CSV in GB18030; and rows that are broken."""

from __future__ import annotations

import csv
import io
from datetime import date

from tests.golden.samples.world import Cells, Line, World

TYPES = {"TECH_SME": "科技型中小企业", "START_UP_TECH": "初创科技企业", "TEAM": "创新创业团队", "ABOVE_SCALE": "规模以上企业"}
SERVICES = {
    "INSPECTION_TESTING": "检验检测",
    "RESEARCH": "研究开发",
    "INSTRUMENT": "大型仪器",
    "CONSULTING": "科技咨询",
    "IP": "知识产权",
    "TECH_TRANSFER": "技术转移",
    "LITERATURE": "科技文献",
    "ST_FINANCE": "科技金融",
}
FLAGS = {"PATENT_APPLICATION": "专利申请", "STATUTORY_TEST": "法定检测", "FISCALLY_FUNDED": "财政已支持"}
DATE = "20260210"


def money(fen: int) -> str:
    return f"{fen // 100:,}.{fen % 100:02d}"


def eight(day: date | None) -> str:
    return f"{day:%Y%m%d}" if day else ""


def files(world: World) -> dict[str, bytes]:
    lines = {name: _lines([*found, _withdrawn(found[0])]) for name, found in rows(world).items()}
    _break(lines)
    return {f"JS_{name}_{DATE}.csv": b"".join(found) for name, found in lines.items()}


def _withdrawn(row: Cells) -> Cells:
    """Return a row that was withdrawn before anybody took it."""
    name = next(iter(row))
    return {**row, name: f"{row[name][:-4]}8001", "操作": "撤销"}


def rows(world: World) -> dict[str, list[Cells]]:
    """Return the good rows by the file's kind."""
    sheets: dict[str, list[Cells]] = {
        "QY": _firms(world),
        "JG": _labs(world),
        "HR": [
            {
                "互认编号": r.id,
                "机构代码": r.lab,
                "生效日期": eight(r.start),
                "失效日期": eight(r.until),
                "是否签订协议": "是" if r.agreement else "否",
                "协议编号": f"XY{r.id[-4:]}" if r.agreement else "",
            }
            for r in world.recognitions["320000"]
        ],
        "FQ": [
            {"发放编号": i.id, "券号": i.no, "统一社会信用代码": i.firm, "金额(元)": money(i.face * 100), "发放方式": "申领"}
            for i in world.issues["320000"]
        ],
        "DD": _orders(world),
        "DF": _claims(world),
    }
    return {name: [{**row, "操作": "新增"} for row in found] for name, found in sheets.items()}


def _firms(world: World) -> list[Cells]:
    return [
        {
            "企业编号": f.id,
            "统一社会信用代码": f.uscc,
            "企业名称": f.name,
            "行政区划": f.town,
            "企业类型": TYPES[f.kind],
            "入库登记编号": f.sme_no,
            "入库有效期起": eight(f.sme_from),
            "入库有效期止": eight(f.sme_until),
            "职工人数": f.staff,
            "联系人": f.contact,
            "联系电话": f.phone,
        }
        for f in world.firms["320000"]
    ]


def _labs(world: World) -> list[Cells]:
    return [
        {
            "机构编号": lab.id,
            "统一社会信用代码": lab.uscc,
            "机构名称": lab.name,
            "服务类别": "；".join(SERVICES[category] for category in lab.categories),
            "入库日期": eight(lab.admitted),
            "评分": "" if lab.rating is None else f"{lab.rating / 100:.2f}",
            "联系人": lab.contact,
            "通讯地址": lab.address,
        }
        for lab in world.labs["320000"]
    ]


def _slots(lines: list[Line]) -> dict[str, str]:
    cells = {f"{name}{number}": "" for number in (1, 2) for name in ("服务类别", "金额", "不予支持")}
    for number, line in enumerate(lines, start=1):
        cells[f"服务类别{number}"], cells[f"金额{number}"] = SERVICES[line.category], money(line.fen)
        cells[f"不予支持{number}"] = FLAGS[line.flags[0]] if line.flags else ""
    return cells


def _orders(world: World) -> list[Cells]:
    return [
        {
            "申请编号": o.id,
            "发券地区划": o.issuer,
            "企业代码": o.firm,
            "机构代码": o.lab,
            "订单号": o.order_no,
            **_slots(o.lines),
            "项目名称": f'"{o.title}"，一期',
        }
        for o in world.orders["320000"]
    ]


def _claims(world: World) -> list[Cells]:
    found = []
    for c in world.claims["320000"]:
        papers = dict(c.evidence)
        found.append(
            {
                "兑付编号": c.id,
                "申请编号": c.order.id,
                "企业代码": c.order.firm,
                "发票号码": c.invoice,
                "交付日期": eight(c.delivered),
                **_slots(c.final),
                "合同摘要": papers.get("CONTRACT", ""),
                "发票摘要": papers.get("INVOICE", ""),
                "付款凭证摘要": papers.get("PAYMENT_PROOF", ""),
                "成果报告摘要": papers.get("RESULT_REPORT", ""),
                "经办人": c.handler,
            }
        )
    return found


def _lines(rows: list[Cells]) -> list[bytes]:
    found = []
    for cells in [list(rows[0]), *(list(row.values()) for row in rows)]:
        text = io.StringIO(newline="")
        csv.writer(text, lineterminator="\r\n").writerow(cells)
        found.append(text.getvalue().encode("gb18030"))
    return found


def _break(lines: dict[str, list[bytes]]) -> None:
    """Put rows among the good ones that no hub should see."""

    def spoil(sheet: str, after: int, *swaps: tuple[str, str], number: str = "") -> None:
        text = lines[sheet][1].decode("gb18030")
        own = text.split(",", 1)[0]
        for old, new in ((own, number), *swaps):
            assert old in text, (old, text)
            text = text.replace(old, new, 1)
        lines[sheet].insert(after, text.encode("gb18030"))

    first = lines["QY"][1].decode("gb18030").split(",")
    spoil("QY", 9, (first[1], first[1][:17] + ("0" if first[1][17] != "0" else "1")), number="JS-QY-9001")  # check digit
    spoil("QY", 40, (first[3] + ",", "330522,"), number="JS-QY-9002")  # another province's firm
    spoil("QY", 70, ("科技型中小企业", "高新技术企业"), number="JS-QY-9003")  # no such kind
    lines["QY"].insert(90, b"JS-QY-9004" + lines["QY"][80][10:30] + b"\xff\xff" + lines["QY"][80][30:])  # no such bytes in GB18030
    lines["QY"].insert(100, b",".join([b"JS-QY-9005", *lines["QY"][81].split(b",")[1:7]]) + b"\r\n")  # columns lost
    lines["QY"].insert(110, lines["QY"][5].replace("示例".encode("gb18030"), "范例".encode("gb18030"), 1))  # an id used twice
    spoil("JG", 6, ("检验检测", "星座占卜"), number="JS-JG-9001")  # no such service
    spoil("HR", 4, ("20260101", "20260231"), number="JS-HR-9001")  # no such day
    face = lines["FQ"][1].decode("gb18030").split('"')[1]
    spoil("FQ", 12, (face, face + "5"), ("JS320000-2026-00001", "JS320000-2026-90001"), number="JS-FQ-9001")  # three decimals
    spoil("FQ", 24, (face, "-" + face), ("JS320000-2026-00001", "JS320000-2026-90002"), number="JS-FQ-9002")  # negative
    spoil("FQ", 36, (f'"{face}"', '"10,00.00"'), ("JS320000-2026-00001", "JS320000-2026-90003"), number="JS-FQ-9003")  # wrong grouping
    lines["DD"].insert(20, 'JS-DD-9001,310000,"没有收尾的引号\r\n'.encode("gb18030"))
    claim = lines["DF"][1].decode("gb18030").split(",")
    spoil("DF", 8, (claim[1], "JS-DD-7777"), number="JS-DF-9001")  # an order nobody sent
