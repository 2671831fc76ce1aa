"""Zhejiang's part of the world, as JSON Lines with pinyin names, a folder an issuer; and rows that are broken."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from tests.golden.samples.world import Cells, Claim, Firm, Issue, Lab, Line, Order, Recognition, World

TYPES = {"TECH_SME": "kjxzxqy", "START_UP_TECH": "ckjqy", "TEAM": "cxtd", "ABOVE_SCALE": "gsqy"}
SERVICES = {
    "INSPECTION_TESTING": "jianyanjiance",
    "RESEARCH": "yanfa",
    "INSTRUMENT": "yiqi",
    "CONSULTING": "kejizixun",
    "IP": "zhishichanquan",
    "TECH_TRANSFER": "jishuzhuanyi",
    "LITERATURE": "kejiwenxian",
    "ST_FINANCE": "kejijinrong",
}
FLAGS = {"PATENT_APPLICATION": "zlsq", "STATUTORY_TEST": "fdjc", "FISCALLY_FUNDED": "czzc"}
PAPERS = {"CONTRACT": "ht", "INVOICE": "fp", "PAYMENT_PROOF": "fk", "RESULT_REPORT": "cg"}
FOLDERS = {"330522": "330522", "330500": "330500", "330502": "330500"}


def slashed(day: date | None) -> str:
    return f"{day.year}/{day.month}/{day.day}" if day else ""


def files(world: World) -> dict[str, bytes]:
    found = rows(world)
    _withdraw(found)
    _break(found)
    return {f"{name}.jsonl": b"".join(_line(row) for row in each) for name, each in found.items()}


def rows(world: World) -> dict[str, list[Any]]:
    """Return the good rows by file, without the ending."""
    found: dict[str, list[Any]] = {}
    for f in world.firms["330000"]:
        found.setdefault(f"{FOLDERS.get(f.town, '330000')}/qiye", []).append(_firm(f))
    found["330000/jigou"] = [_lab(lab) for lab in world.labs["330000"]]
    for r in world.recognitions["330000"]:
        found.setdefault(f"{r.issuer}/huren", []).append(_recognition(r))
    for i in world.issues["330000"]:
        found.setdefault(f"{i.issuer}/faquan", []).append(_issue(i))
    found["330000/shouquan"] = [_order(o) for o in world.orders["330000"]]
    found["330000/duifu"] = [_claim(c) for c in world.claims["330000"]]
    return {name: [{**row, "zt": "1"} for row in each] for name, each in found.items()}


def _withdraw(rows: dict[str, list[Any]]) -> None:
    """Put a row of each kind behind the province's good ones that was withdrawn before anybody took it."""
    for name, each in rows.items():
        if name.startswith("330000/"):
            each.append({**each[0], "bianhao": f"{each[0]['bianhao'][:6]}8001", "zt": "0"})


def _firm(f: Firm) -> Cells:
    return {
        "bianhao": f.id,
        "xydm": f.uscc,
        "qymc": f.name,
        "xzqh": f.town,
        "qylx": TYPES[f.kind],
        "rkbh": f.sme_no,
        "rkqi": slashed(f.sme_from),
        "rkzhi": slashed(f.sme_until),
        "zgrs": f.staff,
        "lianxiren": f.contact,
        "dianhua": f.phone,
    }


def _lab(lab: Lab) -> Cells:
    return {
        "bianhao": lab.id,
        "xydm": lab.uscc,
        "jgmc": lab.name,
        "fwlb": [SERVICES[category] for category in lab.categories],
        "rkrq": slashed(lab.admitted),
        "pingji": "" if lab.rating is None else f"{lab.rating / 100:.2f}",
        "lianxiren": lab.contact,
        "dizhi": lab.address,
    }


def _recognition(r: Recognition) -> Cells:
    return {
        "bianhao": r.id,
        "fqd": r.issuer,
        "jgdm": r.lab,
        "qi": slashed(r.start),
        "zhi": slashed(r.until),
        "sfxy": "shi" if r.agreement else "fou",
        "xybh": f"SF{r.id[-4:]}",
    }


def _issue(i: Issue) -> Cells:
    way = "pufa" if i.issuer == "330522" else "shenling"
    return {"bianhao": i.id, "fqd": i.issuer, "xydm": i.firm, "mianzhi": i.face * 100, "zhangshu": i.count, "fffs": way}


def _details(lines: list[Line]) -> list[Cells]:
    return [{"lb": SERVICES[x.category], "je": x.fen, "bzc": [FLAGS[flag] for flag in x.flags]} for x in lines]


def _order(o: Order) -> Cells:
    return {
        "bianhao": o.id,
        "fqd": o.issuer,
        "qydm": o.firm,
        "jgdm": o.lab,
        "ddh": o.order_no,
        "zqhq": "shi" if o.all_or_nothing else "fou",
        "mx": _details(o.lines),
        "xmmc": o.title,
    }


def _claim(c: Claim) -> Cells:
    return {
        "bianhao": c.id,
        "sqbh": c.order.id,
        "qydm": c.order.firm,
        "fph": c.invoice,
        "jfrq": slashed(c.delivered),
        "mx": _details(c.final),
        "cl": [{"lx": PAPERS[kind], "zy": sha256} for kind, sha256 in c.evidence],
        "jingbanren": c.handler,
    }


def _line(row: Cells | bytes) -> bytes:
    return row if isinstance(row, bytes) else (json.dumps(row, ensure_ascii=False) + "\n").encode()


def _break(rows: dict[str, list[Any]]) -> None:
    """Put rows among the good ones that no hub should see."""

    def spoil(name: str, after: int, number: str, **changes: object) -> None:
        rows[name].insert(after, {**rows[name][0], "bianhao": number, **changes})

    spoil("330000/qiye", 6, "ZJ-QY-9001", xydm="91330522MA2B12343B")  # check digit
    spoil("330522/qiye", 4, "ZJ-QY-9002", xzqh="330502")  # the county speaks of its neighbour's firm
    spoil("330500/qiye", 9, "ZJ-QY-9003", qylx="dgs")  # no such kind
    spoil("330000/qiye", 20, "ZJ-QY-9004", rkbh="")  # a technology SME without its number
    rows["330000/qiye"].insert(25, b'{"bianhao": "ZJ-QY-9005", "xydm": "9133\n')  # cut off
    rows["330000/jigou"].insert(5, '{"bianhao": "ZJ-JG-9001", "jgmc": "编码错误示例"}\n'.encode("gb18030"))  # not UTF-8
    rows["330000/jigou"].insert(11, {**rows["330000/jigou"][8], "jgmc": "同号不同名示例中心"})  # an id used twice
    spoil("330500/huren", 3, "ZJ-HR-9001", zhi="2025/1/1")  # ends before it begins
    spoil("330000/huren", 8, "ZJ-HR-9002", sfxy="keneng")  # neither yes nor no
    spoil("330000/faquan", 10, "ZJ-FQ-9001", mianzhi="500.5")  # half a fen
    spoil("330522/faquan", 5, "ZJ-FQ-9002", mianzhi=-100000)  # negative
    spoil("330522/faquan", 9, "ZJ-FQ-9003", zhangshu=0)  # no notes
    spoil("330000/shouquan", 14, "ZJ-DD-9001", ddh="ZJHT2026-90001", mx=[{"lb": "jianyanjiance", "je": 9007199254740993, "bzc": []}])
    spoil("330000/shouquan", 33, "ZJ-DD-9002", fqd="zhejiang")  # no division code
    spoil("330000/duifu", 17, "ZJ-DF-9001", sqbh="ZJ-DD-7777")  # an order nobody sent
    spoil("330000/duifu", 30, "ZJ-DF-9002", jfrq="2026/2/30")  # no such day
