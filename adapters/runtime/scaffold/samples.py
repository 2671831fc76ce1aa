"""Samples of a new adapter: a small invented world said in the province's own fields, with rows that must be turned away among it."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from stdnum.cn import uscc as stdnum_uscc

from adapters.runtime import commands
from adapters.runtime.model import Adapter, Kind, Mapped

DAY = "20260210"
FIRMS, LABS, ORDERS = 12, 6, 16
_SEED = 20220822  # the day of 沪科合〔2022〕19号
_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WORDS = ["澄明", "远岫", "青禾", "拓岸", "云杉", "启砺", "朗曜", "同舟", "新垣", "海曙", "知微", "恒渡"]
_PEOPLE = ["赵示例", "钱示例", "孙示例", "李示例", "周示例", "吴示例"]
_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")

Row = dict[str, str]
_TEST = "INSPECTION_TESTING"
# What was served in the end, of the orders where that differs from what was ordered.
_FINAL = {
    1: [commands.line(_TEST, 90_000), commands.line(_TEST, 5_050, ["STATUTORY_TEST"]), commands.line(_TEST, 4_000, ["NON_INNOVATION"])],
    4: [commands.line(_TEST, 10_000, ["FISCALLY_FUNDED"]), commands.line(_TEST, 80_000)],
}


class _World:
    """Firms, labs, notes, orders and claims of one province. The same for the same division."""

    def __init__(self, division: str, prefix: str) -> None:
        self._division, self._prefix = division, prefix
        self._dice = random.Random(f"{_SEED}{division}")
        self._firms = [self._code("91") for _ in range(FIRMS)]
        self._labs = [self._code("12") for _ in range(LABS)]

    def _code(self, sort: str) -> str:
        """Return an invented credit code whose check digit holds."""
        body = f"{sort}{self._division}" + "".join(self._dice.choice(_SIGNS) for _ in range(9))
        return body + str(stdnum_uscc.calc_check_digit(body))

    def _id(self, sort: str, at: int) -> str:
        return f"{self._prefix}-{sort}-{at + 1:04d}"

    def digest(self) -> str:
        """Return an invented SHA-256."""
        return f"{self._dice.getrandbits(256):064x}"

    def enterprises(self) -> Iterator[Mapped]:
        """Yield the firms; the last ones are other kinds than technology SMEs."""
        kinds = ["TECH_SME"] * (FIRMS - 3) + ["START_UP_TECH", "TEAM", "ABOVE_SCALE"]
        for at, (uscc, kind) in enumerate(zip(self._firms, kinds, strict=True)):
            known = kind == "TECH_SME"
            yield commands.register(
                self._id("QY", at),
                uscc=uscc,
                name=f"{_WORDS[at % len(_WORDS)]}示例科技有限公司",
                division=self._division,
                kind=kind,
                sme_no=f"2026{self._division}A{at + 1:07d}" if known else "",
                sme_from="2026-01-01" if known else "",
                sme_until="2030-01-01" if known and at % 2 else "",
                staff=self._dice.randint(5, 400),
            )

    def providers(self) -> Iterator[Mapped]:
        """Yield the labs."""
        for at, uscc in enumerate(self._labs):
            yield commands.admit(
                self._id("JG", at),
                uscc=uscc,
                name=f"{_WORDS[at]}示例检测研究中心",
                home=self._division,
                categories=["INSPECTION_TESTING", "RESEARCH"][: 1 + at % 2],
                admitted_on="2025-06-01",
                rating=425 if at % 2 else 0,
            )

    def recognitions(self) -> Iterator[Mapped]:
        """Yield which labs the province's vouchers are good at, by name."""
        for at, uscc in enumerate(self._labs):
            yield commands.recognize(
                self._id("HR", at),
                issuer=self._division,
                provider=uscc,
                valid_from="2026-01-01",
                valid_until="2030-01-01" if at % 2 else "",
                agreement=True,
            )

    def vouchers(self) -> Iterator[Mapped]:
        """Yield a note a firm, of those that the policy lets have one."""
        for at, uscc in enumerate(self._firms[: FIRMS - 2]):
            number = f"{self._prefix}2026{at + 1:05d}"
            yield commands.issue(self._id("FQ", at), issuer=self._division, enterprise=uscc, face_fen=5_000_000, voucher_nos=[number])

    def orders(self) -> Iterator[Mapped]:
        """Yield orders; the third has a line that no voucher supports, and the fourth three lines."""
        for at in range(ORDERS):
            lines = [commands.line("INSPECTION_TESTING", 100_000 + 10_000 * at)]
            if at in (2, 3):
                lines.append(commands.line("INSPECTION_TESTING", 20_050, ["STATUTORY_TEST"]))
            if at == 3:
                lines.append(commands.line("RESEARCH", 300_000, ["FISCALLY_FUNDED"]))
                lines[0] = commands.line("INSPECTION_TESTING", 130_000, ["NON_INNOVATION", "PATENT_APPLICATION"])
            yield commands.authorize(
                self._id("DD", at),
                issuer=self._division,
                enterprise=self._firms[at % (FIRMS - 3)],
                provider=self._labs[at % LABS],
                order_no=f"{self._prefix}HT2026{at + 1:05d}",
                lines=lines,
                lines_field="",
            )

    def claims(self) -> Iterator[Mapped]:
        """Yield claims of all orders but the last two, still under way, and the fourth, which is refused. One says lines of its own."""
        for at in (each for each in range(ORDERS - 2) if each != 3):
            papers = ["INVOICE", "CONTRACT", "RESULT_REPORT"] if at == 0 else ["INVOICE"]
            lines = _FINAL.get(at, [])
            yield commands.capture(
                self._id("DF", at),
                authorization=self._id("DD", at),
                authorization_field="",
                enterprise=self._firms[at % (FIRMS - 3)],
                invoice_no=f"{self._division[:2]}26{at + 1:08d}",
                delivered_on=f"2026-02-{at + 1:02d}",
                documents=[commands.evidence(paper, self.digest()) for paper in papers],
                lines=lines,
            )


def sample_rows(
    adapter: Adapter, fields: Mapping[str, Mapping[str, str]], dropped: Mapping[str, Mapping[str, str]]
) -> dict[Kind, list[Row]]:
    """Return native rows by kind: good ones, one withdrawn, and some that must be turned away. `fields` gives native names by slot."""
    world = _World(adapter.division, adapter.name[:2].upper())
    sources = {
        Kind.ENTERPRISE: world.enterprises(),
        Kind.PROVIDER: world.providers(),
        Kind.RECOGNITION: world.recognitions(),
        Kind.VOUCHER: world.vouchers(),
        Kind.AUTHORIZATION: world.orders(),
        Kind.CAPTURE: world.claims(),
    }
    rows = {kind: [_native(adapter, kind, mapped, fields[kind.name], dropped.get(kind.name, {}), at) for at, mapped in enumerate(source)]
            for kind, source in sources.items()}  # fmt: skip
    _spoil(rows, fields)
    return rows


def _native(adapter: Adapter, kind: Kind, mapped: Mapped, names: Mapping[str, str], dropped: Mapping[str, str], at: int) -> Row:
    reference = names.get("authorization", "")
    row = dict(adapter.unmap(kind, _referring(mapped, reference)))
    return {**row, **{name: _extra(name, at) for name in dropped}}


def _extra(name: str, at: int) -> str:
    """Return what a dropped field holds: an invented person, telephone or address."""
    if name in ("contactPhone", "联系电话"):
        return f"1990000{at:04d}"
    return f"示例路{at + 1}号" if name in ("address", "通讯地址") else _PEOPLE[at % len(_PEOPLE)]


def _referring(mapped: Mapped, field: str) -> Mapped:
    if not mapped.refers_to:
        return mapped
    return Mapped(mapped.method, mapped.request, mapped.key, mapped.native_id, mapped.refers_to, field)


def _spoil(rows: dict[Kind, list[Row]], fields: Mapping[str, Mapping[str, str]]) -> None:
    """Put rows among the good ones that no hub should see."""

    def spoil(kind: Kind, number: str, /, **changes: str) -> None:
        names = fields[kind.name]
        changed = {names[slot.replace("__", ".")].replace("{n}", "1").replace("[]", "[0]", 1): text for slot, text in changes.items()}
        rows[kind].insert(2, {**rows[kind][0], names["id"]: number, **changed})

    spoil(Kind.ENTERPRISE, "X-QY-9001", uscc="91110108MA01ABCD2X")  # check digit
    spoil(Kind.ENTERPRISE, "X-QY-9002", kind="大公司")  # no such kind
    spoil(Kind.ENTERPRISE, "X-QY-9003", sme_no="")  # a technology SME without its number
    spoil(Kind.VOUCHER, "X-FQ-9001", face="500.005")  # half a fen
    spoil(Kind.AUTHORIZATION, "X-DD-9001", lines__amount="-1")  # negative
    spoil(Kind.CAPTURE, "X-DF-9001", delivered_on="2026-02-30")  # no such day


def withdraw_one(rows: dict[Kind, list[Row]], mark: str, withdrawn: str) -> None:
    """Mark the last firm as withdrawn."""
    rows[Kind.ENTERPRISE][-1][mark] = withdrawn


def nested(row: Mapping[str, str]) -> dict[str, Any]:
    """Return a row as the JSON it stands for: `items[0].amount` is the amount of the first of the items."""
    root: dict[str, Any] = {}
    for path, text in row.items():
        steps = [name or int(index) for name, index in _STEP.findall(path)]
        here: Any = root
        for step, after in pairwise(steps):
            fresh: Any = [] if isinstance(after, int) else {}
            if isinstance(step, int):
                here.extend([fresh] if step == len(here) else [])
                here = here[step]
            else:
                here = here.setdefault(step, fresh)
        if isinstance(steps[-1], int):
            here.append(text)
        else:
            here[steps[-1]] = text
    return root
