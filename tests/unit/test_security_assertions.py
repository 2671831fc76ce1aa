from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from joserfc import jws, jwt
from joserfc.jwk import ECKey

from hub.security.assertions import AssertionVerifier
from hub.security.failures import AuthFailure
from hub.security.identity import PeerIdentity, PeerVerifier
from hub.security.replay import ReplayCache
from hub.security.trust import TrustStore
from tests.support_identity import CHANGXING_ID, NOW, authority

ISSUER = "https://hub.test"
STAMP = int(NOW.timestamp())
CLAIMS: dict[str, Any] = {
    "iss": CHANGXING_ID,
    "sub": CHANGXING_ID,
    "aud": ISSUER,
    "iat": STAMP,
    "exp": STAMP + 60,
    "jti": "one",
}
REGISTRY = jws.JWSRegistry(algorithms=["ES256", "HS256", "none"])
REGISTRY.max_header_length = 64 * 1024


class Client:
    """Signs assertions as a client would, or as it should not."""

    def __init__(self, directory: Path, identity: str = CHANGXING_ID) -> None:
        leaf = authority(directory).issue_leaf(identity)
        self.key = ECKey.import_key(leaf.key_pem)
        self.x5c = [base64.b64encode(leaf.certificate.public_bytes(Encoding.DER)).decode()]

    def sign(self, change: dict[str, Any] | None = None, *, key: ECKey | None = None, x5c: Any = ()) -> str:
        claims = {name: value for name, value in {**CLAIMS, **(change or {})}.items() if value is not None}
        header = {"alg": "ES256", "x5c": self.x5c if x5c == () else x5c}
        return jwt.encode({k: v for k, v in header.items() if v is not None}, claims, key or self.key, registry=REGISTRY)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("identity")
    authority(path)
    return path


@pytest.fixture
def verifier(directory: Path) -> AssertionVerifier:
    peers = PeerVerifier(TrustStore.load(directory / "trust"))
    return AssertionVerifier(peers, ReplayCache(), frozenset({ISSUER, f"{ISSUER}/oauth/token"}))


def _judge(verifier: AssertionVerifier, assertion: str, now: datetime = NOW) -> AuthFailure | None:
    peer = verifier.certificate(assertion, now)
    return peer if isinstance(peer, AuthFailure) else verifier.verify(assertion, peer, now)


def _other_key() -> ECKey:
    return ECKey.generate_key("P-256")


def _foreign(directory: Path) -> str:
    return Client(directory.parent / "foreign").sign()


def _none(client: Client) -> str:
    head, body, _ = client.sign().split(".")
    head = base64.urlsafe_b64encode(base64.urlsafe_b64decode(head + "==").replace(b"ES256", b"none")).rstrip(b"=").decode()
    return f"{head}.{body}."


REFUSALS: dict[str, tuple[Callable[[Client], str], str, str]] = {
    "empty": (lambda c: "", "UNAUTHENTICATED", "no JWT"),
    "garbage": (lambda c: "a.b.c", "UNAUTHENTICATED", "no JWT"),
    "not ASCII": (lambda c: "断言", "UNAUTHENTICATED", "no JWT"),
    "too long": (lambda c: c.sign({"x": "y" * 17_000}), "UNAUTHENTICATED", "16 KiB"),
    "no certificate": (lambda c: c.sign(x5c=None), "CERTIFICATE_REJECTED", "no client certificate"),
    "empty chain": (lambda c: c.sign(x5c=[]), "CERTIFICATE_REJECTED", "no client certificate"),
    "endless chain": (lambda c: c.sign(x5c=c.x5c * 5), "CERTIFICATE_REJECTED", "no client certificate"),
    "chain not base64": (lambda c: c.sign(x5c=["***"]), "CERTIFICATE_REJECTED", "cannot be read"),
    "chain not certificates": (lambda c: c.sign(x5c=["AAAA"]), "CERTIFICATE_REJECTED", "cannot be read"),
    "alg none": (_none, "UNAUTHENTICATED", "signature"),
    "wrong key": (lambda c: c.sign(key=_other_key()), "UNAUTHENTICATED", "signature"),
    "another's name": (lambda c: c.sign({"iss": "spiffe://330000/330400/platform"}), "UNAUTHENTICATED", "iss and sub"),
    "another subject": (lambda c: c.sign({"sub": "spiffe://330000/330400/platform"}), "UNAUTHENTICATED", "iss and sub"),
    "no issuer": (lambda c: c.sign({"iss": None}), "UNAUTHENTICATED", "iss and sub"),
    "other audience": (lambda c: c.sign({"aud": "https://elsewhere"}), "UNAUTHENTICATED", "aud"),
    "no audience": (lambda c: c.sign({"aud": None}), "UNAUTHENTICATED", "aud"),
    "audience of another type": (lambda c: c.sign({"aud": [1, {"a": 2}]}), "UNAUTHENTICATED", "aud"),
    "expired": (lambda c: c.sign({"exp": STAMP}), "UNAUTHENTICATED", "expired"),
    "no expiry": (lambda c: c.sign({"exp": None}), "UNAUTHENTICATED", "exp is missing"),
    "expiry as text": (lambda c: c.sign({"exp": "never"}), "UNAUTHENTICATED", "exp is missing"),
    "expiry as bool": (lambda c: c.sign({"exp": True}), "UNAUTHENTICATED", "exp is missing"),
    "lives too long": (lambda c: c.sign({"exp": STAMP + 331}), "UNAUTHENTICATED", "five minutes"),
    "from the future": (lambda c: c.sign({"iat": STAMP + 31}), "UNAUTHENTICATED", "future"),
    "not before": (lambda c: c.sign({"nbf": STAMP + 31}), "UNAUTHENTICATED", "future"),
    "no jti": (lambda c: c.sign({"jti": None}), "UNAUTHENTICATED", "jti"),
    "empty jti": (lambda c: c.sign({"jti": ""}), "UNAUTHENTICATED", "jti"),
    "long jti": (lambda c: c.sign({"jti": "x" * 129}), "UNAUTHENTICATED", "jti"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_an_assertion_is_refused(case: str, directory: Path, verifier: AssertionVerifier) -> None:
    make, code, words = REFUSALS[case]
    failure = _judge(verifier, make(Client(directory)))
    assert failure is not None
    assert failure.code == code
    assert words in failure.detail_en and failure.detail_zh


def test_a_foreign_certificate_is_refused(directory: Path, verifier: AssertionVerifier) -> None:
    failure = _judge(verifier, _foreign(directory))
    assert failure is not None and failure.metadata["reason"] == "FOREIGN_CA"


def test_an_expired_certificate_is_refused(directory: Path, verifier: AssertionVerifier) -> None:
    failure = _judge(verifier, Client(directory).sign(), NOW + timedelta(days=91))
    assert failure is not None and failure.metadata["reason"] == "EXPIRED"


def test_anothers_certificate_does_not_help(directory: Path, verifier: AssertionVerifier) -> None:
    """Certificates are public: sending somebody else's proves nothing without its key."""
    client, victim = Client(directory), Client(directory, "spiffe://310000/310000/platform")
    stolen = client.sign({"iss": "spiffe://310000/310000/platform", "sub": "spiffe://310000/310000/platform"}, x5c=victim.x5c)
    failure = _judge(verifier, stolen)
    assert failure is not None and "signature" in failure.detail_en


@pytest.mark.parametrize("audience", [ISSUER, f"{ISSUER}/oauth/token", ["https://elsewhere", ISSUER]])
def test_a_good_assertion_serves_once(audience: object, directory: Path, verifier: AssertionVerifier) -> None:
    assertion = Client(directory).sign({"aud": audience})
    peer = verifier.certificate(assertion, NOW)
    assert isinstance(peer, PeerIdentity) and peer.participant_id == CHANGXING_ID
    assert verifier.verify(assertion, peer, NOW) is None
    replayed = verifier.verify(assertion, peer, NOW + timedelta(seconds=59))
    assert replayed is not None and "used before" in replayed.detail_en


def test_an_id_is_used_up_per_participant_and_by_good_assertions_only(directory: Path, verifier: AssertionVerifier) -> None:
    client, other = Client(directory), Client(directory, "spiffe://330000/330400/platform")
    assert _judge(verifier, client.sign({"aud": "https://elsewhere"})) is not None
    assert _judge(verifier, client.sign()) is None
    names = {"iss": "spiffe://330000/330400/platform", "sub": "spiffe://330000/330400/platform"}
    assert _judge(verifier, other.sign(names)) is None


def test_ids_are_forgotten_when_they_expire_and_never_before() -> None:
    cache = ReplayCache(entries_max=2)
    soon, later = NOW + timedelta(seconds=1), NOW + timedelta(seconds=10)
    assert cache.first_use("a", soon, NOW)
    assert cache.first_use("b", later, NOW)
    # Full: a new id is refused rather than an old one forgotten.
    assert not cache.first_use("c", later, NOW)
    assert cache.first_use("c", later, soon)
    assert not cache.first_use("b", later, soon)


def test_the_certificate_of_the_chain_is_the_first(directory: Path, verifier: AssertionVerifier) -> None:
    client = Client(directory)
    ca = x509.load_pem_x509_certificate((directory / "ca" / "330000.pem").read_bytes())
    chain = [*client.x5c, base64.b64encode(ca.public_bytes(Encoding.DER)).decode()]
    assert _judge(verifier, client.sign(x5c=chain)) is None
    failure = _judge(verifier, client.sign(x5c=chain[::-1]))
    assert failure is not None and failure.code == "CERTIFICATE_REJECTED"


def test_expiry_is_remembered_to_the_second() -> None:
    cache = ReplayCache()
    expiry = datetime.fromtimestamp(STAMP + 60, UTC)
    assert cache.first_use("a", expiry, NOW)
    assert not cache.first_use("a", expiry, expiry - timedelta(microseconds=1))
    assert cache.first_use("a", expiry + timedelta(seconds=60), expiry)
