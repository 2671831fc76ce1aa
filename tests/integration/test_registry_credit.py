from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.application.enterprises import get_enterprise, register_enterprise
from hub.domain.caller import Caller
from registry.credit.methods import METHODS
from registry.credit.negative_list import clear_enterprise, sanction_enterprise
from tests.support_usecases import COORDINATOR, Desk, codes, platform
from yrd.common.v1 import types_pb2
from yrd.credit.v1 import credit_pb2 as pb
from yrd.participant.v1 import participant_pb2

FIRM, UNKNOWN = "91330522MA2B12343A", "91310118MA1JTERT16"
ZHEJIANG, CHANGXING = "330000", "330522"


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    firm = participant_pb2.Enterprise(uscc=FIRM, name="长兴示例科技有限公司", division=CHANGXING, kind=types_pb2.ENTERPRISE_KIND_TEAM)
    await desk.do(register_enterprise, platform(ZHEJIANG), participant_pb2.RegisterEnterpriseRequest(enterprise=firm))
    return desk


def sanction(reason: str = "虚构服务合同", enterprise: str = FIRM) -> pb.SanctionEnterpriseRequest:
    return pb.SanctionEnterpriseRequest(enterprise=enterprise, reason=reason)


def clearance(reason: str = "申诉成立", enterprise: str = FIRM) -> pb.ClearEnterpriseRequest:
    return pb.ClearEnterpriseRequest(enterprise=enterprise, reason=reason)


async def sanctioned(desk: Desk) -> bool:
    answer = await desk.ask(get_enterprise, platform(ZHEJIANG), participant_pb2.GetEnterpriseRequest(uscc=FIRM))
    return bool(answer.enterprise.sanctioned)


async def test_a_sanction_counts_from_today_until_it_is_cleared(desk: Desk) -> None:
    assert not await sanctioned(desk)
    answer = await desk.do(sanction_enterprise, platform(CHANGXING), sanction())
    entry = pb.NegativeListEntry(enterprise=FIRM, since="2026-03-02", reason="虚构服务合同", entered_by=CHANGXING)
    assert answer.entry == entry
    desk.advance_to("2026-05-01")
    assert await sanctioned(desk)
    cleared = await desk.do(clear_enterprise, COORDINATOR, clearance())
    entry.until = "2026-05-01"
    assert list(cleared.entries) == [entry]
    assert not await sanctioned(desk)
    assert desk.rows("SELECT ended_by, ended_reason FROM registry.negative_list") == [("000000", "申诉成立")]


async def test_all_entries_in_force_are_cleared_and_no_other(desk: Desk) -> None:
    desk.rows(
        "WITH made AS (INSERT INTO registry.negative_list (enterprise, since, until, reason, entered_by, ended_by, ended_reason) VALUES "
        f"('{FIRM}', '2025-01-01', '2026-03-02', 'past', '330000', '330000', 'done'), "
        f"('{FIRM}', '2026-01-01', NULL, 'open', '330000', '', ''), ('{FIRM}', '2026-02-01', '2027-01-01', 'dated', '330000', '', ''), "
        f"('{FIRM}', '2026-09-01', NULL, 'to come', '330000', '', '') RETURNING 1) SELECT count(*) FROM made"
    )
    cleared = await desk.do(clear_enterprise, platform(ZHEJIANG), clearance())
    assert [(entry.reason, entry.until) for entry in cleared.entries] == [("open", "2026-03-02"), ("dated", "2026-03-02")]
    assert desk.rows("SELECT until::text, ended_reason FROM registry.negative_list WHERE reason IN ('past', 'to come') ORDER BY id") == [
        ("2026-03-02", "done"),
        (None, ""),
    ]


async def test_an_entry_cleared_on_its_first_day_never_counted(desk: Desk) -> None:
    await desk.do(sanction_enterprise, COORDINATOR, sanction())
    await desk.do(clear_enterprise, COORDINATOR, clearance())
    assert not await sanctioned(desk)
    await desk.do(sanction_enterprise, COORDINATOR, sanction())
    assert await sanctioned(desk)


async def test_each_change_only_from_the_other_state(desk: Desk) -> None:
    assert await desk.refused(clear_enterprise, platform(CHANGXING), clearance()) == ("INVALID_STATE", [])
    await desk.do(sanction_enterprise, platform(CHANGXING), sanction())
    assert await desk.refused(sanction_enterprise, COORDINATOR, sanction("另一原因")) == ("INVALID_STATE", [])


@pytest.mark.parametrize("caller", [platform("310000"), platform("330421")], ids=["other", "beside"])
async def test_another_region_keeps_out(desk: Desk, caller: Caller) -> None:
    assert await desk.refused(sanction_enterprise, caller, sanction()) == ("NOT_PERMITTED", [])
    assert await desk.refused(clear_enterprise, caller, clearance()) == ("NOT_PERMITTED", [])


@pytest.mark.parametrize(("use_case", "request_of"), [(sanction_enterprise, sanction), (clear_enterprise, clearance)])
async def test_an_unknown_enterprise_and_wrong_fields(desk: Desk, use_case: Any, request_of: Any) -> None:
    assert await desk.refused(use_case, COORDINATOR, request_of(enterprise=UNKNOWN)) == ("ENTERPRISE_NOT_FOUND", [])
    assert await desk.refused(use_case, COORDINATOR, request_of("", "x")) == ("INVALID_ARGUMENT", ["enterprise", "reason"])
    assert await desk.refused(use_case, COORDINATOR, request_of("长" * 501)) == ("INVALID_ARGUMENT", ["reason"])


async def test_of_many_who_sanction_at_once_one_does_and_so_with_clearing(desk: Desk) -> None:
    entered = await asyncio.gather(*(desk.send(sanction_enterprise, COORDINATOR, sanction()) for _ in range(5)))
    assert codes(entered) == [*["INVALID_STATE"] * 4, "OK"]
    ended = await asyncio.gather(*(desk.send(clear_enterprise, COORDINATOR, clearance()) for _ in range(5)))
    assert codes(ended) == [*["INVALID_STATE"] * 4, "OK"]


async def test_a_sanction_repeated_gives_the_same_bytes(desk: Desk) -> None:
    request = sanction()
    first = await desk.send(sanction_enterprise, COORDINATOR, request)
    state = desk.state()
    desk.advance_to("2026-04-01")
    assert await desk.send(sanction_enterprise, COORDINATOR, request) == first
    assert desk.state() == state
    request.reason = "另一原因"
    assert await desk.refused(sanction_enterprise, COORDINATOR, request) == ("REQUEST_ID_REUSED", [])


def test_every_method_of_the_service_has_its_use_case_or_its_handler() -> None:
    (service,) = pb.DESCRIPTOR.services_by_name.values()
    asked = {f"{service.full_name}.CheckCredit", f"{service.full_name}.GetPersonReference"}
    assert set(METHODS) | asked == {method.full_name for method in service.methods}
