"""Jiangsu's files: `JS_<kind>_<date>.csv` in GB18030, one record a line, and result files of the same make."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from adapters.jiangsu.mapping import CHANGED, CODES, MARK, WITHDRAWN, read_day
from adapters.jiangsu.names import NAME
from adapters.jiangsu.unmapping import grouped
from adapters.runtime.delimited import load_table, read_table, write_table
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.results import ObligationRow, OutcomeRow, PositionRow, RedemptionRow, Results, VoucherRow
from adapters.runtime.tables import ResultTables, Style, table
from hub.domain.money import parse_yuan

ENCODING = "gb18030"
_FILES = {
    Kind.ENTERPRISE: ("QY", "企业编号"),
    Kind.PROVIDER: ("JG", "机构编号"),
    Kind.RECOGNITION: ("HR", "互认编号"),
    Kind.VOUCHER: ("FQ", "发放编号"),
    Kind.AUTHORIZATION: ("DD", "申请编号"),
    Kind.CAPTURE: ("DF", "兑付编号"),
}


_STYLE = Style(
    CODES,
    money=grouped,
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
    found = NAME.fullmatch(name)
    return tuple(kind for kind, (prefix, _) in _FILES.items() if found and found[1] == prefix)


def read(path: Path, name: str, wanted: tuple[Kind, ...]) -> Iterator[NativeRecord | Broken]:
    """Yield the rows of a file; one marked 撤销 is marked as withdrawn, one marked 变更 as the later edition of a row of the same file."""
    for kind in kinds(name):
        if kind in wanted:
            for item in read_table(path, name, kind, _FILES[kind][1], ENCODING):
                mark = item.fields.get(MARK) if isinstance(item, NativeRecord) else None
                if isinstance(item, NativeRecord) and mark in (CHANGED, WITHDRAWN):
                    yield replace(item, deleted=mark == WITHDRAWN, revises=True)
                else:
                    yield item


def write(results: Results, folder: Path) -> list[Path]:
    """Write one file a table, `JS_<table>_RESULT.csv`, and return the files."""
    headers, tables = _TABLES.headers(), _TABLES.write(results, _STYLE)
    return [write_table(folder / f"JS_{name}_RESULT.csv", headers[name], rows, ENCODING) for name, rows in tables.items()]


def load(folder: Path) -> Results:
    """Read the result files back."""
    return _TABLES.read({name: load_table(folder / f"JS_{name}_RESULT.csv", ENCODING) for name in _TABLES.headers()}, _STYLE)
