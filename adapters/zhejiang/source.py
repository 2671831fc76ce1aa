"""The way to Zhejiang's tree `<issuer>/<kind>.jsonl`: lines are taken as files grow, whatever becomes of the files meanwhile."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import BinaryIO

from adapters.runtime.given import checked
from adapters.runtime.source import Delivery, Landing, Notice, SourceDown, SourceFault, SourceSettings
from adapters.zhejiang.connector import kinds
from adapters.zhejiang.growing import Digest, FileName, LineTooLong, Place, file_name, match, place_of, whole_lines
from adapters.zhejiang.mapping import DIVISION
from adapters.zhejiang.settings import ZhejiangGiven

log = logging.getLogger(__name__)

MANIFEST = "qingdan.json"
"""Lists the result files of a set with their digests (清单); it is written last."""


@dataclass(frozen=True, slots=True)
class _File:
    """A file of the province. `name` is what people call it: its path under the tree."""

    path: Path
    name: str
    said: FileName
    siblings: tuple[str, ...]

    @property
    def folder(self) -> str:
        """The folder's path under the tree, with its slash."""
        return self.name.removesuffix(self.said.name)


@dataclass(slots=True)
class _Known:
    """What this process knows of a file as it last saw it, so that it is not read again as long as it stays so."""

    seen: tuple[int, int, int]
    place: Place
    digest: Digest


class ZhejiangSource:
    """Implements Source and Noticing."""

    def __init__(self, settings: SourceSettings) -> None:
        """Raises SourceFault naming the key at fault."""
        self._given, self._clock = checked(ZhejiangGiven, settings.given), settings.clock
        self._known: dict[str, _Known] = {}
        self._notices: dict[str, Notice] = {}

    def pull(self, landing: Landing) -> bool:
        """Land the next lines of one file; False where no file has any. Raises SourceDown and SourceFault."""
        return self._first(landing, _files(self._given.folder, ""), self._settled)

    def backfill(self, landing: Landing, since: str, until: str) -> bool:
        """Land the next lines of one file of the archive's years; of files with a day in their name those of the days asked for.

        Raises SourceDown, and SourceFault where there is no archive or none of the years.
        """
        first, last = date.fromisoformat(since), date.fromisoformat(until)
        if self._given.archive is None:
            raise SourceFault("source.archive is not set: give the folder that holds a folder of each past year")
        years = [str(year) for year in range(first.year, last.year + 1) if (self._given.archive / str(year)).is_dir()]
        if not years:
            raise SourceFault(f"source.archive: {self._given.archive} has no folder of the years {first.year} to {last.year}")
        files = [file for year in years for file in _files(self._given.archive / year, f"{year}/")]
        days = (f"{first:%Y%m%d}", f"{last:%Y%m%d}")
        wanted = [file for file in files if not file.said.day or days[0] <= file.said.day <= days[1]]
        # Nobody adds to a past year: its last line may do without a line end.
        return self._first(landing, wanted, lambda file, changed: True)

    def taken(self, delivery: Delivery) -> None:
        """Nothing: the files are the province's, and how far they were taken is ours to know."""

    def push(self, files: Sequence[Path]) -> None:
        """Put result files into the province's folder of the outgoing tree, each in one step, then what lists them. Raises SourceDown."""
        folder = self._given.outgoing / DIVISION
        try:
            folder.mkdir(parents=True, exist_ok=True)
            for file in files:
                if file.suffix == ".jsonl":
                    _write(folder / file.name, file.read_bytes())
            # All that stands there, not only what has just changed.
            digests = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.glob("*.jsonl"))}
            listed = [{"wenjian": name, "sha256": digest} for name, digest in digests.items()]
            _write(folder / MANIFEST, (json.dumps(listed, indent=1) + "\n").encode())
        except OSError as error:
            raise SourceDown(f"{folder}: {type(error).__name__}") from None

    def notices(self) -> Sequence[Notice]:
        """Return which files were rewritten, and which lines wait for their end for long."""
        return list(self._notices.values())

    def close(self) -> None:
        """Nothing to let go of."""

    def _first(self, landing: Landing, files: Sequence[_File], last: Callable[[_File, float], bool]) -> bool:
        """Land from the first file that has something. A file at fault is told at the end: it does not keep the others waiting."""
        fault: SourceFault | None = None
        for file in files:
            try:
                if self._take(landing, file, last):
                    return True
            except FileNotFoundError:
                continue  # put aside this moment; it is found under its new name
            except PermissionError:
                fault = SourceFault(f"{file.path} cannot be read: give the adapter's account the right to")
            except LineTooLong:
                fault = SourceFault(f"{file.path} has a line that does not end: it is no file of lines, mend it at the province")
            except OSError as error:
                raise SourceDown(f"{file.path}: {type(error).__name__}") from None
        if fault is not None:
            raise fault
        return False

    def _take(self, landing: Landing, file: _File, last: Callable[[_File, float], bool]) -> bool:
        known = self._known.get(file.name)
        stat = file.path.stat()
        if known and known.seen == _seen(stat) and known.place.taken == stat.st_size:
            return False
        with file.path.open("rb") as opened:
            stat = os.fstat(opened.fileno())
            if known is None or known.seen != _seen(stat):
                known = self._known[file.name] = self._find(landing, file, opened, stat)
            # What is taken anew lands in one piece: earlier editions of its records pass by again, and the last one of a delivery counts.
            anew = known.place.generation > 1 and not known.place.taken
            piece = max(self._given.part_bytes, stat.st_size) if anew else self._given.part_bytes
            lines = whole_lines(opened, known.place.taken, piece, last=last(file, stat.st_mtime))
        if lines:
            self._land(landing, file, known, lines)
        else:
            self._unfinished(file, known.place, stat)
        return bool(lines)

    def _find(self, landing: Landing, file: _File, opened: BinaryIO, stat: os.stat_result) -> _Known:
        """Return where to go on in a file that is new or has changed; tell where what was taken of it stands nowhere any more."""
        own = place_of(landing.cursor(_key(file.name)))
        if own and (found := match(opened, stat.st_size, [own])):
            return _Known(_seen(stat), *found)
        names = {*file.siblings, *file.said.before} - {file.said.name}
        others = [place for name in sorted(names) if (place := place_of(landing.cursor(_key(file.folder + name))))]
        generation = own.generation + 1 if own else 1
        if found := match(opened, stat.st_size, others):
            place = replace(found[0], generation=generation, origin=found[0].digest)
            landing.keep(_key(file.name), place.text())
            return _Known(_seen(stat), place, found[1])
        if own and own.taken and stat.st_size and all(other.origin != own.digest for other in others):
            self._tell(
                file.name,
                "REWRITTEN",
                "it no longer begins with what was taken of it: taken anew, no record has a second effect",
            )
            self._younger_anew(landing, file)
        return _Known(_seen(stat), Place(generation), Digest())

    def _younger_anew(self, landing: Landing, file: _File) -> None:
        """Have the younger files of a kind taken anew after one that was rewritten: what they say of its records is said later."""
        for name in file.siblings:
            said, key = file_name(name), _key(file.folder + name)
            place = place_of(landing.cursor(key))
            if said and place and said.age > file.said.age:
                landing.keep(key, Place(place.generation + 1).text())
                self._known.pop(file.folder + name, None)

    def _land(self, landing: Landing, file: _File, known: _Known, lines: bytes) -> None:
        digest = known.digest.copy()
        digest.add(lines)
        place, before = known.place, known.place
        place = replace(place, taken=place.taken + len(lines), line=place.line + lines.count(b"\n"), digest=digest.text)
        landing.put(f"{file.name}@{before.generation}-{before.line}", [lines], cursor=(_key(file.name), place.text()))
        known.place, known.digest = place, digest
        if (notice := self._notices.get(file.name)) and notice.code == "UNFINISHED":
            del self._notices[file.name]

    def _settled(self, file: _File, changed: float) -> bool:
        """Say whether nothing is added to a file any more: it was put aside and has lain unchanged for a while."""
        return file.said.aside and self._clock.now() - datetime.fromtimestamp(changed, UTC) >= timedelta(minutes=self._given.settle_minutes)

    def _unfinished(self, file: _File, place: Place, stat: os.stat_result) -> None:
        waited = self._clock.now() - datetime.fromtimestamp(stat.st_mtime, UTC)
        if stat.st_size > place.taken and waited >= timedelta(minutes=self._given.settle_minutes) and file.name not in self._notices:
            self._tell(file.name, "UNFINISHED", f"line {place.line} has no line end and is not taken until it has")

    def _tell(self, name: str, code: str, text: str) -> None:
        self._notices[name] = Notice(name, code, text, self._clock.now().isoformat())
        log.warning("%s: %s (%s)", name, text, code)


def _files(root: Path, prefix: str) -> list[_File]:
    """Return the province's files in a tree: issuer by issuer, of one kind the oldest first. Raises SourceDown where there is no tree."""
    try:
        return list(_walk(root, prefix))
    except OSError as error:
        raise SourceDown(f"{root}: {type(error).__name__}; is the province's folder mounted?") from None


def _walk(root: Path, prefix: str) -> Iterator[_File]:
    for folder in sorted(path for path in root.iterdir() if path.is_dir()):
        said = [found for path in folder.iterdir() if path.is_file() and (found := file_name(path.name))]
        mine = [each for each in said if kinds(f"{prefix}{folder.name}/{each.name}")]
        for each in sorted(mine, key=lambda found: found.age):
            siblings = tuple(other.name for other in mine if other.kind == each.kind)
            yield _File(folder / each.name, f"{prefix}{folder.name}/{each.name}", each, siblings)


def _seen(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _key(name: str) -> str:
    return f"grown/{name}"


def _write(path: Path, body: bytes) -> None:
    """Write a file that stands there whole or as it was."""
    near = path.with_name(f".{path.name}.new")
    with near.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    near.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def connect(settings: SourceSettings) -> ZhejiangSource:
    """Return the way to the tree; raise SourceFault naming the setting at fault."""
    return ZhejiangSource(settings)
