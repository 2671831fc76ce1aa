from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import openpyxl
import pytest

from hub.domain.refusals import RefusalCode
from registry.catalogue.columns import Problem, read_row, row_of
from registry.catalogue.domain import Entry
from registry.catalogue.files import CELL_CHARS_MAX, UNPACKED_BYTES_MAX, Cells, FileError, Format, read_file, write_file
from registry.catalogue.headings import COLUMNS

LAB = "91310118MA1JTERT16"
SERVICE = {"provider": LAB, "kind": "SERVICE", "code": "FW1", "name": "塑料薄膜成分分析", "category": "INSPECTION_TESTING"}
INSTRUMENT = {
    "provider": LAB,
    "kind": "大型仪器",
    "code": "YQ1",
    "name": "扫描电子显微镜",
    "model": "SU8010",
    "original_value_yuan": "1800000",
    "price_model": "按单位",
    "unit": "小时",
    "price_from_yuan": "350.5",
    "open_since": "2019/3/1",
    "hours_per_year": "1200",
}


def csv_of(*rows: Sequence[str], encoding: str = "utf-8") -> bytes:
    return "\r\n".join(",".join(row) for row in rows).encode(encoding)


def good(form: Format, content: bytes) -> list[Cells]:
    return [cells for _, cells in read_file(form, content) if not isinstance(cells, Problem)]


def problems(form: Format, content: bytes) -> list[tuple[int, str, str]]:
    return [(cells.row, cells.column, cells.code.value) for _, cells in read_file(form, content) if isinstance(cells, Problem)]


def workbook(*rows: Sequence[Any]) -> bytes:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for row in rows:
        sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def entry(cells: dict[str, str]) -> Entry:
    read = read_row(2, cells)
    assert isinstance(read, Entry), read
    return read


def wrong(cells: dict[str, str]) -> list[str]:
    read = read_row(7, cells)
    assert isinstance(read, list)
    assert all(problem.row == 7 and problem.code is RefusalCode.INVALID_ARGUMENT for problem in read)
    return [problem.column for problem in read]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_a_table_is_read_in_every_encoding_of_the_provinces(encoding: str) -> None:
    content = csv_of(("统一社会信用代码", "类型", "编号", "名称"), (LAB, "专家", "ZJ1", "韩雅琴㐀"), encoding=encoding)
    assert good(Format.CSV, content) == [{"provider": LAB, "kind": "专家", "code": "ZJ1", "name": "韩雅琴㐀"}]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_broken_byte_costs_its_row_and_no_other(encoding: str) -> None:
    names = [f"薄膜厚度测量{number}" for number in range(20)]
    lines = [csv_of((LAB, "SERVICE", f"F{number}", name), encoding=encoding) for number, name in enumerate(names)]
    lines[4] = lines[4][:-1] + b"\xff" + lines[4][-1:]
    content = b"\n".join([b"provider,kind,code,name", *lines])
    assert problems(Format.CSV, content) == [(6, "name", "INVALID_ARGUMENT")]
    assert [row["name"] for row in good(Format.CSV, content)] == names[:4] + names[5:]


def test_columns_stand_in_any_order_and_an_unknown_one_is_told_once() -> None:
    content = csv_of(("名称", "code", "备注", "kind", "provider"), ("检测", "F1", "x", "SERVICE", LAB), ("检测", "F2", "x", "SERVICE", LAB))
    assert problems(Format.CSV, content) == [(1, "备注", "UNKNOWN_FIELD")]
    assert [row["code"] for row in good(Format.CSV, content)] == ["F1", "F2"]


@pytest.mark.parametrize(
    "content",
    [b"", b"\n", b"code,kind,name\nF1,SERVICE,x", b"provider,kind,code,name,code\n", "provider,kind,code,编号,name\n".encode()],
    ids=["nothing", "empty heading", "no provider", "twice", "twice in two languages"],
)
def test_a_table_without_a_proper_heading_is_no_file(content: bytes) -> None:
    with pytest.raises(FileError):
        list(read_file(Format.CSV, content))


def test_empty_rows_are_no_rows_and_long_ones_are_reported() -> None:
    content = csv_of(("provider", "kind", "code", "name"), (LAB, "SERVICE", "F1"), ("", "", ""), (LAB, "SERVICE", "F2", "n", "more"))
    assert good(Format.CSV, content) == [{"provider": LAB, "kind": "SERVICE", "code": "F1"}]
    assert problems(Format.CSV, content) == [(4, "", "INVALID_ARGUMENT")]


def test_a_quotation_mark_that_never_closes_is_reported_where_it_stands() -> None:
    rest = "x" * 200_000
    content = f'provider,kind,code,name\n{LAB},SERVICE,F1,a\n{LAB},SERVICE,F2,"b\n{rest}'.encode()
    assert [row["code"] for row in good(Format.CSV, content)] == ["F1"]
    assert problems(Format.CSV, content) == [(3, "", "INVALID_ARGUMENT")]


def test_a_cell_has_a_bound() -> None:
    content = csv_of(("provider", "kind", "code", "name"), (LAB, "SERVICE", "F1", "长" * (CELL_CHARS_MAX + 1)))
    assert problems(Format.CSV, content) == [(2, "name", "INVALID_ARGUMENT")]


def test_lines_of_json_are_read_each_for_itself() -> None:
    lines = [
        '{"provider":"p","price_from_yuan":350.10,"keywords":["膜","塑料"],"名称":"x"}',
        "",
        "{",
        "[]",
        '{"nme":1}',
        '{"name":true}',
        '{"name":{}}',
    ]
    content = "\n".join(lines).encode() + b"\n\xff\n" + b"[" * 100_000
    assert good(Format.JSONL, content) == [{"provider": "p", "price_from_yuan": "350.10", "keywords": "膜;塑料", "name": "x"}]
    assert problems(Format.JSONL, content) == [
        (3, "", "INVALID_ARGUMENT"),
        (4, "", "INVALID_ARGUMENT"),
        (5, "nme", "UNKNOWN_FIELD"),
        (6, "name", "INVALID_ARGUMENT"),
        (7, "name", "INVALID_ARGUMENT"),
        (8, "", "INVALID_ARGUMENT"),
        (9, "", "INVALID_ARGUMENT"),
    ]


def test_a_workbook_gives_numbers_and_dates_as_officers_see_them() -> None:
    from datetime import datetime

    heading = ("provider", "kind", "code", "name", "price_from_yuan", "delivery_days", "open_since")
    content = workbook(heading, (LAB, "INSTRUMENT", 17.0, "镜", 1200.5, 3, datetime(2020, 5, 1)))  # noqa: DTZ001  — a spreadsheet's date has no zone
    expected = dict(zip(heading, (LAB, "INSTRUMENT", "17", "镜", "1200.5", "3", "2020-05-01"), strict=True))
    assert good(Format.XLSX, content) == [expected]


def test_a_formula_is_refused_in_its_row() -> None:
    content = workbook(("provider", "kind", "code", "name"), (LAB, "SERVICE", "F1", '=HYPERLINK("http://x")'), (LAB, "SERVICE", "F2", "n"))
    assert problems(Format.XLSX, content) == [(2, "D", "INVALID_ARGUMENT")]
    assert [row["code"] for row in good(Format.XLSX, content)] == ["F2"]


def _members(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _archive(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, member in members.items():
            archive.writestr(name, member)
    return out.getvalue()


def test_what_a_sheet_says_of_its_size_does_not_cut_rows_off() -> None:
    members = _members(workbook(("provider", "kind", "code", "name"), *((LAB, "SERVICE", f"F{n}", "n") for n in range(5))))
    sheet = members["xl/worksheets/sheet1.xml"]
    members["xl/worksheets/sheet1.xml"] = sheet.replace(b'<dimension ref="A1:D6"', b'<dimension ref="A1:B2"')
    assert members["xl/worksheets/sheet1.xml"] != sheet
    assert len(good(Format.XLSX, _archive(members))) == 5


def test_archives_that_mean_harm_are_refused() -> None:
    whole = _members(workbook(("provider", "kind", "code", "name")))
    bomb = _archive({**whole, "xl/media/image1.png": b"\0" * (UNPACKED_BYTES_MAX + 1)})
    assert len(bomb) < 1_000_000
    entities = whole["xl/workbook.xml"].replace(b"<workbook", b'<!DOCTYPE x [<!ENTITY a "aaaa">]><workbook', 1)
    many = _archive({**whole, **{f"xl/media/{number}.png": b"" for number in range(300)}})
    far = whole["xl/worksheets/sheet1.xml"].replace(b"</sheetData>", b'<row r="1048576"><c r="A1048576"><v>1</v></c></row></sheetData>')
    for content in (bomb, _archive({**whole, "xl/workbook.xml": entities}), many, _archive({**whole, "xl/worksheets/sheet1.xml": far})):
        with pytest.raises(FileError):
            list(read_file(Format.XLSX, content))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04garbage", b"<html>", _archive({"a.txt": b"x"})], ids=["empty", "torn", "html", "zip"])
def test_what_is_no_workbook_is_no_file(content: bytes) -> None:
    with pytest.raises(FileError):
        list(read_file(Format.XLSX, content))


def test_a_row_becomes_an_entry_in_either_language() -> None:
    read = entry(
        {
            **SERVICE,
            "kind": "服务项目",
            "category": "检验检测认证",
            "keywords": "膜;塑料;成分",
            "price_model": "区间价",
            "price_from_yuan": "8",
            "price_to_yuan": "9.90",
        }
    )
    assert read == entry({**SERVICE, "keywords": "膜;塑料;成分", "price_model": "range", "price_from_yuan": "8.00", "price_to_yuan": "9.9"})
    assert (read.price.from_fen, read.price.to_fen, read.keywords) == (800, 990, ("膜", "塑料", "成分"))
    machine = entry(INSTRUMENT)
    assert (machine.original_value, machine.price.from_fen, machine.price.unit, str(machine.open_since)) == (
        180_000_000,
        35_050,
        "小时",
        "2019-03-01",
    )


@pytest.mark.parametrize(
    ("change", "columns"),
    [
        ({"provider": "91310118MA1JTERT17"}, ["provider"]),
        ({"kind": "", "code": "a b"}, ["kind", "code"]),
        ({"kind": "仪器设备"}, ["kind"]),
        ({"name": ""}, ["name"]),
        ({"category": ""}, ["category"]),
        ({"category": "检测"}, ["category"]),
        ({"price_model": "FIXED"}, ["price_from_yuan"]),
        ({"price_model": "FIXED", "price_from_yuan": "1.005"}, ["price_from_yuan"]),
        ({"price_model": "FIXED", "price_from_yuan": "-1"}, ["price_from_yuan"]),
        ({"price_model": "FIXED", "price_from_yuan": "1,200"}, ["price_from_yuan"]),
        ({"price_model": "RANGE", "price_from_yuan": "9", "price_to_yuan": "8"}, ["price_to_yuan"]),
        ({"price_model": "PER_UNIT", "price_from_yuan": "9"}, ["unit"]),
        ({"price_from_yuan": "9"}, ["price_from_yuan"]),
        ({"price_model": "免费"}, ["price_model"]),
        ({"delivery_days": "3.5"}, ["delivery_days"]),
        ({"delivery_days": "99999999999"}, ["delivery_days"]),
        ({"model": "SU8010"}, ["model"]),
        ({"keywords": ";".join("词" * 31)}, ["keywords"]),
        ({"description": "x" * 4_001}, ["description"]),
        ({"kind": "DATA", "link": "javascript:alert(1)"}, ["link"]),
        ({"kind": "INSTRUMENT"}, ["model"]),
        ({"kind": "INSTRUMENT", "model": "x", "open_since": "2020-02-30"}, ["open_since"]),
        ({"kind": "EXPERT", "description": "电话 13812345678"}, ["description"]),
    ],
)
def test_every_wrong_column_of_a_row_is_named(change: dict[str, str], columns: list[str]) -> None:
    assert wrong({**SERVICE, **change}) == columns


def test_a_problem_says_what_to_do_in_both_languages() -> None:
    read = read_row(3, {**INSTRUMENT, "price_from_yuan": "三百"})
    assert isinstance(read, list)
    told = read[0].as_dict()
    assert (told["row"], told["column"], told["code"]) == (3, "price_from_yuan", "INVALID_ARGUMENT")
    assert "元" in told["remedy_zh"] and "yuan" in told["remedy_en"] and "价格下限" in told["zh"] and told["en"]


@pytest.mark.parametrize("form", Format)
def test_what_is_written_reads_the_same_and_runs_in_no_spreadsheet(form: Format) -> None:
    dangerous = {**SERVICE, "name": "=cmd|'/c calc'!A0", "description": '@SUM(1)\n第二行,“引号"', "keywords": "-膜;+塑料"}
    entries = [entry(SERVICE), entry(INSTRUMENT), entry(dangerous)]
    content = write_file(form, [row_of(item.content()) for item in entries])
    assert [entry(cells) for cells in good(form, content)] == entries
    if form is Format.CSV:
        assert b"'=cmd" in content and b",=cmd" not in content
    if form is Format.XLSX:
        book = openpyxl.load_workbook(io.BytesIO(content))
        cells = [cell for row in book.worksheets[0].iter_rows() for cell in row]
        assert cells[0].value == COLUMNS[0].zh
        assert not any(cell.data_type == "f" for cell in cells)
