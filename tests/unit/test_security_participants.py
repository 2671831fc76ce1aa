from __future__ import annotations

import pytest

from hub.domain.caller import Role
from hub.security.access import access_rules, all_scopes, scopes_of
from hub.security.participants import DevelopmentParticipants, ParticipantRecord, implied_participant
from tests.support_identity import CHANGXING, CHANGXING_ID, RegisteredParticipants


def test_rules_come_from_the_contract() -> None:
    rules = access_rules()
    authorize = rules["/yrd.clearing.v1.ClearingService/Authorize"]
    assert (authorize.scope, authorize.roles, authorize.mutation) == ("clearing.authorize", frozenset({Role.PLATFORM}), True)
    clock = rules["/yrd.simulation.v1.SimulationService/AdvanceClock"]
    assert clock.roles == {Role.COORDINATOR}


def test_scopes_follow_the_roles_of_the_methods() -> None:
    assert "clearing.authorize" in scopes_of(Role.PLATFORM)
    assert "clearing.authorize" not in scopes_of(Role.COORDINATOR)
    assert "participant.write" in scopes_of(Role.COORDINATOR)
    assert "participant.write" not in scopes_of(Role.PLATFORM)
    assert scopes_of(Role.PLATFORM) | scopes_of(Role.COORDINATOR) | scopes_of(Role.PROVIDER) == all_scopes()


@pytest.mark.parametrize(
    ("participant_id", "role"), [(CHANGXING_ID, Role.PLATFORM), ("spiffe://000000/000000/coordination", Role.COORDINATOR)]
)
def test_development_knows_platforms_and_the_coordination_group(participant_id: str, role: Role) -> None:
    record = implied_participant(participant_id)
    assert record is not None
    assert (record.participant_id, record.role, record.scopes) == (participant_id, role, scopes_of(role))
    assert record.division == participant_id.split("/")[3]


@pytest.mark.parametrize(
    "participant_id",
    [
        "spiffe://330000/330522/coordination",
        "spiffe://000000/000000/platform",
        "spiffe://310000/310000/provider-12310104425001236Q",
        "spiffe://330000/310118/platform",
        "platform",
        "",
    ],
)
def test_nobody_else_is_implied(participant_id: str) -> None:
    assert implied_participant(participant_id) is None


async def test_a_registration_goes_before_what_is_implied() -> None:
    registered = ParticipantRecord(CHANGXING_ID, CHANGXING, Role.PLATFORM, frozenset({"voucher.read"}))
    directory = DevelopmentParticipants(RegisteredParticipants(registered))
    assert await directory.get(CHANGXING_ID) is registered
    assert await directory.get("spiffe://330000/330400/platform") == implied_participant("spiffe://330000/330400/platform")
    assert await directory.get("spiffe://330000/330400/else") is None
