"""Search on a real database: what is found, how it is ranked and filtered, and that the index follows every change."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from registry.admission.direct import admit_provider
from registry.admission.standing import reinstate_provider, suspend_provider
from registry.catalogue.entries import get_entry, retire_entry, update_entry
from registry.recognition.naming import recognize_provider
from registry.search.indexing import rebuild
from registry.search.keeper import Keeper
from registry.search.searching import search
from tests.support_pool import TESTING, admit, index, look, names, offer
from tests.support_usecases import Desk, credit_code, forged, platform
from yrd.common.v1 import types_pb2
from yrd.policy.v1 import policy_pb2
from yrd.registry.v1 import catalogue_pb2, registry_pb2
from yrd.registry.v1 import search_pb2 as pb

SHANGHAI, JIANGSU, ZHEJIANG, ANHUI, SUZHOU, HUZHOU, CHANGXING = "310000", "320000", "330000", "340000", "320500", "330500", "330522"
POLYMER, STEEL, LIFE, DOUBLE = (
    credit_code(1, "12310104"),
    credit_code(2, "12320500"),
    credit_code(3, "12340100"),
    credit_code(4, "12330500"),
)

FILM, SEM, FATIGUE, MICE = "塑料薄膜成分分析", "场发射扫描电镜", "钛合金疲劳试验", "裸鼠药效学试验"


async def _furnish(desk: Desk) -> None:
    await admit(desk, POLYMER, SHANGHAI, "上海高分子材料研究开发中心", 480)
    await admit(desk, STEEL, SUZHOU, "苏州金属材料测试中心", 300)
    await admit(desk, LIFE, ANHUI, "合肥生命科学检测有限公司", 450)
    await admit(desk, DOUBLE, HUZHOU, "湖州包装材料检测站", 350)
    text = "红外光谱、热分析联用,给出各层材质与添加剂"
    await offer(desk, POLYMER, SHANGHAI, "P-1", FILM, keywords=["包装膜"], price=800_000, description=text)
    await offer(desk, POLYMER, SHANGHAI, "P-2", "高分子材料老化试验", price=300_000)
    await offer(desk, DOUBLE, HUZHOU, "D-1", "包装薄膜(塑料)厚度检测", price=20_000)
    await offer(desk, STEEL, SUZHOU, "S-1", SEM, instrument="JSM-7900F", price=50_000)
    await offer(desk, STEEL, SUZHOU, "S-2", FATIGUE)
    await offer(desk, LIFE, ANHUI, "L-1", MICE, category=types_pb2.CATEGORY_LAB_ANIMAL, price=9_000_000)
    for i in range(12):
        await offer(desk, LIFE, ANHUI, f"L-X{i:02}", f"水质检测第{i}类", price=10_000 * (i + 1))
    await index(desk.uri)


@pytest.fixture(scope="module")
async def still(still: Desk) -> Desk:
    """A pool that no test changes."""
    await _furnish(still)
    return still


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await _furnish(desk)
    return desk


@pytest.mark.parametrize(
    ("query", "first"),
    [
        (FILM, FILM),
        ("塑料膜成份分析", FILM),
        ("薄膜", FILM),
        ("包装膜成分", FILM),
        ("高分子", "高分子材料老化试验"),
        ("聚合物老化", "高分子材料老化试验"),
        ("SEM", SEM),
        ("掃描電子顯微鏡", SEM),
        ("JSM-7900F", SEM),
        ("jsm 7900f", SEM),
        ("ＪＳＭ７９００", SEM),
        ("日本电子", SEM),
        ("钛合金", FATIGUE),
        ("疲劳", FATIGUE),
        ("苏州金属材料测试中心", "苏州金属材料测试中心"),
        ("裸鼠", MICE),
        ("我公司需要对一批包装用塑料薄膜做成分分析,请问哪里可以做", FILM),
    ],
)
async def test_the_right_thing_comes_first(still: Desk, query: str, first: str) -> None:
    assert names(await look(still, query))[0] == first


@pytest.mark.parametrize(
    ("typed", "meant", "first"),
    [("扫苗电镜", "扫描电镜", SEM), ("钛和金", "钛合金", FATIGUE), ("JSM-790OF", "", SEM), ("疲老试验", "疲劳试验", FATIGUE)],
)
async def test_slips_of_typing_are_mended(still: Desk, typed: str, meant: str, first: str) -> None:
    answer = await look(still, typed)
    assert names(answer)[0] == first
    if meant:
        assert meant in answer.reading.corrected


async def test_what_is_typed_right_is_not_corrected(still: Desk) -> None:
    for query in (FILM, "钛合金", "SEM"):
        assert (await look(still, query)).reading.corrected == ""


async def test_each_point_is_explained_and_they_add_up(still: Desk) -> None:
    answer = await look(still, "塑料薄膜分析", near=HUZHOU)
    for hit in answer.hits:
        assert hit.score == sum(part.points for part in hit.parts)
        assert all(part.zh and part.en for part in hit.parts)
    kinds = {part.kind for part in answer.hits[0].parts}
    assert kinds == {
        number for name, number in pb.ScorePartKind.items() if name.rpartition("_")[2] in ("WORD", "WORDS", "NAME", "RATING", "DISTANCE")
    }
    found = next(part for part in answer.hits[0].parts if part.kind == pb.SCORE_PART_KIND_WORD)
    assert (found.word, found.field) == ("塑料薄膜", pb.HIT_FIELD_NAME)
    assert [hit.score for hit in answer.hits] == sorted((hit.score for hit in answer.hits), reverse=True)


async def test_a_hit_says_what_an_officer_wants_to_know(still: Desk) -> None:
    hit = (await look(still, SEM, near=CHANGXING)).hits[0]
    assert (hit.provider, hit.provider_name, hit.division, hit.model) == (STEEL, "苏州金属材料测试中心", SUZHOU, "JSM-7900F")
    assert (hit.kind, hit.category, hit.rating) == (pb.HIT_KIND_INSTRUMENT, types_pb2.CATEGORY_INSTRUMENT, 300)
    assert (hit.price.from_fen, hit.price.model) == (50_000, catalogue_pb2.PRICE_MODEL_FIXED)
    assert 50 < hit.distance_km < 100


@pytest.mark.parametrize(
    ("wanted", "providers"),
    [
        (pb.SearchFilter(division=SHANGHAI), {POLYMER}),
        (pb.SearchFilter(division=ZHEJIANG), {DOUBLE}),
        (pb.SearchFilter(division=CHANGXING), set()),
        (pb.SearchFilter(category=types_pb2.CATEGORY_LAB_ANIMAL), {LIFE}),
        (pb.SearchFilter(kind=pb.HIT_KIND_INSTRUMENT), {STEEL}),
        (pb.SearchFilter(kind=pb.HIT_KIND_PROVIDER), {POLYMER, STEEL, LIFE, DOUBLE}),
        (pb.SearchFilter(price_from_fen=500_000), {POLYMER, LIFE}),
        (pb.SearchFilter(price_to_fen=20_000), {DOUBLE, LIFE}),
        (pb.SearchFilter(min_rating=450), {POLYMER, LIFE}),
        (pb.SearchFilter(min_rating=450, category=TESTING, kind=pb.HIT_KIND_SERVICE, price_from_fen=300_000), {POLYMER}),
    ],
)
async def test_filters_narrow(still: Desk, wanted: pb.SearchFilter, providers: set[str]) -> None:
    answer = await look(still, "", filter=wanted, page_size=100)
    assert {hit.provider for hit in answer.hits} == providers


@pytest.mark.parametrize(("km", "providers"), [(1, {DOUBLE}), (75, {DOUBLE, STEEL}), (150, {DOUBLE, STEEL, POLYMER})])
async def test_distance_is_from_the_seat_of_the_prefecture(still: Desk, km: int, providers: set[str]) -> None:
    answer = await look(still, "", near=CHANGXING, filter=pb.SearchFilter(within_km=km), page_size=100)
    assert {hit.provider for hit in answer.hits} == providers


async def test_facets_count_what_was_found(still: Desk) -> None:
    answer = await look(still, "", facets=True)
    facets = {facet.name: {item.value: item.count for item in facet.values} for facet in answer.facets}
    assert answer.total == 22 == sum(facets["division"].values()) == sum(facets["kind"].values())
    assert facets["kind"] == {"SERVICE": 17, "PROVIDER": 4, "INSTRUMENT": 1}
    assert facets["division"] == {ANHUI: 14, SHANGHAI: 3, SUZHOU: 3, HUZHOU: 2}
    assert facets["category"]["LAB_ANIMAL"] == 1
    assert facets["price"] == {"BELOW_1000": 11, "BELOW_10000": 5, "BELOW_100000": 1, "UNSPECIFIED": 1}
    assert sum(facets["price"].values()) == 18


async def test_pages_hold_each_hit_once_in_one_order(still: Desk) -> None:
    whole = [(hit.provider, hit.entry_id) for hit in (await look(still, "检测", page_size=100)).hits]
    assert len(whole) >= 14
    seen: list[tuple[str, int]] = []
    token = ""
    while True:
        answer = await look(still, "检测", page_size=5, page_token=token)
        seen += [(hit.provider, hit.entry_id) for hit in answer.hits]
        token = answer.next_page_token
        if not token:
            break
    assert seen == whole


async def test_a_token_serves_its_own_search_only(still: Desk) -> None:
    token = (await look(still, "检测", page_size=5)).next_page_token
    for other in (
        pb.SearchRequest(query="水质", page_token=token),
        pb.SearchRequest(query="检测", page_token="x" + token),
        pb.SearchRequest(query="检测", facets=True, page_token=token),
        forged(platform(ZHEJIANG), pb.SearchRequest(query="检测"), "x", "1", "SOME", ""),
        forged(platform(ZHEJIANG), pb.SearchRequest(query="检测"), "1", "1", "NONE", ""),
    ):
        assert await still.unanswered(search, platform(ZHEJIANG), other) == ("INVALID_ARGUMENT", ["page_token"])


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.SearchRequest(query="水" * 2_001), "query"),
        (pb.SearchRequest(query="a\x00b"), "query"),
        (pb.SearchRequest(filter=pb.SearchFilter(division="33")), "filter.division"),
        (pb.SearchRequest(filter=pb.SearchFilter(category=99)), "filter.category"),  # type: ignore[arg-type]  # a number of no category
        (pb.SearchRequest(filter=pb.SearchFilter(kind=99)), "filter.kind"),  # type: ignore[arg-type]  # a number of no kind
        (pb.SearchRequest(filter=pb.SearchFilter(price_from_fen=-1)), "filter.price_from_fen"),
        (pb.SearchRequest(filter=pb.SearchFilter(price_from_fen=2, price_to_fen=1)), "filter.price_to_fen"),
        (pb.SearchRequest(filter=pb.SearchFilter(min_rating=501)), "filter.min_rating"),
        (pb.SearchRequest(filter=pb.SearchFilter(recognized=True)), "issuer"),
        (pb.SearchRequest(filter=pb.SearchFilter(within_km=10)), "near"),
        (pb.SearchRequest(near="110000"), "near"),
        (pb.SearchRequest(issuer="x"), "issuer"),
        (pb.SearchRequest(page_token="%%"), "page_token"),
        (pb.SearchRequest(page_size=-1), "page_size"),
    ],
)
async def test_wrong_fields_are_named(still: Desk, request_: pb.SearchRequest, field: str) -> None:
    assert await still.unanswered(search, platform(ZHEJIANG), request_) == ("INVALID_ARGUMENT", [field])


@pytest.mark.parametrize(
    "query", ["'", "\\", "' | '", "!(a) & b:*", "检测'); DROP TABLE registry.provider; --", "<->", "𠀀𠀁", "😀", "%%%", "  "]
)
async def test_nothing_typed_is_an_error(still: Desk, query: str) -> None:
    found = await look(still, query)
    assert len({(hit.entry_id, hit.provider) for hit in found.hits}) == len(found.hits) <= found.total
    assert still.rows("SELECT count(*) > 0 FROM registry.provider") == [(True,)]


async def test_the_index_follows_the_catalogue(desk: Desk) -> None:
    assert await index(desk.uri) == 0
    number = (await look(desk, FATIGUE)).hits[0].entry_id
    entry = (await desk.ask(get_entry, platform(SUZHOU), catalogue_pb2.GetEntryRequest(entry_id=number))).entry
    entry.name = "镍基单晶蠕变试验"
    changed = await desk.do(update_entry, platform(SUZHOU), catalogue_pb2.UpdateEntryRequest(entry=entry))
    await index(desk.uri)
    assert names(await look(desk, "镍基单晶"))[0] == "镍基单晶蠕变试验"
    assert FATIGUE not in names(await look(desk, FATIGUE))
    retire = catalogue_pb2.RetireEntryRequest(entry_id=number, etag=changed.entry.etag)
    await desk.do(retire_entry, platform(SUZHOU), retire)
    await index(desk.uri)
    assert names(await look(desk, "镍基单晶")) == []


async def test_a_provider_renamed_or_rated_anew_is_found_so(desk: Desk) -> None:
    said = registry_pb2.Provider(uscc=STEEL, home=SUZHOU, name="苏州冶金检测院", categories=[TESTING], admitted_on="2026-01-01", rating=490)
    await desk.do(admit_provider, platform(SUZHOU), registry_pb2.AdmitProviderRequest(provider=said))
    await index(desk.uri)
    assert names(await look(desk, "冶金")) == ["苏州冶金检测院", SEM, FATIGUE] or set(names(await look(desk, "冶金"))) == {
        "苏州冶金检测院",
        SEM,
        FATIGUE,
    }
    assert SEM in names(await look(desk, "", filter=pb.SearchFilter(min_rating=480)))


async def test_only_providers_in_good_standing_are_found(desk: Desk) -> None:
    reason = "复核"
    await desk.do(suspend_provider, platform(SUZHOU), registry_pb2.SuspendProviderRequest(provider=STEEL, reason=reason))
    assert STEEL not in {hit.provider for hit in (await look(desk, "", page_size=100)).hits}
    await desk.do(reinstate_provider, platform(SUZHOU), registry_pb2.ReinstateProviderRequest(provider=STEEL, reason=reason))
    assert STEEL in {hit.provider for hit in (await look(desk, "", page_size=100)).hits}


async def test_recognition_by_my_issuer_counts_and_filters(desk: Desk) -> None:
    from hub.application.policies import publish_policy

    policy = policy_pb2.Policy(
        issuer=CHANGXING,
        version="1",
        effective_from="2026-01-01",
        mode=policy_pb2.MODE_PRE_SUBSIDY,
        annual_cap_fen=1_000_000,
        categories=[policy_pb2.CategoryRule(category=TESTING, ratio_bp=5_000)],
    )
    await desk.do(publish_policy, platform(CHANGXING), policy_pb2.PublishPolicyRequest(policy=policy))
    assert (await look(desk, "薄膜", issuer=CHANGXING, filter=pb.SearchFilter(recognized=True))).total == 0
    given = registry_pb2.Recognition(issuer=CHANGXING, provider=DOUBLE, valid_from="2026-03-02")
    await desk.do(recognize_provider, platform(CHANGXING), registry_pb2.RecognizeProviderRequest(recognition=given))
    answer = await look(desk, "薄膜", issuer=CHANGXING, filter=pb.SearchFilter(recognized=True))
    assert {hit.provider for hit in answer.hits} == {DOUBLE}
    both = await look(desk, "薄膜", issuer=CHANGXING)
    assert {hit.provider: hit.recognized for hit in both.hits} == {DOUBLE: True, POLYMER: False}
    assert any(part.kind == pb.SCORE_PART_KIND_RECOGNIZED for hit in both.hits if hit.recognized for part in hit.parts)
    assert (await look(desk, "薄膜", issuer=HUZHOU, filter=pb.SearchFilter(recognized=True))).total == 0, "no policy, no recognition"


async def test_made_anew_the_index_is_the_same(desk: Desk) -> None:
    tables = {
        "search_document": "kind, provider, categories, division, price_from, price_to, band, rating, lexemes",
        "search_text": "name, keywords, provider, description",
        "search_term": "term, documents, sound",
        "search_neighbour": "form, term",
    }

    def content() -> dict[str, list[tuple[object, ...]]]:
        where = {"search_term": "WHERE documents > 0"}
        return {t: sorted(desk.rows(f"SELECT ROW({c})::text FROM registry.{t} {where.get(t, '')}")) for t, c in tables.items()}

    number = (await look(desk, FATIGUE)).hits[0].entry_id
    before = content()
    await desk.do(suspend_provider, platform(SUZHOU), registry_pb2.SuspendProviderRequest(provider=STEEL, reason="复核"))
    async with await psycopg.AsyncConnection.connect(desk.uri, autocommit=True) as connection:
        assert await rebuild(connection) == 22
    assert content() == before
    assert number


async def test_a_change_is_found_without_anyone_asking_for_it(desk: Desk) -> None:
    keeper = asyncio.create_task(Keeper(desk.uri).run())
    try:
        await offer(desk, STEEL, SUZHOU, "S-9", "镍基单晶蠕变试验")
        async with asyncio.timeout(20):
            found = False
            while not found:
                found = bool((await look(desk, "镍基单晶")).hits)
        assert [hit.name for hit in (await look(desk, "镍基单晶")).hits] == ["镍基单晶蠕变试验"]
    finally:
        keeper.cancel()
        await asyncio.gather(keeper, return_exceptions=True)
