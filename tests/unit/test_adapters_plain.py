"""A mapping that is a table of names: what it says of slips, and how it writes days and places."""

from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

from adapters.runtime.codes import Codes
from adapters.runtime.delimited import load_table, read_table, write_table
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.plain.form import SLOTS, Form, placed
from adapters.runtime.plain.sheet import load_sheet, read_sheet, write_sheet

FIELDS = {kind: {slot: f"{slot}-{{n}}" if "." in slot else slot for slot in slots} for kind, slots in SLOTS.items()}


def form(fields: dict[Kind, dict[str, str]] = FIELDS, day: str = "YYYY-MM-DD") -> Form:
    return Form("410000", Codes({}), fields, "mark", "valid", "withdrawn", day=day)


def test_a_slot_that_does_not_exist_or_is_missing_is_named() -> None:
    with pytest.raises(ValueError, match="enterprise: no such slot: usc; there are id, uscc"):
        form({**FIELDS, Kind.ENTERPRISE: {**FIELDS[Kind.ENTERPRISE], "usc": "x"}})
    with pytest.raises(ValueError, match="provider: no field is named for admitted_on, name"):
        form({**FIELDS, Kind.PROVIDER: {name: name for name in ("id", "uscc", "categories")}})
    with pytest.raises(ValueError, match="capture: no field is named for"):
        form({kind: names for kind, names in FIELDS.items() if kind is not Kind.CAPTURE})


@pytest.mark.parametrize(
    ("day", "text"),
    [("YYYY-MM-DD", "2026-02-03"), ("YYYYMMDD", "20260203"), ("YYYY年MM月DD日", "2026年02月03日"), ("DD.MM.YYYY", "03.02.2026")],
)
def test_days_are_read_as_they_are_written(day: str, text: str) -> None:
    assert form(day=day).write_day(date(2026, 2, 3)) == text
    assert form(day=day).read_day(text) == date(2026, 2, 3)
    for wrong in (
        "",
        text[:-1],
        text + "0",
        text.replace("2026", "２０２６"),
        text.replace("02", "13"),
        "2026-2-3",
        text.replace("03", " 3"),
    ):
        with pytest.raises(ValueError):
            form(day=day).read_day(wrong)


def test_places_are_filled_in_from_the_left() -> None:
    assert placed("items[].flags[]", (1, 2)) == "items[1].flags[2]"
    assert placed("items[].flags[]", (1,)) == "items[1].flags[]"
    assert placed("金额{n}", (0,)) == "金额1"
    assert placed("name", ()) == "name"


def test_the_table_names_every_numbered_column_and_the_mark() -> None:
    table = form().mapped()[Kind.CAPTURE]
    assert [table[f"lines.amount-{number}"] for number in (1, 2, 3)] == [f"lines[{at}].amount_fen" for at in (0, 1, 2)]
    assert table["mark"].startswith("withdrawal mark")


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_bad_line_of_a_table_costs_that_line(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "t.csv"
    text = ["编号,名称", '1,"甲, ""乙"""', "2", "3,丙,多", ",丁", "", '5,"未完']
    path.write_bytes(b"\xef\xbb\xbf"[: 3 * (encoding == "utf-8")] + "\r\n".join(text).encode(encoding) + b"\r\n6,\xff\xff\r\n7,ok\r\n")
    items = list(read_table(path, "t.csv", Kind.ENTERPRISE, "编号", encoding))
    good = [item for item in items if isinstance(item, NativeRecord)]
    assert [(item.line, dict(item.fields)) for item in good] == [
        ("2", {"编号": "1", "名称": '甲, "乙"'}),
        ("9", {"编号": "7", "名称": "ok"}),
    ]
    reasons = [(item.line, item.reason_code) for item in items if isinstance(item, Broken)]
    assert reasons == [("3", "MISSING_COLUMN"), ("4", "EXTRA_COLUMN"), ("5", "MISSING_FIELD"), ("7", "UNPARSEABLE"), ("8", "ENCODING")]


def test_a_workbook_is_read_within_limits_and_as_an_officer_sees_it(tmp_path: Path) -> None:
    """Days in the province's own form; what is hidden under a merged cell, a formula nobody saved and a hidden sheet are not taken."""
    path = tmp_path / "t.xlsx"
    book = Workbook()
    sheet: Any = book.active
    for row in (["编号", "日期", "数"], ["1", date(2026, 2, 3), 0.1 + 0.2], [], ["2", "", "=1+1"], ["3", "x", "under"], ["4", "", 10**16]):
        sheet.append(row)
    sheet.merge_cells("B5:C5")
    book.save(path)
    items = list(read_sheet(path, "t.xlsx", Kind.ENTERPRISE, "编号", form(day="YYYY年MM月DD日").write_day))
    assert [(each.line, dict(each.fields)) for each in items if isinstance(each, NativeRecord)] == [
        ("2", {"编号": "1", "日期": "2026年02月03日", "数": "0.3"}),
        ("5", {"编号": "3", "日期": "x", "数": ""}),
    ]
    assert [(each.line, each.reason_code) for each in items if isinstance(each, Broken)] == [("4", "FORMULA_UNSAVED"), ("6", "DIGITS_LOST")]
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/media/image1.png", bytes(200_000_000))
    (whole,) = read_sheet(path, "t.xlsx", Kind.ENTERPRISE, "编号")
    assert isinstance(whole, Broken) and whole.reason_code == "TOO_LARGE"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = [{"a": "=1+1", "b": '甲"乙,丙'}, {"a": "007", "b": ""}]
    assert load_table(write_table(tmp_path / "t.csv", ["a", "b"], rows, "utf-8"), "utf-8") == rows
    assert load_sheet(write_sheet(tmp_path / "t.xlsx", ["a", "b"], rows)) == rows
