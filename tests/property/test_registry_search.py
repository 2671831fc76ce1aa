"""Whatever is written and whatever is typed: an entry is found by its own name, and nothing breaks."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from registry.demand.domain import DemandState, OfferState, Standing, offer_state
from registry.search.correcting import correct, near, spans
from registry.search.documents import Source, document_of
from registry.search.domain import Circumstances, Texts, read_query, score, total
from registry.search.lexemes import all_of
from registry.search.text import fold, lines, squeeze

_WORDS = st.sampled_from(sorted(lines("dictionary.txt")))
_NAMES = st.lists(
    st.one_of(_WORDS, st.sampled_from(["JSM-7900F", "GC-MS", "ISO 10993", "检测", "服务", "及", "某"])), min_size=1, max_size=5
)
_ANY = st.text(max_size=60)


def _document(name: str, description: str = "") -> tuple[Texts, set[str]]:
    made = document_of(Source(1, "x", "某中心", "SERVICE", ("RESEARCH",), "310000", 0, name, (), description))
    return Texts(*made.texts), set(made.lexemes)


@given(_NAMES, st.sampled_from(["", " ", ","]))
def test_an_entry_is_found_by_its_own_name(words: list[str], between: str) -> None:
    name = between.join(words)
    texts, lexemes = _document(name)
    for word in read_query(name):
        # What PostgreSQL would say of the word's query: some variant with all its terms in the name.
        assert any(
            all(
                any(known.startswith(f"={term[:-1]}") for known in lexemes) if term.endswith("*") else f"={term}" in lexemes
                for term in v.terms
            )
            for v in word.variants
        ), (name, word)
    query = read_query(name)
    parts = score(query, [1.0] * len(query), squeeze(fold(name)), texts, Circumstances())
    assert {part.word for part in parts if part.word} == {word.text for word in query}


@given(_ANY, _ANY)
def test_nothing_that_is_written_or_typed_breaks(name: str, typed: str) -> None:
    texts, lexemes = _document(name, typed)
    assert all(lexemes) and all(len(lexeme.encode()) < 2_046 for lexeme in lexemes)
    words = read_query(typed)
    assert all_of(words).count("'") % 2 == 0
    parts = score(words, [1.0] * len(words), squeeze(fold(typed)), texts, Circumstances())
    assert total(parts) >= 0
    assert correct(fold(typed), {}, {}) == "" and all(len(span) > 1 for span in spans(fold(typed)))


@given(_ANY)
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold(fold(text)) == fold(text) or squeeze(fold(fold(text))) == squeeze(fold(text))


@given(_WORDS, st.integers(0, 5), st.sampled_from("膜镜谱钛合xyz"))
def test_being_near_goes_both_ways(word: str, at: int, other: str) -> None:
    typed = word[:at] + other + word[at + 1 :]
    assert near(typed, word) == near(word, typed)


@given(st.integers(-5, 5), st.integers(-5, 0), st.sampled_from([DemandState.OPEN, DemandState.APPOINTED, DemandState.WITHDRAWN]))
def test_time_only_ever_ends_what_is_open(day: int, valid: int, stored: DemandState) -> None:
    due = date(2026, 3, 10)
    today = due + timedelta(day)
    demand = Standing("330522", stored, due).today(today)
    assert demand == (DemandState.EXPIRED if stored is DemandState.OPEN and day > 0 else stored)
    for state in (state for state in OfferState if state is not OfferState.EXPIRED):
        then = offer_state(state, due + timedelta(valid), demand, today)
        assert then == (OfferState.EXPIRED if state is OfferState.OPEN and (day > valid or demand is DemandState.EXPIRED) else state)
