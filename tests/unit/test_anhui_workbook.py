"""What a cell of a workbook says, and what is not taken for saying anything."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook, load_workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from adapters.anhui import ADAPTER
from adapters.anhui.connector import kinds, read
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.workbook import Limits

HEADER = ["编号", "发券市", "企业信用代码", "券号", "面额（万元）", "经费渠道", "状态"]
ROW: list[Any] = ["AH-FQ-0001", "合肥市", "91330522MA2B12343A", "AH-1", 2, "省市共担", "有效"]


def book(path: Path, rows: list[list[Any]], *, sheet: str = "发券", change: Callable[[Any], None] | None = None) -> Path:
    """Write a workbook of one sheet."""
    made = Workbook()
    made.remove(made.worksheets[0])
    page = made.create_sheet(sheet)
    page.append(["合肥市科技创新券台账"])
    page.append(HEADER)
    for row in rows:
        page.append(row)
    if change:
        change(page)
    made.save(path)
    return path


def patch(path: Path, change: Callable[[str], str], part: str = "xl/worksheets/sheet1.xml") -> None:
    """Change the text of a part of a workbook."""
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            data = old.read(name)
            new.writestr(name, change(data.decode()).encode() if name == part else data)
    path.write_bytes(out.getvalue())


def items(path: Path, kind: Kind = Kind.VOUCHER, **limits: int) -> list[NativeRecord | Broken]:
    return list(read(path, path.name, (kind,), Limits(**limits)))


def one(path: Path) -> NativeRecord:
    (item,) = items(path)
    assert isinstance(item, NativeRecord), item
    return item


def fault(path: Path, **limits: int) -> tuple[str, str]:
    (item,) = items(path, Kind.VOUCHER, **limits)
    assert isinstance(item, Broken)
    return item.reason_code, item.field


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "340100.xlsx"


def put(column: str, value: Any, form: str = "") -> Callable[[Any], None]:
    def change(page: Any) -> None:
        cell = page[f"{column}3"]
        cell.value = value
        if form:
            cell.number_format = form

    return change


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (2, "", "2"),
        (2.5, "0.00", "2.5"),
        (0.0000001, "", "0.0000001"),
        (1234567.89, "#,##0.00", "1234567.89"),
        (4800.1, "", "4800.1"),
        (0.1 + 0.2, "", "0.3"),
        (Decimal("0.35"), "0%", "0.35"),
        ("2.50", "", "2.50"),
        ("　2 ", "", "2"),
        (True, "", "是"),
        (date(2026, 2, 3), "", "2026年2月3日"),
        (46056.77, "yyyy-mm-dd hh:mm", "2026年2月3日"),
        (46056, "yyyy/m/d", "2026年2月3日"),
        (46056, "General", "46056"),
        (999_999_999_999_999, "", "999999999999999"),
    ],
)
def test_a_cell_reads_as_it_was_meant(path: Path, value: Any, form: str, text: str) -> None:
    assert one(book(path, [ROW], change=put("E", value, form))).fields["面额（万元）"] == text


def test_dates_count_from_1904_where_the_book_says_so(path: Path) -> None:
    made = Workbook()
    made.epoch = CALENDAR_MAC_1904
    page = made.active
    assert page is not None
    page.title = "发券"
    for row in (["台账"], HEADER, [*ROW[:4], date(2026, 2, 3), *ROW[5:]]):
        page.append(row)
    made.save(path)
    assert one(path).fields["面额（万元）"] == "2026年2月3日"


@pytest.mark.parametrize("value", [10**15, 20260203123456789012, 1e20])
def test_a_number_longer_than_a_spreadsheet_keeps_is_not_believed(path: Path, value: Any) -> None:
    assert fault(book(path, [ROW], change=put("D", value))) == ("DIGITS_LOST", "券号")


@pytest.mark.parametrize("value", ["#N/A", "#DIV/0!", "#REF!"])
def test_an_error_is_no_value(path: Path, value: str) -> None:
    assert fault(book(path, [ROW], change=put("F", value))) == ("CELL_ERROR", "经费渠道")


def test_a_date_beyond_the_calendar_is_an_error(path: Path) -> None:
    book(path, [ROW], change=put("E", 99_999_999_999, "yyyy-mm-dd"))
    with pytest.warns(UserWarning, match="outside the limits"):
        assert fault(path) == ("CELL_ERROR", "面额（万元）")


def test_full_width_digits_are_a_slip_to_be_mended_and_not_guessed(path: Path) -> None:
    mapped = ADAPTER.map(one(book(path, [ROW], change=put("E", "２"))))
    assert isinstance(mapped, Broken) and (mapped.field, mapped.reason_code) == ("面额（万元）", "BAD_AMOUNT")


def test_a_formula_gives_what_was_saved_and_without_that_nothing(path: Path) -> None:
    book(path, [ROW, ROW], change=put("E", "=1+1"))
    assert [each.reason_code for each in items(path) if isinstance(each, Broken)] == ["FORMULA_UNSAVED"]
    patch(path, lambda text: re.sub(r"(<f>1\+1</f>)<v\s*/?>(</v>)?", r"\1<v>2</v>", text))
    assert [each.fields["面额（万元）"] for each in items(path) if isinstance(each, NativeRecord)] == ["2", "2"]


def test_a_formula_whose_saved_text_is_empty_is_empty(path: Path) -> None:
    book(path, [ROW], change=put("F", '=""'))
    patch(path, lambda text: re.sub(r'<c r="F3"[^>]*>(<f>.*?</f>)<v\s*/?>(</v>)?', r'<c r="F3" t="str">\1<v></v>', text))
    assert one(path).fields["经费渠道"] == ""


def test_what_lies_under_a_merged_cell_is_not_there(path: Path) -> None:
    book(path, [ROW, [*ROW[:1], "芜湖市", *ROW[2:]]])
    patch(path, lambda text: text.replace("</sheetData>", '</sheetData><mergeCells count="1"><mergeCell ref="B3:B4"/></mergeCells>'))
    assert load_workbook(path)["发券"]["B4"].value is None, "the office program shows nothing there"
    assert [each.fields["发券市"] for each in items(path) if isinstance(each, NativeRecord)] == ["合肥市", ""]


def test_a_merge_of_the_whole_sheet_costs_nothing(path: Path) -> None:
    book(path, [ROW])
    patch(
        path, lambda text: text.replace("</sheetData>", '</sheetData><mergeCells count="1"><mergeCell ref="A1:XFD1048576"/></mergeCells>')
    )
    assert items(path) == []


def test_empty_rows_and_columns_behind_the_last_say_nothing(path: Path) -> None:
    def change(page: Any) -> None:
        page["A500000"].number_format = "0.00"
        page["AA3"].number_format = "0.00"

    record = one(book(path, [ROW, [None] * 7, ["", "  ", None]], change=change))
    assert record.line == "发券!3"


def test_rows_keep_their_numbers_over_empty_ones_and_a_wrong_size(path: Path) -> None:
    book(path, [ROW, [None] * 7, [*ROW[:3], "AH-2", *ROW[4:]]])
    patch(path, lambda text: re.sub(r'<dimension ref="[^"]*"', '<dimension ref="A1:B2"', text))
    assert [each.line for each in items(path)] == ["发券!3", "发券!5"]


def test_a_hidden_sheet_is_told_and_not_read(path: Path) -> None:
    book(path, [ROW])
    made = load_workbook(path)
    made.create_sheet("机构")
    made["发券"].sheet_state = "hidden"
    made.active = 1
    made.save(path)
    assert fault(path) == ("HIDDEN_SHEET", "*")


def test_a_value_without_a_column_is_not_lost_silently(path: Path) -> None:
    assert fault(book(path, [[*ROW, "多出的值"]])) == ("EXTRA_COLUMN", "*")


def test_a_header_that_is_unclear_costs_the_sheet(path: Path) -> None:
    assert fault(book(path, [ROW], change=lambda page: page.insert_rows(1))) == ("UNPARSEABLE", "*")

    def twice(page: Any) -> None:
        page["F2"].value = "券号"

    assert fault(book(path, [ROW], change=twice)) == ("UNPARSEABLE", "*")


def test_a_book_without_a_known_sheet_is_told(path: Path) -> None:
    assert fault(book(path, [ROW], sheet="Sheet1")) == ("UNPARSEABLE", "*")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half a workbook", b"\xd0\xcf\x11\xe0 an old or encrypted one"])
def test_what_is_no_workbook_is_told_once(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    assert fault(path) == ("UNPARSEABLE", "*")


def test_a_book_whose_parts_are_damaged_is_told_once(path: Path) -> None:
    patch(book(path, [ROW]), lambda text: text[:400])
    assert fault(path) == ("UNPARSEABLE", "*")


def test_a_decompression_bomb_is_not_unpacked(path: Path) -> None:
    book(path, [ROW])
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/media/bomb.bin", bytes(40_000_000))
    assert path.stat().st_size < 100_000
    assert fault(path) == ("TOO_LARGE", "*")
    assert fault(book(path, [ROW]), packed_bytes=100) == ("TOO_LARGE", "*")
    assert fault(book(path, [ROW]), parts=3) == ("TOO_LARGE", "*")


def test_entities_that_multiply_are_refused(path: Path) -> None:
    entities = "".join(f'<!ENTITY e{at} "{f"&e{at - 1};" * 10 if at else "ha" * 50}">' for at in range(9))
    book(path, [ROW])

    def change(text: str) -> str:
        head, mark, rest = text.partition("<worksheet")
        return f"{head}<!DOCTYPE w [{entities}]>{mark}{rest.replace('合肥市', '&e8;')}"

    patch(path, lambda text: change(re.sub(r'<c r="B3"[^>]*>.*?</c>', '<c r="B3" t="inlineStr"><is><t>合肥市</t></is></c>', text)))
    assert fault(path) == ("UNPARSEABLE", "*")


def test_more_rows_or_columns_than_allowed_end_the_sheet(path: Path) -> None:
    found = items(book(path, [[f"AH-{at}", *ROW[1:]] for at in range(5)]), rows=4)
    assert [type(each).__name__ for each in found] == ["NativeRecord", "NativeRecord", "Broken"]
    assert fault(book(path, [[*ROW, *([None] * 300), "x"]])) == ("TOO_LARGE", "*")


def test_a_row_marked_as_void_is_withdrawn_and_another_mark_is_not_guessed(path: Path) -> None:
    first, second = items(book(path, [[*ROW[:6], "作废"], [*ROW[:6], "停用"]]))
    assert isinstance(first, NativeRecord) and first.deleted
    assert isinstance(second, NativeRecord) and not second.deleted
    mapped = ADAPTER.map(second)
    assert isinstance(mapped, Broken) and (mapped.field, mapped.reason_code) == ("状态", "UNMAPPED_CODE")


def test_a_lock_of_the_office_program_is_no_workbook() -> None:
    assert kinds("~$340100-hefei.xlsx") == () == kinds("340100/~$hefei.xlsx")
    assert kinds("340100/hefei.xlsx")


def test_reading_row_by_row_gives_what_reading_at_once_gives() -> None:
    """The samples, cell by cell, as the library reads them whole."""
    for path in ADAPTER.samples.glob("*.xlsx"):
        whole = load_workbook(path, data_only=True)
        for name, kind in (("企业", Kind.ENTERPRISE), ("兑付申请", Kind.CAPTURE)):
            lines = {f"{name}!{row[0].row}" for row in whole[name].iter_rows(min_row=3) if any(cell.value is not None for cell in row)}
            assert {each.line for each in items(path, kind)} == lines
