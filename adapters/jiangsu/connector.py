"""Jiangsu's files: `JS_<kind>_<date>.csv` in GB18030, one record a line, and result files of the same make."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

from adapters.jiangsu.mapping import CODES, read_day
from adapters.runtime.documents import WHOLE, unusable
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.results import ObligationRow, OutcomeRow, PositionRow, RedemptionRow, Results, VoucherRow
from adapters.runtime.sheets import record_of_cells
from adapters.runtime.tables import ResultTables, Style, table
from hub.domain.money import format_yuan, parse_yuan

ENCODING = "gb18030"
_FILES = {
    Kind.ENTERPRISE: ("QY", "企业编号"),
    Kind.PROVIDER: ("JG", "机构编号"),
    Kind.RECOGNITION: ("HR", "互认编号"),
    Kind.VOUCHER: ("FQ", "发放编号"),
    Kind.AUTHORIZATION: ("DD", "申请编号"),
    Kind.CAPTURE: ("DF", "兑付编号"),
}
_NAME = re.compile(r"JS_([A-Z]{2})_[0-9]{8}(?:_[0-9]+)?\.csv")


def _grouped(fen: int) -> str:
    """Write `4,800.00`, the way the system prints money."""
    whole, _, decimals = format_yuan(fen).partition(".")
    return f"{int(whole):,}.{decimals}" if abs(fen) >= 100_000 else f"{whole}.{decimals}"


_STYLE = Style(
    CODES,
    money=_grouped,
    read_money=lambda text: parse_yuan(text.replace(",", "")),
    day=lambda day: f"{day:%Y%m%d}",
    read_day=read_day,
)
_TABLES = ResultTables(
    redemptions=table(
        "DFJG",
        RedemptionRow,
        """
        兑付流水号 redemption_id
        订单号 order_no
        发券地区划 issuer
        服务地区划 acquirer
        企业代码 enterprise
        机构代码 provider
        状态 state redemption_state
        政策版本 policy_version
        授权金额 authorized_fen money
        核定金额 subsidy_fen money
        退回金额 refunded_fen money
        收款方 payee payee
        发票号码 invoice_no
        交付日期 delivered_on day
        拨付日期 settled_on day
        清算批次 window_id
        核定依据 basis
        """,
    ),
    vouchers=table(
        "FQJG",
        VoucherRow,
        """
        发券地区划 issuer
        券号 voucher_no
        企业代码 enterprise
        面额 face_fen money
        收回金额 returned_fen money
        发放日期 issued_on day
        失效日期 expires_on day
        """,
    ),
    obligations=table(
        "YFMX",
        ObligationRow,
        """
        清算批次 window_id
        付款地区划 debtor
        收款方代码 creditor
        金额 amount_fen money
        状态 state obligation_state
        """,
    ),
    positions=table("JETC", PositionRow, "清算批次 window_id\n地区划 division\n净额 amount_fen money"),
    outcomes=table(
        "HZ",
        OutcomeRow,
        """
        类型 kind
        编号 native_id
        文件 file
        行号 line
        结果 outcome outcome
        说明 message
        """,
    ),
)


def kinds(name: str) -> tuple[Kind, ...]:
    """Return what a file holds, by its name `JS_<kind>_<date>.csv`."""
    found = _NAME.fullmatch(name)
    return tuple(kind for kind, (prefix, _) in _FILES.items() if found and found[1] == prefix)


def read(path: Path, name: str, wanted: tuple[Kind, ...]) -> Iterator[NativeRecord | Broken]:
    """Yield the rows of a file."""
    for kind in kinds(name):
        if kind in wanted:
            yield from _read_file(path, name, kind, _FILES[kind][1])


def _read_file(path: Path, name: str, kind: Kind, id_field: str) -> Iterator[NativeRecord | Broken]:
    """Yield the rows of a file. It is cut into lines before decoding, so that a bad byte costs its line only.

    That is safe: no byte of a GB18030 character equals a line feed.
    """
    header: list[str] | None = None
    for number, raw in enumerate(path.read_bytes().split(b"\n"), start=1):
        if not raw.strip():
            continue
        cells = _cells(raw, name, str(number))
        if isinstance(cells, Broken):
            yield cells
            if header is None:
                return  # without its header the rest of the file says nothing
        elif header is None:
            header = [cell.strip() for cell in cells]
        else:
            yield record_of_cells(header, cells, name, str(number), kind, id_field)


def _cells(raw: bytes, file: str, line: str) -> list[str] | Broken:
    """Return the cells of a line."""
    try:
        (cells,) = csv.reader([raw.decode(ENCODING).rstrip("\r")], strict=True)
    except UnicodeDecodeError:
        return unusable(file, line, WHOLE, "ENCODING", "GB18030")
    except csv.Error as error:
        return unusable(file, line, WHOLE, "UNPARSEABLE", str(error))
    return cells


def write(results: Results, folder: Path) -> list[Path]:
    """Write one file a table, `JS_<table>_RESULT.csv`, and return the files."""
    headers, tables = _TABLES.headers(), _TABLES.write(results, _STYLE)
    return [_csv(folder / f"JS_{name}_RESULT.csv", headers[name], rows) for name, rows in tables.items()]


def _csv(path: Path, header: list[str], rows: list[dict[str, str]]) -> Path:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, header, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode(ENCODING))
    return path


def load(folder: Path) -> Results:
    """Read the result files back."""
    found = {}
    for name in _TABLES.headers():
        text = (folder / f"JS_{name}_RESULT.csv").read_bytes().decode(ENCODING)
        found[name] = list(csv.DictReader(io.StringIO(text, newline="")))
    return _TABLES.read(found, _STYLE)
