from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hub.security.certificates import new_ca, new_key
from hub.security.failures import AuthFailure
from hub.security.identity import PeerIdentity, PeerVerifier, verify_peer
from hub.security.spiffe import parse_spiffe_id
from hub.security.trust import TrustStore
from tests.support_identity import CHANGXING_ID, NOW, SHANGHAI, ZHEJIANG, authority, ca_of, forge

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("identity")
    authority(path)
    return path


@pytest.fixture(scope="module")
def trust(directory: Path) -> TrustStore:
    return TrustStore.load(directory / "trust")


def _good(directory: Path) -> bytes:
    return authority(directory).issue_leaf(CHANGXING_ID, days=30).certificate_pem


def _by_zhejiang(
    directory: Path,
    uris: list[str],
    key: CertificatePublicKeyTypes | None = None,
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
) -> bytes:
    ca = ca_of(directory, ZHEJIANG)
    return forge(ca.certificate.subject, ca.key, key or new_key().public_key(), uris, usage=usage)


def _foreign(directory: Path) -> bytes:
    """A CA that calls itself by the trusted one's name."""
    ca = new_ca(f"Innovation voucher development CA {ZHEJIANG}", "spiffe://330000", NOW)
    return forge(ca.certificate.subject, ca.key, new_key().public_key(), [CHANGXING_ID])


def _self_signed(directory: Path) -> bytes:
    key = new_key()
    return forge(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "forged")]), key, key.public_key(), [CHANGXING_ID])


def _leaf_as_ca(directory: Path) -> bytes:
    """A participant signs for another participant with its own leaf."""
    leaf = authority(directory).issue_leaf("spiffe://330000/330400/platform")
    return forge(leaf.certificate.subject, leaf.key, new_key().public_key(), [CHANGXING_ID]) + leaf.certificate_pem


REFUSALS: dict[str, tuple[Callable[[Path], bytes], datetime, str]] = {
    "expired": (_good, NOW + 31 * DAY, "EXPIRED"),
    "not yet valid": (_good, NOW - DAY, "NOT_YET_VALID"),
    "foreign CA of the same name": (_foreign, NOW, "FOREIGN_CA"),
    "self-signed": (_self_signed, NOW, "FOREIGN_CA"),
    "leaf used as CA": (_leaf_as_ca, NOW, "FOREIGN_CA"),
    "foreign and expired": (_foreign, NOW + 31 * DAY, "FOREIGN_CA"),
    "server certificate": (lambda d: _by_zhejiang(d, [CHANGXING_ID], usage=ExtendedKeyUsageOID.SERVER_AUTH), NOW, "FOREIGN_CA"),
    "hub's own CA": (lambda d: _hub_leaf(d), NOW, "FOREIGN_CA"),
    "unknown province": (lambda d: _by_zhejiang(d, ["spiffe://320000/320100/platform"]), NOW, "WRONG_TRUST_DOMAIN"),
    "another province's identity": (lambda d: _by_zhejiang(d, ["spiffe://310000/310118/platform"]), NOW, "WRONG_TRUST_DOMAIN"),
    "coordination by a province": (lambda d: _by_zhejiang(d, ["spiffe://000000/000000/coordination"]), NOW, "WRONG_TRUST_DOMAIN"),
    "division of another province": (lambda d: _by_zhejiang(d, ["spiffe://330000/310118/platform"]), NOW, "DIVISION_OUTSIDE_PROVINCE"),
    "division of nobody": (lambda d: _by_zhejiang(d, ["spiffe://330000/000000/coordination"]), NOW, "DIVISION_OUTSIDE_PROVINCE"),
    "no name": (lambda d: _by_zhejiang(d, []), NOW, "NO_SPIFFE_ID"),
    "two names": (lambda d: _by_zhejiang(d, [CHANGXING_ID, "spiffe://330000/330400/platform"]), NOW, "NO_SPIFFE_ID"),
    "https name": (lambda d: _by_zhejiang(d, ["https://330000/330522/platform"]), NOW, "NO_SPIFFE_ID"),
    "P-384 key": (lambda d: _by_zhejiang(d, [CHANGXING_ID], ec.generate_private_key(ec.SECP384R1()).public_key()), NOW, "UNSUPPORTED_KEY"),
    "RSA key": (lambda d: _by_zhejiang(d, [CHANGXING_ID], rsa.generate_private_key(65537, 2048).public_key()), NOW, "UNSUPPORTED_KEY"),
    "Ed25519 key": (
        lambda d: _by_zhejiang(d, [CHANGXING_ID], ed25519.Ed25519PrivateKey.generate().public_key()),
        NOW,
        "UNSUPPORTED_KEY",
    ),
    "empty": (lambda d: b"", NOW, "MALFORMED"),
    "garbage": (lambda d: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", NOW, "MALFORMED"),
    "cut off": (lambda d: _good(d)[:200], NOW, "MALFORMED"),
    "endless chain": (lambda d: _good(d) * 60, NOW, "MALFORMED"),
}


def _hub_leaf(directory: Path) -> bytes:
    ca = ca_of(directory, "hub")
    return forge(ca.certificate.subject, ca.key, new_key().public_key(), [CHANGXING_ID])


@pytest.mark.parametrize("case", REFUSALS)
def test_a_certificate_is_refused_with_its_reason(case: str, directory: Path, trust: TrustStore) -> None:
    make, now, reason = REFUSALS[case]
    verdict = verify_peer(make(directory), trust, now)
    assert isinstance(verdict, AuthFailure)
    assert (verdict.code, verdict.metadata["reason"]) == ("CERTIFICATE_REJECTED", reason)
    assert verdict.detail_en and verdict.detail_zh


def test_a_good_certificate_says_who_it_is(directory: Path, trust: TrustStore) -> None:
    pem = _good(directory)
    peer = verify_peer(pem, trust, NOW)
    assert isinstance(peer, PeerIdentity)
    assert (peer.participant_id, peer.province, peer.division, peer.system) == (CHANGXING_ID, ZHEJIANG, "330522", "platform")
    certificate = x509.load_pem_x509_certificate(pem)
    assert peer.not_after == certificate.not_valid_after_utc
    assert len(peer.thumbprint) == 43


def test_an_expired_ca_takes_its_leafs_along(tmp_path: Path) -> None:
    ca = new_ca("short-lived", "spiffe://330000", NOW, days=2)
    leaf = forge(ca.certificate.subject, ca.key, new_key().public_key(), [CHANGXING_ID])
    trust = TrustStore({ZHEJIANG: [ca.certificate]})
    peer = verify_peer(leaf, trust, NOW)
    assert isinstance(peer, PeerIdentity) and peer.not_after == NOW + 2 * DAY
    verdict = verify_peer(leaf, trust, NOW + 3 * DAY)
    assert isinstance(verdict, AuthFailure) and verdict.metadata["reason"] == "EXPIRED"


def test_an_intermediate_of_the_province_is_followed(tmp_path: Path) -> None:
    root_key, key = new_key(), new_key()
    root_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "root")])
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "intermediate")])
    root = _ca(root_name, root_name, root_key, root_key)
    intermediate = _ca(name, root_name, key, root_key)
    leaf = forge(name, key, new_key().public_key(), [CHANGXING_ID])
    trust = TrustStore({ZHEJIANG: [root]})
    assert isinstance(verify_peer(leaf, trust, NOW), AuthFailure)
    assert isinstance(verify_peer(leaf + intermediate.public_bytes(Encoding.PEM), trust, NOW), PeerIdentity)


def _ca(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    flags = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only"), False)
    usage = x509.KeyUsage(digital_signature=False, key_cert_sign=True, crl_sign=True, decipher_only=False, **flags)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - DAY)
        .not_valid_after(NOW + 100 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )


def test_the_dates_are_checked_at_every_call(directory: Path, trust: TrustStore) -> None:
    peers, pem = PeerVerifier(trust), _good(directory)
    first = peers.verify(pem, NOW)
    assert isinstance(first, PeerIdentity)
    assert peers.verify(pem, NOW + timedelta(seconds=1)) is first
    later = peers.verify(pem, NOW + 30 * DAY)
    assert isinstance(later, AuthFailure) and later.metadata["reason"] == "EXPIRED"
    # Even within the minute in which the chain is not walked again.
    assert isinstance(peers.verify(pem, NOW + 30 * DAY - timedelta(seconds=1)), PeerIdentity)
    assert isinstance(peers.verify(pem, NOW + 30 * DAY), AuthFailure)


def test_a_ca_added_or_removed_takes_effect_without_a_restart(tmp_path: Path) -> None:
    made = authority(tmp_path)
    peers = PeerVerifier(TrustStore.load(tmp_path / "trust"))
    anhui = made.issue_leaf("spiffe://340000/340100/platform").certificate_pem
    assert isinstance(peers.verify(anhui, NOW), PeerIdentity)
    (tmp_path / "trust" / "340000.pem").unlink()
    assert isinstance(peers.verify(anhui, NOW + timedelta(seconds=59)), PeerIdentity)
    verdict = peers.verify(anhui, NOW + timedelta(seconds=60))
    assert isinstance(verdict, AuthFailure) and verdict.metadata["reason"] == "FOREIGN_CA"


def test_a_half_written_trust_file_changes_nothing(tmp_path: Path) -> None:
    authority(tmp_path)
    trust = TrustStore.load(tmp_path / "trust")
    (tmp_path / "trust" / "340000.pem").write_bytes(b"-----BEGIN CERT")
    assert not trust.refresh()
    assert trust.domains == ("000000", SHANGHAI, ZHEJIANG)


def test_the_memory_is_bounded(directory: Path, trust: TrustStore) -> None:
    peers = PeerVerifier(trust, entries_max=2)
    pems = [_good(directory) for _ in range(3)]
    first = [peers.verify(pem, NOW) for pem in pems]
    assert peers.verify(pems[2], NOW) is first[2]
    assert peers.verify(pems[0], NOW) is not first[0]


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "spiffe://330000/330522/platform\n",
        "spiffe://330000/330522/platform/",
        "spiffe://330000/330522/",
        "spiffe://330000/330522/-x",
        "spiffe://330000/330522/a b",
        "spiffe://330000/330522/platform?x=1",
        "spiffe://330000:1/330522/platform",
        "spiffe://３３００００/330522/platform",
        "spiffe://33000/330522/platform",
        "SPIFFE://330000/330522/platform",
        "spiffe://330000/330522/" + "x" * 65,
    ],
)
def test_no_other_form_is_an_identity(uri: str) -> None:
    assert parse_spiffe_id(uri) is None


@pytest.mark.parametrize("uri", [CHANGXING_ID, "spiffe://000000/000000/coordination", "spiffe://310000/310000/provider-12310104425001236Q"])
def test_an_identity_survives_the_round_trip(uri: str) -> None:
    parsed = parse_spiffe_id(uri)
    assert parsed is not None and parsed.consistent and str(parsed) == uri


@pytest.mark.parametrize("uri", ["spiffe://330522/330522/platform", "spiffe://330500/330522/platform", "spiffe://000000/330522/platform"])
def test_a_trust_domain_is_a_province(uri: str) -> None:
    parsed = parse_spiffe_id(uri)
    assert parsed is not None and not parsed.consistent
