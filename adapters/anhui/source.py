"""Anhui's workbooks: dropped in folders where officers also work on them. One that is open or half saved is left alone.

A workbook is copied, the copy is proved whole, and only when its rows are remembered is it archived, if it is still the same. The same
name with other bytes is a new edition: another delivery.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.anhui.settings import CITIES, AnhuiGiven
from adapters.runtime.given import checked
from adapters.runtime.source import Delivery, Landing, Notice, SourceFault, SourceSettings, asked
from adapters.runtime.workbook import Limits, Unusable, check, digest_of
from hub.domain.clock import Clock, local_date


@dataclass(frozen=True, slots=True)
class Book:
    """A workbook where a city put it; `name` is that of its deliveries: `<city>/<file>`, or the file's where all lie together."""

    path: Path
    name: str
    look: str


class BookSource:
    """Workbooks in folders of this machine, its own or mounted."""

    def __init__(self, given: AnhuiGiven, landing: Landing, clock: Clock, *, look_only: bool = False) -> None:
        self._look_only = look_only
        self._given, self._landing, self._clock = given, landing, clock
        self._limits = Limits(packed_bytes=given.limits.packed_bytes, unpacked_bytes=given.limits.unpacked_bytes)
        self._landed: dict[str, str] = {}  # what each looked like when it landed or turned out to be known
        self._since: dict[str, str] = {}
        self._notices: list[Notice] = []

    def pull(self, landing: Landing) -> bool:
        """Land the next workbook that is whole and at rest."""
        stuck: dict[str, str] = {}
        faults: list[str] = []
        landed = False
        for book in list(self._books(stuck)):
            if landed or self._landed.get(book.name) == book.look:
                continue
            try:
                if code := self._unready(landing, book):
                    stuck[book.name] = code
                else:
                    landed = self._take(landing, book)
            except SourceFault as fault:
                faults.append(str(fault))  # the other workbooks are not held up by it
        self._note(stuck)
        if faults and not landed:
            raise SourceFault("; ".join(faults))
        return landed

    def _books(self, stuck: dict[str, str]) -> Iterator[Book]:
        """Yield the workbooks that lie there, by name; note what is there besides."""
        for prefix, folder in self._folders():
            if not folder.is_dir():
                raise SourceFault(f"the folder {folder} is not there: make it, or mount what it is on")
            with asked(folder):
                found = {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and not path.is_symlink()}
                for name, path in found.items():
                    if name.startswith(("~$", ".~", ".")):
                        continue  # the office program's, not the city's
                    if not name.endswith(".xlsx") or not (prefix or name[:6] in CITIES):
                        stuck[prefix + name] = "UNKNOWN_NAME"
                    elif any(lock in found for lock in (f"~${name}", f"~${name[2:]}", f".~lock.{name}#")):
                        stuck[prefix + name] = "OPEN"
                    else:
                        yield Book(path, prefix + name, _look(path))

    def _folders(self) -> list[tuple[str, Path]]:
        if self._given.inbox is not None:
            return [("", self._given.inbox)]
        return [(f"{city}/", folder) for city, folder in sorted(self._given.cities.items())]

    def _unready(self, landing: Landing, book: Book) -> str:
        """Say why a workbook cannot be taken yet; nothing if it can. The last look is kept, so that a restart does not begin anew."""
        now, key = self._clock.now(), f"look/{book.name}"
        before, _, at = landing.cursor(key).partition("@")
        if before != book.look:
            landing.keep(key, f"{book.look}@{now.isoformat()}")
            at = now.isoformat()
        if (now - now.fromisoformat(at)).total_seconds() < self._given.settle_seconds and not self._look_only:
            return "SETTLING"
        try:
            with asked(book.path):
                check(book.path, self._limits)
        except Unusable as error:
            return "TOO_LARGE" if error.code == "TOO_LARGE" else "NOT_WHOLE"
        return ""

    def _take(self, landing: Landing, book: Book) -> bool:
        """Copy a workbook, see that the copy is whole and the workbook unchanged, and land it; say whether it was new."""
        part = landing.part(book.name)
        with asked(book.path):
            shutil.copyfile(book.path, part)
            if _look(book.path) != book.look:
                return False
        try:
            check(part, self._limits)
        except Unusable:
            return False
        digest = digest_of(part)
        note = json.dumps({"sha256": digest, "look": book.look})
        new = landing.put(book.name, part, cursor=(f"landed/{book.name}", note)) is not None
        self._landed[book.name] = book.look
        if not new and not self._look_only and landing.cursor(f"taken/{book.name}") == digest:
            self._archive(book.name)
        return new

    def taken(self, delivery: Delivery) -> None:
        """Archive a workbook if it is still the one that was landed."""
        landed = json.loads(self._landing.cursor(f"landed/{delivery.name}") or "{}")
        if landed.get("sha256") == delivery.digest:
            self._landing.keep(f"taken/{delivery.name}", delivery.digest)
            self._archive(delivery.name)

    def _archive(self, name: str) -> None:
        """Move a landed workbook to `<archive>/<yyyy>/<mm>/<yyyymmdd>-<digest>-<name>`, by the day; a newer one in its place stays."""
        landed = json.loads(self._landing.cursor(f"landed/{name}"))
        city, _, file = name.rpartition("/")
        path = (self._given.cities[city] if city else self._inbox()) / file
        with asked(path):
            if not path.exists() or _look(path) != landed["look"]:
                return
            day = local_date(self._clock.now())
            prefix = f"{city}-" if city else ""
            kept = self._given.archive / f"{day:%Y}" / f"{day:%m}" / f"{day:%Y%m%d}-{landed['sha256'][:12]}-{prefix}{file}"
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(path, kept)
            if _look(kept) != landed["look"] and not path.exists() and digest_of(kept) != landed["sha256"]:
                shutil.move(kept, path)  # saved between the look and the move: it is landed in its turn

    def _inbox(self) -> Path:
        if self._given.inbox is None:
            raise SourceFault("settings: source.inbox: a workbook landed from there is not archived yet; put the key back until it is")
        return self._given.inbox

    def backfill(self, landing: Landing, since: str, until: str) -> bool:
        """Land the next archived edition of the days asked for, then, all of them, the workbooks of the history folder."""
        key = f"backfill/{since}/{until}"
        done = landing.cursor(key)
        for order, name, path in self._history(since, until):
            if order > done:
                part = landing.part(name)
                with asked(path):
                    shutil.copyfile(path, part)
                landing.put(name, part, cursor=(key, order))
                return True
        return False

    def _history(self, since: str, until: str) -> list[tuple[str, str, Path]]:
        """Return (place in the order, name of delivery, file): the history folder's by the day they were written, before the archive's."""
        found = []
        with asked(self._given.archive):
            for path in self._given.archive.glob("[0-9][0-9][0-9][0-9]/[0-9][0-9]/*.xlsx"):
                day, _, rest = path.name.partition("-")
                name = rest.partition("-")[2]
                if len(day) == 8 and since <= f"{day[:4]}-{day[4:6]}-{day[6:]}" <= until:
                    found.append((f"{day}/{path.stat().st_mtime_ns:020}/{path.name}", self._delivered_as(name), path))
            for path in self._given.history.rglob("*.xlsx") if self._given.history else ():
                written = f"{local_date(datetime.fromtimestamp(path.stat().st_mtime, UTC)):%Y%m%d}"
                if since.replace("-", "") <= written <= until.replace("-", "") and path.name[:6] in CITIES:
                    found.append((f"{written}/{path.stat().st_mtime_ns:020}/{path.name}", self._delivered_as(path.name), path))
        return sorted(found)

    def _delivered_as(self, name: str) -> str:
        """Return the name of an archived workbook's deliveries."""
        city, _, file = name.partition("-")
        return f"{city}/{file}" if self._given.cities and city in CITIES else name

    def push(self, files: Sequence[Path]) -> None:
        """Place result workbooks, each whole, by renaming; one that is there already is left alone."""
        for file in files:
            target = self._given.results / file.name
            with asked(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                if target.exists() and digest_of(target) == digest_of(file):
                    continue
                part = target.with_name(f".{file.name}.tmp")
                with part.open("wb") as out:
                    out.write(file.read_bytes())
                    out.flush()
                    os.fsync(out.fileno())
                part.replace(target)

    def notices(self) -> list[Notice]:
        """Return the workbooks that could not be taken for long, and why."""
        return self._notices

    def _note(self, stuck: dict[str, str]) -> None:
        now = self._clock.now()
        self._since = {name: self._since.get(name, now.isoformat()) for name in stuck}
        self._notices = [
            Notice(name, code, _SAID[code], self._since[name])
            for name, code in sorted(stuck.items())
            if self._look_only or (now - now.fromisoformat(self._since[name])).total_seconds() >= self._given.stuck_after_seconds
        ]

    def close(self) -> None:
        """Nothing to let go of."""


_SAID = {
    "OPEN": "it is open in an office program, or was when that program ended: close it, and take the ~$ file away if it stays",
    "SETTLING": "it is still being written",
    "NOT_WHOLE": "it is no whole workbook: save it again, without a password",
    "TOO_LARGE": "it is larger than the limits allow: split it, or have the limits raised",
    "UNKNOWN_NAME": "it is no workbook whose name begins with a city's division code: rename it, or take it away",
}


def _look(path: Path) -> str:
    """Return what a file looks like: another look means other bytes."""
    stat = path.lstat()
    return f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ino}"


def connect(settings: SourceSettings) -> BookSource:
    """Return the source that the settings describe; raise SourceFault naming the key at fault."""
    return BookSource(checked(AnhuiGiven, settings.given), settings.landing, settings.clock, look_only=settings.look_only)
