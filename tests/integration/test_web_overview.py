from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.web.viewers import anyone
from tests.support_overview import (
    CHANGXING,
    CHANGXING_FIRM,
    JIANGSU,
    JIANGSU_LAB,
    PROVINCES,
    QINGPU_FIRM,
    SHANGHAI,
    SHANGHAI_LAB,
    SUZHOU_FIRM,
    ZHEJIANG,
    Delta,
    open_delta,
    web_app,
)
from tests.support_usecases import Desk


@pytest.fixture
async def delta(desk: Desk) -> AsyncIterator[Delta]:
    async with open_delta(desk) as played:
        yield played


@asynccontextmanager
async def browser(delta: Delta, tmp_path: Path, **changes: Any) -> AsyncIterator[httpx.AsyncClient]:
    app = web_app(delta.desk, tmp_path / "identity", **{"viewer_guard": anyone, **changes})
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://hub") as http:
        yield http


async def overview(http: httpx.AsyncClient) -> Any:
    response = await http.get("/api/overview")
    assert response.status_code == 200
    return response.json()


def cells(document: Any) -> dict[tuple[str, str], tuple[int, int, int, int]]:
    """The matrix without its empty cells: counts and amounts, cleared and pending."""
    shown = {
        (cell["issuer"], cell["acquirer"]): (cell["cleared_count"], cell["cleared_fen"], cell["pending_count"], cell["pending_fen"])
        for cell in document["matrix"]["cells"]
    }
    assert set(shown) == {(issuer, acquirer) for issuer in PROVINCES for acquirer in PROVINCES}
    return {pair: flow for pair, flow in shown.items() if any(flow)}


async def test_flows_are_counted_between_provinces_cleared_and_pending_apart(delta: Delta, tmp_path: Path) -> None:
    await delta.clear(CHANGXING, CHANGXING_FIRM, SHANGHAI_LAB, 800_000)
    await delta.clear(SHANGHAI, QINGPU_FIRM, JIANGSU_LAB, 100_000)
    await delta.clear(SHANGHAI, QINGPU_FIRM, SHANGHAI_LAB, 20_000)
    await delta.settle(CHANGXING, pay=True)
    await delta.clear(JIANGSU, SUZHOU_FIRM, SHANGHAI_LAB, 60_000)
    await delta.authorize(CHANGXING, CHANGXING_FIRM, SHANGHAI_LAB, 50_000)
    async with browser(delta, tmp_path) as http:
        document = await overview(http)
    assert cells(document) == {
        (ZHEJIANG, SHANGHAI): (1, 480_000, 1, 30_000),
        (SHANGHAI, JIANGSU): (1, 50_000, 0, 0),
        (SHANGHAI, SHANGHAI): (1, 10_000, 0, 0),
        # Post-subsidy claims wait for the issuer's review.
        (JIANGSU, SHANGHAI): (0, 0, 1, 30_000),
    }
    totals = {(flow["issuer"], flow["acquirer"]): flow["cleared_fen"] for flow in document["matrix"]["totals"]}
    assert (totals[SHANGHAI, ""], totals["", SHANGHAI], totals["", ""]) == (60_000, 490_000, 540_000)
    assert document["matrix"]["cross_region"]["cleared_fen"] == 530_000
    assert [region["zh"] for region in document["matrix"]["regions"]] == ["上海市", "江苏省", "浙江省", "安徽省"]


async def test_issuers_add_up_and_windows_and_debts_are_shown(delta: Delta, tmp_path: Path) -> None:
    await delta.clear(CHANGXING, CHANGXING_FIRM, SHANGHAI_LAB, 800_000)
    await delta.settle(CHANGXING, pay=True)
    await delta.clear(SHANGHAI, QINGPU_FIRM, JIANGSU_LAB, 100_000)
    await delta.settle(SHANGHAI, pay=False)
    await delta.clear(SHANGHAI, QINGPU_FIRM, JIANGSU_LAB, 40_000)
    await delta.authorize(CHANGXING, CHANGXING_FIRM, JIANGSU_LAB, 50_000)
    async with browser(delta, tmp_path) as http:
        document = await overview(http)
    issuers = {item["division"]["code"]: item for item in document["issuers"]}
    for item in issuers.values():
        parts = ("available_fen", "reserved_fen", "payable_fen", "paid_fen", "returned_fen")
        assert sum(item[part] for part in parts) == item["issued_fen"] == 2_000_000
    assert issuers[CHANGXING]["division"] == {"code": CHANGXING, "zh": "长兴县", "en": "Changxing"}
    assert (issuers[CHANGXING]["paid_fen"], issuers[CHANGXING]["reserved_fen"]) == (480_000, 30_000)
    assert (issuers[SHANGHAI]["payable_fen"], issuers[SHANGHAI]["paid_fen"]) == (70_000, 0)
    windows = {item["issuer"]["code"]: (item["window_no"], item["cleared_count"], item["amount_fen"]) for item in document["windows"]}
    assert windows == {CHANGXING: (2, 0, 0), SHANGHAI: (2, 1, 20_000), JIANGSU: (1, 0, 0)}
    assert document["obligations"] == {"unpaid_count": 1, "unpaid_fen": 50_000}


async def test_latest_redemptions_tell_their_reasons_and_no_names(delta: Delta, tmp_path: Path) -> None:
    first = await delta.clear(CHANGXING, CHANGXING_FIRM, SHANGHAI_LAB, 800_000)
    second = await delta.authorize(SHANGHAI, QINGPU_FIRM, SHANGHAI_LAB, 4_400_000)
    async with browser(delta, tmp_path) as http:
        document = await overview(http)
    shown = document["redemptions"]
    assert [item["redemption_id"] for item in shown] == [second, first]
    latest, cleared = shown
    assert [made["cause"]["code"] for made in cleared["decisions"]] == ["Capture", "Authorize"]
    assert (cleared["state"]["zh"], cleared["state"]["en"], cleared["subsidy_fen"]) == ("已清算", "Cleared", 480_000)
    assert cleared["enterprise"] == f"{CHANGXING_FIRM[:4]}****{CHANGXING_FIRM[-3:]}"
    assert (cleared["enterprise_division"]["code"], cleared["acquirer"]["code"]) == (CHANGXING, SHANGHAI)
    (made,) = latest["decisions"]
    clamp = made["steps"][1]
    assert (clamp["rule"], clamp["code"]) == ("A2", "VOUCHER_EXHAUSTED")
    assert clamp["zh"] and clamp["en"]
    assert clamp["facts"] == [{"name": "before_fen", "value": 2_200_000}, {"name": "limit_fen", "value": 2_000_000}]
    for secret in (CHANGXING_FIRM, QINGPU_FIRM, SHANGHAI_LAB, "某某科技", "检测中心", "HT-0001", "FP-"):
        assert secret not in str(document)


async def test_redemptions_are_shown_without_reasons_once_their_events_are_gone(delta: Delta, tmp_path: Path) -> None:
    redemptions = [await delta.authorize(CHANGXING, CHANGXING_FIRM, SHANGHAI_LAB, 1_000) for _ in range(22)]
    async with browser(delta, tmp_path) as http:
        with_events = await overview(http)
        delta.desk.rows("DELETE FROM outbox RETURNING seq")
        without = await overview(http)
    assert [item["redemption_id"] for item in with_events["redemptions"]] == redemptions[:1:-1]
    assert len(without["redemptions"]) == 20
    assert {item["redemption_id"] for item in without["redemptions"]} <= set(redemptions)
    assert not any(item["decisions"] for item in without["redemptions"])
    assert without["outbox"] == {"unpublished": 0, "oldest_age_seconds": 0}


async def test_unpublished_events_are_counted_and_the_oldest_is_dated(delta: Delta, tmp_path: Path) -> None:
    delta.desk.rows("UPDATE outbox SET published_at = now() RETURNING seq")
    await delta.authorize(CHANGXING, CHANGXING_FIRM, JIANGSU_LAB, 1_000)
    delta.desk.advance_to("2026-03-03")
    async with browser(delta, tmp_path) as http:
        document = await overview(http)
    # One event for each of the two provinces.
    assert document["outbox"] == {"unpublished": 2, "oldest_age_seconds": 86_400}


async def test_what_did_not_change_is_not_sent_again(delta: Delta, tmp_path: Path) -> None:
    await delta.authorize(CHANGXING, CHANGXING_FIRM, JIANGSU_LAB, 1_000)
    delta.desk.rows("UPDATE outbox SET published_at = now() RETURNING seq")
    async with browser(delta, tmp_path) as http:
        etag = (await http.get("/api/overview")).headers["etag"]
        # The time alone is no change.
        delta.desk.advance_to("2026-03-03")
        same = await http.get("/api/overview", headers={"if-none-match": f'"other", {etag}'})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", etag)
        await delta.authorize(CHANGXING, CHANGXING_FIRM, JIANGSU_LAB, 1_000)
        changed = await http.get("/api/overview", headers={"if-none-match": etag})
        assert (changed.status_code, changed.headers["etag"] == etag) == (200, False)


async def test_one_reading_serves_all_who_ask_at_once(delta: Delta, tmp_path: Path) -> None:
    async with browser(delta, tmp_path, overview_seconds_min=3_600.0) as http:
        before = await overview(http)
        await delta.authorize(CHANGXING, CHANGXING_FIRM, JIANGSU_LAB, 1_000)
        assert await overview(http) == before


async def test_the_page_is_complete_without_scripts_in_both_languages(delta: Delta, tmp_path: Path) -> None:
    await delta.clear(CHANGXING, CHANGXING_FIRM, SHANGHAI_LAB, 800_000)
    async with browser(delta, tmp_path) as http:
        response = await http.get("/")
        chinese, english = await http.get("/?lang=zh"), await http.get("/?lang=en")
    page = response.text
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    for text in (
        "区域间流向",
        "Flows between regions",
        "浙江省",
        "Zhejiang",
        "4,800.00",
        "核定金额转为应付",
        "now owed to the payee",
        "C1",
    ):
        assert text in page
    assert CHANGXING_FIRM not in page
    assert '<html lang="zh-CN" data-lang="zh">' in chinese.text
    assert '<html lang="en" data-lang="en">' in english.text


async def test_an_empty_hub_has_an_empty_matrix(desk: Desk, tmp_path: Path) -> None:
    app = web_app(desk, tmp_path / "identity", viewer_guard=anyone)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="https://hub") as http:
        assert cells(await overview(http)) == {}
        assert (await http.get("/")).status_code == 200


async def test_without_names_codes_stand_for_themselves(delta: Delta, tmp_path: Path) -> None:
    await delta.clear(CHANGXING, CHANGXING_FIRM, SHANGHAI_LAB, 800_000)
    names = tmp_path / "names.csv"
    names.write_text("code,zh,en,valid_from\n310000,旧名,Old,2000-01-01\n310000,新名,New,2026-03-03\n", encoding="utf-8")
    async with browser(delta, tmp_path, divisions_file=names) as http:
        today = (await overview(http))["matrix"]["regions"]
        delta.desk.advance_to("2026-03-03")
        tomorrow = (await overview(http))["matrix"]["regions"]
    assert today == [{"code": SHANGHAI, "zh": "旧名", "en": "Old"}, {"code": ZHEJIANG, "zh": ZHEJIANG, "en": ZHEJIANG}]
    assert tomorrow[0] == {"code": SHANGHAI, "zh": "新名", "en": "New"}
