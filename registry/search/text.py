"""From text to what is indexed and looked for: folding, words, pieces of words. Pure but for the data files read at first use.

A text is folded (width, case, traditional to simplified), then cut into words of Chinese by a dictionary and into Latin words and numbers.
Pairs of neighbouring characters are indexed too, so that a word that no dictionary knows is found all the same.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from opencc import OpenCC

DATA = Path(__file__).parent / "data"
WORD_CHARS_MAX = 40
"""Longer runs of letters and digits are cut: nobody looks for them."""

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(rf"[{_HAN}]+|[a-zα-ω0-9]+(?:[-_./+·][a-zα-ω0-9]+)*")
_JOINTS = re.compile(r"[-_./+·]")
_PARTS = re.compile(r"[a-zα-ω]+|\d+[a-zα-ω]*")
_IS_HAN = re.compile(rf"[{_HAN}]")
_NOT_TEXT = re.compile(rf"[^{_HAN}a-zα-ω0-9]+")


class Token(NamedTuple):
    """A word of a folded text. `single` is true of a lone character that belongs to no word of the dictionary."""

    text: str
    single: bool = False


class Dictionary(Protocol):
    """Cuts Chinese into words."""

    def cut(self, text: str, hmm: bool = True) -> list[str]:
        """Return the words of a text in order; with `hmm`, unknown words are guessed at."""
        ...

    def cut_all(self, text: str) -> list[str]:
        """Return every word of the dictionary within a text."""
        ...


_loading = RLock()


def fold(text: str) -> str:
    """Return the text with width, case and traditional characters folded."""
    simple: str = _simplifier().convert(unicodedata.normalize("NFKC", text))
    return simple.casefold()


def squeeze(folded: str) -> str:
    """Return a folded text without anything but letters, digits and characters: `jsm-7900f` and `jsm 7900f` become the same."""
    return _NOT_TEXT.sub("", folded)


@lru_cache(1 << 16)
def is_han(text: str) -> bool:
    """Say whether a word is written in Chinese characters, in whole or in part."""
    return _IS_HAN.search(text) is not None


def tokens(folded: str) -> Iterator[Token]:
    """Yield the words of a folded text in order: the longest of the dictionary, Latin words with their joints taken out."""
    rest = folded
    mixed = _mixed()
    if mixed is not None:
        for found in mixed.findall(folded):
            yield Token(found)
        rest = mixed.sub(" ", folded)
    for run in _RUN.findall(rest):
        if is_han(run):
            for word in cutter().cut(run, False):
                yield Token(word, len(word) == 1)
        else:
            yield Token(run[:WORD_CHARS_MAX])


@lru_cache(1 << 16)
def pieces(word: str) -> tuple[str, ...]:
    """Return the shorter words that a word is made of, nothing where there are none: `塑料` and `薄膜`, or `jsm` and `7900f`."""
    if not is_han(word):
        parts = _PARTS.findall(word)
        return tuple(dict.fromkeys(parts)) if len(parts) > 1 else ()
    cover = _cover(word, frozenset(inner(word)) - {word})
    # Two and two is how nearly all words of four characters are made.
    return tuple(dict.fromkeys(cover)) or ((word[:2], word[2:]) if len(word) == 4 and word.isalpha() else ())


def _cover(word: str, known: frozenset[str]) -> tuple[str, ...]:
    """Return the fewest known words that make up a word, one after the other; nothing where there are none."""
    best: list[tuple[str, ...] | None] = [()] + [None] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end - 1):
            before, part = best[start], word[start:end]
            if before is not None and part in known and (best[end] is None or len(before) + 1 < len(best[end] or ())):
                best[end] = (*before, part)
    return best[-1] or ()


@lru_cache(1 << 16)
def inner(word: str) -> tuple[str, ...]:
    """Return every word of the dictionary within a word: of `场发射扫描电镜` also `扫描电镜`."""
    return tuple(dict.fromkeys(part for part in cutter().cut_all(word) if len(part) > 1)) if len(word) > 2 else ()


def pairs(word: str) -> tuple[str, ...]:
    """Return the pairs of neighbouring characters of a word of Chinese."""
    return tuple(dict.fromkeys(word[i : i + 2] for i in range(len(word) - 1)))


def terms(folded: str, *, thorough: bool) -> set[str]:
    """Return what is indexed of a folded text. `thorough` indexes all pairs of characters, otherwise only those around unknown words."""
    found: set[str] = set()
    mixed = _mixed()
    if mixed is not None and not folded.isascii():
        for term in mixed.findall(folded):
            found.add(term)
            found.update(inner(term))
    for run in _RUN.findall(folded):
        if not is_han(run):
            found.update(_latin(run[:WORD_CHARS_MAX]))
            continue
        words = cutter().cut(run, False)
        found.update(words)
        for word in words:
            found.update(inner(word))
        found.update(pairs(run) if thorough else _loose_pairs(run, words))
    found.discard("")
    return found


def _latin(run: str) -> Iterator[str]:
    yield squeeze(run)
    yield from _PARTS.findall(run)
    yield from _JOINTS.split(run)


def _loose_pairs(run: str, words: list[str]) -> Iterator[str]:
    """Yield the pairs that touch a lone character."""
    at = 0
    for i, word in enumerate(words):
        if len(word) == 1:
            if at and len(words[i - 1]) == 1:
                yield run[at - 1 : at + 1]
            if at + 1 < len(run):
                yield run[at : at + 2]
        at += len(word)


@cache
def cutter() -> Dictionary:
    """The dictionary, with the technical terms of our own. Loaded at first use: 0.3 s and 30 MB. Whoever asks meanwhile waits."""
    with _loading:
        return _loaded()


@cache
def _loaded() -> Dictionary:
    # Here and not above: importing it reads its dictionary, and most processes never cut a word. That one is used, not a second one.
    import rjieba

    for term in _own_terms():
        if is_han(term):
            # So often that the word is kept whole wherever it could be.
            rjieba.add_word(term, max(rjieba.suggest_freq(term), 1_000), None)
    return rjieba


@cache
def _simplifier() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")


def prepare() -> None:
    """Load what searching and indexing need, so that the first search does not. Blocks; for a thread of its own."""
    cutter()
    _mixed()
    synonyms()
    stop_words()


@cache
def _mixed() -> re.Pattern[str] | None:
    """Terms of Chinese and Latin together, longest first: `x射线衍射`."""
    found = [term for term in _own_terms() if is_han(term) and re.search(r"[a-zα-ω0-9]", term)]
    return re.compile("|".join(map(re.escape, sorted(found, key=len, reverse=True)))) if found else None


@cache
def _own_terms() -> frozenset[str]:
    return frozenset(fold(term) for term in [*lines("dictionary.txt"), *(word for group in synonyms_file() for word in group)])


def synonyms_file() -> Iterator[list[str]]:
    """Yield the groups of words that mean the same."""
    for line in lines("synonyms.txt"):
        yield [word.strip() for word in line.split("=")]


def lines(name: str) -> Iterable[str]:
    """Return the lines of a data file without comments."""
    text = (DATA / name).read_text(encoding="utf-8")
    return [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]


@cache
def synonyms() -> dict[str, tuple[str, ...]]:
    """Return the other words of each folded word that has any."""
    found: dict[str, tuple[str, ...]] = {}
    for group in synonyms_file():
        words = tuple(dict.fromkeys(fold(word) for word in group))
        for word in words:
            found[word] = (*found.get(word, ()), *(other for other in words if other != word))
    return found


@cache
def stop_words() -> frozenset[str]:
    """Return the folded words that nobody looks for."""
    return frozenset(fold(word) for line in lines("stopwords.txt") for word in line.split())
