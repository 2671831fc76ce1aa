from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from hub.domain.caller import Caller, Role
from hub.domain.clock import SimulatedClock
from hub.security.authority import DevelopmentAuthority
from hub.security.failures import AuthFailure
from hub.security.keys import load_signing_key, verification_keys
from hub.security.participants import ParticipantRecord
from hub.security.tokens import TokenIssuer, TokenVerifier
from tests.support_identity import CHANGXING, CHANGXING_ID, NOW

ISSUER = "https://hub.test:8080"
THUMBPRINT = "Qnnldbp6ES9qegy6HJLsQoVGVc4UjLjVPLv4ddRuLww"
RECORD = ParticipantRecord(CHANGXING_ID, CHANGXING, Role.PLATFORM, frozenset({"clearing.read", "voucher.read"}))
KEY = ECKey.generate_key("P-256", {"use": "sig", "alg": "ES256"}, auto_kid=True)
STAMP = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": CHANGXING_ID,
    "client_id": CHANGXING_ID,
    "aud": "yrd-hub",
    "iat": STAMP,
    "exp": STAMP + 300,
    "jti": "1",
    "scope": "clearing.read",
    "division": CHANGXING,
    "role": "PLATFORM",
    "cnf": {"x5t#S256": THUMBPRINT},
}


def _issuer(**options: Any) -> TokenIssuer:
    return TokenIssuer(KEY, ISSUER, clock=SimulatedClock(NOW), **options)


def _verifier(**options: Any) -> TokenVerifier:
    return TokenVerifier(_issuer().public_keys, ISSUER, **options)


def _caller(verdict: tuple[Caller, datetime] | AuthFailure) -> Caller:
    assert not isinstance(verdict, AuthFailure), verdict
    return verdict[0]


def _signed(change: dict[str, Any] | None = None, *, key: ECKey = KEY, header: dict[str, Any] | None = None) -> str:
    claims = {name: value for name, value in {**CLAIMS, **(change or {})}.items() if value is not None}
    return jwt.encode({"alg": "ES256", "typ": "at+jwt", "kid": key.kid, **(header or {})}, claims, key)


def _part(content: dict[str, Any] | bytes) -> str:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unsigned() -> str:
    return f"{_part({'alg': 'none', 'typ': 'at+jwt'})}.{_part(CLAIMS)}."


def _hmac_with_public_key() -> str:
    """The classic confusion: the public key used as a shared secret."""
    content = f"{_part({'alg': 'HS256', 'typ': 'at+jwt', 'kid': KEY.kid})}.{_part(CLAIMS)}"
    return f"{content}.{_part(hmac.digest(KEY.as_pem(private=False), content.encode(), 'sha256'))}"


def _critical_header() -> str:
    registry = JWSRegistry({"exact": HeaderParameter("must be understood", "bool")})
    header = {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid, "crit": ["exact"], "exact": True}
    return jwt.encode(header, dict(CLAIMS), KEY, registry=registry)


def _tampered() -> str:
    head, _, signature = _signed().split(".")
    return f"{head}.{_part({**CLAIMS, 'division': '310000'})}.{signature}"


def _other_key(kid: str | None) -> str:
    key = ECKey.generate_key("P-256", {"kid": kid} if kid else None, auto_kid=True)
    return _signed(key=key)


REFUSALS: dict[str, tuple[Callable[[], str], str]] = {
    "empty": (lambda: "", "UNAUTHENTICATED"),
    "garbage": (lambda: "a.b.c", "UNAUTHENTICATED"),
    "not ASCII": (lambda: "令牌", "UNAUTHENTICATED"),
    "lone surrogate": (lambda: "\ud800", "UNAUTHENTICATED"),
    "too long": (lambda: _signed({"scope": "x" * 9000}), "UNAUTHENTICATED"),
    "alg none": (_unsigned, "UNAUTHENTICATED"),
    "alg confusion": (_hmac_with_public_key, "UNAUTHENTICATED"),
    "wrong key": (lambda: _other_key(None), "UNAUTHENTICATED"),
    "wrong key of the right name": (lambda: _other_key(str(KEY.kid)), "UNAUTHENTICATED"),
    "tampered": (_tampered, "UNAUTHENTICATED"),
    "an id token": (lambda: _signed(header={"typ": "JWT"}), "UNAUTHENTICATED"),
    "unknown critical header": (_critical_header, "UNAUTHENTICATED"),
    "wrong issuer": (lambda: _signed({"iss": "https://elsewhere"}), "UNAUTHENTICATED"),
    "wrong audience": (lambda: _signed({"aud": "another-hub"}), "UNAUTHENTICATED"),
    "no audience": (lambda: _signed({"aud": None}), "UNAUTHENTICATED"),
    "no binding": (lambda: _signed({"cnf": None}), "UNAUTHENTICATED"),
    "binding of another kind": (lambda: _signed({"cnf": {"jkt": "x"}}), "UNAUTHENTICATED"),
    "binding not ASCII": (lambda: _signed({"cnf": {"x5t#S256": "指纹"}}), "UNAUTHENTICATED"),
    "no expiry": (lambda: _signed({"exp": None}), "UNAUTHENTICATED"),
    "expiry as text": (lambda: _signed({"exp": str(STAMP + 300)}), "UNAUTHENTICATED"),
    "lives too long": (lambda: _signed({"exp": STAMP + 301}), "UNAUTHENTICATED"),
    "from the future": (lambda: _signed({"iat": STAMP + 31, "exp": STAMP + 300}), "UNAUTHENTICATED"),
    "client is not the subject": (lambda: _signed({"client_id": "spiffe://310000/310000/platform"}), "UNAUTHENTICATED"),
    "no division": (lambda: _signed({"division": None}), "UNAUTHENTICATED"),
    "unknown role": (lambda: _signed({"role": "ADMIN"}), "UNAUTHENTICATED"),
    "role of another type": (lambda: _signed({"role": {"a": 1}}), "UNAUTHENTICATED"),
    "scope as list": (lambda: _signed({"scope": ["clearing.read"]}), "UNAUTHENTICATED"),
    "expired": (lambda: _signed({"iat": STAMP - 300, "exp": STAMP}), "TOKEN_EXPIRED"),
    "certificate swapped": (lambda: _signed({"cnf": {"x5t#S256": "A" * 43}}), "CERTIFICATE_REJECTED"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_token_is_refused_with_a_stable_code(case: str) -> None:
    make, code = REFUSALS[case]
    verifier = _verifier()
    token = make()
    for _ in range(2):  # the second time from memory, where there is any
        verdict = verifier.verify_until(token, THUMBPRINT, NOW)
        assert isinstance(verdict, AuthFailure)
        assert verdict.code == code


def test_the_forgeries_start_from_a_token_that_verifies() -> None:
    assert _caller(_verifier().verify_until(_signed(), THUMBPRINT, NOW))


def test_a_token_carries_what_the_profile_asks_for() -> None:
    token = jwt.decode(_issuer(ttl_seconds=120).issue(RECORD, ["voucher.read", "clearing.read"], THUMBPRINT), KEY)
    assert token.header == {"alg": "ES256", "typ": "at+jwt", "kid": KEY.kid}
    jti = token.claims.pop("jti")
    assert len(jti) >= 16
    assert token.claims == {
        **{name: value for name, value in CLAIMS.items() if name != "jti"},
        "exp": STAMP + 120,
        "scope": "clearing.read voucher.read",
    }


def test_the_caller_is_what_the_token_says() -> None:
    verdict = _verifier().verify_until(_issuer().issue(RECORD, ["clearing.read"], THUMBPRINT), THUMBPRINT, NOW)
    caller = Caller(CHANGXING_ID, CHANGXING, Role.PLATFORM, frozenset({"clearing.read"}))
    assert verdict == (caller, NOW + timedelta(seconds=300))


def test_a_remembered_token_still_expires_and_stays_bound() -> None:
    verifier, token = _verifier(), _issuer().issue(RECORD, [], THUMBPRINT)
    first = _caller(verifier.verify_until(token, THUMBPRINT, NOW))
    assert _caller(verifier.verify_until(token, THUMBPRINT, NOW + timedelta(seconds=299))) is first
    swapped = verifier.verify_until(token, "B" * 43, NOW)
    assert isinstance(swapped, AuthFailure) and swapped.metadata == {"reason": "NOT_THE_TOKENS"}
    for _ in range(2):
        expired = verifier.verify_until(token, THUMBPRINT, NOW + timedelta(seconds=300))
        assert isinstance(expired, AuthFailure) and expired.code == "TOKEN_EXPIRED"


def test_the_memory_is_bounded() -> None:
    verifier = _verifier(entries_max=2)
    tokens = [_issuer().issue(RECORD, [], THUMBPRINT) for _ in range(3)]
    callers = [_caller(verifier.verify_until(token, THUMBPRINT, NOW)) for token in tokens]
    assert _caller(verifier.verify_until(tokens[2], THUMBPRINT, NOW)) is callers[2]
    assert _caller(verifier.verify_until(tokens[0], THUMBPRINT, NOW)) is not callers[0]


def test_tokens_of_an_old_and_a_new_key_verify_while_one_replaces_the_other() -> None:
    old, new = KEY, ECKey.generate_key("P-256", auto_kid=True)
    verifier = TokenVerifier(KeySet([old, new]), ISSUER)
    assert _caller(verifier.verify_until(_signed(key=old), THUMBPRINT, NOW))
    assert _caller(verifier.verify_until(_signed(key=new), THUMBPRINT, NOW))
    # Without a name it is not tried against one key after another.
    assert isinstance(verifier.verify_until(_signed(header={"kid": "?"}), THUMBPRINT, NOW), AuthFailure)


@pytest.mark.parametrize("ttl_seconds", [0, -1, 301])
def test_no_issuer_gives_tokens_of_another_life(ttl_seconds: int) -> None:
    with pytest.raises(ValueError, match="lives 1 to 300 seconds"):
        _issuer(ttl_seconds=ttl_seconds)


def test_a_verifying_role_needs_the_public_keys_alone(tmp_path: Path) -> None:
    DevelopmentAuthority(tmp_path).ensure()
    issuer = TokenIssuer(load_signing_key(tmp_path / "token.key"), ISSUER)
    (tmp_path / "token.key").unlink()
    keys = verification_keys(tmp_path)
    assert not any(key.is_private for key in keys)
    token = issuer.issue(RECORD, [], THUMBPRINT)
    assert _caller(TokenVerifier(keys, ISSUER).verify_until(token, THUMBPRINT, datetime.now(UTC)))


def test_a_new_signing_key_verifies_beside_the_published_ones(tmp_path: Path) -> None:
    DevelopmentAuthority(tmp_path).ensure()
    published = verification_keys(tmp_path)
    (tmp_path / "token.key").write_bytes(KEY.as_pem(private=True))
    keys = verification_keys(tmp_path)
    assert {key.kid for key in keys} == {KEY.kid, *(key.kid for key in published)}
    assert not any(key.is_private for key in keys)


def test_no_keys_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="neither"):
        verification_keys(tmp_path)
