"""`python -m tests.bench.recognition`: questions of recognition over 10,000 providers, one after another. Prints a table."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from time import perf_counter

import psycopg

from hub.domain.policy import Category
from hub.embedded import EmbeddedPostgres
from hub.ledger.migrate import migrate
from registry.recognition.explaining import where_recognized
from registry.recognition.listing import get_coverage_matrix, list_recognized_providers
from registry.recognition.naming import ROWS_MAX, bulk_recognize
from tests.fixtures.recognition import ANHUI, JIANGSU, LISTED, POOL, SHANGHAI, ZHEJIANG, klass, publish, set_class
from tests.support_usecases import COORDINATOR, Desk, credit_code, platform
from yrd.registry.v1 import recognition_pb2 as pb
from yrd.registry.v1 import registry_pb2

HOMES = (SHANGHAI, "320500", "330400", "340100")
CLASSES = 10
PAST = "2026-02-01"

_REST = """
INSERT INTO registry.provider_version (provider, cause, effective_on, recorded_at, participant_id, division, reason, name, home, categories,
  admitted_on, rating)
SELECT uscc, cause, admitted_on + after, admitted_at, '', '', '', name, home, categories, admitted_on, rating
FROM registry.provider, (VALUES ('Admit', 0), ('Renew', 400), ('Rate', 800)) AS k(cause, after) ORDER BY uscc, after;
INSERT INTO registry.recognition (issuer, provider, valid_from, agreement, entered_by)
SELECT issuer, uscc, '2021-01-01', true, '' FROM registry.provider, unnest(ARRAY['320000', '330000', '340000']) AS i(issuer)
WHERE rating % 100 = 0 AND rating < 400;
INSERT INTO registry.quality_listing (provider, listed_from) SELECT uscc, '2025-01-01' FROM registry.provider WHERE rating >= 450;
ANALYZE"""


async def populate(desk: Desk, providers: int, dice: random.Random) -> list[str]:
    """Admit the providers, three versions each, and let four issuers recognise by policy, by name and by ten classes each."""
    codes = [credit_code(number) for number in range(1, providers + 1)]
    with psycopg.connect(desk.uri, autocommit=True) as connection, connection.cursor() as cursor:
        columns = "uscc, name, home, categories, rating, admitted_on, admitted_at, admitted_by"
        with cursor.copy(f"COPY registry.provider ({columns}) FROM STDIN") as copy:
            for uscc in codes:
                listed = [category.value for category in dice.sample(list(Category), 3)]
                rating = dice.choice([0, 300, 350, 400, 450])
                copy.write_row((uscc, "机构", dice.choice(HOMES), listed, rating, "2020-01-01", "2020-01-01", SHANGHAI))
        for statement in _REST.split(";\n"):
            cursor.execute(statement.encode())
    await publish(desk, SHANGHAI, default=POOL)
    for issuer in (JIANGSU, ZHEJIANG, ANHUI):
        await publish(desk, issuer, default=LISTED, require_agreement=issuer == ANHUI)
        for number in range(CLASSES):
            home = dice.choice([SHANGHAI, JIANGSU, ZHEJIANG, ANHUI])
            await set_class(desk, klass(issuer, "2021-01-01", home=home, min_rating=350 + 10 * number))
    return codes


async def measure(label: str, times: int, ask: Callable[[], Awaitable[object]]) -> None:
    """Ask again and again, and print the median and the longest."""
    took = []
    for _ in range(times):
        started = perf_counter()
        await ask()
        took.append((perf_counter() - started) * 1_000)
    print(f"| {label} | {statistics.median(took):.0f} | {max(took):.0f} |")


async def bench(desk: Desk, providers: int, times: int) -> None:
    """Measure each question."""
    dice = random.Random(1)
    codes = await populate(desk, providers, dice)
    print(f"{providers} providers, 4 issuers, {times} times each\n\n| question | median ms | longest ms |\n|---|---:|---:|")
    for day, when in (("", "today"), (PAST, "of a past day")):
        matrix = pb.GetCoverageMatrixRequest(day=day)
        await measure(f"coverage matrix {when}", times, partial(desk.ask, get_coverage_matrix, COORDINATOR, matrix))
        page = pb.ListRecognizedProvidersRequest(issuer=ZHEJIANG, day=day)
        await measure(f"100 recognised {when}", times, partial(desk.ask, list_recognized_providers, COORDINATOR, page))
        where = pb.WhereRecognizedRequest(provider=codes[0], day=day)
        await measure(f"where can one be paid {when}", times, partial(desk.ask, where_recognized, COORDINATOR, where))

    async def bulk() -> None:
        rows = [registry_pb2.Recognition(issuer=ZHEJIANG, provider=uscc, valid_from="2026-03-02") for uscc in dice.sample(codes, ROWS_MAX)]
        await desk.do(bulk_recognize, platform(ZHEJIANG), pb.BulkRecognizeRequest(recognitions=rows))

    await measure(f"{ROWS_MAX} recognised in bulk", times, bulk)


async def main() -> None:
    """Start a PostgreSQL, fill it, ask."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--providers", type=int, default=10_000)
    arguments.add_argument("--times", type=int, default=20)
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as directory, EmbeddedPostgres(Path(directory)) as server:
        url = server.create_database("bench")
        migrate(url)
        desk = Desk(url)
        try:
            await bench(desk, chosen.providers, chosen.times)
        finally:
            await desk.work.close()


if __name__ == "__main__":
    asyncio.run(main())
