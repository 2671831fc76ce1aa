"""Zhejiang's files: `<division>/<kind>.jsonl`, one folder for every issuer of the three levels, and result files of the same make.

What the source lands is a part of such a file, named `<division>/<file>@<generation>-<first line>`: people are told the file and the
line as the province has them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from adapters.runtime.documents import read_lines
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.results import ObligationRow, OutcomeRow, PositionRow, RedemptionRow, Results, VoucherRow
from adapters.runtime.tables import ResultTables, Style, table
from adapters.zhejiang.growing import file_name
from adapters.zhejiang.mapping import CODES, WITHDRAWN, read_day, write_day

_FILES = {
    Kind.ENTERPRISE: "qiye",
    Kind.PROVIDER: "jigou",
    Kind.RECOGNITION: "huren",
    Kind.VOUCHER: "faquan",
    Kind.AUTHORIZATION: "shouquan",
    Kind.CAPTURE: "duifu",
}
# An archive has a folder of the year above; a landed part says the file's generation and its first line.
_NAME = re.compile(r"(?:[0-9]{4}/)?33[0-9]{4}/([^/@]+)(?:@[0-9]+-([0-9]+))?", re.ASCII)
_STYLE = Style(CODES, money=str, read_money=int, day=write_day, read_day=read_day)
_TABLES = ResultTables(
    redemptions=table(
        "duifu",
        RedemptionRow,
        """
        lsh redemption_id
        ddh order_no
        fqd issuer
        fwd acquirer
        qydm enterprise
        jgdm provider
        zt state redemption_state
        zcbb policy_version
        sqje authorized_fen money
        hdje subsidy_fen money
        thje refunded_fen money
        skf payee payee
        fph invoice_no
        jfrq delivered_on day
        zfrq settled_on day
        qspc window_id
        yj basis
        """,
    ),
    vouchers=table(
        "faquan",
        VoucherRow,
        """
        fqd issuer
        qh voucher_no
        xydm enterprise
        mianzhi face_fen money
        shje returned_fen money
        ffrq issued_on day
        sxrq expires_on day
        """,
    ),
    obligations=table(
        "yingfu",
        ObligationRow,
        """
        qspc window_id
        fkd debtor
        skfdm creditor
        je amount_fen money
        zt state obligation_state
        """,
    ),
    positions=table("toucun", PositionRow, "qspc window_id\nxzqh division\nje amount_fen money"),
    outcomes=table(
        "huizhi",
        OutcomeRow,
        """
        lx kind
        bianhao native_id
        wenjian file
        hang line
        jieguo outcome outcome
        shuoming message
        """,
    ),
)


def kinds(name: str) -> tuple[Kind, ...]:
    """Return what a file, or the landed part of one, holds, by its name `<issuer>/<kind>.jsonl`."""
    found = _NAME.fullmatch(name)
    said = file_name(found[1]) if found else None
    return tuple(kind for kind, file in _FILES.items() if said and said.kind == file)


def read(path: Path, name: str, wanted: tuple[Kind, ...]) -> Iterator[NativeRecord | Broken]:
    """Yield the records of a file, or of the landed part of one; where `zt` is 0 the record is marked as withdrawn."""
    found, file = _NAME.fullmatch(name), name.partition("@")[0]
    first = int(found[2]) if found and found[2] else 1
    for kind in kinds(name):
        if kind in wanted:
            for item in read_lines(path, file, kind, "bianhao", first):
                if isinstance(item, NativeRecord) and item.fields.get("zt", "").strip() == WITHDRAWN:
                    yield replace(item, deleted=True)
                else:
                    yield item


def write(results: Results, folder: Path) -> list[Path]:
    """Write one file a table, `<table>_jieguo.jsonl`, and return the files."""
    return [_jsonl(folder / f"{name}_jieguo.jsonl", rows) for name, rows in _TABLES.write(results, _STYLE).items()]


def _jsonl(path: Path, rows: list[dict[str, str]]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def load(folder: Path) -> Results:
    """Read the result files back."""
    found = {}
    for name in _TABLES.headers():
        text = (folder / f"{name}_jieguo.jsonl").read_text(encoding="utf-8")
        # Not splitlines(): a text may hold characters that Python takes for line ends and JSON does not.
        found[name] = [json.loads(line) for line in text.split("\n") if line]
    return _TABLES.read(found, _STYLE)
