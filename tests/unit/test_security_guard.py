from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from hub.domain.caller import Caller, Role
from hub.domain.clock import SimulatedClock
from hub.security.access import Access
from hub.security.failures import AuthFailure
from hub.security.guard import Guard
from hub.security.identity import PeerIdentity, PeerVerifier, verify_peer
from hub.security.keys import load_signing_key, verification_keys
from hub.security.participants import ParticipantRecord
from hub.security.tokens import TokenIssuer, TokenVerifier
from hub.security.trust import TrustStore
from tests.support_identity import CHANGXING, CHANGXING_ID, NOW, authority
from yrd.common.v1 import refusal_pb2

ISSUER = "https://hub.test"
COORDINATION_ID = "spiffe://000000/000000/coordination"
ACCESS = Access("clearing.read", frozenset({Role.PLATFORM}), mutation=False)


@dataclass(frozen=True)
class Hub:
    """A guard, and what it takes to come before it."""

    guard: Guard
    issuer: TokenIssuer
    trust: TrustStore
    directory: Path

    def certificate(self, identity: str) -> bytes:
        return authority(self.directory).issue_leaf(identity).certificate_pem

    def token(self, pem: bytes, record: ParticipantRecord) -> str:
        peer = verify_peer(pem, self.trust, NOW)
        assert isinstance(peer, PeerIdentity)
        return "Bearer " + self.issuer.issue(record, record.scopes, peer.thumbprint)


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Hub:
    directory = tmp_path_factory.mktemp("identity")
    authority(directory)
    trust = TrustStore.load(directory / "trust")
    issuer = TokenIssuer(load_signing_key(directory / "token.key"), ISSUER, clock=SimulatedClock(NOW))
    return Hub(Guard(PeerVerifier(trust), TokenVerifier(verification_keys(directory), ISSUER)), issuer, trust, directory)


def _record(
    participant_id: str = CHANGXING_ID, division: str = CHANGXING, role: Role = Role.PLATFORM, scope: str = "clearing.read"
) -> ParticipantRecord:
    return ParticipantRecord(participant_id, division, role, frozenset({scope}))


def test_certificate_and_token_together_make_a_caller(hub: Hub) -> None:
    pem = hub.certificate(CHANGXING_ID)
    caller = hub.guard.authenticate(pem, hub.token(pem, _record()), ACCESS, NOW)
    assert caller == Caller(CHANGXING_ID, CHANGXING, Role.PLATFORM, frozenset({"clearing.read"}))


def test_the_scheme_is_known_in_any_case(hub: Hub) -> None:
    pem = hub.certificate(CHANGXING_ID)
    assert isinstance(hub.guard.authenticate(pem, hub.token(pem, _record()).replace("Bearer", "bearer"), ACCESS, NOW), Caller)


DENIALS: dict[str, tuple[ParticipantRecord, str, str]] = {
    "missing scope": (_record(scope="voucher.read"), CHANGXING_ID, "SCOPE_MISSING"),
    "a scope is not a prefix": (_record(scope="clearing.rea"), CHANGXING_ID, "SCOPE_MISSING"),
    "wrong role": (_record(role=Role.PROVIDER), CHANGXING_ID, "NOT_PERMITTED"),
    "token of another participant": (_record("spiffe://330000/330400/platform"), CHANGXING_ID, "NOT_PERMITTED"),
    "token of another division": (_record(division="330000"), CHANGXING_ID, "NOT_PERMITTED"),
    "coordinator of a province": (_record(role=Role.COORDINATOR), CHANGXING_ID, "NOT_PERMITTED"),
    "platform of the coordination": (_record(COORDINATION_ID, "000000"), COORDINATION_ID, "NOT_PERMITTED"),
    "coordinator where platforms may": (_record(COORDINATION_ID, "000000", Role.COORDINATOR), COORDINATION_ID, "NOT_PERMITTED"),
}


@pytest.mark.parametrize("case", DENIALS)
def test_a_verified_caller_is_denied(case: str, hub: Hub) -> None:
    record, identity, code = DENIALS[case]
    pem = hub.certificate(identity)
    verdict = hub.guard.authenticate(pem, hub.token(pem, record), ACCESS, NOW)
    assert isinstance(verdict, AuthFailure)
    assert verdict.code == code
    assert refusal_pb2.RefusalCode.Value(f"REFUSAL_CODE_{verdict.code}")
    assert verdict.detail_en and verdict.detail_zh


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer ", "Basic dTpw", "clearing.read"])
def test_without_a_bearer_token_nobody_enters(authorization: str | None, hub: Hub) -> None:
    verdict = hub.guard.authenticate(hub.certificate(CHANGXING_ID), authorization, ACCESS, NOW)
    assert isinstance(verdict, AuthFailure) and verdict.code == "UNAUTHENTICATED"


def test_without_a_certificate_a_good_token_is_worth_nothing(hub: Hub) -> None:
    token = hub.token(hub.certificate(CHANGXING_ID), _record())
    verdict = hub.guard.authenticate(None, token, ACCESS, NOW)
    assert isinstance(verdict, AuthFailure)
    assert (verdict.code, verdict.metadata["reason"]) == ("CERTIFICATE_REJECTED", "ABSENT")


def test_a_stolen_token_is_worth_nothing_beside_another_certificate(hub: Hub) -> None:
    token = hub.token(hub.certificate(CHANGXING_ID), _record())
    # Not even beside another certificate of the same participant.
    verdict = hub.guard.authenticate(hub.certificate(CHANGXING_ID), token, ACCESS, NOW)
    assert isinstance(verdict, AuthFailure)
    assert (verdict.code, verdict.metadata["reason"]) == ("CERTIFICATE_REJECTED", "NOT_THE_TOKENS")


def test_an_expired_token_says_so(hub: Hub) -> None:
    pem = hub.certificate(CHANGXING_ID)
    verdict = hub.guard.authenticate(pem, hub.token(pem, _record()), ACCESS, NOW + timedelta(seconds=300))
    assert isinstance(verdict, AuthFailure) and verdict.code == "TOKEN_EXPIRED"


def test_an_expired_certificate_says_so_before_the_token_is_looked_at(hub: Hub) -> None:
    verdict = hub.guard.authenticate(hub.certificate(CHANGXING_ID), "Bearer x", ACCESS, NOW + timedelta(days=91))
    assert isinstance(verdict, AuthFailure) and verdict.metadata["reason"] == "EXPIRED"


def test_a_rule_without_roles_admits_nobody(hub: Hub) -> None:
    pem = hub.certificate(CHANGXING_ID)
    verdict = hub.guard.authenticate(pem, hub.token(pem, _record()), Access("clearing.read", frozenset(), mutation=False), NOW)
    assert isinstance(verdict, AuthFailure) and verdict.code == "NOT_PERMITTED"
