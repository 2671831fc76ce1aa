"""Mistyped queries: words of the same sound (a slip of pinyin input) or one character apart, looked up in what the pool really says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from registry.search.text import is_han

SPAN_MAX = 6
LETTERS_MIN = 4


class Known(NamedTuple):
    """A word of the pool near one of the query: how many documents have it, and whether it sounds alike."""

    text: str
    documents: int
    alike: bool


def sound(word: str) -> str:
    """Return the pinyin of a word of Chinese without tones; empty for other words."""
    # Here and not above: its tables take 60 MB and half a second, and most processes never look for a sound.
    from pypinyin import lazy_pinyin

    return " ".join(lazy_pinyin(word)) if is_han(word) else ""


def forms(word: str) -> set[str]:
    """Return the word and what is left of it without one character."""
    return {word, *(word[:i] + word[i + 1 :] for i in range(len(word)))}


def spans(folded: str) -> dict[str, None]:
    """Return the parts of a folded query that could be one mistyped word, the longest first: runs of characters, and Latin words."""
    found: list[str] = []
    for run in _runs(folded):
        if is_han(run):
            found.extend(run[i : i + n] for n in range(min(SPAN_MAX, len(run)), 1, -1) for i in range(len(run) - n + 1))
        elif len(run) >= LETTERS_MIN:
            found.append(run)
    return dict.fromkeys(sorted(found, key=len, reverse=True))


def _runs(folded: str) -> Iterable[str]:
    run, kind = "", None
    for c in folded:
        new = "han" if is_han(c) else "latin" if c.isalnum() else None
        if new != kind and run:
            yield run
            run = ""
        run, kind = run + c if new else "", new
    if run:
        yield run


def near(span: str, word: str) -> bool:
    """Say whether a word is one slip away: the same sound with the same length, or one character more, less or other.

    Two characters of Chinese are too short for another character: that would be any word.
    """
    if span == word:
        return False
    if is_han(span) != is_han(word):
        return False
    if is_han(span) and len(span) == len(word) and sound(span) == sound(word):
        return True
    return len(span) >= 3 and len(word) >= 3 and _one_apart(span, word)


def _one_apart(a: str, b: str) -> bool:
    if len(a) == len(b):
        differing = [i for i in range(len(a)) if a[i] != b[i]]
        if len(differing) == 2 and differing[1] - differing[0] == 1:
            return a[differing[0]] == b[differing[1]] and a[differing[1]] == b[differing[0]]
        return len(differing) == 1
    shorter, longer = sorted((a, b), key=len)
    return len(longer) - len(shorter) == 1 and any(longer[:i] + longer[i + 1 :] == shorter for i in range(len(longer)))


def correct(folded: str, candidates: Mapping[str, Iterable[Known]], known: Mapping[str, int]) -> str:
    """Return the query with its mistyped parts replaced, or an empty text where nothing seems mistyped.

    `candidates` are words of the pool near each span, `known` the spans that the pool says itself: these are no slips.
    """
    result, changed = folded, False
    taken: list[str] = []
    for span in spans(folded):
        if span in known or span not in result or any(span in part or part in span for part in taken):
            continue
        best = max(
            (item for item in candidates.get(span, ()) if near(span, item.text)),
            key=lambda item: (item.alike, len(item.text), item.documents, item.text),
            default=None,
        )
        if best is None or (is_han(span) and _holds_known(span, known)):
            continue
        result, changed = result.replace(span, best.text), True
        taken.append(best.text)
    return result if changed else ""


def _holds_known(span: str, known: Mapping[str, int]) -> bool:
    """Say whether a span is made of words that the pool says: then it is two words, not a slip."""
    return any(span[:i] in known and span[i:] in known for i in range(2, len(span) - 1))
