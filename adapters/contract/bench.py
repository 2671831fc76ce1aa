"""A province's system for the tests of its source: the real one's stand-in, or two folders."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from adapters.runtime.model import Adapter


class SourceBench(Protocol):
    """What the contract asks of a stand-in. A test module gives one as the fixture `source_bench`, fresh for each test."""

    @property
    def adapter(self) -> Adapter:
        """The adapter whose source is tested."""
        ...

    def given(self) -> Mapping[str, object]:
        """Return the `source` section of the settings that leads to it."""
        ...

    def offer(self) -> None:
        """Have the province offer the records of the adapter's samples; called again, the same once more."""
        ...

    def received(self) -> Mapping[str, bytes]:
        """Return the result files that the province has, by name."""
        ...


class FolderBench:
    """A province that leaves its files in a folder and finds its results in another. Keys of the section: `outbox` and `inbox`."""

    def __init__(self, adapter: Adapter, place: Path) -> None:
        self._adapter, self._outbox, self._inbox = adapter, place / "outbox", place / "inbox"
        self._outbox.mkdir(parents=True)
        self._inbox.mkdir()

    @property
    def adapter(self) -> Adapter:
        """The adapter whose source is tested."""
        return self._adapter

    def given(self) -> Mapping[str, object]:
        """Return the section."""
        return {"outbox": str(self._outbox), "inbox": str(self._inbox)}

    def offer(self) -> None:
        """Copy the samples into the outbox."""
        shutil.copytree(self._adapter.samples, self._outbox, dirs_exist_ok=True)

    def received(self) -> Mapping[str, bytes]:
        """Return what lies in the inbox."""
        return {path.name: path.read_bytes() for path in sorted(self._inbox.iterdir())}
