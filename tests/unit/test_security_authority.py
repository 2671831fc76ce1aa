from __future__ import annotations

import stat
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from hub.domain.clock import SimulatedClock
from hub.security.authority import LEAF_DAYS, SERVER_DAYS, DevelopmentAuthority
from hub.security.certs import certs_init, certs_issue, certs_list
from hub.security.files import write_private
from hub.security.identity import PeerIdentity, verify_peer
from hub.security.trust import TrustStore
from tests.support_identity import CHANGXING_ID, NOW, SHANGHAI, ZHEJIANG, authority

EXPECTED = {
    ".lock",
    "ca.pem",
    "ca/000000.key",
    "ca/000000.pem",
    "ca/310000.key",
    "ca/310000.pem",
    "ca/330000.key",
    "ca/330000.pem",
    "ca/hub.key",
    "ca/hub.pem",
    "server.key",
    "server.pem",
    "token.jwks",
    "token.key",
    "trust/000000.pem",
    "trust/310000.pem",
    "trust/330000.pem",
}


def _files(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def test_everything_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    directory = tmp_path / "var" / "identity"
    authority(directory)
    made = _files(directory)
    assert set(made) == EXPECTED
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.rglob("*") if path.is_file()} == {0o600}
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    authority(directory)
    assert _files(directory) == made


def test_only_what_is_missing_is_made_again(tmp_path: Path) -> None:
    authority(tmp_path)
    before = _files(tmp_path)
    # As after a crash between the two files of a pair: without its certificate a key counts as unmade.
    for name in ("server.pem", "ca/310000.pem", "trust/310000.pem"):
        (tmp_path / name).unlink()
    authority(tmp_path)
    after = _files(tmp_path)
    changed = {name for name in EXPECTED if after[name] != before[name]}
    assert changed == {"server.pem", "server.key", "ca/310000.pem", "ca/310000.key", "trust/310000.pem"}


def test_two_processes_that_start_together_agree(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from hub.security.authority import DevelopmentAuthority as A; sys.stdin.read();"
        "a = A(Path(sys.argv[1])); a.ensure(['310000', '330000']);"
        "a.write_identity('330522', 'platform', Path(sys.argv[1]) / sys.argv[2])"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "id"), f"client{n}"], stdin=subprocess.PIPE) for n in range(3)]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
    assert [process.wait(timeout=60) for process in started] == [0, 0, 0]
    trust = TrustStore.load(tmp_path / "id" / "trust")
    for number in range(3):
        chain = (tmp_path / "id" / f"client{number}" / "cert.pem").read_bytes()
        leaf = x509.load_pem_x509_certificates(chain)[0]
        assert isinstance(verify_peer(chain, trust, leaf.not_valid_before_utc), PeerIdentity)
    assert (tmp_path / "id" / "ca" / "330000.pem").read_bytes() == (tmp_path / "id" / "trust" / "330000.pem").read_bytes()


def test_the_server_certificate_names_this_machine_and_is_renewed_in_time(tmp_path: Path) -> None:
    authority(tmp_path)
    first = (tmp_path / "server.pem").read_bytes()
    leaf, ca = x509.load_pem_x509_certificates(first)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "localhost" in names.get_values_for_type(x509.DNSName)
    assert {str(ip) for ip in names.get_values_for_type(x509.IPAddress)} == {"127.0.0.1", "::1"}
    leaf.verify_directly_issued_by(ca)
    authority(tmp_path, NOW + timedelta(days=SERVER_DAYS - 31))
    assert (tmp_path / "server.pem").read_bytes() == first
    authority(tmp_path, NOW + timedelta(days=SERVER_DAYS - 30))
    assert (tmp_path / "server.pem").read_bytes() != first


def test_a_province_nobody_named_gets_its_ca_with_its_first_certificate(tmp_path: Path) -> None:
    made = authority(tmp_path)
    leaf = made.issue_leaf("spiffe://320000/320100/platform", days=7)
    trust = TrustStore.load(tmp_path / "trust")
    assert trust.domains == ("000000", SHANGHAI, "320000", ZHEJIANG)
    assert isinstance(verify_peer(leaf.certificate_pem, trust, NOW), PeerIdentity)


@pytest.mark.parametrize(
    "identity", ["spiffe://330000/310118/platform", "spiffe://330522/330522/platform", "spiffe://330000/330522/../x", "330522", ""]
)
def test_no_certificate_for_an_identity_that_cannot_be(identity: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="spiffe://<province>"):
        authority(tmp_path).issue_leaf(identity)


@pytest.mark.parametrize("province", ["33", "330522", "../etc", "hub", ""])
def test_no_ca_for_what_is_no_province(province: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not the code of a province"):
        DevelopmentAuthority(tmp_path).ensure([province])


def test_a_client_folder_is_kept_until_a_third_of_its_life_is_left(tmp_path: Path) -> None:
    clock = SimulatedClock(NOW)
    made, out = DevelopmentAuthority(tmp_path, clock), tmp_path / "client"
    assert str(made.ensure_identity("330522", "platform", out)) == CHANGXING_ID
    first = _files(out)
    assert set(first) == {"cert.pem", "key.pem", "ca.pem"}
    clock.advance_to(NOW + timedelta(days=LEAF_DAYS * 2 / 3))
    made.ensure_identity("330522", "platform", out)
    assert _files(out) == first
    clock.advance_to(clock.now() + timedelta(seconds=1))
    made.ensure_identity("330522", "platform", out)
    assert _files(out)["cert.pem"] != first["cert.pem"]


def test_a_client_folder_of_another_name_or_ca_is_replaced(tmp_path: Path) -> None:
    made, out = authority(tmp_path / "a"), tmp_path / "client"
    made.ensure_identity("330522", "platform", out)
    first = _files(out)
    made.ensure_identity("330400", "platform", out)
    second = _files(out)
    assert second["cert.pem"] != first["cert.pem"]
    authority(tmp_path / "b").ensure_identity("330400", "platform", out)
    assert _files(out)["ca.pem"] != second["ca.pem"]


def test_the_list_shows_what_expires_first(tmp_path: Path) -> None:
    certs_init(tmp_path, [ZHEJIANG], SimulatedClock(NOW))
    identity = certs_issue(tmp_path, "330522", "platform", tmp_path / "client", days=10, clock=SimulatedClock(NOW))
    listed = certs_list(tmp_path)
    assert [(info.kind, info.identity) for info in listed[:2]] == [("PARTICIPANT", str(identity)), ("SERVER", "localhost")]
    assert (listed[0].days_left(NOW), listed[0].days_left(NOW + timedelta(days=11))) == (10, -1)
    assert {(info.kind, info.identity) for info in listed if info.kind == "TRUST"} == {
        ("TRUST", "spiffe://000000"),
        ("TRUST", "spiffe://330000"),
    }


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "key"
    write_private(path, b"old")

    def fail(_: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        write_private(path, b"new")
    assert [(entry.name, entry.read_bytes()) for entry in tmp_path.iterdir()] == [("key", b"old")]
