"""The way to the province's system: everything lands once, whatever dies in between; told twice, nothing is harmed."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.contract.bench import SourceBench
from adapters.contract.crashing import CrashingLanding, Killed
from adapters.contract.records import NATIVE_KINDS, sample_records
from adapters.contract.suite_results import some_results
from adapters.runtime.landing import FileLanding
from adapters.runtime.model import Adapter, Kind, NativeRecord
from adapters.runtime.source import Landing, Source, SourceFault, SourceSettings
from adapters.runtime.state import State
from hub.domain.clock import SystemClock

_PULLS_MAX = 10_000
Content = tuple[Kind, str, frozenset[tuple[str, str]]]


@dataclass
class Desk:
    """An adapter's folder with its landing, as a process has it open."""

    work: Path
    state: State
    landing: FileLanding


@contextmanager
def desk(work: Path) -> Iterator[Desk]:
    """Open an adapter's folder, as its process does at start."""
    with State(work / "state.db") as state:
        yield Desk(work, state, FileLanding(work, state, SystemClock()))


@contextmanager
def source(bench: SourceBench, work: Path, landing: Landing) -> Iterator[Source]:
    """Open the way to the province."""
    opened = bench.adapter.connect(SourceSettings(bench.given(), work, landing))
    try:
        yield opened
    finally:
        opened.close()


def pull_all(opened: Source, landing: Landing) -> None:
    """Pull until the province has nothing more."""
    for _ in range(_PULLS_MAX):
        if not opened.pull(landing):
            return
    raise AssertionError("the source never comes to an end")


def landed(adapter: Adapter, at: Desk) -> list[NativeRecord]:
    """Return every good record of all that has landed, read as the adapter reads it."""
    found = []
    for each in at.state.deliveries.all():
        delivery = at.landing.delivery(each)
        assert adapter.kinds(delivery.name), f"{delivery.name} is no file of the province, as the adapter sees it"
        items = adapter.read(delivery.path, delivery.name, NATIVE_KINDS)
        found += [item for item in items if isinstance(item, NativeRecord)]
    return found


def content(records: list[NativeRecord]) -> set[Content]:
    """Return what records say, wherever they stood."""
    return {(record.kind, record.native_id, frozenset(record.fields.items())) for record in records}


def offered(adapter: Adapter) -> set[Content]:
    """Return what the samples say."""
    return content([record for record, _ in sample_records(adapter) if record is not None])


def names_and_digests(at: Desk) -> list[tuple[str, str]]:
    """Return what landed, in order."""
    return [(each.name, each.digest) for each in at.state.deliveries.all()]


def test_all_that_the_province_offers_lands_once(source_bench: SourceBench, tmp_path: Path) -> None:
    """Pulled again, offered again, after a restart: nothing lands a second time."""
    adapter = source_bench.adapter
    source_bench.offer()
    with desk(tmp_path / "work") as at, source(source_bench, at.work, at.landing) as opened:
        pull_all(opened, at.landing)
        records = landed(adapter, at)
        assert {record.kind for record in records} == set(NATIVE_KINDS)
        assert content(records) <= offered(adapter)
        first = names_and_digests(at)
        assert len(set(first)) == len(first)
        pull_all(opened, at.landing)
        source_bench.offer()
        pull_all(opened, at.landing)
        assert names_and_digests(at) == first
    with desk(tmp_path / "work") as at, source(source_bench, at.work, at.landing) as opened:
        pull_all(opened, at.landing)
        assert content(landed(adapter, at)) == content(records)
        assert names_and_digests(at) == first


def test_taken_twice_or_before_a_restart_harms_nothing(source_bench: SourceBench, tmp_path: Path) -> None:
    source_bench.offer()
    with desk(tmp_path / "work") as at:
        for _ in range(2):
            with source(source_bench, at.work, at.landing) as opened:
                pull_all(opened, at.landing)
                for each in at.state.deliveries.all():
                    opened.taken(at.landing.delivery(each))
                    opened.taken(at.landing.delivery(each))
        first = names_and_digests(at)
        assert len(set(first)) == len(first)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_process_that_dies_anywhere_loses_and_doubles_nothing(source_bench: SourceBench, tmp_path: Path, before: bool) -> None:
    """Killed before or after each step, and what was half-written cut at a byte drawn by lot: in the end the same has landed, once."""
    adapter, dice = source_bench.adapter, random.Random(20220822)
    source_bench.offer()
    with desk(tmp_path / "calm") as at, source(source_bench, at.work, at.landing) as opened:
        pull_all(opened, at.landing)
        wanted = content(landed(adapter, at))
    work = tmp_path / "work"
    # Steps grow by and by, so that each run gets a little further than the last: as a process that is killed again and again.
    for step in itertools.count(1):
        with desk(work) as at:
            landing = CrashingLanding(at.landing, step, before=before)
            with suppress(Killed), source(source_bench, at.work, landing) as opened:
                pull_all(opened, landing)
        _cut(work / "landing" / "parts", dice)
        if not landing.reached:
            break
    with desk(work) as at:
        assert content(landed(adapter, at)) == wanted
        found = names_and_digests(at)
        assert len(set(found)) == len(found)


def _cut(parts: Path, dice: random.Random) -> None:
    """Cut every half-written delivery at some byte, as a loss of power may."""
    for path in sorted(path for path in parts.rglob("*") if path.is_file()):
        with path.open("rb+") as file:
            file.truncate(dice.randint(0, path.stat().st_size))


def test_results_pushed_twice_are_there_once(source_bench: SourceBench, tmp_path: Path) -> None:
    adapter, out = source_bench.adapter, tmp_path / "results"
    out.mkdir()
    files = adapter.write(some_results(adapter), out)
    with desk(tmp_path / "work") as at:
        for _ in range(2):
            with source(source_bench, at.work, at.landing) as opened:
                opened.push(files)
                opened.push(files)
    received = source_bench.received()
    assert {path.name: path.read_bytes() for path in files} == dict(received)


def test_later_results_take_the_place_of_earlier_ones(source_bench: SourceBench, tmp_path: Path) -> None:
    adapter, out = source_bench.adapter, tmp_path / "results"
    results = some_results(adapter)
    with desk(tmp_path / "work") as at, source(source_bench, at.work, at.landing) as opened:
        for said in (replace(results, redemptions=results.redemptions[:1]), results):
            out.mkdir(exist_ok=True)
            opened.push(adapter.write(said, out))
    back = tmp_path / "back"
    back.mkdir()
    for name, body in source_bench.received().items():
        (back / name).write_bytes(body)
    assert len(adapter.load(back).redemptions) == len(results.redemptions)


def test_settings_with_a_slip_are_refused_with_the_key(source_bench: SourceBench, tmp_path: Path) -> None:
    """A key nobody knows: the operator learns which, and no source is made."""
    with desk(tmp_path / "work") as at, pytest.raises(SourceFault, match="no_such_key"):
        source_bench.adapter.connect(SourceSettings({**source_bench.given(), "no_such_key": 1}, at.work, at.landing))


def test_history_is_brought_by_its_days(source_bench: SourceBench, tmp_path: Path) -> None:
    """A backfill over all days lands nothing that is not offered, and comes to an end."""
    adapter = source_bench.adapter
    source_bench.offer()
    with desk(tmp_path / "work") as at, source(source_bench, at.work, at.landing) as opened:
        for _ in range(_PULLS_MAX):
            if not opened.backfill(at.landing, "2010-01-01", "2099-12-31"):
                break
        else:
            raise AssertionError("the backfill never comes to an end")
        assert content(landed(adapter, at)) <= offered(adapter)
