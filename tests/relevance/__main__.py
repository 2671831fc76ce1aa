"""`make relevance`: nDCG@10 of search over the labelled queries, beside the plain baseline."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from statistics import mean

import psycopg

from hub.embedded import EmbeddedPostgres
from hub.ledger.migrate import migrate
from registry.search.indexing import rebuild
from tests.relevance.measure import Bigrams, measure, ours
from tests.relevance.pool import load, queries
from tests.support_usecases import Desk


async def compare(uri: str) -> tuple[dict[str, float], dict[str, float]]:
    """Return nDCG@10 by query of our search and of the baseline, on a migrated, empty database."""
    places = await asyncio.to_thread(load, uri)
    async with await psycopg.AsyncConnection.connect(uri, autocommit=True) as connection:
        await rebuild(connection)
    desk, labelled = Desk(uri), queries()
    try:
        found = {query.text: await ours(desk, query.text) for query in labelled}
    finally:
        await desk.work.close()
    plain = Bigrams(places)
    return measure(found, labelled, places), measure({query.text: plain.rank(query.text) for query in labelled}, labelled, places)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="yrd-relevance-") as folder:
        server = EmbeddedPostgres(Path(folder)).start()
        try:
            uri = server.create_database("relevance")
            migrate(uri)
            mine, plain = asyncio.run(compare(uri))
        finally:
            server.stop()
    print("| query | search | bigrams |\n|---|---|---|")
    for text in sorted(mine, key=lambda text: mine[text]):
        print(f"| {text} | {mine[text]:.3f} | {plain[text]:.3f} |")
    print(f"\nnDCG@10 over {len(mine)} queries: search {mean(mine.values()):.3f}, plain bigrams {mean(plain.values()):.3f}")


if __name__ == "__main__":
    main()
