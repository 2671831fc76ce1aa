from __future__ import annotations

import asyncio

import psycopg
import pytest

from hub.domain.caller import Caller, Role
from registry.admission.direct import admit_provider
from registry.catalogue.entries import create_entry, get_entry, list_entries, list_entry_versions, retire_entry, update_entry
from tests.support_usecases import COORDINATOR, Desk, codes, credit_code, platform
from yrd.common.v1 import types_pb2
from yrd.registry.v1 import catalogue_pb2 as pb
from yrd.registry.v1 import registry_pb2

SHANGHAI, CHANGXING, ZHEJIANG, ANHUI = "310000", "330522", "330000", "340000"
LAB, OTHER = credit_code(1, "12310118"), credit_code(2, "91330522")
ITSELF = Caller(f"spiffe://310000/310118/provider-{LAB}", "310118", Role.PROVIDER)
STRANGER = Caller(f"spiffe://330000/330522/provider-{OTHER}", CHANGXING, Role.PROVIDER)

ALIKE = Caller(f"spiffe://310000/310118/provider-{LAB}x", "310118", Role.PROVIDER)


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    for uscc, home in ((LAB, "310118"), (OTHER, CHANGXING)):
        provider = registry_pb2.Provider(uscc=uscc, name=f"检测中心{uscc[-3:]}", home=home, admitted_on="2026-01-01")
        await desk.do(admit_provider, platform(home), registry_pb2.AdmitProviderRequest(provider=provider))
    return desk


def service(code: str = "FW1", provider: str = LAB, name: str = "塑料薄膜成分分析") -> pb.CatalogueEntry:
    price = pb.EntryPrice(model=pb.PRICE_MODEL_PER_UNIT, unit="样", from_fen=80_000)
    category = types_pb2.CATEGORY_INSPECTION_TESTING
    return pb.CatalogueEntry(
        provider=provider, kind=pb.ENTRY_KIND_SERVICE, code=code, name=name, category=category, price=price, keywords=["薄膜", "高分子"]
    )


def expert(name: str = "韩雅琴") -> pb.CatalogueEntry:
    return pb.CatalogueEntry(
        provider=LAB, kind=pb.ENTRY_KIND_EXPERT, code="ZJ1", name=name, expert=pb.ExpertDetails(title="研究员"), keywords=["高分子"]
    )


def instrument(code: str = "YQ1") -> pb.CatalogueEntry:
    details = pb.InstrumentDetails(
        model="SU8010", maker="日立", original_value_fen=180_000_000, place="邯郸路99号", hours_per_year=1_200, open_since="2019-03-01"
    )
    return pb.CatalogueEntry(provider=LAB, kind=pb.ENTRY_KIND_INSTRUMENT, code=code, name="扫描电子显微镜", instrument=details)


async def create(desk: Desk, entry: pb.CatalogueEntry, caller: Caller | None = None) -> pb.CatalogueEntry:
    answer: pb.CreateEntryResponse = await desk.do(create_entry, caller or ITSELF, pb.CreateEntryRequest(entry=entry))
    return answer.entry


async def update(desk: Desk, entry: pb.CatalogueEntry) -> pb.CatalogueEntry:
    answer: pb.UpdateEntryResponse = await desk.do(update_entry, ITSELF, pb.UpdateEntryRequest(entry=entry))
    return answer.entry


async def versions(desk: Desk, entry_id: int) -> list[pb.EntryVersion]:
    request = pb.ListEntryVersionsRequest(entry_id=entry_id)
    return list((await desk.ask(list_entry_versions, platform(SHANGHAI), request)).versions)


async def codes_of(desk: Desk, caller: Caller, request: pb.ListEntriesRequest) -> list[str]:
    return [entry.code for entry in (await desk.ask(list_entries, caller, request)).entries]


async def test_an_entry_reads_back_as_it_was_told(desk: Desk) -> None:
    for told in (service(), instrument(), expert()):
        made = await create(desk, told)
        read = (await desk.ask(get_entry, STRANGER, pb.GetEntryRequest(entry_id=made.entry_id))).entry
        assert read == made
        assert (read.division, read.state, read.version) == ("310118", pb.ENTRY_STATE_ACTIVE, 1)
        for field, value in told.ListFields():
            assert field.name == "price" or getattr(read, field.name) == value
    assert (read.category, read.price.model) == (types_pb2.CATEGORY_CONSULTING, pb.PRICE_MODEL_QUOTATION)


async def test_every_change_is_a_version_and_an_event(desk: Desk) -> None:
    first = await create(desk, service())
    second = await update(desk, service(name="塑料薄膜全成分分析"))
    same = await update(desk, service(name="塑料薄膜全成分分析"))
    assert same == second
    assert first.etag != second.etag
    retired = (await desk.do(retire_entry, platform(SHANGHAI), pb.RetireEntryRequest(entry_id=first.entry_id, etag=second.etag))).entry
    back = await update(desk, service(name="塑料薄膜全成分分析"))
    assert (retired.state, back.state, back.version) == (pb.ENTRY_STATE_RETIRED, pb.ENTRY_STATE_ACTIVE, 4)
    kept = await versions(desk, first.entry_id)
    assert [(item.cause, item.entry.version, item.entry.name) for item in kept] == [
        ("Create", 1, "塑料薄膜成分分析"),
        ("Update", 2, "塑料薄膜全成分分析"),
        ("Retire", 3, "塑料薄膜全成分分析"),
        ("Update", 4, "塑料薄膜全成分分析"),
    ]
    assert kept[2].changed_by == platform(SHANGHAI).participant_id
    told = desk.told(4)
    assert [(item.topic, item.key, item.message.cause) for item in told] == [
        ("pool", SHANGHAI, cause) for cause in ("Create", "Update", "Retire", "Update")
    ]
    assert [item.message.changes[0].version for item in told] == [1, 2, 3, 4]


async def test_what_is_retired_is_shown_to_who_answers_for_it(desk: Desk) -> None:
    made = await create(desk, service())
    await desk.do(retire_entry, ITSELF, pb.RetireEntryRequest(entry_id=made.entry_id))
    request = pb.GetEntryRequest(entry_id=made.entry_id)
    for caller in (ITSELF, platform(SHANGHAI), COORDINATOR):
        assert (await desk.ask(get_entry, caller, request)).entry.state == pb.ENTRY_STATE_RETIRED
    assert (await desk.unanswered(get_entry, STRANGER, request))[0] == "ENTRY_NOT_FOUND"


async def test_the_history_cannot_be_changed(desk: Desk) -> None:
    await create(desk, service())
    for statement in ("UPDATE {} SET cause = 'x'", "DELETE FROM {}", "TRUNCATE {}"):
        with pytest.raises(psycopg.errors.RaiseException):
            desk.rows(statement.format("registry.catalogue_version"))


async def test_a_retired_expert_leaves_no_name(desk: Desk) -> None:
    made = await create(desk, expert("韩雅琴"))
    await update(desk, expert("韩雅勤"))
    assert (await desk.ask(get_entry, COORDINATOR, pb.GetEntryRequest(entry_id=made.entry_id))).entry.name == "韩雅勤"
    retired = (await desk.do(retire_entry, ITSELF, pb.RetireEntryRequest(entry_id=made.entry_id))).entry
    assert (retired.name, retired.expert.title) == ("", "研究员")
    state = str(desk.state())
    assert "韩雅" not in state
    assert not any("韩雅" in str(item.message) for item in desk.told())


async def test_a_change_on_a_stale_reading_is_refused(desk: Desk) -> None:
    first = await create(desk, service())
    await update(desk, service(name="新名称"))
    late = service(name="另一名称")
    late.etag = first.etag
    assert (await desk.refused(update_entry, ITSELF, pb.UpdateEntryRequest(entry=late)))[0] == "ENTRY_CHANGED"
    stale = pb.RetireEntryRequest(entry_id=first.entry_id, etag=first.etag)
    assert (await desk.refused(retire_entry, ITSELF, stale))[0] == "ENTRY_CHANGED"


async def test_of_two_changes_at_once_on_one_reading_one_wins(desk: Desk) -> None:
    first = await create(desk, service())
    requests = [pb.UpdateEntryRequest(entry=service(name=f"名称{number}")) for number in range(4)]
    for request in requests:
        request.entry.etag = first.etag
    outcomes = await asyncio.gather(*(desk.send(update_entry, ITSELF, request) for request in requests))
    assert codes(outcomes) == ["ENTRY_CHANGED"] * 3 + ["OK"]
    assert len(await versions(desk, first.entry_id)) == 2


async def test_of_two_who_create_the_same_key_one_is_told_that_it_is_taken(desk: Desk) -> None:
    requests = [pb.CreateEntryRequest(entry=service(name=f"名称{number}")) for number in range(4)]
    outcomes = await asyncio.gather(*(desk.send(create_entry, ITSELF, request) for request in requests))
    assert codes(outcomes) == ["ALREADY_EXISTS"] * 3 + ["OK"]
    assert desk.rows("SELECT count(*) FROM registry.catalogue_version") == [(1,)]


@pytest.mark.parametrize(
    "caller",
    [platform(ZHEJIANG), platform("310117"), STRANGER, COORDINATOR, ALIKE],
    ids=["other province", "other district", "other provider", "coordination", "name alike"],
)
async def test_only_the_provider_and_its_home_change_its_entries(desk: Desk, caller: Caller) -> None:
    made = await create(desk, service(), platform(SHANGHAI))
    for use_case, request in (
        (create_entry, pb.CreateEntryRequest(entry=service("FW2"))),
        (update_entry, pb.UpdateEntryRequest(entry=service(name="x"))),
        (retire_entry, pb.RetireEntryRequest(entry_id=made.entry_id)),
    ):
        assert (await desk.refused(use_case, caller, request))[0] == "NOT_PERMITTED"


async def test_what_is_not_there_is_not_found(desk: Desk) -> None:
    unknown = credit_code(99)
    assert (await desk.refused(create_entry, platform(SHANGHAI), pb.CreateEntryRequest(entry=service(provider=unknown))))[
        0
    ] == "PROVIDER_NOT_FOUND"
    assert (await desk.refused(update_entry, ITSELF, pb.UpdateEntryRequest(entry=service())))[0] == "ENTRY_NOT_FOUND"
    assert (await desk.refused(retire_entry, ITSELF, pb.RetireEntryRequest(entry_id=9)))[0] == "ENTRY_NOT_FOUND"
    assert (await desk.unanswered(get_entry, ITSELF, pb.GetEntryRequest(entry_id=9)))[0] == "ENTRY_NOT_FOUND"
    assert await desk.unanswered(get_entry, ITSELF, pb.GetEntryRequest(entry_id=-1)) == ("INVALID_ARGUMENT", ["entry_id"])
    made = await create(desk, service())
    await desk.do(retire_entry, ITSELF, pb.RetireEntryRequest(entry_id=made.entry_id))
    assert (await desk.refused(retire_entry, ITSELF, pb.RetireEntryRequest(entry_id=made.entry_id)))[0] == "INVALID_STATE"
    assert (await desk.refused(create_entry, ITSELF, pb.CreateEntryRequest(entry=service())))[0] == "ALREADY_EXISTS"


async def test_bad_fields_are_named_and_change_nothing(desk: Desk) -> None:
    bad = service()
    bad.provider, bad.code, bad.name, bad.category = "1", "a b", " ", types_pb2.CATEGORY_UNSPECIFIED
    bad.keywords.append("长" * 51)
    bad.price.to_fen = 1
    bad.delivery_days = -1
    fields = ["provider", "code", "name", "category", "keywords[2]", "price.to_fen", "delivery_days"]
    code, named = await desk.refused(create_entry, ITSELF, pb.CreateEntryRequest(entry=bad))
    assert (code, named) == ("INVALID_ARGUMENT", [f"entry.{name}" for name in fields])
    wrong_kind = service()
    wrong_kind.instrument.model = "x"
    assert (await desk.refused(create_entry, ITSELF, pb.CreateEntryRequest(entry=wrong_kind)))[1] == ["entry.instrument"]
    reachable = expert()
    reachable.description = "电话13812345678"
    reachable.expert.title = "研究员 a@b.cn"
    _, named = await desk.refused(create_entry, ITSELF, pb.CreateEntryRequest(entry=reachable))
    assert named == ["entry.description", "entry.expert.title"]


async def test_lists_are_filtered_paged_and_open_to_all_as_far_as_in_force(desk: Desk) -> None:
    for number in range(5):
        await create(desk, service(f"FW{number}"))
    await create(desk, service("QT1", OTHER), STRANGER)
    await create(desk, instrument())
    gone = await create(desk, service("OLD"))
    await desk.do(retire_entry, ITSELF, pb.RetireEntryRequest(entry_id=gone.entry_id))
    mine = pb.ListEntriesRequest(provider=LAB, kind=pb.ENTRY_KIND_SERVICE)
    assert await codes_of(desk, platform(ANHUI), mine) == [f"FW{number}" for number in range(5)]
    assert await codes_of(desk, ITSELF, pb.ListEntriesRequest(division=ZHEJIANG)) == ["QT1"]
    pages: list[list[str]] = []
    token = ""
    while not pages or token:
        answer = await desk.ask(list_entries, COORDINATOR, pb.ListEntriesRequest(page_size=3, page_token=token))
        pages.append([entry.code for entry in answer.entries])
        token = answer.next_page_token
    assert pages == [["FW0", "FW1", "FW2"], ["FW3", "FW4", "QT1"], ["YQ1"]]
    mine.include_retired = True
    assert "OLD" in await codes_of(desk, ITSELF, mine)
    assert "OLD" in await codes_of(desk, COORDINATOR, mine)
    assert (await desk.unanswered(list_entries, STRANGER, mine))[0] == "NOT_PERMITTED"
    assert (await desk.unanswered(list_entries, ITSELF, pb.ListEntriesRequest(include_retired=True)))[0] == "NOT_PERMITTED"
    wrong = pb.ListEntriesRequest(division="33")
    wrong.kind = 9  # type: ignore[assignment]  # no kind at all
    assert await desk.unanswered(list_entries, ITSELF, wrong) == ("INVALID_ARGUMENT", ["division", "kind"])
    assert (await desk.unanswered(list_entry_versions, STRANGER, pb.ListEntryVersionsRequest(entry_id=gone.entry_id)))[0] == "NOT_PERMITTED"
