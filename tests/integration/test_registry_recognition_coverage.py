from __future__ import annotations

from typing import Any

import psycopg
import pytest

from hub.domain.caller import Caller, Role
from hub.embedded import EmbeddedPostgres
from registry.admission.standing import suspend_provider
from registry.recognition.explaining import explain_recognition, where_recognized
from registry.recognition.listing import get_coverage_matrix, list_recognized_providers
from tests.fixtures.recognition import (
    ANHUI,
    DATA,
    FAR,
    JIANGSU,
    LAB,
    OTHER,
    RESEARCH,
    SHANGHAI,
    SUZHOU,
    TESTING,
    ZHEJIANG,
    admit,
    conditions,
    explain,
    found,
    klass,
    name,
    set_class,
)
from tests.support_usecases import COORDINATOR, Desk, credit_code, open_desk, platform
from yrd.registry.v1 import recognition_pb2 as pb
from yrd.registry.v1 import registry_pb2

UNKNOWN: Any = 99
ITSELF = Caller(f"spiffe://{JIANGSU}/{SUZHOU}/provider-{LAB}", SUZHOU, Role.PROVIDER)
NEIGHBOUR = Caller(f"spiffe://{JIANGSU}/{JIANGSU}/provider-{OTHER}", JIANGSU, Role.PROVIDER)


@pytest.fixture(scope="module")
async def desk(still: Desk) -> Desk:
    """One pool for all questions: none of them changes it."""
    await found(still)
    await set_class(still, klass(home=JIANGSU, category=TESTING, min_rating=400))
    await set_class(still, klass(quality_listed=True, home=ANHUI))
    await name(still, ZHEJIANG, FAR, until="2026-06-01")
    await name(still, JIANGSU, FAR)
    return still


async def listed(desk: Desk, issuer: str, caller: Caller = COORDINATOR, **wanted: Any) -> list[str]:
    request = pb.ListRecognizedProvidersRequest(issuer=issuer, **wanted)
    return [item.provider.uscc for item in (await desk.ask(list_recognized_providers, caller, request)).providers]


async def test_an_issuer_learns_whom_it_recognises_and_why(desk: Desk) -> None:
    request = pb.ListRecognizedProvidersRequest(issuer=ZHEJIANG)
    answer = await desk.ask(list_recognized_providers, platform(ZHEJIANG), request)
    assert answer.policy_version == "v-2026-01-01"
    why = {item.provider.uscc: item.ground for item in answer.providers}
    assert list(why) == sorted([LAB, FAR])
    assert (why[LAB].kind, why[LAB].class_recognition.min_rating) == (pb.RECOGNITION_GROUND_KIND_CLASS, 400)
    assert (why[FAR].kind, why[FAR].recognition.valid_until) == (pb.RECOGNITION_GROUND_KIND_PROVIDER, "2026-06-01")
    assert await listed(desk, SHANGHAI) == sorted([LAB, OTHER, FAR])
    assert await listed(desk, SHANGHAI, home=JIANGSU, category=DATA) == [OTHER]
    assert await listed(desk, ZHEJIANG, day="2026-06-01") == [LAB]
    assert await listed(desk, ZHEJIANG, day="2026-03-01") == []
    assert await listed(desk, ANHUI) == []


async def test_a_provider_learns_where_it_can_be_paid_and_what_is_missing_elsewhere(desk: Desk) -> None:
    request = pb.WhereRecognizedRequest(provider=OTHER)
    verdicts = (await desk.ask(where_recognized, NEIGHBOUR, request)).verdicts
    assert {item.issuer: item.payable for item in verdicts} == {SHANGHAI: True, JIANGSU: False, ZHEJIANG: False}
    missing = {item.issuer: conditions(item.missing) for item in verdicts}
    assert missing == {SHANGHAI: [], JIANGSU: ["LISTED_ONLY"], ZHEJIANG: ["RATING"]}
    (lack,) = verdicts[2].missing
    assert (lack.wanted, lack.found) == ("4.00", "3.00")
    assert lack.zh == "评级未达到该类别要求的 4.00,现为 3.00"
    grounds = sorted(conditions(ground.missing) for ground in verdicts[2].grounds)
    assert grounds == [["HOME", "QUALITY_LIST"], ["LISTED_ONLY"], ["RATING"]]


async def test_no_policy_no_pool_no_payment(desk: Desk) -> None:
    verdict = await explain(desk, ANHUI, LAB)
    assert (verdict.recognized, verdict.payable, verdict.policy_version, conditions(verdict.missing)) == (False, False, "", ["POLICY"])
    verdict = await explain(desk, SHANGHAI, LAB, "2025-12-31")
    assert conditions(verdict.missing) == ["POLICY", "ADMISSION"]


@pytest.mark.parametrize("caller", [platform(ZHEJIANG), platform(JIANGSU), platform(SUZHOU), ITSELF, COORDINATOR])
async def test_who_may_ask_why(desk: Desk, caller: Caller) -> None:
    request = pb.ExplainRecognitionRequest(issuer=ZHEJIANG, provider=LAB)
    assert (await desk.ask(explain_recognition, caller, request)).verdict.payable


@pytest.mark.parametrize("caller", [platform(SHANGHAI), platform("330500"), NEIGHBOUR])
async def test_others_may_not_ask_why(desk: Desk, caller: Caller) -> None:
    request = pb.ExplainRecognitionRequest(issuer=ZHEJIANG, provider=LAB)
    assert await desk.unanswered(explain_recognition, caller, request) == ("NOT_PERMITTED", [])


async def test_who_may_ask_where_and_whom(desk: Desk) -> None:
    where = pb.WhereRecognizedRequest(provider=LAB)
    for caller in (platform(ZHEJIANG), NEIGHBOUR):
        assert await desk.unanswered(where_recognized, caller, where) == ("NOT_PERMITTED", [])
    whom = pb.ListRecognizedProvidersRequest(issuer=ZHEJIANG)
    for caller in (platform(JIANGSU), platform("330500"), ITSELF):
        assert await desk.unanswered(list_recognized_providers, caller, whom) == ("NOT_PERMITTED", [])


async def test_a_wrong_question_is_named(desk: Desk) -> None:
    unknown = pb.WhereRecognizedRequest(provider=credit_code(9))
    assert await desk.unanswered(where_recognized, COORDINATOR, unknown) == ("PROVIDER_NOT_FOUND", [])
    wrong = pb.ExplainRecognitionRequest(issuer="x", provider="y", day="2026-13-01")
    assert await desk.unanswered(explain_recognition, COORDINATOR, wrong) == ("INVALID_ARGUMENT", ["issuer", "provider", "day"])
    listing = pb.ListRecognizedProvidersRequest(issuer="x", day="x", home="32", category=UNKNOWN)
    assert await desk.unanswered(list_recognized_providers, COORDINATOR, listing) == (
        "INVALID_ARGUMENT",
        ["issuer", "day", "home", "category"],
    )
    page = pb.ListRecognizedProvidersRequest(issuer=ZHEJIANG, page_token="%%%")
    assert await desk.unanswered(list_recognized_providers, COORDINATOR, page) == ("INVALID_ARGUMENT", ["page_token"])
    day = pb.GetCoverageMatrixRequest(day="2026")
    assert await desk.unanswered(get_coverage_matrix, COORDINATOR, day) == ("INVALID_ARGUMENT", ["day"])


async def matrix(desk: Desk, caller: Caller = COORDINATOR) -> dict[tuple[str, str], tuple[int, int]]:
    answer = await desk.ask(get_coverage_matrix, caller, pb.GetCoverageMatrixRequest())
    return {(cell.issuer, cell.home): (cell.in_good_standing, cell.recognized) for cell in answer.cells}


async def test_the_matrix_counts_between_all_regions(desk: Desk) -> None:
    assert await matrix(desk) == {
        (SHANGHAI, SHANGHAI): (0, 0),
        (SHANGHAI, JIANGSU): (2, 2),
        (SHANGHAI, ZHEJIANG): (0, 0),
        (SHANGHAI, ANHUI): (1, 1),
        (JIANGSU, SHANGHAI): (0, 0),
        (JIANGSU, JIANGSU): (2, 0),
        (JIANGSU, ZHEJIANG): (0, 0),
        (JIANGSU, ANHUI): (1, 0),
        (ZHEJIANG, SHANGHAI): (0, 0),
        (ZHEJIANG, JIANGSU): (2, 1),
        (ZHEJIANG, ZHEJIANG): (0, 0),
        (ZHEJIANG, ANHUI): (1, 1),
    }
    answer = await desk.ask(get_coverage_matrix, COORDINATOR, pb.GetCoverageMatrixRequest())
    (cell,) = (cell for cell in answer.cells if (cell.issuer, cell.home) == (ZHEJIANG, JIANGSU))
    counted = {item.category: (item.in_good_standing, item.recognized) for item in cell.categories}
    assert counted == {TESTING: (2, 1), DATA: (1, 0)}


async def test_everybody_sees_the_same_matrix(desk: Desk) -> None:
    whole = await matrix(desk, COORDINATOR)
    assert whole
    for caller in (platform(ZHEJIANG), platform(ANHUI), platform(SUZHOU)):
        assert await matrix(desk, caller) == whole


async def test_standing_and_the_quality_list_count_by_the_day(postgres_server: EmbeddedPostgres) -> None:
    async with open_desk(postgres_server) as desk:
        await found(desk)
        await set_class(desk, klass(quality_listed=True))
        with psycopg.connect(desk.uri, autocommit=True) as connection:
            connection.execute("INSERT INTO registry.quality_listing VALUES (%s, '2026-03-10', '2026-03-20')", (OTHER,))
        desk.advance_to("2026-04-01")
        await desk.do(suspend_provider, platform(JIANGSU), registry_pb2.SuspendProviderRequest(provider=OTHER, reason="资质过期"))
        await admit(desk, LAB, SUZHOU, RESEARCH, rating=100)
        assert [(await explain(desk, ZHEJIANG, OTHER, f"2026-03-{day}")).payable for day in ("09", "10", "19", "20")] == [
            False, True, True, False,
        ]  # fmt: skip
        assert await listed(desk, ZHEJIANG, day="2026-03-15") == [OTHER]
        verdict = await explain(desk, SHANGHAI, OTHER)
        assert (verdict.recognized, verdict.payable, conditions(verdict.missing)) == (True, False, ["STANDING"])
        request = pb.ListRecognizedProvidersRequest(issuer=SHANGHAI, home=JIANGSU)
        answer = await desk.ask(list_recognized_providers, COORDINATOR, request)
        standing = {item.provider.uscc: item.provider.standing for item in answer.providers}
        assert standing == {LAB: registry_pb2.PROVIDER_STANDING_GOOD, OTHER: registry_pb2.PROVIDER_STANDING_SUSPENDED}
        # What the home said of a lab before it said something else is still the answer about the days of then.
        assert await listed(desk, SHANGHAI, category=RESEARCH) == sorted([LAB, FAR])
        assert await listed(desk, SHANGHAI, category=RESEARCH, day="2026-03-31") == [FAR]
