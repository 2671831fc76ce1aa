"""nDCG@10 of a ranking over the labelled queries, and the baseline it is compared with."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from math import log, log2
from typing import Any

from registry.search.searching import search
from registry.search.text import fold, squeeze
from tests.relevance.pool import Query, entries
from tests.support_usecases import Desk, platform
from yrd.registry.v1 import search_pb2 as pb

DEPTH = 10


def ndcg(found: Iterable[str], grades: Mapping[str, int]) -> float:
    """Return nDCG@10 of entries in the order found; what has no grade is 0."""
    return _dcg([grades.get(entry, 0) for entry in found]) / _dcg(sorted(grades.values(), reverse=True))


def _dcg(grades: Sequence[int]) -> float:
    return sum((float(2**grade) - 1) / log2(place + 2) for place, grade in enumerate(grades[:DEPTH]))


def measure(rankings: Mapping[str, Sequence[int]], labelled: Sequence[Query], places: Mapping[int, str]) -> dict[str, float]:
    """Return nDCG@10 by query. What is no entry of the corpus, such as a provider itself, has no grade."""
    return {query.text: ndcg([places.get(number, "") for number in rankings[query.text]], query.grades) for query in labelled}


async def ours(desk: Desk, text: str) -> list[int]:
    """Return what the search finds."""
    answer: pb.SearchResponse = await desk.ask(search, platform("330000"), pb.SearchRequest(query=text, page_size=DEPTH))
    return [hit.entry_id for hit in answer.hits]


class Bigrams:
    """The baseline: pairs of characters and Latin words as they are, ranked by BM25 over the whole text."""

    def __init__(self, places: Mapping[int, str]) -> None:
        self._documents = {number: Counter(_pairs(_text(entry))) for number, (_, entry) in zip(places, entries(), strict=True)}
        self._having = Counter(pair for pairs in self._documents.values() for pair in pairs)
        self._mean = sum(pairs.total() for pairs in self._documents.values()) / len(self._documents)

    def rank(self, text: str) -> list[int]:
        """Return the best entries."""
        scores = {number: self._score(set(_pairs(text)), pairs) for number, pairs in self._documents.items()}
        return [number for number, score in sorted(scores.items(), key=lambda item: (-item[1], item[0])) if score > 0][:DEPTH]

    def _score(self, wanted: set[str], pairs: Counter[str]) -> float:
        count, long = len(self._documents), 0.25 + 0.75 * pairs.total() / self._mean
        return sum(
            log(1 + (count - self._having[pair] + 0.5) / (self._having[pair] + 0.5)) * pairs[pair] * 2.2 / (pairs[pair] + 1.2 * long)
            for pair in wanted
            if pairs[pair]
        )


def _text(entry: Mapping[str, Any]) -> str:
    return " ".join((entry["name"], *entry["keywords"], entry["model"], entry["maker"], entry["description"]))


def _pairs(text: str) -> list[str]:
    bare = squeeze(fold(text))
    return [bare[i : i + 2] for i in range(len(bare) - 1)]
