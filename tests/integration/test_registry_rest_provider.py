"""The providers' part over REST, behind a certificate and its token: admission, entries, files, demands, standing."""

from __future__ import annotations

import csv
import io
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.application.enterprises import register_enterprise
from hub.domain.caller import Caller
from registry.demand.posting import post_demand
from tests.integration.test_registry_rest import HUZHOU, LAB, NEWCOMER, SHANGHAI, STATION, furnish
from tests.integration.test_web_doors import check_problem
from tests.support_demand import accept
from tests.support_rest import OWN, Door, once, open_door, provider
from tests.support_usecases import Desk, credit_code, platform
from yrd.common.v1 import types_pb2
from yrd.participant.v1 import participant_pb2
from yrd.registry.v1 import demand_pb2

ITSELF, OTHER, APPLICANT = provider(SHANGHAI, LAB), provider(HUZHOU, STATION), provider(HUZHOU, NEWCOMER)
CHANGXING, FIRM = "330522", credit_code(5, "91330522")
SERVICE: dict[str, Any] = {
    "provider": LAB,
    "kind": "ENTRY_KIND_SERVICE",
    "code": "N-1",
    "name": "薄膜透光率测定",
    "category": "CATEGORY_INSPECTION_TESTING",
    "price": {"model": "PRICE_MODEL_PER_UNIT", "unit": "样", "from_fen": 30_000},
}


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await furnish(desk)
    return desk


@pytest.fixture
async def door(desk: Desk, tmp_path: Path) -> AsyncIterator[Door]:
    async with open_door(desk, tmp_path, ITSELF, OTHER, APPLICANT) as opened:
        yield opened


@pytest.fixture
async def http(door: Door) -> AsyncIterator[httpx.AsyncClient]:
    async with door.open(ITSELF) as client:
        yield client


async def test_nothing_without_certificate_token_and_scope(door: Door) -> None:
    async with door.open(None) as http:
        check_problem(await http.get("/entries"), "CERTIFICATE_REJECTED")
    async with door.open(ITSELF, None) as http:
        refused = await http.post("/entries", json=SERVICE, headers=once())
        check_problem(refused, "UNAUTHENTICATED")
        assert refused.headers["www-authenticate"] == "Bearer"
    async with door.open(OTHER, await door.token(ITSELF)) as http:
        check_problem(await http.get("/entries"), "CERTIFICATE_REJECTED")
    async with door.open(ITSELF, await door.token(ITSELF, scope="catalogue.read")) as http:
        assert (await http.get("/entries")).status_code == 200
        check_problem(await http.post("/entries", json=SERVICE, headers=once()), "SCOPE_MISSING")


async def test_an_entry_is_made_read_changed_and_retired(http: httpx.AsyncClient) -> None:
    made = await http.post("/entries", json=SERVICE, headers=once())
    assert made.status_code == 201, made.text
    entry, tag = made.json(), made.headers["etag"]
    where = made.headers["location"].removeprefix(OWN)
    assert where == f"/entries/{entry['entry_id']}" and tag == f'"{entry["etag"]}"'
    assert entry["price"] == {"model": "PRICE_MODEL_PER_UNIT", "unit": "样", "from_fen": 30_000, "to_fen": 30_000}
    assert (await http.get(where, headers={"If-None-Match": tag})).status_code == 304
    changed = await http.put(where, json={**entry, "name": "薄膜雾度测定"}, headers={**once(), "If-Match": tag})
    assert (changed.status_code, changed.json()["name"], changed.json()["version"]) == (200, "薄膜雾度测定", 2)
    for stale in (tag, f"W/{changed.headers['etag']}"):
        body = check_problem(await http.put(where, json=SERVICE, headers={**once(), "If-Match": stale}), "ENTRY_CHANGED")
        assert body["status"] == 412
    check_problem(await http.delete(where, headers={**once(), "If-Match": tag}), "ENTRY_CHANGED")
    gone = await http.delete(where, headers={**once(), "If-Match": changed.headers["etag"]})
    assert (gone.status_code, gone.json()["state"]) == (200, "ENTRY_STATE_RETIRED")
    versions = (await http.get(f"{where}/versions")).json()["versions"]
    assert [item["cause"] for item in versions] == ["Create", "Update", "Retire"]
    codes = [item["code"] for item in (await http.get("/entries", params={"provider": LAB, "include_retired": "true"})).json()["entries"]]
    assert "N-1" in codes


async def test_the_key_of_an_entry_is_the_path_alone(http: httpx.AsyncClient) -> None:
    where = (await http.post("/entries", json=SERVICE, headers=once())).headers["location"].removeprefix(OWN)
    body = check_problem(await http.put(where, json={**SERVICE, "code": "N-2"}, headers=once()), "INVALID_ARGUMENT")
    assert [error["field"] for error in body["errors"]] == ["code"]
    check_problem(await http.put("/entries/999999", json=SERVICE, headers=once()), "ENTRY_NOT_FOUND")


async def test_the_same_key_has_one_effect(desk: Desk, http: httpx.AsyncClient) -> None:
    key = once()
    first = await http.post("/entries", json=SERVICE, headers=key)
    again = await http.post("/entries", json=SERVICE, headers=key)
    assert (first.status_code, again.status_code, first.content) == (201, 201, again.content)
    assert desk.rows("SELECT count(*) FROM registry.catalogue_entry WHERE code = 'N-1'") == [(1,)]
    check_problem(await http.post("/entries", json={**SERVICE, "name": "别的"}, headers=key), "REQUEST_ID_REUSED")
    check_problem(await http.post("/entries", json=SERVICE, headers=once()), "ALREADY_EXISTS")
    for headers in ({}, {"Idempotency-Key": "1"}):
        body = check_problem(await http.post("/entries", json=SERVICE, headers=headers), "INVALID_ARGUMENT")
        assert [error["field"] for error in body["errors"]] == ["Idempotency-Key"]


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        (b"{", "INVALID_ARGUMENT", "(body)"),
        (b"[]", "INVALID_ARGUMENT", "(body)"),
        (b'{"provider": "\\ud800"}', "INVALID_ARGUMENT", "(body)"),
        ({"name": 5}, "INVALID_ARGUMENT", "name"),
        ({"kind": "SERVICE"}, "INVALID_ARGUMENT", "kind"),
        ({"price": {"from_fen": "30000"}}, "INVALID_ARGUMENT", "price.from_fen"),
        ({"price": {"from_fen": 2**53}}, "INVALID_ARGUMENT", "price.from_fen"),
        ({"keywords": "薄膜"}, "INVALID_ARGUMENT", "keywords"),
        ({"colour": "red"}, "UNKNOWN_FIELD", "colour"),
        ({"price": {"amount": 1}}, "UNKNOWN_FIELD", "price.amount"),
        ({"provider": "1"}, "INVALID_ARGUMENT", "provider"),
        ({"price": {"model": "PRICE_MODEL_RANGE", "from_fen": 5, "to_fen": 4}}, "INVALID_ARGUMENT", "price.to_fen"),
    ],
)
async def test_wrong_bodies_are_refused_by_field(http: httpx.AsyncClient, body: Any, code: str, field: str) -> None:
    sent = body if isinstance(body, bytes) else None
    whole = None if sent else {**SERVICE, **body}
    answer = await http.post("/entries", content=sent, json=whole, headers={**once(), "Content-Type": "application/json"})
    assert field in [error["field"] for error in check_problem(answer, code)["errors"]]


async def test_others_are_refused_and_a_body_has_a_size(desk: Desk, door: Door, tmp_path: Path) -> None:
    async with door.open(OTHER) as http:
        check_problem(await http.post("/entries", json=SERVICE, headers=once()), "NOT_PERMITTED")
        check_problem(await http.get(f"/providers/{LAB}/recognitions"), "NOT_PERMITTED")
        check_problem(await http.get(f"/providers/{LAB}/changes"), "NOT_PERMITTED")
    async with open_door(desk, tmp_path / "small", ITSELF, body_bytes_max=200) as small, small.open(ITSELF) as http:
        check_problem(await http.post("/entries", json={**SERVICE, "description": "长" * 100}, headers=once()), "MESSAGE_TOO_LARGE")


async def test_a_file_is_loaded_with_a_report_by_row_and_written_again(http: httpx.AsyncClient) -> None:
    rows = [["provider", "kind", "code", "name", "category"]]
    rows += [[LAB, "服务项目", f"F-{i}", f"测试项目{i}", "检验检测认证" if i else "没有的类别"] for i in range(20)]
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    key = once()
    headers = {**key, "Content-Type": "text/csv; charset=utf-8"}
    answer = await http.post("/imports", params={"file_name": "目录.csv"}, content=text.getvalue().encode(), headers=headers)
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert (body["result"]["rows"], body["result"]["created"], body["result"]["failed"]) == (20, 19, 1)
    assert answer.headers["location"] == f"{OWN}/imports/{key['Idempotency-Key']}"
    (error,) = (await http.get(answer.headers["location"].removeprefix(OWN))).json()["errors"]
    assert error["row"] == 2 and error["zh"] and error["en"]
    check_problem(await http.post("/imports", content=b"x", headers={**once(), "Content-Type": "text/html"}), "INVALID_ARGUMENT")
    check_problem(await http.get(f"/imports/{uuid.uuid4()}"), "IMPORT_NOT_FOUND")
    found, answer = [], await http.get("/exports", params={"format": "ENTRY_FORMAT_CSV", "provider": LAB, "page_size": 10})
    assert answer.headers["content-type"].startswith("text/csv") and "attachment" in answer.headers["content-disposition"]
    while True:
        found += list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))[1:]
        if "next" not in answer.links:
            break
        answer = await http.get(answer.links["next"]["url"].removeprefix(OWN))
    assert len(found) == 19 + 6


async def test_an_application_is_filed_followed_and_withdrawn(desk: Desk, door: Door) -> None:
    async with door.open(APPLICANT) as http:
        (mine,) = (await http.get("/applications")).json()["applications"]
        assert mine["state"] == "APPLICATION_STATE_PUBLIC_NOTICE"
        whole = (await http.get(f"/applications/{mine['application_id']}")).json()
        assert [step["cause"] for step in whole["history"]] == ["Apply", "Pass"]
        async with door.open(OTHER) as other:
            check_problem(await other.get(f"/applications/{mine['application_id']}"), "NOT_PERMITTED")
            body = {"reason": "证书已过期", "evidence_sha256": ["0" * 64]}
            objected = await other.post(f"/applications/{mine['application_id']}/objections", json=body, headers=once())
            assert objected.status_code == 201, objected.text
        (objection,) = (await http.get("/objections")).json()["objections"]
        assert objection["reason"] == "证书已过期" and objection["raised_by"] == ""
        withdrawn = await http.post(f"/applications/{mine['application_id']}/withdrawal", json={"reason": "另行申请"}, headers=once())
        assert withdrawn.json()["state"] == "APPLICATION_STATE_WITHDRAWN"
        applicant = {**whole["application"]["applicant"], "staff": 3}
        filed = await http.post("/applications", json=applicant, headers=once())
        assert filed.status_code == 201, filed.text
        evaluation = (await http.get(filed.headers["location"].removeprefix(OWN) + "/evaluation")).json()
        assert evaluation["passed"] is False and evaluation["conditions"][0]["zh"]


async def _demand(desk: Desk, *providers: str) -> str:
    firm = participant_pb2.Enterprise(
        uscc=FIRM, name="长兴某某公司", division=CHANGXING, kind=types_pb2.ENTERPRISE_KIND_ABOVE_SCALE, staff=10
    )
    await desk.do(register_enterprise, platform(CHANGXING), participant_pb2.RegisterEnterpriseRequest(enterprise=firm))
    wanted = demand_pb2.Demand(
        enterprise=FIRM,
        title="薄膜分析",
        text="塑料薄膜成分分析",
        due_on="2026-04-01",
        contact=demand_pb2.Contact(name="采购部", reach="0572-0"),
    )
    posted = await desk.do(post_demand, platform(CHANGXING), demand_pb2.PostDemandRequest(demand=wanted, invite_best=5))
    return str(posted.demand.demand_id)


async def test_from_an_invitation_to_an_order(desk: Desk, http: httpx.AsyncClient) -> None:
    demand = await _demand(desk)
    (listed,) = (await http.get("/demands")).json()["demands"]
    assert (listed["demand_id"], listed["enterprise"]) == (demand, "")
    assert "0572" not in (await http.get(f"/demands/{demand}")).text
    offer = {
        "provider": LAB,
        "lines": [{"category": "CATEGORY_INSPECTION_TESTING", "amount_fen": 240_000}],
        "delivery_days": 10,
        "valid_to": "2026-03-20",
    }
    check_problem(await http.get(f"/demands/{demand}/appointment"), "DEMAND_NOT_FOUND")
    wrong = check_problem(
        await http.post(f"/demands/{demand}/offers", json={**offer, "delivery_days": 0}, headers=once()), "INVALID_ARGUMENT"
    )
    assert [error["field"] for error in wrong["errors"]] == ["delivery_days"]
    first = await http.post(f"/demands/{demand}/offers", json=offer, headers=once())
    assert (first.status_code, first.json()["price_fen"]) == (201, 240_000)
    withdrawn = await http.post(f"/offers/{first.json()['offer_id']}/withdrawal", headers=once())
    assert withdrawn.json()["state"] == "OFFER_STATE_WITHDRAWN"
    second = (await http.post(f"/demands/{demand}/offers", json=offer, headers=once())).json()
    assert (await accept(desk, platform(CHANGXING), demand_pb2.AcceptOfferRequest(offer_id=second["offer_id"]))).ok
    appointment = (await http.get(f"/demands/{demand}/appointment")).json()
    assert appointment["order"]["lines"][0]["amount_fen"] == 240_000 and appointment["contact"]["name"] == "采购部"


async def test_an_invitation_is_declined(desk: Desk, http: httpx.AsyncClient) -> None:
    demand = await _demand(desk)
    answer = await http.post(f"/demands/{demand}/decline", json={"provider": LAB}, headers=once())
    assert answer.json()["state"] == "INVITATION_STATE_DECLINED"


async def test_a_provider_follows_its_standing(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"/providers/{LAB}/recognitions")).json() == {"verdicts": []}
    verdict = (await http.get(f"/providers/{LAB}/recognitions/{CHANGXING}")).json()
    assert verdict["payable"] is False
    assert "RECOGNITION_CONDITION_POLICY" in [item["condition"] for item in verdict["missing"]]
    quality = (await http.get(f"/providers/{LAB}/quality")).json()
    assert quality["provider"] == LAB and quality["zh"] and isinstance(quality["cleared_fen"], int)
    (change,) = (await http.get(f"/providers/{LAB}/changes", params={"page_size": 5})).json()["changes"]
    assert change["cause"] == "Admit"
    assert (await http.get(f"/providers/{LAB}/agreements")).json()["agreements"] == []
    found = (await http.get("/search", params={"kind": "HIT_KIND_EXPERT"})).json()
    assert [hit["kind"] for hit in found["hits"]] == ["HIT_KIND_EXPERT"]


async def test_a_platform_acts_for_a_provider_of_its_own(desk: Desk, door: Door) -> None:
    home: Caller = platform(SHANGHAI)
    async with door.open(home) as http:
        assert (await http.post("/entries", json=SERVICE, headers=once())).status_code == 201
