"""The contract of sources over the ways to Shanghai and Zhejiang: everything lands once, whatever dies in between."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.contract.bench import SourceBench
from adapters.contract.suite_source import *  # noqa: F403 — the tests of the contract
from adapters.zhejiang import ADAPTER as ZHEJIANG
from adapters.zhejiang.source import MANIFEST
from tests.fixtures.shanghai import Platform, ShanghaiBench, shanghai_platform


class ZhejiangBench:
    """A tree with the samples in it, and the same as the archive of a year."""

    adapter = ZHEJIANG

    def __init__(self, place: Path) -> None:
        self._place = place
        (place / "tree").mkdir()

    def given(self) -> dict[str, object]:
        """Return the section, with parts of a size that makes several."""
        folders = {"folder": "tree", "outgoing": "out", "archive": "archive"}
        return {**{key: str(self._place / name) for key, name in folders.items()}, "part_bytes": 5000}

    def offer(self) -> None:
        """Copy the samples into the tree and the archive."""
        for place in ("tree", "archive/2026"):
            shutil.copytree(ZHEJIANG.samples, self._place / place, dirs_exist_ok=True)

    def received(self) -> dict[str, bytes]:
        """Return the result files, without what lists them."""
        return {path.name: path.read_bytes() for path in (self._place / "out" / "330000").iterdir() if path.name != MANIFEST}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with shanghai_platform(tmp_path_factory.mktemp("platform")) as running:
        yield running


@pytest.fixture(params=["shanghai", "zhejiang"])
def source_bench(request: pytest.FixtureRequest, tmp_path: Path) -> SourceBench:
    if request.param == "zhejiang":
        (tmp_path / "province").mkdir()
        return ZhejiangBench(tmp_path / "province")
    running: Platform = request.getfixturevalue("platform")
    running.reset()
    return ShanghaiBench(running)
