"""The lexemes of a document and the queries for them. Beside words, a document has lexemes for what is filtered by, so that the index alone
answers: `=word` a word of the name, `@31` a division by its digits, `!310000` exactly that division, `#` a category, `%` a kind. No word
begins with these signs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from hub.application.within import stem
from registry.search.domain import Word
from registry.search.places import places
from registry.search.text import terms

LEXEMES_MAX = 2_000
"""Words beyond this many are left out of a document: its name comes first."""


def lexemes_of(texts: Sequence[str], division: str, categories: Iterable[str], kind: str) -> list[str]:
    """Return the lexemes of a document; `texts` are its folded fields, name and keywords first."""
    name, keywords, *rest = texts
    named = terms(name, thorough=True)
    found = dict.fromkeys(tags(division, categories, kind))
    found.update(dict.fromkeys(f"={term}" for term in sorted(named)))
    found.update(dict.fromkeys(sorted(named)))
    found.update(dict.fromkeys(sorted(terms(keywords, thorough=True))))
    for text in rest:
        found.update(dict.fromkeys(sorted(terms(text, thorough=False))))
    return list(found)[:LEXEMES_MAX]


def tags(division: str, categories: Iterable[str], kind: str) -> list[str]:
    """Return the lexemes that filters look for."""
    levels = dict.fromkeys((division[:2], division[:4], division) if not division.endswith("0000") else (division[:2],))
    return [*(f"@{digits}" for digits in levels), f"!{division}", *(f"#{category}" for category in categories), f"%{kind}"]


def is_word(lexeme: str) -> bool:
    """Say whether a lexeme is a word, not a tag."""
    return lexeme[0] not in "=@!#%"


def word_query(word: Word, tag: str = "") -> str:
    """Return the tsquery of a word: any of its variants, all terms of a variant; with `=` as tag, in the name."""
    return _any(_all(_lexeme(term, tag) for term in variant.terms) for variant in word.variants)


def all_of(words: Iterable[Word]) -> str:
    """Return the tsquery of all words."""
    return _all(word_query(word) for word in words)


def any_of(words: Iterable[Word]) -> str:
    """Return the tsquery of any word."""
    return _any(word_query(word) for word in words)


def filter_query(division: str, category: str, kind: str, near: Sequence[str] | None) -> str:
    """Return the tsquery of filters, empty where none is set; `near` are the divisions of places close enough, None means anywhere."""
    wanted = [quoted(f"@{stem(division)}")] if division else []
    wanted += [quoted(f"#{category}")] if category else []
    wanted += [quoted(f"%{kind}")] if kind else []
    if near is not None:
        wanted.append(_any(_place(code) for code in near) or quoted("@none"))
    return _all(wanted)


def _place(code: str) -> str:
    """A province of the places file stands for the institutions of its own; for all of it where it has no prefectures there."""
    return quoted(f"!{code}") if code.endswith("0000") and has_prefectures(code) else quoted(f"@{stem(code)}")


def has_prefectures(province: str) -> bool:
    """Say whether the places file knows prefectures of a province."""
    return any(code != province and code.startswith(province[:2]) for code in places())


def joined(*queries: str) -> str:
    """Return the tsquery of all queries that are not empty."""
    return _all(query for query in queries if query)


def quoted(lexeme: str) -> str:
    """Return a lexeme as tsquery reads it, whatever it holds."""
    return "'" + lexeme.replace("\\", "\\\\").replace("'", "''") + "'"


def _lexeme(term: str, tag: str) -> str:
    return f"{quoted(tag + term[:-1])}:*" if term.endswith("*") else quoted(tag + term)


def _all(queries: Iterable[str]) -> str:
    return " & ".join(f"({query})" for query in queries)


def _any(queries: Iterable[str]) -> str:
    return " | ".join(f"({query})" for query in queries)
