"""What a query asks for and how a hit is judged: pure. A score is the sum of its parts, which `wording` says in two languages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from math import log
from typing import NamedTuple

from registry.search.text import fold, is_han, pairs, pieces, squeeze, stop_words, synonyms, tokens

WORDS_MAX = 12
"""A long text is looked for by its rarest words."""
ALL_WORDS_MAX = 5
"""Of more words than this, no entry is expected to have all."""
FEW_HITS = 10
"""With fewer hits than this a query is corrected, or some of its words are enough."""
COMMON_SHARE = 0.1
COMMON_DOCUMENTS = 1_000
"""A word that more documents than both this share and this many have finds nothing on its own beside rarer ones."""

TEXT_POINTS = 1_000
ALL_WORDS_POINTS = 150
NAME_POINTS = 200
WHOLE_NAME_POINTS = 150
RATING_POINTS = 60
RECOGNIZED_POINTS = 60
DISTANCE_POINTS = 80
PART_SHARE = 0.4
"""What a part of a word tells, of what the word itself would."""
DISTANCE_HALF_KM = 100
"""Half of the points are left at this distance."""


class Field(StrEnum):
    """Where a word was found, the strongest first."""

    NAME = "NAME"
    KEYWORDS = "KEYWORDS"
    DESCRIPTION = "DESCRIPTION"
    PROVIDER = "PROVIDER"


FIELD_SHARE = {Field.NAME: 1.0, Field.KEYWORDS: 0.85, Field.DESCRIPTION: 0.6, Field.PROVIDER: 0.2}
PROVIDER_SHARE = 0.8
"""What the words of a provider's own name count beside those of an entry: one looks for what is offered, mostly."""


class Variant(NamedTuple):
    """A way to have a word: all of `terms`. It counts `share` of the word itself."""

    terms: tuple[str, ...]
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class Word:
    """A word looked for and the ways to have it, the best first. It counts `share` of what it tells: a part of a word less than a word."""

    text: str
    variants: tuple[Variant, ...]
    share: float = 1.0


class PartKind(StrEnum):
    """Which part of a score."""

    WORD = "WORD"
    ALL_WORDS = "ALL_WORDS"
    NAME = "NAME"
    RATING = "RATING"
    RECOGNIZED = "RECOGNIZED"
    DISTANCE = "DISTANCE"


class Part(NamedTuple):
    """One part of a score. `value` is the percentage of a name matched, the rating in hundredths, or kilometres."""

    kind: PartKind
    points: int
    word: str = ""
    found: str = ""
    field: Field | None = None
    value: int = 0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Texts:
    """The folded texts of a document, by field; `of_provider` where it is a provider itself."""

    name: str
    keywords: str
    provider: str
    description: str
    of_provider: bool = False

    def fields(self) -> tuple[tuple[Field, str], ...]:
        """The fields, the strongest first."""
        return (
            (Field.NAME, self.name),
            (Field.KEYWORDS, self.keywords),
            (Field.DESCRIPTION, self.description),
            (Field.PROVIDER, self.provider),
        )


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What is judged beside the text. `rating` in hundredths, 0 unrated; `recognized` None where no issuer was named; `km` None where no
    place was."""

    rating: int = 0
    recognized: bool | None = None
    km: int | None = None


def read_query(text: str) -> list[Word]:
    """Return the words of a query in order, each once, without those that say nothing; with nothing else, those too."""
    found = dict(_joined(fold(text)))
    telling = {word: loose for word, loose in found.items() if word not in stop_words()}
    return [_word(word, loose=loose) for word, loose in (telling or found).items()]


def _joined(folded: str) -> Iterable[tuple[str, bool]]:
    """Yield words; lone characters side by side become one word, which no dictionary knew: it is loose."""
    lone = ""
    for token in tokens(folded):
        if token.single and token.text not in stop_words():
            lone += token.text
            continue
        if lone:
            yield lone, True
            lone = ""
        yield token.text, False
    if lone:
        yield lone, True


def _word(text: str, *, loose: bool = False) -> Word:
    own = text if is_han(text) else squeeze(text)
    variants = [Variant((own,), 1.0, text)]
    for other in synonyms().get(text, synonyms().get(own, ())):
        variants.append(Variant((other if is_han(other) else squeeze(other),), 0.95, other))
    parts = pieces(text)
    if parts:
        variants.append(Variant(parts, 0.75, " ".join(parts)))
    if is_han(text) and len(text) > 2:
        variants.append(Variant(pairs(text), 0.7, text))
    if loose and len(text) > 1:
        variants.append(Variant(tuple(dict.fromkeys(text)), 0.6, " ".join(text)))
    if not is_han(text) and len(own) > 3 and any(c.isdigit() for c in own):
        # A model is often told without its last letters.
        variants.append(Variant((f"{own}*",), 0.8, f"{text}…"))
    return Word(text, tuple(variants))


def relaxed(words: Sequence[Word]) -> list[Word]:
    """Return the words and after each the shorter words it is made of: an entry may have some of these only."""
    found: dict[str, Word] = {}
    for word in words:
        found.setdefault(word.text, word)
        for part in pieces(word.text):
            if part not in stop_words():
                found.setdefault(part, replace(_word(part), share=PART_SHARE))
    return list(found.values())


def weight(documents: int, total: int) -> float:
    """Return how much a word tells: more, the fewer documents have it."""
    return log(1 + (total + 1) / (documents + 1))


def rarest(words: Sequence[Word], documents: Mapping[str, int], total: int) -> list[Word]:
    """Return the words to look for, in their order: of a long query the rarest that any document has."""
    known = [word for word in words if frequency(word, documents)] or list(words)
    if len(known) <= WORDS_MAX:
        return list(words) if len(words) <= WORDS_MAX else known
    chosen = sorted(known, key=lambda word: (-weight(frequency(word, documents), total), word.text))[:WORDS_MAX]
    return [word for word in known if word in chosen]


def frequency(word: Word, documents: Mapping[str, int]) -> int:
    """Return about how many documents have a word in any way: as many as have its commonest variant."""
    return max((min(documents.get(term, 0) for term in variant.terms) for variant in word.variants), default=0)


def telling(words: Sequence[Word], documents: Mapping[str, int], total: int) -> list[Word]:
    """Return the words that are enough on their own where none has all: the rarer ones, else the rarest alone."""
    found = [word for word in words if 0 < frequency(word, documents) <= max(total * COMMON_SHARE, COMMON_DOCUMENTS)]
    return found or sorted((w for w in words if frequency(w, documents)), key=lambda w: (frequency(w, documents), w.text))[:1]


def score(words: Sequence[Word], weights: Sequence[float], query: str, texts: Texts, around: Circumstances) -> list[Part]:
    """Return the parts of a document's score: the words it has, its name, then what is known of its provider.

    `query` is the folded query squeezed to letters, digits and characters.
    """
    parts = _word_parts(words, weights, texts)
    whole = {part.word for part in parts if part.field is not Field.PROVIDER}
    if len(words) > 1 and all(word.text in whole for word in words if word.share == 1.0):
        parts.append(Part(PartKind.ALL_WORDS, ALL_WORDS_POINTS))
    name = _name_part(query, texts.name, sum(len(squeeze(part.found or part.word)) for part in parts if part.field is Field.NAME))
    if name is not None:
        parts.append(name)
    parts.extend(_circumstances(around))
    return parts


def total(parts: Iterable[Part]) -> int:
    """Return the score."""
    return sum(part.points for part in parts)


def _word_parts(words: Sequence[Word], weights: Sequence[float], texts: Texts) -> list[Part]:
    whole = sum(weights)
    fields = texts.fields()
    parts: list[Part] = []
    everything = "\n".join(text for _, text in fields)
    for word, weigh in zip(words, weights, strict=True):
        best, share = _best(word, fields, everything)
        if best is not None:
            points = round(TEXT_POINTS * weigh / whole * share * (PROVIDER_SHARE if texts.of_provider else 1.0))
            parts.append(Part(PartKind.WORD, points, word.text, best[1].text, best[0]))
    return parts


def _best(word: Word, fields: tuple[tuple[Field, str], ...], everything: str) -> tuple[tuple[Field, Variant] | None, float]:
    """Return the field and variant that a word counts most by, and its share of the word's points."""
    best, most = None, 0.0
    for variant in word.variants:
        if not _has(everything, variant.terms[0]):
            continue
        for field, text in fields:
            share = FIELD_SHARE[field] * variant.share
            if share <= most:
                break
            if all(_has(text, term) for term in variant.terms):
                best, most = (field, variant), share
                break
    return best, most


def _has(text: str, term: str) -> bool:
    """Say whether a folded text has a term. Latin words count only as a whole, or from their beginning (`jsm7900*`)."""
    if not term.isascii():
        return term in text
    return f" {term[:-1]}" in text if term.endswith("*") else f" {term} " in text


def _name_part(query: str, name: str, covered: int) -> Part | None:
    """Judge the name as a whole: it holds the query, and how much of it the words cover."""
    bare = squeeze(name.partition("\n")[0])
    if not query or not bare or not covered:
        return None
    dense = min(1.0, covered / len(bare))
    holds = query in bare
    points = (NAME_POINTS - WHOLE_NAME_POINTS) * dense + (WHOLE_NAME_POINTS * (0.5 + dense / 2) if holds else 0)
    return Part(PartKind.NAME, round(points), value=round(dense * 100), whole=holds)


def _circumstances(around: Circumstances) -> Iterable[Part]:
    if around.rating:
        yield Part(PartKind.RATING, round(RATING_POINTS * around.rating / 500), value=around.rating)
    if around.recognized:
        yield Part(PartKind.RECOGNIZED, RECOGNIZED_POINTS)
    if around.km is not None:
        yield Part(PartKind.DISTANCE, round(DISTANCE_POINTS / (1 + around.km / DISTANCE_HALF_KM)), value=around.km)
