"""How alike two institutions or two instruments are, of 1,000, and why. Pure.

Credit codes say most, serial numbers next; names and addresses are compared in a form in which width, punctuation and legal form make no
difference. What tells two things apart (another number in the name, another place, another serial number) ends the comparison.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from rapidfuzz import fuzz

FULL = 1_000
PROPOSED_FROM = 850
"""Score from which two things are proposed as one. Chosen on the generated pool: docs/performance.md."""

SAME_NAME = 880
"""Least score of institutions of exactly the same name, wherever they are: branches are for people to tell apart."""

OTHER_WORDS = 0.9
"""What names count for that differ by more than one character lost."""

SAME_HOLDER = 0.85
"""How alike the holders of two instruments must be where no serial number speaks for them."""

_DIGITS = re.compile(r"\d+")
_NO_WORD = re.compile(r"[\W_]+")
_LEGAL = re.compile(r"(?:股份有限公司|有限责任公司|有限公司|集团公司|公司|集团)+$")
_RESEARCH = re.compile(r"研究[院所]|研究中心")
_REGION = re.compile(r"[省市]")
_NUMERAL = re.compile(r"\d+|[一二三四五六七八九十百]+")


class Reason(NamedTuple):
    """One of the things that make two alike: a stable word, what it counts for, and the sentence in both languages."""

    code: str
    score: int
    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Alike:
    """How alike two things are, and why."""

    score: int
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class Institution:
    """A provider as it is compared. `address` may be empty; `place` is the word for a division in its name, empty where there is none."""

    code: str
    name: str
    address: str = ""
    place: str = ""


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument as it is compared; `institution` is who has it. All but `model` may be empty or 0."""

    entry_id: int
    provider: str
    name: str
    model: str
    maker: str = ""
    serial_no: str = ""
    institution: str = ""
    owner: str = ""
    place: str = ""
    value: int = 0


@lru_cache(maxsize=65_536)
def plain(text: str) -> str:
    """Return a text without width, case, spaces and punctuation."""
    return _NO_WORD.sub("", unicodedata.normalize("NFKC", text).casefold())


@lru_cache(maxsize=65_536)
def core_name(name: str) -> str:
    """Return what is left of an institution's name without its legal form; 研究院 and 研究所 are the same, 省 and 市 say nothing."""
    short = _LEGAL.sub("", plain(name))
    return _RESEARCH.sub("研究", _REGION.sub("", short)) or short


def organisation_code(uscc: str) -> str:
    """Return the nine characters of a credit code that stay when an institution moves or changes its form (GB 32100-2015, 主体标识码)."""
    return uscc[8:17]


def numerals(name: str) -> tuple[str, ...]:
    """Return the numbers in a name: 第一 and 第二 are two institutions."""
    return tuple(_NUMERAL.findall(name))


def compare_institutions(left: Institution, right: Institution) -> Alike:
    """Say how alike two institutions are."""
    names = core_name(left.name), core_name(right.name)
    by_name = _names(*names)
    if organisation_code(left.code) == organisation_code(right.code):
        reasons = (
            Reason("SAME_ORGANISATION_CODE", 600, "信用代码中的主体标识码相同", "the organisation part of the credit codes is the same"),
            _reason("NAME", by_name, 400, "名称", "names"),
        )
        return _sum(reasons)
    if numerals(names[0]) != numerals(names[1]) or (left.place and right.place and left.place != right.place):
        return Alike(0, ())
    if not (left.address and right.address):
        return _sum((_reason("NAME", by_name, 950, "名称", "names"),))
    by_address = _addresses(plain(left.address), plain(right.address))
    alike = _sum((_reason("NAME", by_name, 650, "名称", "names"), _reason("ADDRESS", by_address, 350, "地址", "addresses")))
    return Alike(max(alike.score, SAME_NAME), alike.reasons) if names[0] == names[1] else alike


def compare_instruments(left: Instrument, right: Instrument) -> Alike:
    """Say how alike two instruments of the same model are. Who has it or the serial number must speak for it."""
    serials = plain(left.serial_no), plain(right.serial_no)
    if all(serials) and serials[0] != serials[1]:
        return Alike(0, ())
    parts = [_Part("SAME_MODEL", 150, 1.0, "型号相同", "the models are the same")]
    if all(serials):
        parts.append(_Part("SAME_SERIAL_NO", 400, 1.0, "出厂编号相同", "the serial numbers are the same"))
    elif left.provider == right.provider:
        # One provider may well have two of a kind, and gives each a code of its own.
        return Alike(0, ())
    holder = _holder(left, right)
    if holder.alike < SAME_HOLDER and not all(serials):
        return Alike(0, ())
    parts.append(holder)
    if left.place and right.place:
        parts.append(_part("PLACE", 150, _addresses(plain(left.place), plain(right.place)), "安放地址", "places"))
    if left.maker and right.maker:
        parts.append(_part("MAKER", 50, _ratio(core_name(left.maker), core_name(right.maker)), "生产厂商", "makers"))
    if left.value and right.value:
        parts.append(_part("VALUE", 200, _values(left.value, right.value), "原值", "original values"))
    parts.append(_part("NAME", 100, _ratio(plain(left.name), plain(right.name)), "名称", "names"))
    whole = sum(part.weight for part in parts)
    return _sum(tuple(Reason(part.code, round(part.alike * part.weight * FULL / whole), part.zh, part.en) for part in parts))


class _Part(NamedTuple):
    code: str
    weight: int
    alike: float
    zh: str
    en: str


def _holder(left: Instrument, right: Instrument) -> _Part:
    if left.owner and left.owner == right.owner:
        return _Part("SAME_OWNER", 350, 1.0, "所属单位信用代码相同", "the credit codes of the institutions that have them are the same")
    if numerals(core_name(left.institution)) != numerals(core_name(right.institution)):
        return _Part("INSTITUTION", 350, 0.0, "所属单位不同", "the institutions that have them are different")
    return _part("INSTITUTION", 350, _names(core_name(left.institution), core_name(right.institution)), "所属单位", "institutions")


def _part(code: str, weight: int, alike: float, zh: str, en: str) -> _Part:
    return _Part(code, weight, alike, f"{zh}相似度 {alike:.0%}", f"{en} are alike to {alike:.0%}")


def _ratio(left: str, right: str) -> float:
    return 1.0 if left == right else fuzz.ratio(left, right) / 100


def _names(left: str, right: str) -> float:
    """Compare two names of institutions. A character lost is a slip; one in place of another is more likely another trade name."""
    short, long = sorted((left, right), key=len)
    left_over = iter(long)
    slip = len(long) - len(short) <= 1 and all(character in left_over for character in short)
    return _ratio(left, right) * (1.0 if slip else OTHER_WORDS)


def _addresses(left: str, right: str) -> float:
    """Compare two addresses. Another house number is another house, however alike the rest."""
    numbers = _DIGITS.search(left), _DIGITS.search(right)
    other = numbers[0] and numbers[1] and numbers[0][0] != numbers[1][0]
    return _ratio(left, right) * (0.5 if other else 1.0)


def _values(left: int, right: int) -> float:
    """Compare two original values, which come from books: what differs by a twentieth is another thing."""
    return max(0.0, 1 - 20 * abs(left - right) / max(left, right))


def _reason(code: str, alike: float, weight: int, zh: str, en: str) -> Reason:
    return Reason(code, round(alike * weight), f"{zh}相似度 {alike:.0%}", f"{en} are alike to {alike:.0%}")


def _sum(reasons: tuple[Reason, ...]) -> Alike:
    return Alike(min(FULL, sum(reason.score for reason in reasons)), reasons)
