from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.application.participants import METHODS, list_participants, register_participant
from hub.domain.caller import Caller, Role
from hub.ledger.participants import DatabaseParticipants
from hub.security.participants import DevelopmentParticipants, ParticipantRecord
from tests.support_usecases import COORDINATOR, Desk, codes, forged, platform
from yrd.common.v1 import access_pb2
from yrd.participant.v1 import participant_pb2 as pb

SHANGHAI, ZHEJIANG, CHANGXING = "310000", "330000", "330522"
CHANGXING_ID = "spiffe://330000/330522/platform"


def participant(participant_id: str = CHANGXING_ID, **changes: Any) -> pb.Participant:
    said: dict[str, Any] = {
        "division": participant_id.split("/")[3] if participant_id.count("/") > 3 else CHANGXING,
        "name": "长兴县科技券平台",
        "role": access_pb2.ROLE_PLATFORM,
        "scopes": ["clearing.authorize", "policy.read"],
    }
    return pb.Participant(participant_id=participant_id, **{**said, **changes})


def registration(participant_id: str = CHANGXING_ID, **changes: Any) -> pb.RegisterParticipantRequest:
    return pb.RegisterParticipantRequest(participant=participant(participant_id, **changes))


async def listed(desk: Desk, caller: Caller, size: int = 0) -> list[str]:
    found: list[str] = []
    token = ""
    while True:
        answer = await desk.ask(list_participants, caller, pb.ListParticipantsRequest(page_size=size, page_token=token))
        assert not size or len(answer.participants) <= size
        found.extend(item.participant_id for item in answer.participants)
        token = answer.next_page_token
        if not token:
            return found


async def test_a_registered_participant_may_ask_for_its_scopes(desk: Desk) -> None:
    directory = DatabaseParticipants(desk.work.engine)
    assert await directory.get(CHANGXING_ID) is None
    answer = await desk.do(register_participant, COORDINATOR, registration())
    wanted = participant()
    wanted.registered_at.FromDatetime(desk.clock.now())
    assert answer.participant == wanted
    record = ParticipantRecord(CHANGXING_ID, CHANGXING, Role.PLATFORM, frozenset({"clearing.authorize", "policy.read"}))
    assert await directory.get(CHANGXING_ID) == record
    assert await DevelopmentParticipants(directory).get(CHANGXING_ID) == record
    assert await directory.get("spiffe://330000/330522/\x00") is None


async def test_scopes_can_be_withdrawn_and_the_day_of_registration_stays(desk: Desk) -> None:
    first = await desk.do(register_participant, COORDINATOR, registration())
    desk.advance_to("2026-06-01")
    answer = await desk.do(register_participant, COORDINATOR, registration(scopes=[], name="暂停的平台"))
    assert (list(answer.participant.scopes), answer.participant.name) == ([], "暂停的平台")
    assert answer.participant.registered_at == first.participant.registered_at
    record = await DatabaseParticipants(desk.work.engine).get(CHANGXING_ID)
    assert record is not None
    assert record.scopes == frozenset()


async def test_a_role_never_changes(desk: Desk) -> None:
    await desk.do(register_participant, COORDINATOR, registration())
    other = registration(role=access_pb2.ROLE_PROVIDER, scopes=["policy.read"])
    assert await desk.refused(register_participant, COORDINATOR, other) == ("ALREADY_EXISTS", [])


async def test_the_coordination_group_alone_registers(still: Desk) -> None:
    for caller in (platform(ZHEJIANG), platform(CHANGXING)):
        assert await still.refused(register_participant, caller, registration()) == ("NOT_PERMITTED", [])


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        (registration("platform"), ["participant.participant_id"]),
        (registration("spiffe://310000/330522/platform"), ["participant.participant_id"]),
        (registration("spiffe://330500/330522/platform"), ["participant.participant_id"]),
        (registration(CHANGXING_ID + "\n"), ["participant.participant_id"]),
        (registration(division=ZHEJIANG), ["participant.division"]),
        (registration(role=0), ["participant.role"]),
        (registration(role=access_pb2.ROLE_COORDINATOR, scopes=[]), ["participant.role"]),
        (registration("spiffe://000000/000000/coordination", scopes=[]), ["participant.role"]),
        (registration(name=""), ["participant.name"]),
        (registration(scopes=["policy.read", "everything"]), ["participant.scopes[1]"]),
        (registration(scopes=["participant.write"]), ["participant.scopes[0]"]),
    ],
)
async def test_a_wrong_field_of_a_participant_is_named(still: Desk, wrong: pb.RegisterParticipantRequest, fields: list[str]) -> None:
    assert await still.refused(register_participant, COORDINATOR, wrong) == ("INVALID_ARGUMENT", fields)


async def test_the_same_participant_registered_twice_at_once(desk: Desk) -> None:
    outcomes = await asyncio.gather(*(desk.send(register_participant, COORDINATOR, registration()) for _ in range(4)))
    assert codes(outcomes) == ["OK"] * 4
    assert desk.rows("SELECT count(*) FROM participant") == [(1,)]


async def test_a_registration_repeated_gives_the_same_bytes(desk: Desk) -> None:
    request = registration()
    first = await desk.send(register_participant, COORDINATOR, request)
    desk.advance_to("2026-06-01")
    state = desk.state()
    assert await desk.send(register_participant, COORDINATOR, request) == first
    assert desk.state() == state
    request.participant.name = "另一名称"
    assert await desk.refused(register_participant, COORDINATOR, request) == ("REQUEST_ID_REUSED", [])


async def test_a_platform_sees_its_own_side_and_the_coordination_group_all(desk: Desk) -> None:
    divisions = {SHANGHAI: "310000", ZHEJIANG: "330000", "330500": "330000", CHANGXING: "330000", "330421": "330000"}
    known = [f"spiffe://{province}/{division}/platform" for division, province in divisions.items()]
    for participant_id in known:
        await desk.do(register_participant, COORDINATOR, registration(participant_id))
    group = registration("spiffe://000000/000000/coordination", role=access_pb2.ROLE_COORDINATOR, scopes=["participant.write"])
    await desk.do(register_participant, COORDINATOR, group)
    everyone = sorted([*known, group.participant.participant_id])
    for size in (0, 1, 3, 6):
        assert await listed(desk, COORDINATOR, size) == everyone
    assert await listed(desk, platform(ZHEJIANG), 2) == sorted(known[1:])
    assert await listed(desk, platform("330500")) == sorted(known[2:4])
    assert await listed(desk, platform(CHANGXING)) == [CHANGXING_ID]
    assert await listed(desk, platform("320000")) == []


async def test_a_foreign_page_token_of_participants_is_refused(still: Desk) -> None:
    request = forged(COORDINATOR, pb.ListParticipantsRequest(), "a\x00")
    assert await still.unanswered(list_participants, COORDINATOR, request) == ("INVALID_ARGUMENT", ["page_token"])


def test_every_method_of_the_participant_service_has_its_use_case() -> None:
    service = pb.DESCRIPTOR.services_by_name["ParticipantService"]
    assert set(METHODS) == {method.full_name for method in service.methods}
