"""The chart of a simulation: one self-contained SVG, or an HTML page around it. No script, no font, nothing from elsewhere."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from adapters.runtime.policy_words import CATEGORIES
from hub.application.whatif import Caveat, Effect, Row
from hub.domain.money import format_yuan
from yrd.common.v1 import types_pb2 as types

WIDTH = 960
_LABEL, _RIGHT, _BAR, _GAP, _HEAD = 250, 130, 13, 9, 52
_THEN, _DRAFT, _INK, _GRID = "#0072B2", "#E69F00", "#222222", "#dddddd"
ENTERPRISES_MAX = 15


class _Bar(NamedTuple):
    label: str
    then: int
    draft: int


class _Panel(NamedTuple):
    title: str
    bars: Sequence[_Bar]

    @property
    def height(self) -> int:
        """In pixels, head and foot included."""
        return _HEAD + len(self.bars) * (2 * _BAR + _GAP) + 16


def write_chart(path: Path, effect: Effect, notes: Iterable[Caveat]) -> None:
    """Write the chart: `.svg` alone, `.html` with the sums and the notes below it."""
    drawing = _svg(effect)
    root = drawing if path.suffix == ".svg" else _page(effect, drawing, notes)
    text = ET.tostring(root, encoding="unicode", method="xml" if path.suffix == ".svg" else "html")
    head = '<?xml version="1.0" encoding="UTF-8"?>\n' if path.suffix == ".svg" else "<!DOCTYPE html>\n"
    path.write_text(head + text + "\n", encoding="utf-8")


def _panels(effect: Effect) -> list[_Panel]:
    changed = sorted(effect.enterprises.items(), key=lambda item: (-abs(item[1].difference_fen), item[0]))[:ENTERPRISES_MAX]
    panels = [
        _Panel("按月 By month", _bars(effect.months)),
        _Panel("按类别 By category", _bars({_category(name): row for name, row in sorted(effect.categories.items())})),
        _Panel("按额度年度 By quota year", _bars(effect.years)),
        _Panel("按出资地 By funder", _bars(effect.funders)),
        _Panel(f"差额最大的企业 Enterprises with the largest difference ({len(changed)})", _bars(dict(changed))),
        _Panel("草案将拒绝 Refused by the draft", _bars(effect.refusals)),
    ]
    return [panel for panel in panels if panel.bars]


def _bars(group: dict[str, Row]) -> list[_Bar]:
    return [_Bar(name, row.then_fen, row.draft_fen) for name, row in group.items()]


def _category(name: str) -> str:
    words = CATEGORIES[types.Category.Value(f"CATEGORY_{name}")]
    return f"{words.zh} {words.en}"


def _svg(effect: Effect) -> ET.Element:
    panels = _panels(effect)
    height = 96 + sum(panel.height for panel in panels)
    title = f"{effect.issuer} {effect.version}:假定自 {effect.since} 起生效 as if in force since {effect.since}"
    size = {"width": str(WIDTH), "height": str(height), "viewBox": f"0 0 {WIDTH} {height}"}
    root = ET.Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img", "font-family": "sans-serif", **size})
    ET.SubElement(root, "title").text = title
    ET.SubElement(root, "rect", {"width": str(WIDTH), "height": str(height), "fill": "white"})
    _text(root, 20, 30, title, size=18)
    total = effect.total
    sums = f"{format_yuan(total.then_fen)} → {format_yuan(total.draft_fen)} 元 yuan"
    _text(root, 20, 54, f"补贴合计 Subsidies: {sums}; {total.redemptions} 笔 redemptions, 被拒 refused {total.refused}", size=13)
    for at, (color, words) in enumerate(((_THEN, "当时 then"), (_DRAFT, "草案 draft"))):
        ET.SubElement(root, "rect", {"x": str(20 + at * 110), "y": "66", "width": "12", "height": "12", "fill": color})
        _text(root, 38 + at * 110, 77, words, size=12)
    top = 88
    for panel in panels:
        _draw(root, panel, top)
        top += panel.height
    return root


def _draw(root: ET.Element, panel: _Panel, top: int) -> None:
    _text(root, 20, top + 24, panel.title, size=14, weight="bold")
    _text(root, WIDTH - 20, top + 24, "元 yuan", size=11, anchor="end")
    most = max((max(bar.then, bar.draft) for bar in panel.bars), default=0) or 1
    room = WIDTH - _LABEL - _RIGHT
    base = top + _HEAD - 14
    foot = top + panel.height - 16
    ET.SubElement(root, "line", {"x1": str(_LABEL), "x2": str(_LABEL), "y1": str(base), "y2": str(foot), "stroke": _GRID})
    for at, bar in enumerate(panel.bars):
        y = base + at * (2 * _BAR + _GAP)
        _text(root, _LABEL - 8, y + _BAR + 4, bar.label, size=11, anchor="end")
        for row, (color, words, fen) in enumerate(((_THEN, "当时 then", bar.then), (_DRAFT, "草案 draft", bar.draft))):
            # Whole pixels: no float comes near money, not even to draw it.
            width = fen * room // most
            shape = {"x": str(_LABEL), "y": str(y + row * _BAR), "width": str(width), "height": str(_BAR - 1), "fill": color}
            ET.SubElement(ET.SubElement(root, "rect", shape), "title").text = f"{bar.label} {words}: {format_yuan(fen)}"
            _text(root, _LABEL + width + 5, y + row * _BAR + 10, format_yuan(fen), size=10)


def _text(root: ET.Element, x: int, y: int, text: str, *, size: int, anchor: str = "start", weight: str = "normal") -> None:
    style = {"font-size": str(size), "text-anchor": anchor, "font-weight": weight, "fill": _INK}
    ET.SubElement(root, "text", {"x": str(x), "y": str(y), **style}).text = text


def _page(effect: Effect, drawing: ET.Element, notes: Iterable[Caveat]) -> ET.Element:
    page = ET.Element("html", {"lang": "zh-CN"})
    head = ET.SubElement(page, "head")
    ET.SubElement(head, "meta", {"charset": "utf-8"})
    ET.SubElement(head, "title").text = f"{effect.issuer} {effect.version}"
    ET.SubElement(head, "style").text = "body{font-family:sans-serif;margin:1rem} td,th{padding:.2rem .6rem;text-align:right}"
    body = ET.SubElement(page, "body")
    body.append(drawing)
    table = ET.SubElement(body, "table")
    _cells(table, "th", ("", "", "笔数 redemptions", "当时 then", "草案 draft", "差额 difference", "减 less", "增 more", "拒 refused"))
    for dimension, group in effect.groups():
        for key, row in group.items():
            amounts = (format_yuan(fen) for fen in (row.then_fen, row.draft_fen, row.difference_fen))
            _cells(table, "td", (dimension, key, str(row.redemptions), *amounts, str(row.less), str(row.more), str(row.refused)))
    listed = ET.SubElement(body, "ul")
    for note in notes:
        ET.SubElement(listed, "li").text = f"{note.zh}。{note.en}."
    return page


def _cells(table: ET.Element, tag: str, texts: Iterable[str]) -> None:
    row = ET.SubElement(table, "tr")
    for text in texts:
        ET.SubElement(row, tag).text = text
