"""The small parts that adapters share: amounts, rows, plans, folding, pages."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.anhui import connector as anhui_files
from adapters.anhui import mapping as anhui
from adapters.jiangsu import connector as jiangsu_files
from adapters.jiangsu import mapping as jiangsu
from adapters.runtime.codes import Codes, load_codes
from adapters.runtime.database import Database
from adapters.runtime.documents import flatten, read_lines, read_page
from adapters.runtime.identity import request_id
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.results import PositionRow, results
from adapters.runtime.row import Reject, Row, parse_money
from adapters.runtime.sheets import record_of_cells
from adapters.runtime.tables import Style, table
from adapters.runtime.told import Told
from adapters.runtime.topics import in_topic, out_topic
from adapters.zhejiang import mapping as zhejiang
from hub.domain.money import MAX_FEN, format_yuan
from hub.messaging import topics
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.events.v1 import events_pb2 as events
from yrd.settlement.v1 import settlement_pb2 as settlement
from yrd.voucher.v1 import voucher_pb2 as voucher

CODES = Codes({"category": {"甲": "RESEARCH", "乙": "RESEARCH", "丙": "IP"}})


def row(**fields: str) -> Row:
    record = NativeRecord("f", "1", Kind.ENTERPRISE, "n", fields)
    return Row(record, dict.fromkeys([*fields, "absent", "list[]"], ""), CODES)


@given(st.integers(min_value=1, max_value=MAX_FEN))
def test_yuan_are_read_to_the_fen(fen: int) -> None:
    assert parse_money(format_yuan(fen), 100) == fen
    assert parse_money(str(fen), 1) == fen


@pytest.mark.parametrize(
    ("text", "scale", "fen"),
    [
        ("8000", 100, 800_000),
        ("0.5", 1_000_000, 500_000),
        ("12.3456", 1_000_000, 12_345_600),
        ("8000.10", 100, 800_010),
        ("1.500", 100, 150),
    ],
)
def test_an_amount(text: str, scale: int, fen: int) -> None:
    assert parse_money(text, scale) == fen


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("8000.005", "TOO_MANY_DECIMALS"),
        ("-1", "AMOUNT_NOT_POSITIVE"),
        ("0.00", "AMOUNT_NOT_POSITIVE"),
        ("90071992547409.92", "AMOUNT_TOO_LARGE"),
        ("99999999999999999999", "BAD_AMOUNT"),
        ("1e3", "BAD_AMOUNT"),
        ("８０００", "BAD_AMOUNT"),
        ("8,000", "BAD_AMOUNT"),
        ("¥8000", "BAD_AMOUNT"),
        ("NaN", "BAD_AMOUNT"),
    ],
)
def test_no_amount(text: str, code: str) -> None:
    with pytest.raises(ValueError, match=code):
        parse_money(text, 100)


def test_grouping_is_taken_only_where_it_is_meant() -> None:
    assert row(a="1,234,567.89").money("a", 100, grouped=True) == 123_456_789
    for wrong in ("12,34", "1,2345", ",123", "1,,234"):
        with pytest.raises(Reject):
            row(a=wrong).money("a", 100, grouped=True)
    with pytest.raises(Reject):
        row(a="1,234").money("a", 100)


def rejected(call: object) -> str:
    assert callable(call)
    with pytest.raises(Reject) as caught:
        call()
    return caught.value.code


def test_values_that_do_not_hold() -> None:
    bad = row(a="x", long="长" * 201, zero="a\u0000b", small="91330522ma2b12343a", spaced="9133 0522MA2B12343A", city="330500", neg="-1")
    assert rejected(lambda: bad.text("absent")) == "MISSING_FIELD"
    assert rejected(lambda: bad.text("long")) == "TOO_LONG"
    assert rejected(lambda: bad.text("zero")) == "BAD_TEXT"
    assert rejected(lambda: bad.uscc("small")) == "BAD_USCC"
    assert rejected(lambda: bad.uscc("spaced")) == "BAD_USCC"
    assert rejected(lambda: bad.division("city", "330522")) == "WRONG_DIVISION"
    assert rejected(lambda: bad.any_division("a")) == "BAD_DIVISION"
    assert rejected(lambda: bad.whole("neg", 0, 5)) == "BAD_NUMBER"
    assert rejected(lambda: bad.rating("neg")) == "BAD_NUMBER"
    assert rejected(lambda: bad.code("a", "category")) == "UNMAPPED_CODE"
    assert rejected(lambda: bad.yes("a")) == "BAD_FLAG"
    assert rejected(lambda: bad.sme_no("a", "TEAM")) == "BAD_SME_NO"
    assert rejected(lambda: bad.sha256("a")) == "BAD_HASH"
    assert rejected(lambda: bad.period("a", "2026-01-01", "2026-01-01")) == "BAD_PERIOD"
    assert rejected(lambda: bad.day("a", date.fromisoformat, "YYYY-MM-DD")) == "BAD_DATE"


def test_only_declared_fields_can_be_read() -> None:
    record = NativeRecord("f", "1", Kind.ENTERPRISE, "n", {"lianxiren": "某人"})
    with pytest.raises(LookupError):
        Row(record, {"bianhao": ""}, CODES).optional("lianxiren")


def test_several_native_words_for_one_value_and_the_first_back() -> None:
    assert (CODES.inward("category", "乙"), CODES.outward("category", "RESEARCH")) == ("RESEARCH", "甲")
    assert CODES.inward("category", "丁") is None
    with pytest.raises(KeyError):
        CODES.outward("category", "DATA")


@pytest.mark.parametrize("text", ["category: {01: RESEARCH}", "category: {甲: NO}", "colour: {甲: RED}", "- a", "category: [甲]"])
def test_a_code_list_that_is_none_is_noticed_at_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "codes.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=r"codes\.yaml"):
        load_codes(tmp_path / "codes.yaml")


@given(st.dates(min_value=date(2000, 1, 1)))
def test_provinces_read_the_dates_they_write(day: date) -> None:
    assert zhejiang.read_day(zhejiang.write_day(day)) == day
    assert anhui.read_day(anhui.write_day(day)) == day
    assert jiangsu.read_day(f"{day:%Y%m%d}") == day


@pytest.mark.parametrize("text", ["2026/13/1", "2026/2/30", "2026-2-3", "２０２６/2/3", ""])
def test_no_date_in_zhejiang(text: str) -> None:
    with pytest.raises(ValueError):
        zhejiang.read_day(text)


def test_request_ids_never_change() -> None:
    # Written down: another value here would double every record that is sent again after an upgrade.
    assert request_id("zhejiang/voucher/ZJ-FQ-0001/1/0") == "81e98fbf-b2b7-5d92-830f-bf1b8038e4dd"


def test_topics_are_those_of_the_hub() -> None:
    assert in_topic("yrd", "330000") == topics.in_topic("yrd", "330000") == "yrd.330000.in.v1"
    assert out_topic("yrd", "330000") == topics.out_topic("yrd", "330000")


def test_json_keeps_the_digits_it_was_written_with(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text(
        '{"id": "1", "n": 8000.10, "deep": [{"x": true}, {"x": null}], "big": 90071992547409931}\n\n', "utf-8"
    )
    (record,) = read_lines(tmp_path / "a.jsonl", "a.jsonl", Kind.VOUCHER, "id")
    assert isinstance(record, NativeRecord)
    assert record.fields == {"id": "1", "n": "8000.10", "deep[0].x": "true", "deep[1].x": "", "big": "90071992547409931"}


def test_items_of_a_page_know_their_lines_however_it_is_laid_out(tmp_path: Path) -> None:
    page = tmp_path / "p.json"
    page.write_text(
        '{"note": "not the \\"data\\"", "data"\n: [\n\n {"id": "a"}, {"id":\n"b"},\n{"id": "c", "s": "]}\\n"}, 5, {"x": 7}]}', "utf-8"
    )
    found = list(read_page(page, "p.json", Kind.VOUCHER, "id", "data"))
    assert [(item.line, getattr(item, "native_id", "")) for item in found] == [("4", "a"), ("4", "b"), ("6", "c"), ("6", ""), ("6", "")]
    assert [item.reason_code for item in found if isinstance(item, Broken)] == ["UNPARSEABLE", "MISSING_FIELD"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"data": {}}', b'{"data": [{"id": "a"}', b"\xff\xfe"])
def test_a_page_that_is_not_whole_gives_one_broken_row(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.json").write_bytes(content)
    (found,) = read_page(tmp_path / "p.json", "p.json", Kind.VOUCHER, "id", "data")
    assert isinstance(found, Broken)


def test_rows_of_the_wrong_width() -> None:
    header = ["id", "a", "b"]
    assert isinstance(record_of_cells(header, ["1", "2", "3"], "f", "2", Kind.VOUCHER, "id"), NativeRecord)
    few, many, nameless = (
        record_of_cells(header, cells, "f", "2", Kind.VOUCHER, "id") for cells in (["1", "2"], ["1"] * 4, ["", "2", "3"])
    )
    assert isinstance(few, Broken) and (few.reason_code, few.field) == ("MISSING_COLUMN", "b")
    assert isinstance(many, Broken) and (many.reason_code, many.field) == ("EXTRA_COLUMN", "*")
    assert isinstance(nameless, Broken) and (nameless.reason_code, nameless.field) == ("MISSING_FIELD", "id")


def test_a_jiangsu_file_without_a_header_that_reads_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "JS_FQ_20260210.csv").write_bytes(b"\xff\xff,\r\n" + "JS-FQ-1,券,码,1.00,申领\r\n".encode("gb18030"))
    (found,) = jiangsu_files.read(tmp_path / "JS_FQ_20260210.csv", "JS_FQ_20260210.csv", (Kind.VOUCHER,))
    assert isinstance(found, Broken) and (found.line, found.reason_code) == ("1", "ENCODING")


def test_a_file_that_is_no_workbook_is_one_broken_row(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"not a zip")
    (found,) = anhui_files.read(tmp_path / "a.xlsx", "a.xlsx", (Kind.VOUCHER, Kind.RECOGNITION))
    assert isinstance(found, Broken) and (found.file, found.reason_code) == ("a.xlsx", "UNPARSEABLE")


def test_events_fold_into_how_things_stand(tmp_path: Path) -> None:
    note = voucher.Voucher(issuer="330522", voucher_no="1", enterprise="e", face_fen=100, expires_on="2027-01-05")
    issued = events.VouchersIssued(vouchers=[note])
    note.returned_fen = 100
    due = settlement.Obligation(debtor="330522", creditor="p", amount_fen=5, state=settlement.OBLIGATION_STATE_DUE)
    paid = settlement.Obligation(debtor="330522", creditor="p", amount_fen=5, state=settlement.OBLIGATION_STATE_PAID)
    window = settlement.Window(window_id="w", obligations=[due], positions=[settlement.Position(division="330522", amount_fen=-5)])
    stream = [
        issued,
        events.VoucherReturned(voucher=note, returned_fen=100, cause="Expire"),
        # The payment overtakes the window: they have different keys.
        events.ObligationPaid(window_id="w", obligation=paid),
        events.WindowClosed(window=window),
        events.PolicyPublished(),
        clearing.Redemption(),
    ]
    told = Told(Database(tmp_path / "state.db"))
    arrived = [(f"//hub#{at}", event.DESCRIPTOR.full_name, event.SerializeToString()) for at, event in enumerate(stream, start=1)]
    for _ in range(2):  # the broker delivers at least once
        told.take(arrived, "2026-01-01")
    told.take(arrived[:1], "2026-01-01")
    stand = results(told.rows())
    assert [(row.voucher_no, row.returned_fen) for row in stand.vouchers] == [("1", 100)]
    assert [(row.amount_fen, row.state) for row in stand.obligations] == [(5, "PAID")]
    assert [(row.division, row.amount_fen) for row in stand.positions] == [("330522", -5)]
    assert stand.redemptions == ()


def test_a_result_table_must_cover_its_row() -> None:
    with pytest.raises(ValueError, match="division"):
        table("t", PositionRow, "a window_id\nb amount_fen money")
    made = table("t", PositionRow, "a window_id\nb division\nc amount_fen money")
    rows = (PositionRow("w", "330000", -150),)
    assert made.write(rows, Style(CODES)) == [{"a": "w", "b": "330000", "c": "-1.50"}]
    assert made.read(made.write(rows, Style(CODES)), Style(CODES)) == rows


def test_flatten_leaves_nothing_out() -> None:
    assert dict(flatten({"a": [1, {"b": []}], "c": {}})) == {"a[0]": "1"}
