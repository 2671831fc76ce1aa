"""What goes wrong at Jiangsu's source: a crash at any step, a server that cuts, refuses or is silent, slips in the settings."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from adapters.runtime.source import SourceDown, SourceFault
from tests.fixtures.dropping import Desk, desk, drop, tree
from tests.fixtures.jiangsu import NAME, SAMPLE, pull_all, source
from tests.fixtures.sftp import PASSWORD, SftpServer, conch_server, new_key


@pytest.fixture
def remote(conch: SftpServer, request: pytest.FixtureRequest) -> SftpServer:
    """Conch's server, well behaved, with a folder of its own for the test."""
    conch.fail()
    conch.root = f"./{abs(hash(request.node.nodeid))}"
    (conch.files / conch.root / "inbox").mkdir(parents=True)
    return conch


class Crash(Exception):
    """The process dies here."""


def test_a_crash_at_any_step_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    """Every call to the store is where the process may die, before the call or after it."""
    steps = 0
    for after in (False, True):
        for at in range(100):
            work, files = tmp_path / f"{after}{at}", tmp_path / f"{after}{at}" / "drop"
            for name in (NAME, "JS_JG_20260210.csv"):
                drop(files / "inbox", name, SAMPLE + name.encode())
            died = _run_until(work, files, at, after=after)
            _run_until(work, files, 10_000, after=after)
            assert tree(files / "inbox") == {}
            assert len(tree(files / "archive")) == 4
            with desk(work) as opened:
                assert [delivery.name for delivery in opened.landed()] == [NAME, "JS_JG_20260210.csv"]
            steps += 1
            if not died:
                break
    assert steps > 20


def _run_until(work: Path, files: Path, at: int, *, after: bool) -> bool:
    """Run the adapter's way with a file until the process dies at a call; say whether it did."""
    left = at

    def dying(call: Any) -> Any:
        def called(*given: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0 and not after:
                raise Crash
            answer = call(*given)
            if left < 0:
                raise Crash
            return answer

        return called

    with desk(work) as opened:
        dropped = source(opened, {"folder": str(files)})
        for name in ("entries", "entry", "small", "fetch", "move"):
            setattr(dropped._store, name, dying(getattr(dropped._store, name)))
        try:
            pull_all(dropped, opened)
            for delivery in opened.landed():
                dropped.taken(delivery)
            pull_all(dropped, opened)
        except Crash:
            return True
    return False


def test_a_download_goes_on_where_the_connection_was_cut(remote: SftpServer, here: Desk) -> None:
    big = os.urandom(4_000_000)
    drop(remote.files / remote.root / "inbox", NAME, big)
    dropped = source(here, {"sftp": remote.given()})
    remote.fail(cut_after=2_500_000)
    with pytest.raises(SourceDown, match=r"cut|lost|reset"):
        dropped.pull(here.landing)
    got = here.landing.part(NAME).stat().st_size
    assert 1_000_000 < got < 4_000_000
    # Enough for the rest, not for the whole: it succeeds only if what is there is not asked for again.
    remote.fail(cut_after=4_000_000 - got + 1_000)
    again = source(here, {"sftp": remote.given()})
    assert again.pull(here.landing)
    assert here.landed()[0].path.read_bytes() == big
    dropped.close()
    again.close()


def test_a_part_that_was_damaged_is_fetched_anew(remote: SftpServer, here: Desk) -> None:
    big = os.urandom(4_000_000)
    drop(remote.files / remote.root / "inbox", NAME, big)
    dropped = source(here, {"sftp": remote.given()})
    remote.fail(cut_after=3_000_000)
    with pytest.raises(SourceDown):
        dropped.pull(here.landing)
    part = here.landing.part(NAME)
    part.write_bytes(bytes(len(part.read_bytes())))
    assert dropped.pull(here.landing)
    assert here.landed()[0].path.read_bytes() == big
    dropped.close()


def test_only_a_pinned_host_is_spoken_to(remote: SftpServer, here: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other_hosts"
    other.write_text(f"[127.0.0.1]:{remote.port} {new_key(tmp_path / 'another')}\n")
    dropped = source(here, {"sftp": remote.given(known_hosts=str(other))})
    with pytest.raises(SourceFault, match="another host key"):
        dropped.pull(here.landing)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text(f"example.org {remote.host_line}\n")
    with pytest.raises(SourceFault, match=r"source\.sftp\.known_hosts: .* has no key of"):
        source(here, {"sftp": remote.given(known_hosts=str(elsewhere))})
    dropped.close()


def test_a_password_by_reference_logs_in_and_a_wrong_one_is_a_fault(
    remote: SftpServer, here: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("JS_SFTP", PASSWORD)
    dropped = source(here, {"sftp": remote.given(key_file=None, password={"env": "JS_SFTP"})})
    assert not dropped.pull(here.landing)
    dropped.close()
    new_key(tmp_path / "stranger")
    (tmp_path / "wrong").write_text("guess")
    for given in ({"key_file": None, "password": {"file": str(tmp_path / "wrong")}}, {"key_file": str(tmp_path / "stranger")}):
        dropped = source(here, {"sftp": remote.given(**given)})
        with pytest.raises(SourceFault, match="refuses user and key or password"):
            dropped.pull(here.landing)
        dropped.close()


def test_rights_and_a_full_disk_are_told_as_faults_and_nothing_is_lost(remote: SftpServer, here: Desk, tmp_path: Path) -> None:
    drop(remote.files / remote.root / "inbox", NAME, SAMPLE)
    dropped = source(here, {"sftp": remote.given()})
    assert dropped.pull(here.landing)
    remote.fail(deny=f"{remote.root.removeprefix('./')}/archive")
    with pytest.raises(SourceFault, match="rights"):
        dropped.taken(here.landed()[0])
    assert NAME in tree(remote.files / remote.root / "inbox")
    remote.fail(full=True)
    result = tmp_path / "JS_HZ_RESULT.csv"
    result.write_bytes(b"x" * 100_000)
    with pytest.raises(SourceFault, match="No space left"):
        dropped.push([result])
    assert result.name not in tree(remote.files / remote.root / "results")
    remote.fail()
    dropped.taken(here.landed()[0])
    dropped.push([result])
    assert tree(remote.files / remote.root / "inbox") == {}
    assert tree(remote.files / remote.root / "results")[result.name] == result.read_bytes()
    dropped.close()


def test_a_server_without_extensions_replaces_results_as_well(remote: SftpServer, here: Desk, tmp_path: Path) -> None:
    remote.fail(plain=True)
    dropped = source(here, {"sftp": remote.given()})
    result = tmp_path / "JS_HZ_RESULT.csv"
    for content in (b"first", b"second one"):
        result.write_bytes(content)
        dropped.push([result])
        assert tree(remote.files / remote.root / "results")[result.name] == content
    dropped.close()


def test_silence_and_an_absent_server_are_waited_out(remote: SftpServer, here: Desk, tmp_path: Path) -> None:
    drop(remote.files / remote.root / "inbox", NAME, SAMPLE)
    dropped = source(here, {"sftp": remote.given(timeout_seconds=0.5)})
    assert dropped.pull(here.landing)
    remote.fail(silent=True)
    with pytest.raises(SourceDown, match="no answer in time"):
        dropped.taken(here.landed()[0])
    remote.fail()
    dropped.taken(here.landed()[0])
    assert tree(remote.files / remote.root / "inbox") == {}
    dropped.close()
    with conch_server(tmp_path / "short-lived") as gone:
        given = gone.given()
    absent = source(here, {"sftp": given})
    with pytest.raises(SourceDown, match="cannot be reached"):
        absent.pull(here.landing)
    absent.close()


@pytest.mark.parametrize(
    ("given", "key"),
    [
        ({}, "give either folder or sftp"),
        ({"folder": "/x", "sftp": {}}, r"source\.sftp\.host"),
        ({"folder": "/x", "colour": "red"}, r"source\.colour"),
        ({"folder": "/x", "checksum": "md5"}, r"source\.checksum"),
        ({"folder": "/x", "inbox": "/etc"}, "relative names"),
        ({"folder": "/x", "archive": "inbox"}, "different folders"),
        ({"folder": "/x", "stuck_after_seconds": -1}, r"source\.stuck_after_seconds"),
        ({"sftp": {"host": "h", "user": "u", "known_hosts": "k", "password": "open"}}, r"source\.sftp\.password"),
        ({"sftp": {"host": "h", "user": "u", "known_hosts": "k"}}, "either key_file or password"),
        ({"sftp": {"host": "h", "user": "u", "known_hosts": "k", "key_file": "f", "port": 0}}, r"source\.sftp\.port"),
        ({"sftp": {"host": "h", "user": "u", "known_hosts": "/no/such", "key_file": "f"}}, r"source\.sftp\.known_hosts"),
    ],
)
def test_a_slip_in_the_settings_names_its_key(here: Desk, given: dict[str, object], key: str) -> None:
    with pytest.raises(SourceFault, match=key) as fault:
        source(here, given)
    assert "open" not in str(fault.value)
