"""Jiangsu's dropped files, in a folder and over SFTP: the same tests for both."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.jiangsu import ADAPTER
from adapters.jiangsu.connecting import connect
from adapters.jiangsu.source import DropSource
from adapters.runtime.dryrun import DryLanding
from adapters.runtime.intake import Intake
from adapters.runtime.model import Broken, Kind, NativeRecord
from adapters.runtime.source import Noticing, SourceFault
from tests.fixtures.dropping import Desk, drop, tree
from tests.fixtures.jiangsu import NAME, SAMPLE, pull_all, source
from tests.fixtures.sftp import SSHD, SftpServer


@dataclass
class Place:
    """Where the province drops its files, and how the adapter is told of it."""

    files: Path
    given: dict[str, object]

    @property
    def inbox(self) -> Path:
        return self.files / "inbox"


@pytest.fixture(params=["folder", "conch", *(["openssh"] if SSHD else [])])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "folder":
        (tmp_path / "drop" / "inbox").mkdir(parents=True)
        return Place(tmp_path / "drop", {"folder": str(tmp_path / "drop")})
    server: SftpServer = request.getfixturevalue(request.param)
    own = f"{abs(hash(request.node.nodeid))}"
    (server.files / own / "inbox").mkdir(parents=True)
    if request.param == "conch":
        server.fail()
    root = f"./{own}" if request.param == "conch" else str(server.files / own)
    return Place(server.files / own, {"sftp": server.given(root=root)})


def test_a_file_with_its_checksum_is_landed_and_then_archived(place: Place, here: Desk) -> None:
    drop(place.inbox, NAME, SAMPLE)
    dropped = source(here, place.given)
    assert pull_all(dropped, here) == 1
    (delivery,) = here.landed()
    assert (delivery.name, delivery.path.read_bytes()) == (NAME, SAMPLE)
    assert set(tree(place.inbox)) == {NAME, f"{NAME}.sha256"}, "nothing moves before its records are remembered"
    dropped.taken(delivery)
    dropped.taken(delivery)
    assert tree(place.inbox) == {}
    assert set(tree(place.files / "archive")) == {f"2026/02/{NAME}", f"2026/02/{NAME}.sha256"}
    assert pull_all(dropped, here) == 0
    dropped.close()


def test_what_is_not_whole_is_left_alone_and_told_after_a_while(place: Place, here: Desk) -> None:
    place.inbox.joinpath(NAME).write_bytes(SAMPLE[:100])
    place.inbox.joinpath("JS_JG_20260210.csv.part").write_bytes(b"x")
    place.inbox.joinpath("JS_HR_20260210.csv.sha256").write_text("0" * 64)
    place.inbox.joinpath("notes.txt").write_text("to whom it may concern")
    drop(place.inbox, "JS_FQ_20260210.csv", b"a,b\n")
    place.inbox.joinpath("JS_FQ_20260210.csv.sha256").write_text("half a dig")
    dropped = source(here, {**place.given, "stuck_after_seconds": 600})
    assert isinstance(dropped, Noticing)
    assert pull_all(dropped, here) == 0 and list(dropped.notices()) == []
    here.later(601)
    assert pull_all(dropped, here) == 0 and here.landed() == []
    assert {notice.name: notice.code for notice in dropped.notices()} == {
        NAME: "NO_CHECKSUM",
        "JS_JG_20260210.csv.part": "UNFINISHED",
        "JS_HR_20260210.csv.sha256": "CHECKSUM_ALONE",
        "JS_FQ_20260210.csv": "BAD_CHECKSUM_FILE",
        "notes.txt": "UNKNOWN_NAME",
    }
    drop(place.inbox, NAME, SAMPLE)
    assert pull_all(dropped, here) == 1
    assert NAME not in {notice.name for notice in dropped.notices()}
    dropped.close()


def test_a_file_that_is_not_what_its_checksum_says_is_a_fault_until_it_changes(place: Place, here: Desk) -> None:
    drop(place.inbox, NAME, SAMPLE, digest="ab" * 32)
    drop(place.inbox, "JS_DD_20260210.csv", b"x\n")
    dropped = source(here, place.given)
    assert dropped.pull(here.landing), "a good file is not held up by a bad one"
    with pytest.raises(SourceFault) as fault:
        dropped.pull(here.landing)
    said = str(fault.value)
    assert NAME in said and "ab" * 32 in said and hashlib.sha256(SAMPLE).hexdigest() in said
    assert [delivery.name for delivery in here.landed()] == ["JS_DD_20260210.csv"]
    drop(place.inbox, NAME, SAMPLE)
    assert pull_all(dropped, here) == 1
    assert here.landed()[-1].path.read_bytes() == SAMPLE
    dropped.close()


def test_a_mismatch_is_no_fault_while_file_and_checksum_are_being_replaced(place: Place, here: Desk) -> None:
    drop(place.inbox, NAME, SAMPLE, digest="cd" * 32)
    dropped = source(here, place.given)
    assert not dropped.pull(here.landing)
    assert [notice.code for notice in dropped.notices()] == ["DIGEST_MISMATCH"]
    drop(place.inbox, NAME, SAMPLE)
    assert dropped.pull(here.landing)
    dropped.close()


def test_the_same_file_again_has_no_effect_and_other_bytes_are_another_delivery(place: Place, here: Desk) -> None:
    dropped = source(here, place.given)
    for content, deliveries in ((SAMPLE, 1), (SAMPLE, 1), (SAMPLE + b"\r\n", 2), (SAMPLE, 3)):
        drop(place.inbox, NAME, content)
        pull_all(dropped, here)
        assert len(here.landed()) == deliveries
        dropped.taken(here.landed()[-1])
        assert tree(place.inbox) == {}
    second = f"2026/02/{NAME.removesuffix('.csv')}.{hashlib.sha256(SAMPLE + bytes([13, 10])).hexdigest()[:12]}.csv"
    assert {name for name in tree(place.files / "archive") if not name.endswith("256")} == {f"2026/02/{NAME}", second}
    dropped.close()


def test_a_look_leaves_the_province_as_it_is(place: Place, here: Desk, tmp_path: Path) -> None:
    drop(place.inbox, NAME, SAMPLE)
    dropped = source(here, place.given)
    assert pull_all(dropped, here) == 1
    dropped.taken(here.landed()[0])
    dropped.close()
    # The same file again, a checksum file whose file was archived without it, and a new file.
    drop(place.inbox, NAME, SAMPLE)
    drop(place.inbox, "JS_QY_20260211.csv", SAMPLE + SAMPLE.splitlines(keepends=True)[1])
    (place.inbox / "JS_QY_20260212.csv").write_bytes(SAMPLE)
    before = tree(place.files)
    looking = connect(here.settings(place.given, look_only=True))
    landing = DryLanding(tmp_path / "dry", here.state)
    while looking.pull(landing):
        pass
    looking.close()
    assert [delivery.name for delivery, _ in landing.landed] == ["JS_QY_20260211.csv"]
    assert [(notice.name, notice.code) for notice in looking.notices()] == [("JS_QY_20260212.csv", "NO_CHECKSUM")]
    assert tree(place.files) == before
    (place.inbox / NAME).unlink()
    before = tree(place.files)
    looking = connect(here.settings(place.given, look_only=True))
    while looking.pull(DryLanding(tmp_path / "again", here.state)):
        pass
    looking.close()
    assert tree(place.files) == before


def test_a_newer_edition_in_the_meantime_stays_and_is_landed_in_its_turn(place: Place, here: Desk) -> None:
    drop(place.inbox, NAME, SAMPLE)
    dropped = source(here, place.given)
    assert pull_all(dropped, here) == 1
    newer = SAMPLE + b"\r\n\r\n"
    drop(place.inbox, NAME, newer)
    dropped.taken(here.landed()[0])
    assert tree(place.inbox)[NAME] == newer
    assert pull_all(dropped, here) == 1
    dropped.taken(here.landed()[0])
    assert tree(place.inbox)[NAME] == newer, "the older one's telling does not put the newer one away"
    dropped.taken(here.landed()[1])
    assert tree(place.inbox) == {}
    dropped.close()


def test_results_are_dropped_whole_with_their_checksums_and_once(place: Place, here: Desk, tmp_path: Path) -> None:
    file = tmp_path / "JS_HZ_RESULT.csv"
    file.write_bytes("类型,编号\r\n".encode("gb18030"))
    dropped = source(here, place.given)
    dropped.push([file])
    out = place.files / "results"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert tree(out) == {file.name: file.read_bytes(), f"{file.name}.sha256": f"{digest}  {file.name}\n".encode()}
    before = (out / file.name).stat().st_ino
    dropped.push([file])
    assert (out / file.name).stat().st_ino == before, "the same file again is left alone"
    file.write_bytes("类型,编号,结果\r\n".encode("gb18030"))
    dropped.push([file])
    assert tree(out)[file.name] == file.read_bytes()
    dropped.close()


def test_history_is_read_by_the_days_in_its_names_in_order_and_once(place: Place, here: Desk) -> None:
    for month in ("01", "02", "03"):
        for kind in ("DF", "QY"):
            drop(place.files / "archive" / "2025" / month, f"JS_{kind}_2025{month}05.csv", f"{kind}{month}".encode())
    second = place.files / "archive" / "2025" / "02" / "JS_QY_20250205.0123456789ab.csv"
    second.write_bytes(b"second edition")
    later = (place.files / "archive" / "2025" / "02" / "JS_QY_20250205.csv").stat().st_mtime + 10
    os.utime(second, (later, later))
    (place.files / "old").mkdir()
    (place.files / "old" / "JS_JG_20250228_2.csv").write_bytes(b"from before there were checksum files")
    (place.files / "old" / "readme.txt").write_bytes(b"")
    dropped = source(here, {**place.given, "history": "old"})
    assert dropped.backfill(here.landing, "2025-02-01", "2025-03-31")
    again = source(here, {**place.given, "history": "old"})
    while again.backfill(here.landing, "2025-02-01", "2025-03-31"):
        pass
    assert [(each.name, each.path.read_bytes()) for each in here.landed()] == [
        ("JS_QY_20250205.csv", b"QY02"),
        ("JS_QY_20250205.csv", b"second edition"),
        ("JS_DF_20250205.csv", b"DF02"),
        ("JS_JG_20250228_2.csv", b"from before there were checksum files"),
        ("JS_QY_20250305.csv", b"QY03"),
        ("JS_DF_20250305.csv", b"DF03"),
    ]
    for delivery in here.landed():
        again.taken(delivery)
    assert len(tree(place.files / "archive")) == 13, "history stays where it is"
    dropped.close()
    again.close()


def test_history_that_was_damaged_is_a_fault(place: Place, here: Desk) -> None:
    drop(place.files / "archive" / "2025" / "01", "JS_QY_20250105.csv", b"rotten", digest="ef" * 32)
    dropped = source(here, place.given)
    with pytest.raises(SourceFault, match="JS_QY_20250105"):
        dropped.backfill(here.landing, "2025-01-01", "2025-01-31")
    dropped.close()


def test_the_dropped_samples_become_commands_and_what_is_marked_is_withdrawn(place: Place, here: Desk) -> None:
    for path in ADAPTER.samples.iterdir():
        drop(place.inbox, path.name, path.read_bytes())
    dropped = source(here, place.given)
    assert pull_all(dropped, here) == 6
    _take_in(here, dropped)
    before = here.state.deliveries.all()
    assert sum(each.sent for each in before) > 400 and all(each.told is False for each in before)
    assert tree(place.inbox) == {}
    lines = (ADAPTER.samples / "JS_FQ_20260210.csv").read_bytes().split(b"\r\n")
    changed = b"\r\n".join([lines[0], lines[1].replace("新增".encode("gb18030"), "撤销".encode("gb18030")), lines[2], b""])
    drop(place.inbox, "JS_FQ_20260211.csv", changed)
    assert pull_all(dropped, here) == 1
    _take_in(here, dropped)
    last = here.state.deliveries.all()[-1]
    assert (last.rows, last.unchanged) == (2, 1)
    dropped.close()


def _take_in(here: Desk, dropped: DropSource) -> None:
    intake = Intake(ADAPTER, here.state, here.landing, here.clock)
    while intake.step():
        pass
    for landed in here.state.deliveries.untold(100):
        dropped.taken(here.landing.delivery(landed))


def test_a_record_marked_as_withdrawn_says_so(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(SAMPLE.replace("新增".encode("gb18030"), "撤销".encode("gb18030"), 1).replace("新增".encode("gb18030"), b"?", 1))
    records = list(ADAPTER.read(path, NAME, (Kind.ENTERPRISE,)))
    assert [isinstance(each, NativeRecord) and each.deleted for each in records[:3]] == [True, False, False]
    assert isinstance(records[1], NativeRecord)
    unknown = ADAPTER.map(records[1])
    assert isinstance(unknown, Broken) and (unknown.field, unknown.reason_code) == ("操作", "UNMAPPED_CODE")


def test_a_folder_that_is_not_there_is_a_fault(place: Place, here: Desk) -> None:
    dropped = source(here, {**place.given, "inbox": "elsewhere"})
    with pytest.raises(SourceFault, match="elsewhere"):
        dropped.pull(here.landing)
    dropped.close()


def test_sm3_stands_beside_sha256_where_it_is_chosen(tmp_path: Path, here: Desk) -> None:
    if "sm3" not in hashlib.algorithms_available:
        with pytest.raises(SourceFault, match="sm3"):
            source(here, {"folder": str(tmp_path), "checksum": "sm3"})
        return
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / NAME).write_bytes(SAMPLE)
    (tmp_path / "inbox" / f"{NAME}.sm3").write_text(hashlib.new("sm3", SAMPLE).hexdigest())
    dropped = source(here, {"folder": str(tmp_path), "checksum": "sm3"})
    assert dropped.pull(here.landing)
    dropped.taken(here.landed()[0])
    assert f"2026/02/{NAME}.sm3" in tree(tmp_path / "archive")
