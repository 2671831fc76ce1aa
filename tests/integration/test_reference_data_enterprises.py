from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.application.enterprises import METHODS, get_enterprise, register_enterprise
from hub.domain.caller import Caller, Role
from tests.support_usecases import COORDINATOR, Desk, codes, platform
from yrd.common.v1 import types_pb2
from yrd.participant.v1 import participant_pb2 as pb

FIRM, SME_NO = "91330522MA2B12343A", "202633052208000123"
SHANGHAI, ZHEJIANG, HUZHOU, CHANGXING, JIASHAN = "310000", "330000", "330500", "330522", "330421"


def firm(**changes: Any) -> pb.Enterprise:
    said: dict[str, Any] = {
        "uscc": FIRM,
        "name": "长兴示例科技有限公司",
        "division": CHANGXING,
        "kind": types_pb2.ENTERPRISE_KIND_TECH_SME,
        "sme_no": SME_NO,
        "sme_valid_from": "2026-01-01",
        "sme_valid_until": "2027-01-01",
        "staff": 45,
    }
    return pb.Enterprise(**{**said, **changes})


def registration(**changes: Any) -> pb.RegisterEnterpriseRequest:
    return pb.RegisterEnterpriseRequest(enterprise=firm(**changes))


async def look(desk: Desk, caller: Caller) -> pb.Enterprise:
    answer: pb.GetEnterpriseResponse = await desk.ask(get_enterprise, caller, pb.GetEnterpriseRequest(uscc=FIRM))
    return answer.enterprise


async def test_an_enterprise_is_kept_and_read_by_its_own_side(desk: Desk) -> None:
    answer = await desk.do(register_enterprise, platform(CHANGXING), registration(sanctioned=True))
    assert answer.enterprise == firm()
    for caller in (platform(CHANGXING), platform(HUZHOU), platform(ZHEJIANG), COORDINATOR):
        assert await look(desk, caller) == firm()
    provider = Caller("spiffe://330000/330522/provider-x", CHANGXING, Role.PROVIDER)
    for caller in (platform(SHANGHAI), platform(JIASHAN), provider):
        assert await desk.unanswered(get_enterprise, caller, pb.GetEnterpriseRequest(uscc=FIRM)) == ("ENTERPRISE_NOT_FOUND", [])


async def test_one_nobody_registered_and_a_wrong_code(still: Desk) -> None:
    assert await still.unanswered(get_enterprise, COORDINATOR, pb.GetEnterpriseRequest(uscc=FIRM)) == ("ENTERPRISE_NOT_FOUND", [])
    assert await still.unanswered(get_enterprise, COORDINATOR, pb.GetEnterpriseRequest(uscc="?")) == ("INVALID_ARGUMENT", ["uscc"])


async def test_a_later_registration_replaces_what_was_said(desk: Desk) -> None:
    await desk.do(register_enterprise, platform(CHANGXING), registration())
    changes = {"name": "长兴新名有限公司", "kind": types_pb2.ENTERPRISE_KIND_TEAM, "sme_no": "", "sme_valid_until": "", "staff": 0}
    answer = await desk.do(register_enterprise, platform(ZHEJIANG), registration(**changes, sme_valid_from=""))
    assert answer.enterprise == firm(**changes, sme_valid_from="")
    assert await look(desk, platform(CHANGXING)) == answer.enterprise


async def test_only_its_own_division_registers_an_enterprise(still: Desk) -> None:
    for caller in (platform(SHANGHAI), platform(JIASHAN), COORDINATOR):
        assert await still.refused(register_enterprise, caller, registration()) == ("NOT_PERMITTED", [])


async def test_nobody_takes_another_regions_enterprise(desk: Desk) -> None:
    await desk.do(register_enterprise, platform(CHANGXING), registration())
    taken = registration(division=SHANGHAI)
    assert await desk.refused(register_enterprise, platform(SHANGHAI), taken) == ("NOT_PERMITTED", [])
    moved = registration(division=JIASHAN)
    assert await desk.refused(register_enterprise, platform(JIASHAN), moved) == ("NOT_PERMITTED", [])
    assert await desk.refused(register_enterprise, platform(CHANGXING), registration(division=JIASHAN)) == ("NOT_PERMITTED", [])
    answer = await desk.do(register_enterprise, platform(ZHEJIANG), registration(division=JIASHAN))
    assert answer.enterprise.division == JIASHAN


async def test_two_regions_register_one_enterprise_at_once_and_one_gets_it(desk: Desk) -> None:
    requests = [(platform(SHANGHAI), registration(division=SHANGHAI)), (platform(CHANGXING), registration())]
    outcomes = await asyncio.gather(*(desk.send(register_enterprise, caller, request) for caller, request in requests))
    assert codes(outcomes) == ["NOT_PERMITTED", "OK"]


async def test_one_platform_twice_at_once_is_no_error(desk: Desk) -> None:
    outcomes = await asyncio.gather(*(desk.send(register_enterprise, platform(CHANGXING), registration(staff=n)) for n in range(6)))
    assert codes(outcomes) == ["OK"] * 6
    assert desk.rows("SELECT count(*) FROM enterprise") == [(1,)]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"uscc": "91330522MA2B12343B"}, "enterprise.uscc"),
        ({"name": ""}, "enterprise.name"),
        ({"name": "长" * 201}, "enterprise.name"),
        ({"division": "3305220"}, "enterprise.division"),
        ({"kind": 0}, "enterprise.kind"),
        ({"kind": 77}, "enterprise.kind"),
        ({"sme_no": ""}, "enterprise.sme_no"),
        ({"sme_no": "20263305220800012"}, "enterprise.sme_no"),
        ({"sme_no": "19263305220800012X"}, "enterprise.sme_no"),
        ({"sme_no": SME_NO + "\n"}, "enterprise.sme_no"),
        ({"kind": types_pb2.ENTERPRISE_KIND_TEAM, "sme_no": "1"}, "enterprise.sme_no"),
        ({"sme_valid_from": "2026-13-01"}, "enterprise.sme_valid_from"),
        ({"sme_valid_until": "soon"}, "enterprise.sme_valid_until"),
        ({"sme_valid_until": "2026-01-01"}, "enterprise.sme_valid_until"),
        ({"staff": -1}, "enterprise.staff"),
    ],
)
async def test_a_wrong_field_of_an_enterprise_is_named(still: Desk, changes: dict[str, Any], field: str) -> None:
    code, fields = await still.refused(register_enterprise, platform(ZHEJIANG), registration(**changes))
    assert (code, fields) == ("INVALID_ARGUMENT", [field])


@pytest.mark.parametrize("changes", [{"sme_valid_from": ""}, {"sme_valid_until": ""}, {"sme_valid_from": "", "sme_valid_until": ""}])
async def test_an_sme_registration_may_be_open_at_either_end(desk: Desk, changes: dict[str, Any]) -> None:
    answer = await desk.do(register_enterprise, platform(CHANGXING), registration(**changes))
    assert answer.enterprise == firm(**changes)


async def test_a_registration_repeated_gives_the_same_bytes(desk: Desk) -> None:
    request = registration()
    first = await desk.send(register_enterprise, platform(CHANGXING), request)
    await desk.do(register_enterprise, platform(CHANGXING), registration(staff=46))
    assert await desk.send(register_enterprise, platform(CHANGXING), request) == first
    assert (await look(desk, COORDINATOR)).staff == 46
    request.enterprise.staff = 47
    assert await desk.refused(register_enterprise, platform(CHANGXING), request) == ("REQUEST_ID_REUSED", [])


async def test_the_same_request_id_of_another_participant_is_another_request(desk: Desk) -> None:
    request = registration()
    await desk.do(register_enterprise, platform(CHANGXING), request)
    request.enterprise.staff = 50
    await desk.do(register_enterprise, platform(ZHEJIANG), request)
    assert (await look(desk, COORDINATOR)).staff == 50


def test_every_method_of_the_enterprise_service_has_its_use_case() -> None:
    service = pb.DESCRIPTOR.services_by_name["EnterpriseService"]
    assert set(METHODS) == {method.full_name for method in service.methods}
