from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.domain.caller import Caller
from registry.admission.direct import admit_provider
from registry.admission.history import get_provider, list_providers
from registry.admission.standing import reinstate_provider, suspend_provider
from tests.support_usecases import COORDINATOR, Desk, codes, credit_code, forged, platform, refusal, response
from yrd.common.v1 import types_pb2
from yrd.registry.v1 import registry_pb2 as pb

SHANGHAI, ZHEJIANG, HUZHOU, CHANGXING = "310000", "330000", "330500", "330522"
LAB = "12310104425001236Q"


def provider(uscc: str = LAB, home: str = SHANGHAI, **changes: Any) -> pb.Provider:
    said: dict[str, Any] = {
        "name": "上海高分子材料研究开发中心",
        "categories": [types_pb2.CATEGORY_INSPECTION_TESTING, types_pb2.CATEGORY_RESEARCH],
        "admitted_on": "2026-01-01",
        "rating": 450,
    }
    return pb.Provider(uscc=uscc, home=home, **{**said, **changes})


def admission(uscc: str = LAB, home: str = SHANGHAI, **changes: Any) -> pb.AdmitProviderRequest:
    return pb.AdmitProviderRequest(provider=provider(uscc, home, **changes))


async def look(desk: Desk, uscc: str = LAB) -> pb.Provider:
    answer: pb.GetProviderResponse = await desk.ask(get_provider, platform(ZHEJIANG), pb.GetProviderRequest(uscc=uscc))
    return answer.provider


async def test_admission_makes_a_provider_everyone_hears_of_and_may_read(desk: Desk) -> None:
    wanted = admission()
    wanted.provider.standing, wanted.provider.suspended_on = pb.PROVIDER_STANDING_SUSPENDED, "2026-01-02"
    answer = await desk.do(admit_provider, platform(SHANGHAI), wanted)
    assert answer.provider == provider(standing=pb.PROVIDER_STANDING_GOOD)
    assert await look(desk) == answer.provider
    (told,) = desk.told()
    assert (told.topic, told.key, told.message.cause, told.message.provider) == ("pool", LAB, "Admit", answer.provider)
    assert desk.rows("SELECT admitted_by FROM registry.provider") == [(SHANGHAI,)]


async def test_renewing_changes_what_is_said_and_leaves_standing_and_first_admission(desk: Desk) -> None:
    await desk.do(admit_provider, platform(SHANGHAI), admission())
    await desk.do(suspend_provider, platform(SHANGHAI), pb.SuspendProviderRequest(provider=LAB, reason="复核"))
    first = desk.rows("SELECT admitted_at, admitted_by FROM registry.provider")
    desk.advance_to("2026-05-01")
    changed: dict[str, Any] = {
        "name": "上海新材料研究院",
        "categories": [types_pb2.CATEGORY_DATA],
        "admitted_on": "2026-02-01",
        "rating": 0,
    }
    answer = await desk.do(admit_provider, platform(SHANGHAI), admission(**changed))
    assert answer.provider == provider(**changed, standing=pb.PROVIDER_STANDING_SUSPENDED, suspended_on="2026-03-02")
    assert desk.rows("SELECT admitted_at, admitted_by FROM registry.provider") == first


@pytest.mark.parametrize("caller", [platform(ZHEJIANG), platform("310118"), COORDINATOR], ids=["other", "below", "coordinator"])
async def test_only_the_home_admits(still: Desk, caller: Caller) -> None:
    assert await still.refused(admit_provider, caller, admission()) == ("NOT_PERMITTED", [])


async def test_a_province_admits_for_the_counties_below_it(desk: Desk) -> None:
    answer = await desk.do(admit_provider, platform(ZHEJIANG), admission(home=CHANGXING))
    assert answer.provider.home == CHANGXING


async def test_a_provider_does_not_move(desk: Desk) -> None:
    await desk.do(admit_provider, platform(SHANGHAI), admission())
    assert await desk.refused(admit_provider, platform(ZHEJIANG), admission(home=ZHEJIANG)) == ("ALREADY_EXISTS", [])
    assert await desk.refused(admit_provider, platform(SHANGHAI), admission(home="310118")) == ("ALREADY_EXISTS", [])


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"uscc": "12310104425001236A"}, "provider.uscc"),
        ({"name": "  "}, "provider.name"),
        ({"name": "长" * 201}, "provider.name"),
        ({"home": "31000"}, "provider.home"),
        ({"categories": [0]}, "provider.categories[0]"),
        ({"categories": [types_pb2.CATEGORY_DATA, 99]}, "provider.categories[1]"),
        ({"categories": [types_pb2.CATEGORY_DATA] * 2}, "provider.categories"),
        ({"admitted_on": "2026-02-30"}, "provider.admitted_on"),
        ({"admitted_on": ""}, "provider.admitted_on"),
        ({"rating": 501}, "provider.rating"),
        ({"rating": -1}, "provider.rating"),
    ],
)
async def test_a_wrong_field_is_named(still: Desk, changes: dict[str, Any], field: str) -> None:
    assert await still.refused(admit_provider, platform(SHANGHAI), admission(**changes)) == ("INVALID_ARGUMENT", [field])


async def test_all_wrong_fields_are_named_at_once(still: Desk) -> None:
    code, fields = await still.refused(admit_provider, platform(SHANGHAI), pb.AdmitProviderRequest())
    assert code == "INVALID_ARGUMENT"
    assert fields == ["provider.uscc", "provider.name", "provider.home", "provider.admitted_on"]


async def test_the_same_request_again_gives_the_same_bytes_and_one_effect(desk: Desk) -> None:
    request = admission()
    first = await desk.send(admit_provider, platform(SHANGHAI), request)
    state, told = desk.state(), desk.told()
    desk.advance_to("2026-03-09")
    assert await desk.send(admit_provider, platform(SHANGHAI), request) == first
    assert (desk.state(), desk.told()) == (state, told)
    request.provider.name = "另一名称"
    assert await desk.refused(admit_provider, platform(SHANGHAI), request) == ("REQUEST_ID_REUSED", [])


async def test_a_refusal_is_remembered_too(desk: Desk) -> None:
    request = pb.SuspendProviderRequest(provider=LAB, reason="复核")
    first = await desk.send(suspend_provider, platform(SHANGHAI), request)
    assert refusal(first)[0] == "PROVIDER_NOT_FOUND"
    await desk.do(admit_provider, platform(SHANGHAI), admission())
    assert await desk.send(suspend_provider, platform(SHANGHAI), request) == first


async def test_two_provinces_admit_one_provider_at_once_and_one_gets_it(desk: Desk) -> None:
    outcomes = await asyncio.gather(
        *(desk.send(admit_provider, platform(home), admission(home=home)) for home in (SHANGHAI, ZHEJIANG)),
    )
    assert codes(outcomes) == ["ALREADY_EXISTS", "OK"]
    assert len(desk.told()) == 1


async def test_suspension_counts_from_today_until_reinstatement(desk: Desk) -> None:
    await desk.do(admit_provider, platform(SHANGHAI), admission())
    answer = await desk.do(suspend_provider, platform(SHANGHAI), pb.SuspendProviderRequest(provider=LAB, reason="出具虚假报告"))
    assert (answer.provider.standing, answer.provider.suspended_on) == (pb.PROVIDER_STANDING_SUSPENDED, "2026-03-02")
    assert desk.told(1)[0].message.cause == "Suspend"
    assert desk.told(1)[0].message.provider == answer.provider
    desk.advance_to("2026-04-01")
    assert await look(desk) == answer.provider
    answer = await desk.do(reinstate_provider, COORDINATOR, pb.ReinstateProviderRequest(provider=LAB, reason="整改完成"))
    assert (answer.provider.standing, answer.provider.suspended_on) == (pb.PROVIDER_STANDING_GOOD, "")
    assert (desk.told(1)[0].key, desk.told(1)[0].message.cause) == (LAB, "Reinstate")
    assert await look(desk) == answer.provider
    history = desk.rows("SELECT since::text, until::text, reason, entered_by, ended_by, ended_reason FROM registry.suspension")
    assert history == [("2026-03-02", "2026-04-01", "出具虚假报告", SHANGHAI, "000000", "整改完成")]


async def test_a_suspension_ended_on_its_first_day_never_counted_and_another_may_begin(desk: Desk) -> None:
    await desk.do(admit_provider, platform(SHANGHAI), admission())
    for _ in range(2):
        await desk.do(suspend_provider, platform(SHANGHAI), pb.SuspendProviderRequest(provider=LAB, reason="误报"))
        answer = await desk.do(reinstate_provider, platform(SHANGHAI), pb.ReinstateProviderRequest(provider=LAB, reason="更正"))
        assert answer.provider.standing == pb.PROVIDER_STANDING_GOOD
    assert desk.rows("SELECT since = until FROM registry.suspension") == [(True,), (True,)]


async def test_standing_changes_only_from_the_other_standing(desk: Desk) -> None:
    await desk.do(admit_provider, platform(SHANGHAI), admission())
    reinstate = pb.ReinstateProviderRequest(provider=LAB, reason="更正")
    assert await desk.refused(reinstate_provider, platform(SHANGHAI), reinstate) == ("INVALID_STATE", [])
    await desk.do(suspend_provider, platform(SHANGHAI), pb.SuspendProviderRequest(provider=LAB, reason="复核"))
    again = pb.SuspendProviderRequest(provider=LAB, reason="复核")
    assert await desk.refused(suspend_provider, COORDINATOR, again) == ("INVALID_STATE", [])


async def test_the_caller_is_looked_at_before_the_standing(desk: Desk) -> None:
    await desk.do(admit_provider, platform(SHANGHAI), admission())
    for caller in (platform(ZHEJIANG), platform("310118")):
        suspend, reinstate = (
            pb.SuspendProviderRequest(provider=LAB, reason="复核"),
            pb.ReinstateProviderRequest(provider=LAB, reason="更正"),
        )
        assert await desk.refused(suspend_provider, caller, suspend) == ("NOT_PERMITTED", [])
        assert await desk.refused(reinstate_provider, caller, reinstate) == ("NOT_PERMITTED", [])


@pytest.mark.parametrize("use_case", [suspend_provider, reinstate_provider])
async def test_standing_of_nobody_and_without_a_reason(still: Desk, use_case: Any) -> None:
    kind = pb.SuspendProviderRequest if use_case is suspend_provider else pb.ReinstateProviderRequest
    assert await still.refused(use_case, COORDINATOR, kind(provider=LAB, reason="复核")) == ("PROVIDER_NOT_FOUND", [])
    assert await still.refused(use_case, COORDINATOR, kind(provider="1")) == ("INVALID_ARGUMENT", ["provider", "reason"])
    assert await still.refused(use_case, COORDINATOR, kind(provider=LAB, reason="长" * 501)) == ("INVALID_ARGUMENT", ["reason"])


async def test_of_many_who_suspend_at_once_one_does(desk: Desk) -> None:
    await desk.do(admit_provider, platform(SHANGHAI), admission())
    requests = [pb.SuspendProviderRequest(provider=LAB, reason="复核") for _ in range(6)]
    outcomes = await asyncio.gather(*(desk.send(suspend_provider, COORDINATOR, request) for request in requests))
    assert codes(outcomes) == ["INVALID_STATE"] * 5 + ["OK"]


async def test_a_provider_nobody_admitted(still: Desk) -> None:
    assert await still.unanswered(get_provider, COORDINATOR, pb.GetProviderRequest(uscc=LAB)) == ("PROVIDER_NOT_FOUND", [])
    assert await still.unanswered(get_provider, COORDINATOR, pb.GetProviderRequest(uscc="x")) == ("INVALID_ARGUMENT", ["uscc"])


async def _pages(desk: Desk, home: str, size: int) -> list[list[str]]:
    pages: list[list[str]] = []
    token = ""
    while True:
        answer = await desk.ask(list_providers, platform(ZHEJIANG), pb.ListProvidersRequest(home=home, page_size=size, page_token=token))
        pages.append([item.uscc for item in answer.providers])
        token = answer.next_page_token
        if not token:
            return pages


async def test_pages_hold_every_provider_once_in_order_of_code(desk: Desk) -> None:
    homes = [SHANGHAI, ZHEJIANG, HUZHOU, CHANGXING, "330100", "330100"]
    found = {credit_code(number): home for number, home in enumerate(homes)}
    for uscc, home in reversed(found.items()):
        await desk.do(admit_provider, platform(home), admission(uscc, home))
    in_order = sorted(found)
    assert await _pages(desk, "", 0) == [in_order]
    assert await _pages(desk, "", 4) == [in_order[:4], in_order[4:]]
    assert await _pages(desk, "", 3) == [in_order[:3], in_order[3:]]
    assert await _pages(desk, ZHEJIANG, 2000) == [[uscc for uscc in in_order if found[uscc] != SHANGHAI]]
    assert await _pages(desk, HUZHOU, 1) == [[uscc] for uscc in in_order if found[uscc] in (HUZHOU, CHANGXING)]
    assert await _pages(desk, CHANGXING, 0) == [[uscc for uscc in in_order if found[uscc] == CHANGXING]]
    assert await _pages(desk, "340000", 0) == [[]]


@pytest.mark.parametrize("token", ["x", "券", "W10", "WzFd", "bnVsbA"])
async def test_a_foreign_page_token_is_refused(still: Desk, token: str) -> None:
    request = pb.ListProvidersRequest(page_token=token)
    assert await still.unanswered(list_providers, COORDINATOR, request) == ("INVALID_ARGUMENT", ["page_token"])


async def test_a_page_token_that_the_database_could_not_hold_is_refused(still: Desk) -> None:
    request = forged(COORDINATOR, pb.ListProvidersRequest(), "\x00")
    assert await still.unanswered(list_providers, COORDINATOR, request) == ("INVALID_ARGUMENT", ["page_token"])


async def test_a_page_is_cut_at_a_thousand_and_holds_a_hundred_unless_said(desk: Desk) -> None:
    desk.rows(
        "WITH made AS (INSERT INTO registry.provider SELECT lpad(n::text, 18, '0'), 'n', '310000', '{}', '2026-01-01', 0, now(), '310000' "
        "FROM generate_series(1, 1001) AS n RETURNING 1) SELECT count(*) FROM made"
    )
    for asked, given in ((0, 100), (5000, 1000), (1000, 1000)):
        request = pb.ListProvidersRequest(page_size=asked)
        answer = response(request, await desk.work.query(list_providers, COORDINATOR, request))
        assert (len(answer.providers), bool(answer.next_page_token)) == (given, True)
    wrong = pb.ListProvidersRequest(home="33")
    assert await desk.unanswered(list_providers, COORDINATOR, wrong) == ("INVALID_ARGUMENT", ["home"])
