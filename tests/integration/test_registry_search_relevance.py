"""Relevance does not fall: nDCG@10 over the labelled queries of tests/relevance (`make relevance` prints each)."""

from __future__ import annotations

from statistics import mean

from hub.embedded import EmbeddedPostgres
from tests.fixtures.hub import migrated_database
from tests.relevance.__main__ import compare
from tests.relevance.measure import ndcg
from tests.relevance.pool import entries, queries

FLOOR = 0.95
AHEAD = 0.02
"""By how much search must be better than plain bigrams."""


async def test_search_stays_as_good_as_it_was(postgres_server: EmbeddedPostgres) -> None:
    with migrated_database(postgres_server) as uri:
        mine, plain = await compare(uri)
    assert mean(mine.values()) >= FLOOR
    assert mean(mine.values()) >= mean(plain.values()) + AHEAD
    assert min(mine.values()) > 0, [text for text, value in mine.items() if not value]


def test_the_measure_itself() -> None:
    assert ndcg(["a", "b", "b2"], {"a": 3, "b": 1, "b2": 1}) == 1.0
    assert ndcg(["c", "c"], {"a": 3}) == 0.0
    assert 0 < ndcg(["c", "a"], {"a": 3}) < 1
    assert ndcg(["b", "a"], {"a": 3, "b": 1}) < ndcg(["a", "b"], {"a": 3, "b": 1})


def test_there_is_enough_to_measure() -> None:
    labelled = queries()
    assert len(labelled) >= 60 and len({query.text for query in labelled}) == len(labelled)
    assert len(entries()) >= 200
    for query in labelled:
        assert set(query.grades.values()) <= {1, 2, 3} and 3 in query.grades.values(), query.text
