"""One small world that all four provinces' sample files describe, each its own part in its own words. Nothing in it is drawn from life
but the two parties of the Changxing case."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, TypeVar

from stdnum.cn import uscc as stdnum_uscc

T = TypeVar("T")
Cells = dict[str, Any]
"""A native record on its way into a file."""

SEED = 20220822  # the day of 沪科合〔2022〕19号
PROVINCES = ("310000", "320000", "330000", "340000")
XINGAO, POLYMER = "91330522MA2B12343A", "12310104425001236Q"

TOWNS = {
    "310000": [("310118", "上海青浦"), ("310115", "上海浦东"), ("310104", "上海徐汇")],
    "320000": [("320100", "南京"), ("320500", "苏州"), ("320509", "苏州吴江"), ("320412", "常州武进"), ("321300", "宿迁")],
    "330000": [("330400", "嘉兴"), ("330421", "嘉善"), ("330500", "湖州"), ("330502", "湖州吴兴"), ("330522", "长兴")],
    "340000": [("340100", "合肥"), ("340200", "芜湖")],
}
NAMES = {"310000": "上海", "320000": "江苏", "330000": "浙江", "340000": "安徽"}
WORDS = ["澄明", "远岫", "青禾", "拓岸", "云杉", "启砺", "朗曜", "同舟", "新垣", "海曙", "知微", "恒渡", "博砚", "景行", "栖云", "万象"]
FIELDS = ["新材料", "生物医药", "智能装备", "环保技术", "精密仪器", "电子信息", "新能源", "检测技术"]
SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨"


@dataclass(frozen=True)
class Issuer:
    """What the samples need to know of an issuer's policy: covered categories with ratios, kinds, towns it serves, evidence."""

    code: str
    ratios: dict[str, int]
    kinds: tuple[str, ...]
    towns: tuple[str, ...]
    face: tuple[int, int, int]  # least, most, step; yuan
    listed: bool = False
    evidence: tuple[str, ...] = ("INVOICE",)


ISSUERS = (
    Issuer(
        "310000",
        {"INSPECTION_TESTING": 5000, "INSTRUMENT": 5000, "RESEARCH": 3000, "IP": 4000},
        ("TECH_SME", "TEAM"),
        ("310118", "310115", "310104"),
        (20000, 100000, 5000),
    ),
    Issuer(
        "320000",
        {"INSPECTION_TESTING": 5000, "INSTRUMENT": 5000, "RESEARCH": 5000, "TECH_TRANSFER": 2000},
        ("TECH_SME",),
        ("320100", "320500", "320509", "320412", "321300"),
        (20000, 100000, 10000),
        evidence=("CONTRACT", "INVOICE", "PAYMENT_PROOF", "RESULT_REPORT"),
    ),
    Issuer(
        "330000",
        {"INSPECTION_TESTING": 5000, "RESEARCH": 5000},
        ("TECH_SME", "START_UP_TECH"),
        ("330400", "330421"),
        (20000, 100000, 5000),
        listed=True,
    ),
    Issuer(
        "330500",
        {"INSPECTION_TESTING": 5000, "INSTRUMENT": 4000, "CONSULTING": 3000},
        ("TECH_SME", "START_UP_TECH"),
        ("330500", "330502"),
        (10000, 40000, 5000),
        listed=True,
    ),
    Issuer(
        "330522",
        {"INSPECTION_TESTING": 6000, "INSTRUMENT": 6000, "LITERATURE": 6000},
        ("TECH_SME", "START_UP_TECH", "ABOVE_SCALE"),
        ("330522",),
        (10000, 10000, 1000),
        listed=True,
    ),
    Issuer(
        "340100",
        {"INSPECTION_TESTING": 3000, "RESEARCH": 3000, "CONSULTING": 3000},
        ("TECH_SME", "TEAM"),
        ("340100",),
        (10000, 50000, 5000),
        evidence=("INVOICE", "PAYMENT_PROOF"),
    ),
    Issuer("340200", {"INSPECTION_TESTING": 4000, "RESEARCH": 3000, "INSTRUMENT": 4000}, ("TECH_SME",), ("340200",), (10000, 30000, 5000)),
)
BY_CODE = {issuer.code: issuer for issuer in ISSUERS}


@dataclass
class Firm:
    id: str
    uscc: str
    name: str
    town: str
    kind: str
    sme_no: str
    sme_from: date | None
    sme_until: date | None
    staff: int
    contact: str
    phone: str


@dataclass
class Lab:
    id: str
    uscc: str
    name: str
    home: str
    categories: list[str]
    admitted: date
    rating: int | None  # hundredths
    contact: str
    address: str


@dataclass
class Recognition:
    id: str
    issuer: str
    lab: str
    start: date
    until: date | None
    agreement: bool


@dataclass
class Issue:
    id: str
    issuer: str
    firm: str
    no: str
    face: int  # yuan, each
    count: int


@dataclass
class Line:
    category: str
    fen: int
    flags: list[str] = field(default_factory=list)


@dataclass
class Order:
    id: str
    acquirer: str
    issuer: str
    firm: str
    lab: str
    order_no: str
    lines: list[Line]
    title: str
    all_or_nothing: bool = False
    captured: bool = True


@dataclass
class Claim:
    id: str
    order: Order
    invoice: str
    delivered: date
    final: list[Line]
    evidence: list[tuple[str, str]]  # kind, sha256
    handler: str


@dataclass
class World:
    firms: dict[str, list[Firm]] = field(default_factory=dict)  # by province
    labs: dict[str, list[Lab]] = field(default_factory=dict)
    recognitions: dict[str, list[Recognition]] = field(default_factory=dict)
    issues: dict[str, list[Issue]] = field(default_factory=dict)
    orders: dict[str, list[Order]] = field(default_factory=dict)  # by acquirer
    claims: dict[str, list[Claim]] = field(default_factory=dict)


class Dice:
    """Random choices that stay the same on every version of Python: only `random()` is promised to."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, limit: int) -> int:
        return int(self._random.random() * limit)

    def of(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def step(self, least: int, most: int, step: int) -> int:
        return least + step * self.below((most - least) // step + 1)

    def hex(self, length: int) -> str:
        return "".join(self.of("0123456789abcdef") for _ in range(length))

    def person(self) -> str:
        return self.of(SURNAMES) + "示例"


def credit_code(dice: Dice, head: str, town: str) -> str:
    """Return a valid fictitious credit code: authority and type, division, nine characters, check digit."""
    body = head + town + "MA" + "".join(dice.of("0123456789ABCDEFGHJKLMNPQRTUWXY") for _ in range(7))
    return body + str(stdnum_uscc.calc_check_digit(body))


def day(dice: Dice, start: date, days: int) -> date:
    return start + timedelta(days=dice.below(days))
