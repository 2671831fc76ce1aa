from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

import hub.security.guard as guard_module
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


def test_who_is_remembered_is_still_asked_for_role_and_scope(hub: Hub) -> None:
    pem = hub.certificate(CHANGXING_ID)
    token = hub.token(pem, _record())
    for _ in range(2):
        assert isinstance(hub.guard.authenticate(pem, token, ACCESS, NOW), Caller)
        other_scope = hub.guard.authenticate(pem, token, replace(ACCESS, scope="voucher.read"), NOW)
        assert isinstance(other_scope, AuthFailure) and other_scope.code == "SCOPE_MISSING"
        other_role = hub.guard.authenticate(pem, token, replace(ACCESS, roles=frozenset({Role.PROVIDER})), NOW)
        assert isinstance(other_role, AuthFailure) and other_role.code == "NOT_PERMITTED"


def test_who_is_remembered_is_known_by_certificate_and_token_alone(hub: Hub) -> None:
    first, second = hub.certificate(CHANGXING_ID), hub.certificate(CHANGXING_ID)
    token = hub.token(first, _record())
    assert isinstance(hub.guard.authenticate(first, token, ACCESS, NOW), Caller)
    for pem, authorization, code in (
        (second, token, "CERTIFICATE_REJECTED"),
        (None, token, "CERTIFICATE_REJECTED"),
        (first, token + "x", "UNAUTHENTICATED"),
        (first, token.removeprefix("Bearer "), "UNAUTHENTICATED"),
        (first, None, "UNAUTHENTICATED"),
    ):
        verdict = hub.guard.authenticate(pem, authorization, ACCESS, NOW)
        assert isinstance(verdict, AuthFailure) and verdict.code == code


def test_who_is_remembered_goes_when_the_token_expires_and_not_before(hub: Hub) -> None:
    pem = hub.certificate(CHANGXING_ID)
    token = hub.token(pem, _record())
    # Within a minute of the expiry, so that nothing but the expiry ends it.
    assert isinstance(hub.guard.authenticate(pem, token, ACCESS, NOW + timedelta(seconds=260)), Caller)
    assert isinstance(hub.guard.authenticate(pem, token, ACCESS, NOW + timedelta(seconds=299, microseconds=999_999)), Caller)
    for _ in range(2):
        verdict = hub.guard.authenticate(pem, token, ACCESS, NOW + timedelta(seconds=300))
        assert isinstance(verdict, AuthFailure) and verdict.code == "TOKEN_EXPIRED"


def test_who_is_remembered_goes_when_the_certificate_expires(hub: Hub) -> None:
    pem = authority(hub.directory).issue_leaf(CHANGXING_ID, days=1).certificate_pem
    end = x509.load_pem_x509_certificate(pem).not_valid_after_utc
    record = _record()
    peer = verify_peer(pem, hub.trust, NOW)
    assert isinstance(peer, PeerIdentity)
    clock = SimulatedClock(end - timedelta(seconds=20))
    token = "Bearer " + TokenIssuer(load_signing_key(hub.directory / "token.key"), ISSUER, clock=clock).issue(
        record, record.scopes, peer.thumbprint
    )
    assert isinstance(hub.guard.authenticate(pem, token, ACCESS, end - timedelta(seconds=10)), Caller)
    assert isinstance(hub.guard.authenticate(pem, token, ACCESS, end - timedelta(microseconds=1)), Caller)
    verdict = hub.guard.authenticate(pem, token, ACCESS, end)
    assert isinstance(verdict, AuthFailure) and verdict.metadata["reason"] == "EXPIRED"


def test_who_is_remembered_goes_within_a_minute_of_the_ca(tmp_path: Path) -> None:
    made = authority(tmp_path)
    trust = TrustStore.load(tmp_path / "trust")
    guard = Guard(PeerVerifier(trust), TokenVerifier(verification_keys(tmp_path), ISSUER))
    pem = made.issue_leaf(CHANGXING_ID).certificate_pem
    peer = verify_peer(pem, trust, NOW)
    assert isinstance(peer, PeerIdentity)
    issuer = TokenIssuer(load_signing_key(tmp_path / "token.key"), ISSUER, clock=SimulatedClock(NOW))
    token = "Bearer " + issuer.issue(_record(), ["clearing.read"], peer.thumbprint)
    assert isinstance(guard.authenticate(pem, token, ACCESS, NOW), Caller)
    (tmp_path / "trust" / "330000.pem").unlink()
    # Asked again in between: a minute runs from when the chain was walked, not from the last call.
    assert isinstance(guard.authenticate(pem, token, ACCESS, NOW + timedelta(seconds=59)), Caller)
    verdict = guard.authenticate(pem, token, ACCESS, NOW + timedelta(seconds=60))
    assert isinstance(verdict, AuthFailure) and verdict.metadata["reason"] == "FOREIGN_CA"


def test_a_clock_set_back_has_everything_looked_at_again(hub: Hub) -> None:
    pem = hub.certificate(CHANGXING_ID)
    token = hub.token(pem, _record())
    assert isinstance(hub.guard.authenticate(pem, token, ACCESS, NOW), Caller)
    verdict = hub.guard.authenticate(pem, token, ACCESS, NOW - timedelta(days=2))
    assert isinstance(verdict, AuthFailure) and verdict.metadata["reason"] == "NOT_YET_VALID"


def test_the_memory_is_bounded(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard_module, "_REMEMBERED_MAX", 2)
    guard = Guard(PeerVerifier(hub.trust), TokenVerifier(verification_keys(hub.directory), ISSUER))
    pem = hub.certificate(CHANGXING_ID)
    for token in [hub.token(pem, _record()) for _ in range(4)]:
        assert isinstance(guard.authenticate(pem, token, ACCESS, NOW), Caller)
    assert len(guard._remembered) == 2
