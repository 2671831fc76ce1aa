"""The lexemes of a document and the queries for them. Beside words, a document has lexemes for what is filtered by, so that the index alone
answers: `=word` a word of the name, `@31` a division by its digits, `!310000` exactly that division, `#` a category, `%` a kind, `*high` a
provider rated 4.50 or better. No word begins with these signs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from hub.application.within import stem
from registry.search.domain import Word
from registry.search.places import places

HIGH = "*high"
HIGH_RATING = 450

LEXEMES_MAX = 2_000
"""Words beyond this many are left out of a document: its name comes first."""


def lexemes_of(words: Sequence[Iterable[str]], tagged: Iterable[str]) -> list[str]:
    """Return the lexemes of a document; `words` are the terms of its fields, those of its name first."""
    found = dict.fromkeys(tagged)
    found.update(dict.fromkeys(f"={term}" for term in words[0]))
    for terms in words:
        found.update(dict.fromkeys(terms))
    return list(found)[:LEXEMES_MAX]


def tags(division: str, categories: Iterable[str], kind: str, rating: int) -> list[str]:
    """Return the lexemes that filters look for."""
    levels = [division[:2]] if division.endswith("0000") else list(dict.fromkeys((division[:2], division[:4], division)))
    high = [HIGH] if rating >= HIGH_RATING else []
    return [*(f"@{digits}" for digits in levels), f"!{division}", *(f"#{category}" for category in categories), f"%{kind}", *high]


def is_word(lexeme: str) -> bool:
    """Say whether a lexeme is a word, not a tag."""
    return lexeme[0] not in "=@!#%*"


def word_query(word: Word, tag: str = "") -> str:
    """Return the tsquery of a word: any of its variants, all terms of a variant; with `=` as tag, in the name."""
    return _any(_all(_lexeme(term, tag) for term in variant.terms) for variant in word.variants)


def all_of(words: Iterable[Word]) -> str:
    """Return the tsquery of all words."""
    return _all(word_query(word) for word in words)


def named(words: Iterable[Word]) -> str:
    """Return the tsquery of all words in the name."""
    return _all(word_query(word, "=") for word in words)


def any_two_of(words: Sequence[Word]) -> str:
    """Return the tsquery of any two words."""
    queries = [word_query(word) for word in words]
    return _any(_all(pair) for pair in combinations(queries, 2))


def any_of(words: Iterable[Word]) -> str:
    """Return the tsquery of any word."""
    return _any(word_query(word) for word in words)


def filter_query(division: str, category: str, kind: str, near: Sequence[str] | None) -> str:
    """Return the tsquery of filters, empty where none is set; `near` are the divisions of places close enough, None means anywhere.

    A `kind` after `!` is one that is not wanted.
    """
    wanted = [quoted(f"@{stem(division)}")] if division else []
    wanted += [quoted(f"#{category}")] if category else []
    wanted += [("!" if kind.startswith("!") else "") + quoted(f"%{kind.removeprefix('!')}")] if kind else []
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
