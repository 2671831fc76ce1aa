"""The public part over REST: what everybody reads, how it is paged and tagged, what is refused, and that no person is in it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from registry.admission.applying import apply_for_admission
from registry.admission.publishing import publish_admission_criteria
from registry.admission.reviewing import decide_review
from registry.catalogue.entries import create_entry, retire_entry
from registry.credit.bucket import Limits
from tests.integration.test_web_doors import check_problem
from tests.support_pool import TESTING, admit, index, offer
from tests.support_rest import PUBLIC, everybody
from tests.support_usecases import Desk, credit_code, platform
from yrd.registry.v1 import admission_pb2, catalogue_pb2

SHANGHAI, ZHEJIANG, HUZHOU = "310000", "330000", "330500"
LAB, STATION, NEWCOMER = credit_code(1, "12310104"), credit_code(4, "12330500"), credit_code(9, "12330500")
COMMITTED = Path(__file__).resolve().parents[2] / "docs" / "openapi.json"
PERSON = "欧阳某某"


async def furnish(desk: Desk) -> None:
    """Two providers, a few entries, an expert, what is retired, and an application under public notice."""
    await admit(desk, LAB, SHANGHAI, "上海高分子材料研究开发中心", 480)
    await admit(desk, STATION, HUZHOU, "湖州包装材料检测站", 350)
    for i in range(5):
        await offer(desk, LAB, SHANGHAI, f"P-{i}", f"塑料薄膜成分分析第{i}类", price=800_000 + i)
    await offer(desk, STATION, HUZHOU, "S-1", "场发射扫描电镜", instrument="JSM-7900F", price=50_000)
    expert = catalogue_pb2.CatalogueEntry(
        provider=LAB,
        code="E-1",
        name=PERSON,
        kind=catalogue_pb2.ENTRY_KIND_EXPERT,
        description="高分子",
        expert=catalogue_pb2.ExpertDetails(title="教授级高工"),
    )
    await desk.do(create_entry, platform(SHANGHAI), catalogue_pb2.CreateEntryRequest(entry=expert))
    gone = await offer(desk, STATION, HUZHOU, "S-2", "旧式拉力试验")
    await desk.do(retire_entry, platform(HUZHOU), catalogue_pb2.RetireEntryRequest(entry_id=gone))
    criteria = admission_pb2.AdmissionCriteria(
        division=ZHEJIANG, version="2026", effective_from="2026-01-01", notice_days=7, source="assumed",
        conditions=[admission_pb2.AdmissionCondition(id="staff", cel="applicant.staff >= 5", zh="人员", en="staff")],
    )  # fmt: skip
    await desk.do(publish_admission_criteria, platform(ZHEJIANG), admission_pb2.PublishAdmissionCriteriaRequest(criteria=criteria))
    applicant = admission_pb2.Applicant(uscc=NEWCOMER, name="湖州新材料检测所", home=HUZHOU, categories=[TESTING], staff=9, years=4)
    filed = await desk.do(apply_for_admission, platform(HUZHOU), admission_pb2.ApplyForAdmissionRequest(applicant=applicant))
    decision = admission_pb2.DecideReviewRequest(application_id=filed.application.application_id, passed=True, reason="符合")
    await desk.do(decide_review, platform(HUZHOU), decision)
    await index(desk.uri)


@pytest.fixture(scope="module")
async def still(still: Desk) -> Desk:
    """A pool that no test changes."""
    await furnish(still)
    return still


@pytest.fixture
async def http(still: Desk, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with everybody(still, tmp_path) as client:
        yield client


async def test_everybody_searches_the_pool(http: httpx.AsyncClient) -> None:
    answer = await http.get("/search", params={"q": "塑料薄膜", "facets": "true", "page_size": 2, "kind": "HIT_KIND_SERVICE"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert [hit["name"][:8] for hit in body["hits"]] == ["塑料薄膜成分分析"] * 2
    assert body["total"] == 5 and body["hits"][0]["price"]["from_fen"] >= 800_000
    assert {facet["name"] for facet in body["facets"]} == {"division", "category", "kind", "price"}
    assert body["hits"][0]["parts"][0]["zh"]
    found = [hit["entry_id"] for hit in body["hits"]]
    while "next" in answer.links:
        answer = await http.get(answer.links["next"]["url"].removeprefix(PUBLIC))
        found += [hit["entry_id"] for hit in answer.json()["hits"]]
    assert len(found) == len(set(found)) == 5


async def test_typing_is_corrected_and_suggested(http: httpx.AsyncClient) -> None:
    body = (await http.get("/suggestions", params={"q": "扫苗电镜"})).json()
    assert body == {"suggestions": ["场发射扫描电镜"], "corrected": "扫描电镜"}


async def test_a_list_is_paged_with_links(http: httpx.AsyncClient) -> None:
    answer = await http.get("/entries", params={"provider": LAB, "page_size": 2})
    names = [entry["code"] for entry in answer.json()["entries"]]
    while "next" in answer.links:
        answer = await http.get(answer.links["next"]["url"].removeprefix(PUBLIC))
        names += [entry["code"] for entry in answer.json()["entries"]]
    assert names == [f"P-{i}" for i in range(5)]
    assert answer.json()["next_page_token"] == "" and "link" not in answer.headers


async def test_no_person_and_nothing_retired_is_public(still: Desk, http: httpx.AsyncClient) -> None:
    numbers = {str(code): number for code, number in still.rows("SELECT code, entry_id FROM registry.catalogue_entry")}
    for code in ("E-1", "S-2"):
        check_problem(await http.get(f"/entries/{numbers[code]}"), "ENTRY_NOT_FOUND")
    listed = (await http.get("/entries")).text
    assert PERSON not in listed and "S-2" not in listed and "P-4" in listed
    for query in (PERSON, "高分子", "教授级高工"):
        answer = await http.get("/search", params={"q": query, "facets": "true"})
        assert PERSON not in answer.text.replace(query, "") and "EXPERT" not in answer.text
    assert (await http.get("/search", params={"q": PERSON})).json()["total"] == 0
    for path in ("/search", "/entries"):
        refused = await http.get(path, params={"kind": "HIT_KIND_EXPERT" if path == "/search" else "ENTRY_KIND_EXPERT"})
        check_problem(refused, "INVALID_ARGUMENT")


async def test_an_answer_that_is_known_is_not_sent_again(still: Desk, http: httpx.AsyncClient) -> None:
    (number,) = [number for code, number in still.rows("SELECT code, entry_id FROM registry.catalogue_entry") if code == "P-1"]
    for path in (f"/entries/{number}", "/providers", f"/providers/{LAB}", "/categories", "/openapi.json"):
        first = await http.get(path)
        again = await http.get(path, headers={"If-None-Match": f'"other", W/{first.headers["etag"]}'})
        assert (first.status_code, again.status_code, again.content) == (200, 304, b"")
        assert again.headers["etag"] == first.headers["etag"] and first.headers["cache-control"] == "public, no-cache"
    entry = (await http.get(f"/entries/{number}")).json()
    assert (await http.get(f"/entries/{number}")).headers["etag"] == f'"{entry["etag"]}"'


async def test_what_else_everybody_may_know(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"/providers/{LAB}")).json()["rating"] == 480
    (notice,) = (await http.get("/notices")).json()["notices"]
    assert (notice["name"], notice["kind"]) == ("湖州新材料检测所", "ADMISSION_KIND_ADMISSION")
    assert (await http.get(f"/criteria/{ZHEJIANG}")).json()["notice_days"] == 7
    assert len((await http.get("/categories")).json()["categories"]) == 14
    assert SHANGHAI in {region["division"] for region in (await http.get("/regions")).json()["regions"]}
    assert (await http.get("/coverage")).json() == {"day": "2026-03-02", "cells": []}
    page = await http.get("/docs")
    assert page.headers["content-type"].startswith("text/html") and "//" not in page.text.replace("https://", "").split("<main>")[0]


async def test_wrong_parameters_are_named_as_the_caller_named_them(http: httpx.AsyncClient) -> None:
    for query, field in (
        ({"page_size": "many"}, "page_size"),
        ({"home": "浙江"}, "home"),
        ({"as_of": "2026-02-30"}, "as_of"),
        ({"page_token": "x"}, "page_token"),
    ):
        body = check_problem(await http.get("/providers", params=query), "INVALID_ARGUMENT")
        assert [error["field"] for error in body["errors"]] == [field]
    assert check_problem(await http.get("/providers?page=1"), "UNKNOWN_FIELD")["metadata"] == {"field": "page"}
    twice = check_problem(await http.get(f"/providers?home={HUZHOU}&home={HUZHOU}"), "INVALID_ARGUMENT")
    assert twice["errors"] == [{"field": "home", "description": "must be given once"}]
    nested = check_problem(await http.get("/search?price_from_fen=5&price_to_fen=4"), "INVALID_ARGUMENT")
    assert nested["errors"][0]["field"] == "price_to_fen"
    check_problem(await http.get(f"/providers/{credit_code(77)}"), "PROVIDER_NOT_FOUND")


async def test_another_method_is_told_which_there_are(http: httpx.AsyncClient) -> None:
    for path, methods in (("/api/provider/v1/entries/1", {"GET", "PUT", "DELETE"}), (f"{PUBLIC}/search", {"GET"})):
        answer = await http.options(f"https://hub{path}")
        assert (answer.status_code, {name.strip() for name in answer.headers["allow"].split(",")}) == (405, methods)


async def test_an_address_that_asks_too_often_waits(still: Desk, tmp_path: Path) -> None:
    async with everybody(still, tmp_path, limits=Limits(3, 60)) as http:
        for _ in range(3):
            assert (await http.get("/categories")).status_code == 200
        refused = await http.get("/providers")
    body = check_problem(refused, "RATE_LIMITED")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert body["metadata"]["retry_after_seconds"] == refused.headers["retry-after"]


async def test_the_document_served_is_the_one_committed(http: httpx.AsyncClient) -> None:
    assert (await http.get("/openapi.json")).json() == json.loads(COMMITTED.read_text())
