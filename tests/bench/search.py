"""`make bench-search`: search and matching over a full pool, alone and with concurrent writes. Prints a table for docs/performance.md."""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import uuid
from pathlib import Path
from time import perf_counter
from typing import Any

import psycopg

from hub.application.transaction import Transaction
from hub.domain.caller import Caller, Role
from hub.domain.clock import SystemClock
from hub.embedded import EmbeddedPostgres
from hub.ledger.migrate import migrate
from hub.ledger.unitofwork import UnitOfWork
from registry.demand.matching import match
from registry.demand.tables import DemandRow
from registry.search.codec import reading_message
from registry.search.indexing import catch_up, rebuild
from registry.search.searching import search
from tests.bench.search_population import make_pool
from yrd.common.v1 import types_pb2
from yrd.registry.v1 import demand_pb2
from yrd.registry.v1 import search_pb2 as pb

CALLER = Caller("spiffe://310000/310000/platform", "310000", Role.PLATFORM)
QUERIES = (
    "塑料薄膜成分分析", "高分子", "扫描电镜", "检测", "SEM", "锂电池可靠性试验", "石墨烯", "重金属检测", "X射线衍射仪",
    "流式细胞仪", "农药残留", "钛合金力学性能", "扫苗电镜", "碳纤维复合材料老化试验", "PCR", "芯片失效分析", "土壤重金属",
    "药品毒理试验", "分析", "JSM-7900F", "液质联用", "我公司需要对一批塑料薄膜进行成分分析并出具报告", "质谱", "工业CT无损检测",
    "测序", "水质", "食品检测", "专利检索", "电磁兼容", "小鼠实验", "阀门", "华测检验检测中心", "橡胶老化", "细胞 抗体",
    "光伏组件认证", "饮用水微生物", "石墨稀", "医疗器械生物相容性", "数据分析", "轴承",
)  # fmt: skip
FILTERS = (
    pb.SearchFilter(),
    pb.SearchFilter(),
    pb.SearchFilter(division="330000"),
    pb.SearchFilter(kind=pb.HIT_KIND_INSTRUMENT),
    pb.SearchFilter(category=types_pb2.CATEGORY_INSPECTION_TESTING, price_to_fen=200_000),
    pb.SearchFilter(min_rating=400),
    pb.SearchFilter(within_km=150),
)


def requests(count: int) -> list[pb.SearchRequest]:
    chance = random.Random(7)
    made = []
    for i in range(count):
        wanted = FILTERS[i % len(FILTERS)]
        made.append(
            pb.SearchRequest(query=chance.choice(QUERIES), filter=wanted, near="330500" if wanted.within_km else "", facets=i % 3 == 0)
        )
    return made


async def run(work: UnitOfWork, wanted: list[pb.SearchRequest], in_flight: int) -> list[tuple[float, str]]:
    took: list[tuple[float, str]] = []
    left = iter(wanted)

    async def one() -> None:
        for request in left:
            started = perf_counter()
            outcome = await work.query(search, CALLER, request)
            assert outcome.ok
            took.append(((perf_counter() - started) * 1_000, request.query))

    await asyncio.gather(*(one() for _ in range(in_flight)))
    return took


DEMANDS = (
    "我公司生产食品包装用的塑料薄膜,需要做成分分析,弄清各层材质和添加剂,并出具报告",
    "铝合金铸件在使用中断裂,希望找机构做金相分析和失效分析,查明断裂原因",
    "准备申报医疗器械注册,需要做生物相容性和毒理试验,要求有CMA资质",
    "新开发的动力锂电池,需要做循环寿命、高低温和可靠性试验,预算八万元",
    "园区土壤可能有重金属污染,委托采样检测并给出修复建议",
    "想用扫描电镜和X射线衍射表征石墨烯复合材料的结构",
)


async def match_one(tx: Transaction, text: str) -> demand_pb2.MatchDemandResponse:
    """Match a demand that was never posted."""
    row = DemandRow(
        demand_id=uuid.uuid4(),
        division="330522",
        enterprise="",
        title=text[:20],
        text=text,
        category="",
        budget=8_000_000,
        due_on=tx.today,
        preferred_division="330000",
        contact_name="",
        contact_reach="",
        state="OPEN",
        posted_at=tx.now,
        posted_by="",
    )
    matches, found = await match(tx.session, row, set(), 20, tx.today)
    assert matches, text
    return demand_pb2.MatchDemandResponse(matches=matches, reading=reading_message(found))


async def match_all(work: UnitOfWork, count: int) -> list[float]:
    took = []
    for i in range(count):
        started = perf_counter()
        assert (await work.query(match_one, CALLER, DEMANDS[i % len(DEMANDS)])).ok
        took.append((perf_counter() - started) * 1_000)
    return took


async def write(url: str, stop: asyncio.Event, per_second: int) -> tuple[int, list[float]]:
    """Change entries at a steady pace and keep the index, as the scheduler does; return how many, and the seconds until found."""
    changed, seconds = 0, []
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        while not stop.is_set():
            started = perf_counter()
            first = random.randrange(1, 100_000)
            statement = (
                "UPDATE registry.catalogue_entry SET description = description || %s, version = version + 1 WHERE entry_id = ANY(%s)"
            )
            await connection.execute(statement, (uuid.uuid4().hex[:6], list(range(first, first + per_second // 10))))
            while await catch_up(connection):
                pass
            changed += per_second // 10
            seconds.append(perf_counter() - started)
            await asyncio.sleep(max(0.0, 0.1 - seconds[-1]))
    return changed, seconds


def line(name: str, took: list[float]) -> str:
    cuts = statistics.quantiles(took, n=100)
    return f"| {name} | {cuts[49]:.1f} | {cuts[94]:.1f} | {cuts[98]:.1f} | {len(took)} |"


async def measure(url: str, arguments: argparse.Namespace) -> None:
    started = perf_counter()
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        documents = await rebuild(connection)
        indexed = perf_counter() - started
        size = await (await connection.execute("SELECT pg_size_pretty(pg_total_relation_size('registry.search_document'))")).fetchone()
        await connection.execute("CHECKPOINT")
    print(f"indexed {documents} documents in {indexed:.1f} s; table with index {size[0] if size else ''}\n")
    work = UnitOfWork(url, SystemClock())
    await run(work, requests(60), 1)
    print("| search | p50 ms | p95 ms | p99 ms | calls |\n|---|---|---|---|---|")
    alone = await run(work, requests(arguments.calls), 1)
    print(line("one at a time, nothing else", [ms for ms, _ in alone]))
    stop = asyncio.Event()
    writer = asyncio.create_task(write(url, stop, arguments.writes))
    beside = await run(work, requests(arguments.calls), 1)
    print(line(f"one at a time, {arguments.writes} entries a second changed and indexed beside", [ms for ms, _ in beside]))
    print(line("matching a demand of 25 to 50 characters, the same writes", await match_all(work, arguments.calls // 2)))
    four = await run(work, requests(arguments.calls), 4)
    print(line("four at a time, the same writes", [ms for ms, _ in four]))
    stop.set()
    changed, seconds = await writer
    mean, most = statistics.mean(seconds) * 1_000, max(seconds) * 1_000
    print(f"\n{changed} entries changed beside; each found {mean:.0f} ms later, at most {most:.0f} ms\n")
    by: dict[str, list[float]] = {}
    for ms, query in alone:
        by.setdefault(query, []).append(ms)
    slowest: list[Any] = sorted(((statistics.median(of), query) for query, of in by.items()), reverse=True)[:8]
    print("slowest: " + ", ".join(f"{query} {ms:.0f} ms" for ms, query in slowest))
    await work.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=400)
    parser.add_argument("--writes", type=int, default=50, help="entries changed a second")
    parser.add_argument("--scale", type=float, default=1.0, help="size of the pool, 1 being 10,000 providers")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="yrd-search-") as folder:
        server = EmbeddedPostgres(Path(folder)).start()
        try:
            url = server.create_database("bench")
            migrate(url)
            size = arguments.scale
            started = perf_counter()
            make_pool(url, int(10_000 * size), int(28_000 * size), int(100_000 * size))
            print(f"made the pool in {perf_counter() - started:.1f} s")
            asyncio.run(measure(url, arguments))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
