"""A record that stands more than once in one delivery: a contradiction of a snapshot, an earlier edition of what is ordered in time."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from adapters.runtime.command import find_adapter, run_once
from adapters.runtime.dryrun import What, forecast
from adapters.runtime.engine import Limits
from adapters.runtime.model import Kind
from adapters.runtime.rows import file_of
from adapters.runtime.source import Delivery
from tests.fixtures.adapter import Bench, bench_of
from yrd.registry.v1 import registry_pb2 as registry

USCC = {"X": "12310104425001236Q", "Y": "12310115MA3JCPDL0K", "Z": "12320500MA3CLPAJ00"}
"""The providers that rows speak of, by native id."""

# A row is said as `X4.00` (rated 4.00), `X-` (withdrawn), with `!` where it says of itself that it changes an earlier one.
Rows = str


def said(rows: Rows) -> list[tuple[str, str, str]]:
    return [(row[0], row[1:].strip("!") if "-" not in row else "", "!" if "!" in row else "") for row in rows.split()]


def shanghai(rows: Rows) -> bytes:
    items = [
        {"id": of, "creditCode": USCC[of], "name": "示例中心", "serviceTypes": ["B03"], "joinedOn": "2025-06-22", "stars": rating or None}
        | {
            "contactName": "",
            "serviceHotline": "",
            "address": "",
            "updatedAt": "",
            "deletedAt": None if rating else "2026-02-10T02:00:00+08:00",
        }
        for of, rating, _ in said(rows)
    ]
    return json.dumps({"resource": "providers", "next": None, "data": items}, ensure_ascii=False).encode()


def zhejiang(rows: Rows) -> bytes:
    items = [
        {"bianhao": of, "xydm": USCC[of], "jgmc": "示例中心", "fwlb": ["jianyanjiance"], "rkrq": "2025/4/20", "pingji": rating}
        | {"lianxiren": "", "dizhi": "", "zt": "1" if rating else "0"}
        for of, rating, _ in said(rows)
    ]
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in items).encode()


def jiangsu(rows: Rows) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\r\n")
    table.writerow(["机构编号", "统一社会信用代码", "机构名称", "服务类别", "入库日期", "评分", "联系人", "通讯地址", "操作"])
    for of, rating, changes in said(rows):
        mark = ("变更" if changes else "新增") if rating else "撤销"
        table.writerow([of, USCC[of], "示例中心", "检验检测", "20240704", rating, "", "", mark])
    return text.getvalue().encode("gb18030")


def anhui(rows: Rows) -> bytes:
    book, content = Workbook(), io.BytesIO()
    sheet: Any = book.active
    sheet.title = "机构"
    sheet.append(["台账"])
    sheet.append(["编号", "统一社会信用代码", "机构名称", "服务领域", "入库时间", "星级", "联系人", "通讯地址", "状态"])
    for of, rating, _ in said(rows):
        sheet.append([of, USCC[of], "示例中心", "检测服务", date(2024, 1, 15), rating, "", "", "有效" if rating else "作废"])
    book.save(content)
    return content.getvalue()


WRITERS: dict[str, tuple[str, Callable[[Rows], bytes]]] = {
    "shanghai": ("providers-1.json", shanghai),
    "zhejiang": ("330000/jigou.jsonl", zhejiang),
    "jiangsu": ("JS_JG_20260210.csv", jiangsu),
    "anhui": ("340100-hefei-2026.xlsx", anhui),
}
ORDERED, SNAPSHOTS = ("shanghai", "zhejiang"), ("jiangsu", "anhui")
every = pytest.mark.parametrize("name", WRITERS)


class Province:
    """A province whose only file is rewritten by the test."""

    def __init__(self, name: str, tmp_path: Path, *, chunk_rows: int = 500) -> None:
        self.bench: Bench = bench_of(find_adapter(name), tmp_path, Limits(chunk_rows=chunk_rows))
        self.file, self._write = WRITERS[name]
        for path in sorted(self.bench.folder.rglob("*")):
            if path.is_file():
                path.unlink()

    def write(self, rows: Rows) -> None:
        path = self.bench.folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self._write(rows))

    def deliver(self, rows: Rows) -> list[str]:
        """Deliver the file and return what the hub was sent of providers: `X4.00`, or `X-` where one was removed."""
        self.write(rows)
        return self.run()

    def run(self) -> list[str]:
        before = len(self.bench.hub.received)
        self.bench.run()
        return [text for each in self.bench.hub.received[before:] if (text := _command(each.headers["ce_id"], each.value))]

    def quarantine(self) -> list[tuple[str, str, str]]:
        """Return (native id, reason, place of what it contradicts)."""
        with self.bench.engine() as engine:
            return [(row.native_id, row.reason, row.en.rpartition(", at ")[2]) for row in engine.state.quarantine.rows()]

    def holds(self, native_id: str) -> str:
        """Return what the hub holds of a record, as the adapter knows it."""
        with self.bench.engine() as engine:
            known = engine.state.records.get(Kind.PROVIDER, native_id)
            assert known is not None and known.outcome == "OK"
            return f"{registry.AdmitProviderRequest.FromString(known.held).provider.rating}" if known.held else ""


def _command(source: str, value: bytes) -> str:
    _, kind, native_id, *_rest = source.split("/")
    if kind != "provider":
        return ""
    rating = registry.AdmitProviderRequest.FromString(value).provider.rating
    return f"{native_id}{rating / 100:.2f}" if rating else f"{native_id}-"


@pytest.mark.parametrize("name", ORDERED)
def test_what_is_appended_before_the_next_look_is_a_correction(name: str, tmp_path: Path) -> None:
    province = Province(name, tmp_path)
    assert province.deliver("X4.00 Y1.00 X5.00") == ["X4.00", "Y1.00", "X5.00"]
    assert province.quarantine() == []
    assert province.holds("X") == "500"


@pytest.mark.parametrize("name", SNAPSHOTS)
def test_a_snapshot_that_says_two_things_of_one_record_is_not_guessed_at(name: str, tmp_path: Path) -> None:
    """On the first and on every later reading, whatever else has changed in the file."""
    province = Province(name, tmp_path)
    assert province.deliver("X4.00 Y1.00 X5.00") == ["X4.00", "Y1.00"]
    first = province.quarantine()
    assert [(of, reason) for of, reason, _ in first] == [("X", "DUPLICATE_ID")] and province.file in first[0][2]
    assert province.deliver("X4.00 Y1.00 X5.00 Z1.00") == ["Z1.00"]
    assert province.deliver("X4.00 Y1.00 X5.00 Z2.00") == ["Z2.00"]
    assert province.quarantine() == first
    assert province.deliver("X5.00 Y1.00 X4.00 Z2.00") == [], "told in the other order it is as little known"
    assert province.deliver("X5.00 Y1.00 X4.00 X5.00 X4.00 Z2.00") == []
    assert [(of, reason) for of, reason, _ in province.quarantine()] == [("X", "DUPLICATE_ID")]
    assert province.deliver("X5.00 Y1.00 Z2.00") == ["X5.00"], "and where it is mended, it counts"
    assert province.quarantine() == []


@pytest.mark.parametrize("name", SNAPSHOTS)
@pytest.mark.parametrize("rows", ["X4.00 Y1.00 X5.00", "X4.00 X5.00 X4.00"])
def test_a_contradiction_is_seen_across_a_crash_in_the_middle(name: str, rows: Rows, tmp_path: Path) -> None:
    """Each row is a chunk of its own, and the process dies after each."""
    province = Province(name, tmp_path, chunk_rows=1)
    for text in (rows, f"{rows} Z1.00"):
        province.write(text)
        with province.bench.engine() as engine:
            engine.bring()
        for _ in range(len(text.split()) + 2):
            with province.bench.engine() as engine:
                engine.intake.step()
        province.run()
        assert [(of, reason) for of, reason, _ in province.quarantine()] == [("X", "DUPLICATE_ID")]
        assert province.holds("X") == "400"


def test_a_row_marked_as_a_change_is_the_later_edition_of_the_new_one_in_its_file(tmp_path: Path) -> None:
    province = Province("jiangsu", tmp_path)
    assert province.deliver("X4.00 Y1.00 X5.00!") == ["X4.00", "Y1.00", "X5.00"]
    assert province.quarantine() == []
    assert province.deliver("X4.00 Y1.00 X5.00! Z1.00") == ["Z1.00"]
    assert province.deliver("X4.00 Y1.00 X5.00! Z1.00 Y-") == ["Y-"]
    assert province.deliver("X4.00 Y1.00 X5.00! Z2.00 Y-") == ["Z2.00"], "what was withdrawn is not sent and taken back again"
    assert province.quarantine() == []
    assert province.deliver("X4.00 X3.00!") == ["X3.00"]
    assert province.deliver("X2.00! X3.00") == ["X2.00"], "a change stands before the row that it changes: that one says something else"
    assert [(of, reason) for of, reason, _ in province.quarantine()] == [("X", "DUPLICATE_ID")]


@every
def test_a_file_told_anew_is_not_gone_through_again_at_the_hub(name: str, tmp_path: Path) -> None:
    """Earlier editions pass by again: what counts is the last one, and nothing is taken back on the way to it."""
    change = "!" if name == "jiangsu" else ""
    province = Province(name, tmp_path)
    history = ["X4.00", "X5.00", "Y1.00", "Y-", "Z1.00", "Z-", "Z2.00"]
    for row in history:
        province.deliver(row + (change if row != "X4.00" else ""))
    told = f"X4.00 X5.00{change} Y1.00 Y- Z1.00 Z- Z2.00{change}"
    if name == "anhui":
        told = "X5.00 Y1.00 Y- Z- Z2.00"  # a workbook says one thing of a record, and may keep the row that was withdrawn
    assert province.deliver(told) == []
    assert province.quarantine() == []
    assert (province.holds("X"), province.holds("Y"), province.holds("Z")) == ("500", "", "200")
    assert province.deliver(f"{told} Y3.00{change}") == ["Y3.00"]


@pytest.mark.parametrize("name", ORDERED)
def test_back_to_what_it_was_is_a_correction_too(name: str, tmp_path: Path) -> None:
    province = Province(name, tmp_path)
    province.deliver("X4.00 X5.00")
    assert province.deliver("X4.00 X5.00 X4.00") == ["X4.00"]
    assert province.holds("X") == "400"


@pytest.mark.parametrize("name", ORDERED)
def test_an_edition_that_cannot_be_used_takes_no_other_ones_place(name: str, tmp_path: Path) -> None:
    province = Province(name, tmp_path)
    province.deliver("X4.00 Y1.00")
    assert province.deliver("X5.00 Y1.00 X9.99") == ["X5.00"], "9.99 is no rating"
    assert [(of, reason) for of, reason, _ in province.quarantine()] == [("X", "BAD_NUMBER")]


@every
def test_a_dry_run_says_the_same(name: str, tmp_path: Path) -> None:
    province = Province(name, tmp_path)
    province.deliver("X4.00 Y1.00")
    province.write("X4.00 X5.00 Y1.00")
    with province.bench.engine() as engine:
        engine.bring()
        landed = engine.state.deliveries.waiting(10)
        again = [(Delivery(each.number, each.name, file_of(engine.work, each), each.digest), False) for each in landed]
        found = forecast(province.bench.adapter, engine.state, again, engine.clock.now().isoformat())
        expected = What.CHANGED if name in ORDERED else What.QUARANTINED
        assert {what: count for (kind, what), count in found.counts.items() if kind == "provider"} == {What.UNCHANGED: 2, expected: 1}
        assert run_once(engine).quarantined == found.quarantined
