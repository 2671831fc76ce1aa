"""A day as files in the provinces' own formats, by the writers that make the samples."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from openpyxl import Workbook

from tests.bench.days.world import Day, Edition
from tests.golden.samples import anhui, jiangsu, shanghai, zhejiang
from tests.golden.samples.world import Cells

PAGE = 1000
"""Items of a page of Shanghai's: as many as its interface gives at most (assumed)."""
_WITHDRAWN_AT = "2026-02-10T18:00:00+08:00"

Sheets = Mapping[str, list[Cells]]


def _marked(sheets: Sheets, edition: Edition, mark: str, standing: Any, gone: Any) -> dict[str, list[Cells]]:
    """Return the delivered rows of each sheet that has any, with the province's mark of withdrawal; a row's id is its first cell."""
    found: dict[str, list[Cells]] = {}
    for name, rows in sheets.items():
        kept = [row for row in rows if edition.holds(next(iter(row.values())))]
        for row in kept:
            row[mark] = gone if next(iter(row.values())) in edition.withdrawn else row.get(mark, standing)
        if kept:
            found[name] = kept
    return found


def _shanghai(edition: Edition, at: int) -> dict[str, bytes]:
    """Pages of JSON; those of a later delivery go on counting."""
    found = {}
    for resource, items in _marked(shanghai.rows(edition.world), edition, "deletedAt", None, _WITHDRAWN_AT).items():
        for number in range(0, len(items), PAGE):
            page = items[number : number + PAGE]
            head = {"code": "0", "resource": resource, "cursor": f"p{number // PAGE + 1}", "nextCursor": None, "total": len(items)}
            body = ",\n    ".join(json.dumps(item, ensure_ascii=False) for item in page)
            text = f'{json.dumps(head, ensure_ascii=False)[:-1]},\n  "data": [\n    {body}\n  ]\n}}\n'
            found[f"{resource}-{at * 1000 + number // PAGE + 1}.json"] = text.encode()
    return found


def _jiangsu(edition: Edition, at: int) -> dict[str, bytes]:
    """CSV in GB18030, one file a kind and delivery."""
    found = {}
    for name, rows in _marked(jiangsu.rows(edition.world), edition, "操作", "新增", "撤销").items():
        for row in rows:
            if next(iter(row.values())) in edition.changed:
                row["操作"] = "变更"
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(rows[0])
        writer.writerows(row.values() for row in rows)
        found[f"JS_{name}_{jiangsu.DATE}_{at + 1}.csv"] = text.getvalue().encode("gb18030")
    return found


def _zhejiang(edition: Edition, at: int) -> dict[str, bytes]:
    """JSON Lines; a later delivery has the same names."""
    sheets = _marked(zhejiang.rows(edition.world), edition, "zt", "1", "0")
    return {f"{name}.jsonl": "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode() for name, rows in sheets.items()}


def _anhui(edition: Edition, at: int) -> dict[str, bytes]:
    """A workbook a city and delivery, written in one pass: a book of fifty thousand rows is too big to be built in memory first."""
    found = {}
    for code, name in anhui.CITIES.items():
        if sheets := _marked(anhui.rows(edition.world, code), edition, "状态", "有效", "作废"):
            found[f"{code}-{name}-2026-{at + 1}.xlsx"] = _book(sheets, anhui.PLACES[code])
    return found


def _book(sheets: Sheets, city: str) -> bytes:
    book = Workbook(write_only=True)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        sheet.append([f"{city}科技创新券台账（{name}）"])
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append(list(row.values()))
    raw = io.BytesIO()
    book.save(raw)
    return raw.getvalue()


_WRITERS: Mapping[str, Callable[[Edition, int], dict[str, bytes]]] = {
    "310000": _shanghai,
    "320000": _jiangsu,
    "330000": _zhejiang,
    "340000": _anhui,
}


def files(day: Day, province: str, at: int) -> dict[str, bytes]:
    """Return the files of a province's delivery, 0 for the providers, 1 for the morning, 2 for the evening, by name."""
    return _WRITERS[province](day.editions[at], at)


def lay_out(day: Day, province: str, at: int, folder: Path) -> Path:
    """Write a delivery's files under a folder, and return the folder."""
    for name, body in files(day, province, at).items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(body)
    return folder
