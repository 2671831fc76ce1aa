"""From an entry or a provider to the document that is found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from registry.search.lexemes import is_word, lexemes_of, tags
from registry.search.text import fold, is_han, terms

BAND_YUAN = (100, 1_000, 10_000, 100_000)
"""Where bands of price end; band 0 is without a price."""

CATEGORY_WORDS = {
    "REAGENT": "试剂",
    "LAB_ANIMAL": "实验动物",
    "DATA": "科学数据",
    "LITERATURE": "科技文献",
    "ST_REPORT": "科技报告",
    "GERMPLASM": "种质资源",
    "RESEARCH": "研究开发",
    "TECH_TRANSFER": "技术转移",
    "INSPECTION_TESTING": "检验检测认证",
    "INCUBATION": "创业孵化",
    "IP": "知识产权",
    "CONSULTING": "科技咨询",
    "ST_FINANCE": "科技金融",
    "INSTRUMENT": "大型科研仪器",
}


@dataclass(frozen=True, slots=True)
class Source:
    """What a document is made from. A provider's own document has its name as name and no provider name."""

    doc_id: int
    provider: str
    provider_name: str
    kind: str
    categories: tuple[str, ...]
    division: str
    rating: int
    name: str
    keywords: tuple[str, ...] = ()
    description: str = ""
    price_from: int | None = None
    price_to: int | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A row of `search_document` and one of `search_text`."""

    source: Source
    band: int
    lexemes: list[str]
    texts: tuple[str, str, str, str]

    @property
    def words(self) -> list[str]:
        """The lexemes that are words."""
        return [lexeme for lexeme in self.lexemes if is_word(lexeme)]


def document_of(source: Source) -> Document:
    """Return the document of a source."""
    about = " ".join((source.provider_name, *(CATEGORY_WORDS[category] for category in source.categories)))
    read = (
        _read(source.name, True),
        _read("\n".join(source.keywords), True),
        _read_again(about),
        _read(source.description, False),
    )
    lexemes = lexemes_of([found for _, found in read], tags(source.division, source.categories, source.kind, source.rating))
    name, keywords, provider, description = (text for text, _ in read)
    return Document(source, band_of(source.price_from), lexemes, (name, keywords, provider, description))


def _read(text: str, thorough: bool) -> tuple[str, list[str]]:
    """Return a text as hits are judged by it, and its terms. Its Latin words and numbers stand below it, each as it is looked for."""
    folded = fold(text.replace("\x00", " ").replace("\n", " "))
    found = sorted(terms(folded, thorough=thorough))
    latin = [term for term in found if not is_han(term)]
    return f"{folded}\n {' '.join(latin)} " if latin else folded, found


@lru_cache(4_096)
def _read_again(text: str) -> tuple[str, list[str]]:
    """Read a text that many documents share."""
    return _read(text, False)


def band_of(price_from: int | None) -> int:
    """Return the band of a least price in fen: 0 without one, else 1 to 5."""
    if price_from is None:
        return 0
    return 1 + sum(price_from >= yuan * 100 for yuan in BAND_YUAN)


def correctable(words: Sequence[str]) -> list[str]:
    """Return the words that a mistyped query is corrected to: of two to six characters, or of four letters and more."""
    return [word for word in words if (2 <= len(word) <= 6 if is_han(word) else len(word) >= 4 and not word.isdigit())]
