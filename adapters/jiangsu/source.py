"""Jiangsu's dropped files: taken only whole and proved by a checksum file, kept where they are until their records are remembered.

Nothing is moved before a file has landed, so a crash at any byte leaves either the file where it was dropped or its bytes in the
adapter's own folder (and then it is archived on the next telling). Landing knows each content of a name once, so nothing is doubled.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters.jiangsu.digests import digest_of
from adapters.jiangsu.names import TEMPORARY, checksum_in, checksum_line, delivered_as, place_of, shelf
from adapters.jiangsu.settings import JiangsuGiven
from adapters.jiangsu.store import Entry, Store
from adapters.runtime.source import Delivery, Landing, Notice, SourceFault
from hub.domain.clock import Clock


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file to land: where it lies, the name under which it was handed over, and the digest that its checksum file gives."""

    path: str
    name: str
    entry: Entry
    digest: str

    @property
    def seen(self) -> str:
        """What the file looked like; another look means other bytes."""
        return f"{self.entry}:{self.digest}"


class Mismatch(SourceFault):
    """The bytes are not those the checksum file speaks of."""

    def __init__(self, wanted: Wanted, found: str) -> None:
        said = f"{wanted.path}: its bytes have the digest {found}, its checksum file says {wanted.digest or 'nothing'}"
        super().__init__(f"{said}; write the file or its checksum file again")


class DropSource:
    """Files dropped in a folder or on an SFTP server; the store knows which."""

    def __init__(self, given: JiangsuGiven, store: Store, landing: Landing, clock: Clock, *, look_only: bool = False) -> None:
        self._look_only = look_only
        self._given, self._store, self._landing, self._clock = given, store, landing, clock
        self._suffix = f".{given.checksum}"
        self._waiting: dict[str, str] = {}  # landed, not yet archived: what each looked like
        self._bad: dict[str, tuple[str, str, int]] = {}  # mismatched: what it looked like, what to say, how often seen so
        self._since: dict[str, str] = {}  # not whole, or not understood: first seen when
        self._notices: list[Notice] = []
        self._history: tuple[str, list[tuple[str, list[str | int]]]] | None = None

    def pull(self, landing: Landing) -> bool:
        """Land the next file that is whole; raise SourceFault for files that are not what their checksum file says."""
        files = self._store.entries(self._given.inbox)
        pending = self._look(files)
        for wanted in pending:
            if self._waiting.get(wanted.name) != wanted.seen and self._fresh(wanted) and self._take(landing, wanted):
                return True
        # A file may be seen between its own writing and that of its checksum: seen twice alike, it is wrong.
        wrong = [said for seen, said, times in self._bad.values() if times > 1]
        if wrong:
            raise SourceFault("; ".join(wrong))
        return False

    def _look(self, files: dict[str, Entry]) -> list[Wanted]:
        """Return the files that have their checksum, in the order of reading, and note those that are not whole."""
        found: list[Wanted] = []
        stuck: dict[str, str] = {}
        for name, entry in files.items():
            reason, digest = self._state(name, files)
            if reason:
                stuck[name] = reason
            elif digest:
                found.append(Wanted(f"{self._given.inbox}/{name}", name, entry, digest))
        self._note(stuck)
        names = {wanted.name for wanted in found}
        self._bad = {name: kept for name, kept in self._bad.items() if name in names}
        self._waiting = {name: seen for name, seen in self._waiting.items() if name in names}
        return sorted(found, key=lambda wanted: _order(wanted.path, wanted.entry))

    def _state(self, name: str, files: dict[str, Entry]) -> tuple[str, str]:
        """Return (why a file is left alone, the digest it should have); both empty for a checksum file in its place."""
        if name.endswith(TEMPORARY) or name.startswith("."):
            return "UNFINISHED", ""
        if name.endswith(self._suffix):
            data = name.removesuffix(self._suffix)
            return ("", "") if data in files or self._tidied(data) else ("CHECKSUM_ALONE", "")
        if place_of(name) is None:
            return "UNKNOWN_NAME", ""
        if name + self._suffix not in files:
            return "NO_CHECKSUM", ""
        digest = checksum_in(self._store.small(f"{self._given.inbox}/{name}{self._suffix}"), name)
        return ("", digest) if digest else ("BAD_CHECKSUM_FILE", "")

    def _fresh(self, wanted: Wanted) -> bool:
        """Say whether a file is worth reading: not when it is known to be wrong as it is."""
        seen, said, times = self._bad.get(wanted.name, ("", "", 0))
        if seen == wanted.seen:
            self._bad[wanted.name] = (seen, said, times + 1)
        return seen != wanted.seen

    def _take(self, landing: Landing, wanted: Wanted) -> bool:
        """Land a file; say whether it was new. One that was taken before, bytes and all, is only archived."""
        try:
            landed, digest = self._land(landing, wanted)
        except Mismatch as error:
            self._bad[wanted.name] = (wanted.seen, str(error), 1)
            return False
        self._bad.pop(wanted.name, None)
        self._waiting[wanted.name] = wanted.seen
        if not landed and not self._look_only and landing.cursor(f"taken/{wanted.name}") == digest:
            self._archive(wanted.name)
        return landed

    def _land(self, landing: Landing, wanted: Wanted, *, note: bool = True) -> tuple[bool, str]:
        """Bring a file over, from where an earlier attempt was cut, and land it if its digest holds; return (new, SHA-256)."""
        part, key = landing.part(wanted.name), f"part/{wanted.name}"
        offset = 0
        if landing.cursor(key) == wanted.seen and part.exists() and part.stat().st_size <= wanted.entry.size:
            offset = part.stat().st_size
        else:
            part.unlink(missing_ok=True)
            landing.keep(key, wanted.seen)
        self._store.fetch(wanted.path, part, offset)
        if offset and wanted.digest and digest_of(part, self._given.checksum) != wanted.digest:
            # What an earlier attempt left may have been damaged by the loss of power: once more from the start.
            self._store.fetch(wanted.path, part, 0)
        found, ours = digest_of(part, self._given.checksum), digest_of(part, "sha256")
        if wanted.digest and found != wanted.digest:
            part.unlink()
            raise Mismatch(wanted, found)
        landed = json.dumps({"sha256": ours, "seen": wanted.seen, "digest": found})
        new = landing.put(wanted.name, part, cursor=(f"landed/{wanted.name}", landed) if note else None) is not None
        if not new:
            part.unlink(missing_ok=True)
            if note:
                landing.keep(f"landed/{wanted.name}", landed)
        return new, ours

    def taken(self, delivery: Delivery) -> None:
        """Archive a file, with its checksum file, if it is still the one that was landed."""
        landed = json.loads(self._landing.cursor(f"landed/{delivery.name}") or "{}")
        if landed.get("sha256") != delivery.digest:
            return  # from history, or a later edition has landed since: its own telling will come
        self._landing.keep(f"taken/{delivery.name}", delivery.digest)
        self._archive(delivery.name)

    def _archive(self, name: str) -> None:
        """Move a landed file and its checksum file to the archive; what was put in its place meanwhile stays."""
        landed = json.loads(self._landing.cursor(f"landed/{name}"))
        path = f"{self._given.inbox}/{name}"
        entry = self._store.entry(path)
        if entry is not None and landed["seen"] == f"{entry}:{landed['digest']}":
            to = self._shelf(name, landed["digest"])
            self._landing.keep(f"archiving/{name}", json.dumps({"to": to, "digest": landed["digest"]}))
            self._store.move(path, to)
            moved = self._store.entry(to)
            if moved is not None and moved != entry and self._store.entry(path) is None:
                # Another edition came in between the look and the move: it goes back and is landed in its turn.
                self._store.move(to, path)
                return
        self._tidied(name)
        self._waiting.pop(name, None)

    def _tidied(self, name: str) -> bool:
        """Bring a checksum file after its archived file; say whether there was one to bring. A crash between the two is made good so."""
        archiving = json.loads(self._landing.cursor(f"archiving/{name}") or "{}")
        beside = f"{self._given.inbox}/{name}{self._suffix}"
        if not archiving or self._store.entry(f"{self._given.inbox}/{name}") or self._store.entry(beside) is None:
            return False
        if checksum_in(self._store.small(beside), name) != archiving["digest"]:
            return False
        if not self._look_only:
            self._store.move(beside, archiving["to"] + self._suffix)
        return True

    def _shelf(self, name: str, digest: str) -> str:
        """Return where a file is archived: under its own name, unless another edition has that."""
        plain = f"{self._given.archive}/{shelf(name, digest, again=False)}"
        if self._store.entry(plain) is None:
            return plain
        beside = plain + self._suffix
        same = self._store.entry(beside) is not None and checksum_in(self._store.small(beside), name) == digest
        return plain if same else f"{self._given.archive}/{shelf(name, digest, again=True)}"

    def backfill(self, landing: Landing, since: str, until: str) -> bool:
        """Land the next file of the archive (or the history folder) whose day is within; a checksum file beside must hold."""
        key = f"backfill/{since}/{until}"
        done = json.loads(landing.cursor(key) or "[]")
        for path, order in self._between(since, until):
            if order > done:
                self._land(landing, self._historic(path), note=False)
                landing.keep(key, json.dumps(order))
                return True
        self._history = None
        return False

    def _between(self, since: str, until: str) -> list[tuple[str, list[str | int]]]:
        """Return the files of the days asked for in the order of reading, with their places in it; the folders are walked once."""
        if self._history is None or self._history[0] != f"{since}/{until}":
            found = []
            for folder in (self._given.archive, *([self._given.history] if self._given.history else [])):
                for path, entry in self._store.tree(folder).items():
                    place = place_of(delivered_as(path.rpartition("/")[2]))
                    if place is not None and since <= place.day <= until:
                        found.append((f"{folder}/{path}", _order(f"{folder}/{path}", entry)))
            self._history = (f"{since}/{until}", sorted(found, key=lambda each: each[1]))
        return self._history[1]

    def _historic(self, path: str) -> Wanted:
        """Return a file of history as wanted: one from before there were checksum files is taken as it is."""
        entry = self._store.entry(path)
        if entry is None:
            raise SourceFault(f"{path} went away while history was read: put it back, or start the backfill again")
        name, beside = delivered_as(path.rpartition("/")[2]), path + self._suffix
        text = self._store.small(beside) if self._store.entry(beside) else b""
        digest = checksum_in(text, name) if text else ""
        if digest is None:
            raise SourceFault(f"{beside} holds no {self._given.checksum} digest of {name}: write it again or take it away")
        return Wanted(path, name, entry, digest)

    def push(self, files: Sequence[Path]) -> None:
        """Drop result files, each whole, then its checksum file; one that is there already is left alone."""
        for file in files:
            content, target = file.read_bytes(), f"{self._given.results}/{file.name}"
            line = checksum_line(digest_of(file, self._given.checksum), file.name).encode("ascii")
            there = self._store.entry(target)
            if there and there.size == len(content) and self._store.entry(target + self._suffix) and self._same(target, line):
                continue
            self._store.place(content, target)
            self._store.place(line, target + self._suffix)

    def _same(self, target: str, line: bytes) -> bool:
        return self._store.small(target + self._suffix) == line

    def notices(self) -> list[Notice]:
        """Return what an operator should know of files that are not taken: those not whole for long, and those that are wrong."""
        wrong = [Notice(name, "DIGEST_MISMATCH", said, self._clock.now().isoformat()) for name, (_, said, _) in self._bad.items()]
        return [*self._notices, *wrong]

    def _note(self, stuck: dict[str, str]) -> None:
        """Keep since when each file has been left alone, and what to say of those that have been so for long."""
        now = self._clock.now()
        self._since = {name: self._since.get(name, now.isoformat()) for name in stuck}
        late = {
            name
            for name, since in self._since.items()
            if self._look_only or (now - now.fromisoformat(since)).total_seconds() >= self._given.stuck_after_seconds
        }
        self._notices = [Notice(name, code, _SAID[code], self._since[name]) for name, code in sorted(stuck.items()) if name in late]

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()


_SAID = {
    "UNFINISHED": "it bears the name of a file still being written: finish it under its own name, or take it away",
    "NO_CHECKSUM": "its checksum file is missing: write it, or take the file away",
    "BAD_CHECKSUM_FILE": "its checksum file holds no digest of this file: write it again",
    "CHECKSUM_ALONE": "the file it belongs to is missing: hand it over, or take the checksum file away",
    "UNKNOWN_NAME": "it is not called JS_<kind>_<yyyymmdd>[_n].csv: rename it, or take it away",
}


def _order(path: str, entry: Entry) -> list[str | int]:
    """Return a file's place in the order of reading; of several editions of a name the one written first comes first."""
    place = place_of(delivered_as(path.rpartition("/")[2]))
    assert place is not None
    return [place.day, place.kind, place.number, entry.modified, path]
