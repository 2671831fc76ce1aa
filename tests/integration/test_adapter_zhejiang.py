"""Zhejiang's tree as it lives: files grow line by line, are put aside and rewritten; the adapter dies and comes back."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import signal
import subprocess
import sys
from collections import Counter
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.contract.hub import FakeHub
from adapters.runtime.model import Kind
from adapters.runtime.results import Results
from adapters.runtime.source import Delivery, SourceDown, SourceFault, SourceSettings
from adapters.runtime.state import State
from adapters.zhejiang import ADAPTER
from adapters.zhejiang.source import MANIFEST, ZhejiangSource, connect
from hub.domain.clock import SimulatedClock
from tests.fixtures.landing import Ground, beyond_landing, exchanged, ground
from tests.golden.samples import zhejiang
from tests.golden.samples.build import build
from yrd.registry.v1 import registry_pb2 as registry

NOW = datetime(2026, 2, 10, 4, tzinfo=UTC)


class Province:
    """The province's tree, and an adapter beside it that can be restarted at any time."""

    def __init__(self, folder: Path, **given: object) -> None:
        self.folder, self.tree, self.clock = folder, folder / "tree", SimulatedClock(NOW)
        self.given: dict[str, object] = {"folder": str(self.tree), "outgoing": str(folder / "out"), **given}
        (self.tree / "330522").mkdir(parents=True)

    def path(self, name: str) -> Path:
        path = self.tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def write(self, name: str, *numbers: int, end: bytes = b"\n", how: str = "ab", staff: int = 5) -> None:
        with self.path(name).open(how) as file:
            file.write(b"\n".join(line(number, staff) for number in numbers) + end)
        self.touch(name)

    def touch(self, name: str, minutes: float = 0) -> None:
        """Set when a file was last changed, by the province's clock."""
        at = (self.clock.now() - timedelta(minutes=minutes)).timestamp()
        os.utime(self.path(name), (at, at))

    def source(self, here: Ground) -> ZhejiangSource:
        return connect(SourceSettings(self.given, here.work, here.landing, self.clock))

    def open(self) -> AbstractContextManager[Ground]:
        return ground(self.folder / "work", self.clock)


def line(number: int, staff: int = 5) -> bytes:
    return json.dumps({"bianhao": f"ZJ-{number}", "zgrs": staff, "qymc": "示例有限公司", "zt": "1"}, ensure_ascii=False).encode()


def take(source: ZhejiangSource, here: Ground) -> None:
    for _ in range(10_000):
        if not source.pull(here.landing):
            return
    raise AssertionError("the source does not come to an end")


def told(here: Ground) -> list[tuple[str, str, str]]:
    return [(record.file, record.line, record.native_id) for record in here.records(ADAPTER)]


@pytest.fixture
def province(tmp_path: Path) -> Province:
    return Province(tmp_path)


def test_lines_are_taken_as_they_come_and_known_by_their_number_in_the_file(province: Province) -> None:
    with province.open() as here:
        source = province.source(here)
        assert source.pull(here.landing) is False
        province.write("330522/qiye.jsonl", 1, 2)
        province.write("330000/faquan.jsonl", 7)
        take(source, here)
        province.write("330522/qiye.jsonl", 3)
        take(source, here)
        take(source, here)
        assert here.names() == ["330000/faquan.jsonl@1-1", "330522/qiye.jsonl@1-1", "330522/qiye.jsonl@1-3"]
        assert told(here)[1:] == [("330522/qiye.jsonl", str(at), f"ZJ-{at}") for at in (1, 2, 3)]
        assert source.notices() == []


def test_a_line_without_its_end_waits_and_after_an_hour_somebody_is_told(province: Province) -> None:
    with province.open() as here:
        source = province.source(here)
        province.write("330522/qiye.jsonl", 1, 2, end=b"")
        take(source, here)
        assert [number for _, _, number in told(here)] == ["ZJ-1"]
        assert source.notices() == []
        province.clock.advance_to(NOW + timedelta(hours=2))
        take(source, here)
        assert [(notice.name, notice.code) for notice in source.notices()] == [("330522/qiye.jsonl", "UNFINISHED")]
        with province.path("330522/qiye.jsonl").open("ab") as file:
            file.write(b"\n")
        take(source, here)
        assert told(here)[1] == ("330522/qiye.jsonl", "2", "ZJ-2")
        assert source.notices() == []


def test_a_file_put_aside_is_finished_under_its_new_name_and_nothing_is_taken_twice(province: Province) -> None:
    with province.open() as here:
        source = province.source(here)
        province.write("330522/qiye.jsonl", 1, 2)
        take(source, here)
        province.write("330522/qiye.jsonl", 3)
        province.path("330522/qiye.jsonl").rename(province.path("330522/qiye.jsonl.1"))
        province.write("330522/qiye.jsonl", 4)
        take(province.source(here), here)
        province.path("330522/qiye.jsonl.1").rename(province.path("330522/qiye.jsonl.2"))
        province.path("330522/qiye.jsonl").rename(province.path("330522/qiye.jsonl.1"))
        province.write("330522/qiye.jsonl", 5)
        last = province.source(here)
        take(last, here)
        assert told(here) == [
            ("330522/qiye.jsonl", "1", "ZJ-1"),
            ("330522/qiye.jsonl", "2", "ZJ-2"),
            ("330522/qiye.jsonl.1", "3", "ZJ-3"),
            ("330522/qiye.jsonl", "1", "ZJ-4"),
            ("330522/qiye.jsonl", "1", "ZJ-5"),
        ]
        assert last.notices() == []


@pytest.mark.parametrize("aside", ["qiye-20260209.jsonl", "qiye-2026-02-09.jsonl", "qiye.jsonl-20260209", "qiye.20260209.jsonl"])
def test_a_file_may_be_put_aside_under_its_day_or_copied_and_cut(province: Province, aside: str) -> None:
    with province.open() as here:
        source = province.source(here)
        province.write("330522/qiye.jsonl", 1, 2)
        take(source, here)
        body = province.path("330522/qiye.jsonl").read_bytes()
        province.path(f"330522/{aside}").write_bytes(body + line(3))
        province.touch(f"330522/{aside}")
        take(source, here)
        province.write("330522/qiye.jsonl", 4, how="wb")
        take(source, here)
        assert [number for _, _, number in told(here)] == ["ZJ-1", "ZJ-2", "ZJ-4"]
        # Nobody adds to it any more, so after an hour its last line counts without a line end.
        province.touch(f"330522/{aside}", minutes=61)
        take(source, here)
        assert told(here)[-1] == (f"330522/{aside}", "3", "ZJ-3")
        assert source.notices() == []


def test_a_rewritten_file_is_told_and_taken_anew_and_back_again_as_well(province: Province) -> None:
    with province.open() as here:
        source = province.source(here)
        for generation, staff in enumerate((5, 6, 5), start=1):
            province.write("330522/qiye.jsonl", 1, 2, how="wb", staff=staff)
            province.touch("330522/qiye.jsonl", minutes=-generation)
            take(source, here)
        assert here.names() == ["330522/qiye.jsonl@1-1", "330522/qiye.jsonl@2-1", "330522/qiye.jsonl@3-1"]
        assert [record.fields["zgrs"] for record in here.records(ADAPTER)] == ["5", "5", "6", "6", "5", "5"]
        assert [(notice.name, notice.code) for notice in source.notices()] == [("330522/qiye.jsonl", "REWRITTEN")]


def providers(*said: tuple[str, str]) -> bytes:
    """Return lines of providers, by native id and rating."""
    base = zhejiang.rows(build())["330000/jigou"]
    lines = [{**base[int(of)], "bianhao": f"ZJ-JG-{of}", "pingji": rating, "zt": "1" if rating else "0"} for of, rating in said]
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in lines)


def ratings(work: Path) -> dict[str, int]:
    """Return the rating of each provider that the hub holds by this adapter."""
    with State(work / "state.db", read_only=True) as state:
        rows = state.records.many([(Kind.PROVIDER, f"ZJ-JG-{of}") for of in range(5)])
    held = {known.native_id[-1]: known.held for known in rows.values() if known.held}
    return {of: registry.AdmitProviderRequest.FromString(each).provider.rating for of, each in sorted(held.items())}


def test_a_rewritten_file_ends_with_its_last_editions_and_takes_nothing_back_on_the_way(province: Province) -> None:
    """Cut into many parts, it lands in one piece when it is taken anew; younger files of its kind are told after it."""
    province.given["part_bytes"] = 64
    hub, work = FakeHub(), province.folder / "work"
    old, grown = province.path("330000/jigou-20251231.jsonl"), province.path("330000/jigou.jsonl")
    old.write_bytes(providers(("0", "1.00"), ("1", "1.00"), ("0", "2.00"), ("2", "1.00"), ("1", "")))
    grown.write_bytes(providers(("3", "1.00"), ("3", "2.00"), ("3", "3.00")))
    assert exchanged(ADAPTER, province.given, work, hub).quarantined == 0
    assert ratings(work) == {"0": 200, "2": 100, "3": 300}
    sent = len(hub.received)
    grown.write_bytes(providers(("4", "1.00"), ("3", "1.00"), ("3", "2.00"), ("3", "3.00")))
    exchanged(ADAPTER, province.given, work, hub)
    assert len(hub.received) == sent + 1, "the line put before them is new; the others say what is known"
    with grown.open("ab") as file:
        file.write(providers(("2", "5.00")))
    exchanged(ADAPTER, province.given, work, hub)
    assert ratings(work) == {"0": 200, "2": 500, "3": 300, "4": 100}
    old.write_bytes(providers(("0", "1.00"), ("0", "2.00"), ("0", "4.00"), ("2", "1.00")))
    exchanged(ADAPTER, province.given, work, hub)
    assert ratings(work) == {"0": 400, "2": 500, "3": 300, "4": 100}, "the younger file has the last word"
    assert exchanged(ADAPTER, province.given, work, hub).sent == 0


def test_a_file_cut_short_is_told_once_it_has_lines_again(province: Province) -> None:
    with province.open() as here:
        source = province.source(here)
        province.write("330522/qiye.jsonl", 1, 2, 3)
        take(source, here)
        province.path("330522/qiye.jsonl").write_bytes(b"")
        take(source, here)
        assert source.notices() == []
        province.write("330522/qiye.jsonl", 9)
        again = province.source(here)
        take(again, here)
        assert told(here)[-1] == ("330522/qiye.jsonl", "1", "ZJ-9")
        assert [notice.code for notice in again.notices()] == ["REWRITTEN"]


def test_a_tree_that_is_away_is_an_outage_and_a_file_at_fault_holds_nobody_up(province: Province) -> None:
    with province.open() as here:
        source = province.source(here)
        province.tree.rename(province.folder / "away")
        with pytest.raises(SourceDown, match="mounted"):
            source.pull(here.landing)
        (province.folder / "away").rename(province.tree)
        province.write("330000/qiye.jsonl", 1)
        endless = province.path("330000/duifu.jsonl")
        with endless.open("wb") as file:
            file.truncate(17_000_000)
        with pytest.raises(SourceFault, match=r"duifu\.jsonl has a line that does not end"):
            take(source, here)
        assert [number for _, _, number in told(here)] == ["ZJ-1"]


def test_what_is_not_the_provinces_stays_where_it_is(province: Province) -> None:
    with province.open() as here:
        for name in ("320500/qiye.jsonl", "330522/.qiye.jsonl", "330522/qiye.jsonl.tmp", "330522/beizhu.jsonl", "qiye.jsonl"):
            province.write(name, 1)
        take(province.source(here), here)
        assert here.names() == []


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=st.data())
def test_wherever_writer_and_adapter_are_interrupted_each_line_is_taken_once(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Bytes come in pieces of any size, files are put aside at any time between lines, the adapter starts anew at any time."""
    province = Province(tmp_path_factory.mktemp("province"), part_bytes=data.draw(st.integers(64, 400)))
    name, pending, written = "330522/qiye.jsonl", b"", 0
    with province.open() as here:
        source = province.source(here)
        for step in range(data.draw(st.integers(5, 25))):
            few = data.draw(st.integers(0, 3))
            pending += b"".join(line(written + at) + b"\n" for at in range(few))
            written += few
            cut = data.draw(st.integers(0, len(pending)))
            with province.path(name).open("ab") as file:
                file.write(pending[:cut])
            pending = pending[cut:]
            province.touch(name, minutes=-step)
            if data.draw(st.booleans()):
                source = province.source(here)
            for _ in range(data.draw(st.integers(0, 4))):
                source.pull(here.landing)
            whole = province.path(name).read_bytes().endswith(b"\n")
            if whole and data.draw(st.integers(0, 3)) == 0:
                put_aside(province.path(name))
        with province.path(name).open("ab") as file:
            file.write(pending)
        province.touch(name, minutes=-100)
        take(province.source(here), here)
        ids = Counter(number for _, _, number in told(here))
        assert ids == Counter({f"ZJ-{at}": 1 for at in range(written)})
        assert source.notices() == []


def put_aside(path: Path) -> None:
    """Give a file the number 1, and each that has a number the next one."""
    names = sorted((int(other.suffix[1:]), other) for other in path.parent.glob(path.name + ".*"))
    for number, other in reversed(names):
        other.rename(path.with_name(f"{path.name}.{number + 1}"))
    path.rename(path.with_name(f"{path.name}.1"))


def test_years_of_the_archive_are_taken_under_places_of_their_own(province: Province) -> None:
    archive = province.folder / "archive"
    province.given["archive"] = str(archive)
    for name, number in (
        ("2024/330522/qiye", 1),
        ("2025/330522/qiye", 2),
        ("2025/330522/duifu-20250630", 3),
        ("2025/330522/duifu-20250701", 4),
    ):
        path = archive / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(line(number))
    province.write("330522/qiye.jsonl", 2)

    def backfill(source: ZhejiangSource, here: Ground) -> None:
        while source.backfill(here.landing, "2025-01-01", "2025-06-30"):
            pass

    with province.open() as here:
        source = province.source(here)
        take(source, here)
        backfill(source, here)
        backfill(province.source(here), here)
        assert here.names() == ["330522/qiye.jsonl@1-1", "2025/330522/duifu-20250630.jsonl@1-1", "2025/330522/qiye.jsonl@1-1"]
        assert told(here)[-1] == ("2025/330522/qiye.jsonl", "1", "ZJ-2")
        with pytest.raises(SourceFault, match="no folder of the years 2019 to 2020"):
            source.backfill(here.landing, "2019-01-01", "2020-12-31")
        del province.given["archive"]
        with pytest.raises(SourceFault, match=r"source\.archive is not set"):
            province.source(here).backfill(here.landing, "2025-01-01", "2025-06-30")


def test_results_stand_in_the_outgoing_tree_whole_with_a_list(province: Province, tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    files = ADAPTER.write(Results(), tmp_path / "results")
    with province.open() as here:
        source = province.source(here)
        for _ in range(2):
            source.push([*files, tmp_path / "quarantine.csv"])
        folder = tmp_path / "out" / "330000"
        assert sorted(path.name for path in folder.iterdir()) == sorted([MANIFEST, *(path.name for path in files)])
        for entry in json.loads((folder / MANIFEST).read_text(encoding="utf-8")):
            assert hashlib.sha256((folder / entry["wenjian"]).read_bytes()).hexdigest() == entry["sha256"]
        source.taken(Delivery(1, "330522/qiye.jsonl@1-1", tmp_path, ""))
        (tmp_path / "out" / "330000" / MANIFEST).unlink()
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
        folder.write_bytes(b"")
        with pytest.raises(SourceDown):
            source.push(files)


def test_the_whole_way_and_no_personal_data_on_it(province: Province, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    rows = zhejiang.rows(build())
    for name, found in rows.items():
        province.path(f"{name}.jsonl").write_bytes(b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in found))
    with province.path("330522/qiye.jsonl").open("ab") as file:
        file.write(json.dumps({**rows["330522/qiye"][0], "bianhao": "ZJ-QY-9001", "xzqh": "330502"}).encode() + b"\n")
    hub, work = FakeHub(), province.folder / "work"
    report = exchanged(ADAPTER, province.given, work, hub)
    assert (report.unanswered, report.refused, report.quarantined) == (0, 0, 1)
    told = ADAPTER.load(province.folder / "out" / "330000").outcomes
    assert {row.native_id for row in told} >= {row["bianhao"] for found in rows.values() for row in found}
    assert {row.file for row in told if row.kind != "policy"} == {f"{name}.jsonl" for name in rows}
    dropped = ("lianxiren", "dianhua", "jingbanren")
    personal = {row[name] for found in rows.values() for row in found for name in dropped if name in row}
    assert len(personal) > 100
    results = b"".join(path.read_bytes() for path in (province.folder / "out").rglob("*") if path.is_file())
    everything = beyond_landing(work, hub) + results + caplog.text.encode()
    assert not [each for each in personal if each.encode() in everything]
    # A second look finds nothing new; a file rewritten with one correction has one effect.
    sent = len(hub.received)
    assert exchanged(ADAPTER, province.given, work, hub).sent == 0
    changed = [{**row, "zgrs": 499} if at == 3 else row for at, row in enumerate(rows["330522/qiye"])]
    province.path("330522/qiye.jsonl").write_bytes(b"".join(json.dumps(row, ensure_ascii=False).encode() + b"\n" for row in changed))
    assert exchanged(ADAPTER, province.given, work, hub).sent == 1
    assert len(hub.received) == sent + 1


@pytest.mark.parametrize("place", ["landing.after_rename", "landing.after_registration"])
def test_a_killed_adapter_goes_on_where_it_was(province: Province, place: str) -> None:
    province.write("330522/qiye.jsonl", *range(40))
    work, given_ = province.folder / "work", json.dumps({**province.given, "part_bytes": 500})
    command = [sys.executable, "-m", "tests.fixtures.pulling_process", "zhejiang", str(work), given_]
    assert subprocess.run([*command, place], check=False, timeout=60).returncode == -signal.SIGKILL
    province.write("330522/qiye.jsonl", 40)
    assert subprocess.run(command, check=False, timeout=60).returncode == 0
    with province.open() as here:
        assert told(here) == [("330522/qiye.jsonl", str(at + 1), f"ZJ-{at}") for at in range(41)]


@pytest.mark.parametrize(
    ("given_", "message"),
    [
        ({"folder": "/srv/zj"}, "settings: source.outgoing: Field required"),
        ({"folder": "/srv/zj", "outgoing": "/srv/out", "folders": 1}, "settings: source.folders: Extra inputs are not permitted"),
        (
            {"folder": "/srv/zj", "outgoing": "/srv/out", "part_bytes": 1},
            "settings: source.part_bytes: Input should be greater than or equal to 64",
        ),
    ],
)
def test_a_slip_in_the_settings_is_told_with_its_key(province: Province, given_: dict[str, object], message: str) -> None:
    with province.open() as here, pytest.raises(SourceFault) as fault:
        connect(SourceSettings(given_, here.work, here.landing))
    assert str(fault.value).startswith(message)
