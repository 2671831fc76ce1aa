"""The parts of a score in words, for officers who ask why."""

from __future__ import annotations

from registry.search.domain import Field, Part, PartKind

FIELD_WORDS = {
    Field.NAME: ("名称", "name"),
    Field.KEYWORDS: ("关键词或型号", "keywords or model"),
    Field.PROVIDER: ("类别或机构名称", "category or provider"),
    Field.DESCRIPTION: ("说明", "description"),
}


def in_words(part: Part) -> tuple[str, str]:
    """Return a part in Chinese and in English."""
    zh, en = _said(part)
    return f"{zh},计 {part.points} 分", f"{en}: {part.points} points"


def _said(part: Part) -> tuple[str, str]:
    match part.kind:
        case PartKind.WORD:
            assert part.field is not None
            zh, en = FIELD_WORDS[part.field]
            as_zh, as_en = ("", "") if part.found == part.word else (f"(按“{part.found}”)", f" (as “{part.found}”)")
            return f"“{part.word}”{as_zh}见于{zh}", f"“{part.word}”{as_en} in {en}"
        case PartKind.ALL_WORDS:
            return "查询词全部命中", "all words of the query found"
        case PartKind.NAME:
            holds_zh, holds_en = ("含完整查询词,", "holds the whole query and ") if part.whole else ("", "")
            return f"名称{holds_zh}匹配程度 {part.value}%", f"the name {holds_en}matches by {part.value} %"
        case PartKind.RATING:
            return f"机构评级 {part.value / 100:.2f}", f"provider rated {part.value / 100:.2f}"
        case PartKind.RECOGNIZED:
            return "发券地认可该机构", "the issuer recognises the provider"
        case PartKind.DISTANCE:
            return f"相距约 {part.value} 公里", f"about {part.value} km away"
