"""The provinces' systems as the contract of sources meets them: Shanghai's platform as a process, and the folders of the others."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from adapters.contract.bench import SourceBench
from adapters.runtime.model import Adapter
from tests.fixtures.dropping import drop
from tests.fixtures.shanghai import Platform

# Numbers stay as they are written: 8000.10 must not come back as 8000.1.
_DECODER = json.JSONDecoder(parse_float=str, parse_int=str)


class Bench:
    """What all have in common: the adapter, and a place of the province's own."""

    def __init__(self, adapter: Adapter, place: Path) -> None:
        self._adapter, self.place = adapter, place
        place.mkdir(parents=True)

    @property
    def adapter(self) -> Adapter:
        return self._adapter


class ShanghaiBench(Bench):
    """The platform tells of each change once: offered again, it has nothing to tell."""

    def __init__(self, adapter: Adapter, place: Path, platform: Platform) -> None:
        super().__init__(adapter, place)
        self._platform, self._offered = platform, False
        platform.reset()

    def given(self) -> Mapping[str, object]:
        return {**self._platform.given, "page_size": 100}

    def offer(self) -> None:
        if self._offered:
            return
        self._offered = True
        for path in sorted(self.adapter.samples.iterdir()):
            try:
                page: dict[str, Any] = _DECODER.decode(path.read_text(encoding="utf-8"))
            except (json.JSONDecodeError, UnicodeDecodeError):
                continue  # what the samples show as cut off, the platform has whole elsewhere
            items = [item for item in page["data"] if isinstance(item, dict) and isinstance(item.get("id"), str)]
            self._platform.put(path.name.partition("-")[0], *items)

    def received(self) -> Mapping[str, bytes]:
        seen = self._platform.seen()
        return {f"{resource}-result.json": seen["documents"][digest].encode() for resource, digest in seen["current"].items()}


class JiangsuBench(Bench):
    """A folder with a checksum file beside each file, both ways."""

    def given(self) -> Mapping[str, object]:
        (self.place / "inbox").mkdir(exist_ok=True)
        return {"folder": str(self.place)}

    def offer(self) -> None:
        for path in sorted(self.adapter.samples.iterdir()):
            drop(self.place / "inbox", path.name, path.read_bytes())

    def received(self) -> Mapping[str, bytes]:
        found = (path for path in sorted((self.place / "results").iterdir()) if path.suffix != ".sha256")
        return {path.name: path.read_bytes() for path in found}


class ZhejiangBench(Bench):
    """A tree of growing files, and an outgoing tree with a list of what stands in it."""

    def given(self) -> Mapping[str, object]:
        for name in ("tree", "archive"):
            (self.place / name).mkdir(exist_ok=True)
        return {"folder": str(self.place / "tree"), "outgoing": str(self.place / "out"), "archive": str(self.place / "archive")}

    def offer(self) -> None:
        for name in ("tree", "archive/2026"):
            shutil.copytree(self.adapter.samples, self.place / name, dirs_exist_ok=True)

    def received(self) -> Mapping[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.place / "out").rglob("*.jsonl"))}


class AnhuiBench(Bench):
    """One folder in which the cities leave their workbooks."""

    def given(self) -> Mapping[str, object]:
        (self.place / "inbox").mkdir(exist_ok=True)
        folders = {name: str(self.place / name) for name in ("inbox", "archive", "results")}
        return {**folders, "settle_seconds": 0}

    def offer(self) -> None:
        (self.place / "inbox").mkdir(exist_ok=True)
        for path in sorted(self.adapter.samples.iterdir()):
            shutil.copy(path, self.place / "inbox")

    def received(self) -> Mapping[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.place / "results").rglob("*.xlsx"))}


def bench_of(adapter: Adapter, place: Path, platform: Callable[[], Platform]) -> SourceBench:
    """Return the province's system; `platform` starts Shanghai's where it is needed."""
    if adapter.name == "shanghai":
        return ShanghaiBench(adapter, place, platform())
    others: dict[str, Callable[[Adapter, Path], SourceBench]] = {"jiangsu": JiangsuBench, "zhejiang": ZhejiangBench, "anhui": AnhuiBench}
    return others[adapter.name](adapter, place)
