"""The contract of adapters (`adapters/contract`) over all that are installed; and what this repository asks of its own four besides."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.contract.bench import SourceBench
from adapters.contract.records import NATIVE_KINDS, PERSONAL, bad, good
from adapters.contract.suite import *  # noqa: F403 - the contract, whatever it comes to hold
from adapters.runtime.model import Adapter, Kind
from adapters.runtime.registry import find_adapter, list_adapters
from adapters.runtime.row import generic
from tests.contract.benches import bench_of
from tests.fixtures.shanghai import Platform, shanghai_platform

ADAPTERS = list_adapters()


@pytest.fixture(params=ADAPTERS, ids=lambda adapter: adapter.name)
def adapter(request: pytest.FixtureRequest) -> Adapter:
    found: Adapter = request.param
    return found


@pytest.fixture(scope="session")
def shanghais_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with shanghai_platform(tmp_path_factory.mktemp("shanghai")) as platform:
        yield platform


@pytest.fixture
def source_bench(adapter: Adapter, tmp_path: Path, request: pytest.FixtureRequest) -> SourceBench:
    return bench_of(adapter, tmp_path / "province", lambda: request.getfixturevalue("shanghais_platform"))


def test_the_four_provinces_are_installed() -> None:
    assert [(each.name, each.division) for each in ADAPTERS] == [
        ("shanghai", "310000"),
        ("jiangsu", "320000"),
        ("zhejiang", "330000"),
        ("anhui", "340000"),
    ]
    assert find_adapter("330000").name == find_adapter("zhejiang").name


def test_samples_hold_a_few_hundred_good_records_of_every_kind(adapter: Adapter) -> None:
    counts = Counter(record.kind for record, _ in good(adapter))
    assert set(counts) == set(NATIVE_KINDS)
    assert counts[Kind.ENTERPRISE] >= 120
    assert counts[Kind.PROVIDER] >= 30
    assert counts[Kind.AUTHORIZATION] >= 80
    assert counts[Kind.CAPTURE] >= 65


def test_samples_hold_many_ways_to_be_wrong_and_much_personal_data(adapter: Adapter) -> None:
    assert len(bad(adapter)) >= 8
    assert len({row.reason_code for row in bad(adapter)}) >= 6
    reasons = [adapter.dropped.get(record.kind, {}).get(generic(name), "") for record, _ in good(adapter) for name in record.fields]
    assert sum(reason.startswith(PERSONAL) for reason in reasons) > 200
