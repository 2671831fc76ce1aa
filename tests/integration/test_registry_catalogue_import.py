from __future__ import annotations

import random

import pytest

from hub.domain.caller import Caller, Role
from registry.admission.direct import admit_provider
from registry.catalogue import importing
from registry.catalogue.entries import list_entries, retire_entry
from registry.catalogue.importing import export_entries, get_entry_import, import_entries
from tests.support_usecases import COORDINATOR, Desk, credit_code, platform
from yrd.common.v1 import refusal_pb2
from yrd.registry.v1 import catalogue_pb2 as pb
from yrd.registry.v1 import registry_pb2

SHANGHAI, CHANGXING = "310000", "330522"
LAB, OTHER = credit_code(1, "12310118"), credit_code(2, "91330522")
ITSELF = Caller(f"spiffe://310000/310000/provider-{LAB}", SHANGHAI, Role.PROVIDER)
HEADING = "provider,kind,code,name,category,price_model,price_from_yuan"


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    for uscc, home in ((LAB, SHANGHAI), (OTHER, CHANGXING)):
        provider = registry_pb2.Provider(uscc=uscc, name=f"检测中心{uscc[-3:]}", home=home, admitted_on="2026-01-01")
        await desk.do(admit_provider, platform(home), registry_pb2.AdmitProviderRequest(provider=provider))
    return desk


def row(code: str, provider: str = LAB, name: str = "成分分析", yuan: str = "800") -> str:
    return f"{provider},SERVICE,{code},{name},INSPECTION_TESTING,FIXED,{yuan}"


def file(*rows: str) -> pb.ImportEntriesRequest:
    return pb.ImportEntriesRequest(format=pb.ENTRY_FORMAT_CSV, content="\n".join([HEADING, *rows]).encode(), file_name="目录.csv")


async def load(desk: Desk, request: pb.ImportEntriesRequest, caller: Caller | None = None) -> pb.ImportEntriesResponse:
    answer: pb.ImportEntriesResponse = await desk.do(import_entries, caller or platform(SHANGHAI), request)
    return answer


def counts(result: pb.EntryImport) -> tuple[int, ...]:
    return result.rows, result.created, result.updated, result.unchanged, result.failed


def told(errors: list[pb.RowError]) -> list[tuple[int, str, str]]:
    return [(error.row, error.column, refusal_pb2.RefusalCode.Name(error.code).removeprefix("REFUSAL_CODE_")) for error in errors]


async def test_of_a_file_with_five_percent_broken_rows_the_rest_is_loaded(desk: Desk) -> None:
    broken = set(random.Random(5).sample(range(400), 20))
    request = file(*(row(f"F{n}", yuan="八百" if n in broken else "800") for n in range(400)))
    answer = await load(desk, request)
    assert counts(answer.result) == (400, 380, 0, 0, 20)
    assert told(list(answer.errors)) == [(n + 2, "price_from_yuan", "INVALID_ARGUMENT") for n in sorted(broken)]
    assert all(error.zh and error.en and "元" in error.remedy_zh and "yuan" in error.remedy_en for error in answer.errors)
    assert desk.rows("SELECT count(*) FROM registry.catalogue_entry") == [(380,)]
    assert desk.rows("SELECT count(*) FROM registry.catalogue_version") == [(380,)]
    (event,) = desk.told(1)
    assert (event.topic, event.key, event.message.cause, len(event.message.changes)) == ("pool", SHANGHAI, "Import", 380)


async def test_a_file_again_changes_nothing_and_a_row_changed_changes_one_entry(desk: Desk) -> None:
    await load(desk, file(*(row(f"F{n}") for n in range(10))))
    before = desk.rows("SELECT e::text FROM registry.catalogue_entry AS e ORDER BY entry_id"), len(desk.told())
    answer = await load(desk, file(*(row(f"F{n}") for n in range(10))))
    assert counts(answer.result) == (10, 0, 0, 10, 0)
    assert (desk.rows("SELECT e::text FROM registry.catalogue_entry AS e ORDER BY entry_id"), len(desk.told())) == before
    answer = await load(desk, file(*(row(f"F{n}", yuan="900" if n == 3 else "800.00") for n in range(10))))
    assert counts(answer.result) == (10, 0, 1, 9, 0)
    assert [(change.code, change.version) for change in desk.told(1)[0].message.changes] == [("F3", 2)]


async def test_the_same_request_is_loaded_once(desk: Desk) -> None:
    request = file(row("F1"))
    first = await load(desk, request)
    await desk.do(retire_entry, ITSELF, pb.RetireEntryRequest(entry_id=1))
    assert await load(desk, request) == first
    assert desk.rows("SELECT state FROM registry.catalogue_entry") == [("RETIRED",)]
    # Under an id of its own the file brings the entry back.
    assert counts((await load(desk, file(row("F1")))).result) == (1, 0, 1, 0, 0)


async def test_rows_that_the_caller_may_not_write_are_reported_one_by_one(desk: Desk) -> None:
    unknown = credit_code(77)
    request = file(row("F1"), row("F2", OTHER), row("F3", unknown), row("F1", name="又一次"), "x" * 300)
    for caller in (platform(SHANGHAI), ITSELF):
        request.request_id = ""
        answer = await load(desk, request, caller)
        assert told(list(answer.errors)) == [
            (3, "provider", "NOT_PERMITTED"),
            (4, "provider", "PROVIDER_NOT_FOUND"),
            (5, "code", "ALREADY_EXISTS"),
            (6, "provider", "INVALID_ARGUMENT"),
            (6, "kind", "INVALID_ARGUMENT"),
            (6, "code", "INVALID_ARGUMENT"),
            (6, "name", "INVALID_ARGUMENT"),
            (6, "category", "INVALID_ARGUMENT"),
        ]
        assert answer.result.failed == 4
    assert desk.rows("SELECT provider, code, name FROM registry.catalogue_entry") == [(LAB, "F1", "成分分析")]


async def test_the_report_is_kept_and_paged_for_those_it_concerns(desk: Desk) -> None:
    answer = await load(desk, file(*(row(f"F {n}") for n in range(5))))
    request = pb.GetEntryImportRequest(import_id=answer.result.import_id, page_size=3)
    for caller in (platform(SHANGHAI), COORDINATOR):
        request.page_token = ""
        page = await desk.ask(get_entry_import, caller, request)
        assert (page.result, list(page.errors)) == (answer.result, list(answer.errors[:3]))
        request.page_token = page.next_page_token
        rest = await desk.ask(get_entry_import, caller, request)
        assert (list(rest.errors), rest.next_page_token) == (list(answer.errors[3:]), "")
    request.page_token = ""
    for caller in (platform(CHANGXING), ITSELF):
        assert (await desk.unanswered(get_entry_import, caller, request))[0] == "IMPORT_NOT_FOUND"
    assert (await desk.unanswered(get_entry_import, COORDINATOR, pb.GetEntryImportRequest(import_id="1")))[1] == ["import_id"]


async def test_what_is_no_file_is_refused_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    request = pb.ImportEntriesRequest(format=pb.ENTRY_FORMAT_XLSX, content=b"PK\x03\x04")
    assert await desk.refused(import_entries, ITSELF, request) == ("INVALID_ARGUMENT", ["content"])
    assert (await desk.refused(import_entries, ITSELF, pb.ImportEntriesRequest(content=b"x")))[1] == ["format"]
    monkeypatch.setattr(importing, "ROWS_MAX", 3)
    assert (await desk.refused(import_entries, ITSELF, file(*(row(f"F{n}") for n in range(4)))))[1] == ["content"]
    assert (await load(desk, file(*(row(f"F{n}") for n in range(3))))).result.created == 3


@pytest.mark.parametrize("form", [pb.ENTRY_FORMAT_CSV, pb.ENTRY_FORMAT_XLSX, pb.ENTRY_FORMAT_JSONL])
async def test_an_export_is_read_again_without_a_change(desk: Desk, form: pb.EntryFormat.ValueType) -> None:
    await load(desk, file(*(row(f"F{n}", name=f"分析{n}") for n in range(7))))
    token = ""
    loaded: list[tuple[int, ...]] = []
    while not loaded or token:
        request = pb.ExportEntriesRequest(format=form, provider=LAB, page_size=3, page_token=token)
        answer = await desk.ask(export_entries, COORDINATOR, request)
        again = await load(desk, pb.ImportEntriesRequest(format=form, content=answer.content))
        loaded.append(counts(again.result))
        token = answer.next_page_token
    assert loaded == [(3, 0, 0, 3, 0), (3, 0, 0, 3, 0), (1, 0, 0, 1, 0)]
    answer = await desk.ask(list_entries, ITSELF, pb.ListEntriesRequest(provider=LAB))
    assert all(entry.version == 1 for entry in answer.entries)
