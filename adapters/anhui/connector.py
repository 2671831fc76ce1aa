"""Anhui's files: a workbook a city, a sheet a kind, a title above the header; result workbooks a city, and one for the province."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path, PurePosixPath

from openpyxl import Workbook, load_workbook
from openpyxl.worksheet.worksheet import Worksheet

from adapters.anhui.mapping import CODES, DIVISION, MARK, WITHDRAWN, read_day, write_day
from adapters.anhui.sharing import shares_of, sheets
from adapters.runtime.documents import WHOLE, unusable
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.results import ObligationRow, OutcomeRow, PositionRow, RedemptionRow, Results, VoucherRow
from adapters.runtime.tables import ResultTables, Style, table
from adapters.runtime.workbook import Limits, SheetRow, Unusable, opened, record_of_row, rows, text_of
from hub.domain.divisions import contains

_SHEETS = {
    Kind.ENTERPRISE: "企业",
    Kind.PROVIDER: "机构",
    Kind.RECOGNITION: "互认",
    Kind.VOUCHER: "发券",
    Kind.AUTHORIZATION: "服务订单",
    Kind.CAPTURE: "兑付申请",
}
_HEADER_ROW = 2
_ID = "编号"
LIMITS = Limits()
_POLICIES = Path(__file__).parent / "policy.yaml"
_STYLE = Style(CODES, day=write_day, read_day=read_day)
_TABLES = ResultTables(
    redemptions=table(
        "兑付结果",
        RedemptionRow,
        """
        兑付编号 redemption_id
        合同号 order_no
        发券地 issuer
        服务地 acquirer
        企业信用代码 enterprise
        机构信用代码 provider
        状态 state redemption_state
        政策版本 policy_version
        受理金额（元） authorized_fen money
        核定金额（元） subsidy_fen money
        退款金额（元） refunded_fen money
        收款方 payee payee
        发票号 invoice_no
        完成日期 delivered_on day
        兑付日期 settled_on day
        清算批次 window_id
        核定依据 basis
        """,
    ),
    vouchers=table(
        "发券结果",
        VoucherRow,
        """
        发券市 issuer
        券号 voucher_no
        企业信用代码 enterprise
        面额（元） face_fen money
        收回金额（元） returned_fen money
        发放日期 issued_on day
        失效日期 expires_on day
        """,
    ),
    obligations=table(
        "应付明细",
        ObligationRow,
        """
        清算批次 window_id
        付款方 debtor
        收款方信用代码 creditor
        金额（元） amount_fen money
        状态 state obligation_state
        """,
    ),
    positions=table("净额头寸", PositionRow, "清算批次 window_id\n地区 division\n净额（元） amount_fen money"),
    outcomes=table(
        "处理回执",
        OutcomeRow,
        """
        类型 kind
        编号 native_id
        文件 file
        位置 line
        结果 outcome outcome
        说明 message
        """,
    ),
)


def kinds(name: str) -> tuple[Kind, ...]:
    """Return what a workbook may hold: every kind, whatever its name. `~$…` is the office program's mark on a book that is open."""
    return tuple(_SHEETS) if name.endswith(".xlsx") and not PurePosixPath(name).name.startswith("~") else ()


def read(path: Path, name: str, wanted: tuple[Kind, ...], limits: Limits = LIMITS) -> Iterator[NativeRecord | Broken]:
    """Yield the rows of a workbook, sheet after sheet. What cannot be read at all is said once, and a sheet's fault costs that sheet."""
    try:
        with opened(path, limits) as book:
            if not set(_SHEETS.values()) & set(book.sheetnames):
                raise Unusable("UNPARSEABLE", f"none of the sheets {'、'.join(_SHEETS.values())}")
            for kind in wanted:
                if _SHEETS.get(kind) in book.sheetnames:
                    yield from _read_sheet(book, name, kind, limits)
    except Unusable as error:
        yield unusable(name, "1", WHOLE, error.code, error.detail)


def _read_sheet(book: Workbook, file: str, kind: Kind, limits: Limits) -> Iterator[NativeRecord | Broken]:
    """Yield the rows of a sheet; empty ones are passed over."""
    name, at = _SHEETS[kind], _HEADER_ROW
    header: list[str] | None = None
    try:
        for row in rows(book, name, limits, write_day):
            at = row.number
            if at < _HEADER_ROW:
                continue
            if header is None:
                header = _header(row)
            else:
                yield _record(header, row, file, f"{name}!{at}", kind)
    except Unusable as error:
        yield unusable(file, f"{name}!{at}", WHOLE, error.code, error.detail)


def _header(row: SheetRow) -> list[str]:
    """Return the names of the columns; raise Unusable where they do not say what stands below."""
    if row.number != _HEADER_ROW or _ID not in row.cells:
        raise Unusable("UNPARSEABLE", f"row {_HEADER_ROW} has no column {_ID}")
    twice = [name for name, count in Counter(row.cells).items() if name and count > 1]
    if twice:
        raise Unusable("UNPARSEABLE", f"column {twice[0]} stands there twice")
    return row.cells


def _record(header: list[str], row: SheetRow, file: str, line: str, kind: Kind) -> NativeRecord | Broken:
    """Return a row as a record, withdrawn where its mark says so."""
    record = record_of_row(header, row, file, line, kind, _ID)
    if isinstance(record, NativeRecord) and record.fields.get(MARK) == WITHDRAWN:
        return replace(record, deleted=True)
    return record


def write(results: Results, folder: Path) -> list[Path]:
    """Write `result-<division>.xlsx` for each city that appears, and one for the province, and return the files."""
    files = []
    for division in _books(results):
        path = folder / f"result-{division}.xlsx"
        book = _book(_part(results, division))
        _share(book, results, division)
        book.save(path)
        files.append(path)
    return files


def _books(results: Results) -> list[str]:
    """Return the divisions that get a workbook."""
    issuers = [row.issuer for row in results.redemptions] + [row.issuer for row in results.vouchers]
    divisions = {*issuers, *(row.debtor for row in results.obligations), *(row.division for row in results.positions)}
    return sorted({DIVISION, *(division for division in divisions if contains(DIVISION, division))})


def _part(results: Results, division: str) -> Results:
    """Return what belongs in a division's workbook: a city's own money; the rest goes to the province."""

    def here(owner: str) -> bool:
        return owner == division or (division == DIVISION and not contains(DIVISION, owner))

    return Results(
        redemptions=tuple(row for row in results.redemptions if here(row.issuer)),
        vouchers=tuple(row for row in results.vouchers if here(row.issuer)),
        obligations=tuple(row for row in results.obligations if here(row.debtor)),
        positions=tuple(row for row in results.positions if here(row.division)),
        outcomes=results.outcomes if division == DIVISION else (),
    )


def _book(results: Results) -> Workbook:
    book = Workbook()
    book.remove(book.worksheets[0])
    headers, amounts = _TABLES.headers(), _TABLES.amounts()
    for name, lines in _TABLES.write(results, _STYLE).items():
        sheet = book.create_sheet(name)
        sheet.append([f"长三角科技创新券{name}"])
        sheet.append(headers[name])
        for cells in lines:
            sheet.append([_cell(column, cells[column], amounts) for column in headers[name]])
        _plain(sheet)
    return book


def _share(book: Workbook, results: Results, division: str) -> None:
    """Add the sheets on what province and city bear."""
    for name, header, lines in sheets(results, division, shares_of(_POLICIES)):
        sheet = book.create_sheet(name)
        sheet.append([f"长三角科技创新券{name}"])
        sheet.append(list(header))
        money = {column for column in header if column.endswith("（元）")}
        for cells in lines:
            sheet.append([_cell(column, text, money) for column, text in zip(header, cells, strict=True)])
        _plain(sheet)


def _plain(sheet: Worksheet) -> None:
    """Keep texts texts: one that begins with = would be run as a formula by whoever opens the book."""
    for line in sheet.iter_rows(min_row=_HEADER_ROW + 1):
        for cell in line:
            if cell.data_type == "f":
                cell.data_type = "s"


def _cell(column: str, text: str, amounts: set[str]) -> str | Decimal:
    """Return a cell's value: money as a number, so that it can be summed, as long as a spreadsheet's fifteen digits hold it."""
    return Decimal(text) if text and column in amounts and len(text) <= 15 else text


def load(folder: Path) -> Results:
    """Read the result workbooks back, all of them together."""
    found: dict[str, list[dict[str, str]]] = {name: [] for name in _TABLES.headers()}
    for path in sorted(folder.glob("result-*.xlsx")):
        book = load_workbook(path)
        for name, header in _TABLES.headers().items():
            for row in book[name].iter_rows(min_row=_HEADER_ROW + 1, values_only=True):
                found[name].append(dict(zip(header, (text_of(value, write_day) for value in row), strict=True)))
        book.close()
    return _TABLES.read(found, _STYLE)
