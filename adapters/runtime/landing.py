"""Where deliveries land: `<work>/landing/<number>/<name>`, whole or not at all, each new content of a name once."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from adapters.runtime.deliveries import Landed
from adapters.runtime.failpoints import failpoint
from adapters.runtime.source import Delivery
from adapters.runtime.state import State
from hub.domain.clock import Clock

_NAME_CHARS_MAX = 200
_BLOCK_BYTES = 1 << 20
_PARTS = "parts"


class FileLanding:
    """Implements `source.Landing`. Number, digest and cursor are registered in one durable transaction once the file stands there.

    A crash in between leaves a file that nobody knows: it is whole, so the next start registers it. The source then brings the same bytes
    again and is told that they are there.
    """

    def __init__(self, work: Path, state: State, clock: Clock) -> None:
        self._landing, self._archive = work / "landing", work / "archive"
        self._state, self._clock = state, clock
        self._lock = threading.Lock()
        (self._landing / _PARTS).mkdir(parents=True, exist_ok=True)
        self._archive.mkdir(parents=True, exist_ok=True)
        self._recover()
        self._next = 1 + max(self._state.deliveries.last_number(), *(int(each.name) for each in self._numbered()), 0)

    def part(self, name: str) -> Path:
        """Return where the bytes of an unfinished delivery are gathered."""
        return self._landing / _PARTS / hashlib.sha256(_checked(name).encode()).hexdigest()[:32]

    def put(self, name: str, content: Path | Iterable[bytes], *, cursor: tuple[str, str] | None = None) -> Delivery | None:
        """Land a delivery; return None if these bytes are what landed last under this name. Raises ValueError for an unusable name."""
        return self.land(name, content, cursor=cursor)

    def land(
        self, name: str, content: Path | Iterable[bytes], *, cursor: tuple[str, str] | None = None, historic: bool = False
    ) -> Delivery | None:
        """Land a delivery as `put` does; `historic` where it comes by a backfill."""
        _checked(name)
        if isinstance(content, Path):
            return self._put(name, content, cursor, historic)
        gathered = self._landing / _PARTS / f"{uuid.uuid4().hex}.new"
        try:
            with gathered.open("wb") as file:
                for block in content:
                    file.write(block)
            return self._put(name, gathered, cursor, historic)
        finally:
            gathered.unlink(missing_ok=True)

    def _put(self, name: str, content: Path, cursor: tuple[str, str] | None, historic: bool) -> Delivery | None:
        digest = _flushed_digest(content)
        with self._lock:
            if self._state.deliveries.last_digest(name) == digest:
                content.unlink(missing_ok=True)
                if cursor is not None:
                    self.keep(*cursor)
                return None
            number = self._next
            self._next += 1
            path = self._move(content, self._landing / str(number) / name)
            failpoint("landing.after_rename")
            with self._state.transaction(durable=True):
                self._state.deliveries.add(number, name, digest, self._clock.now().isoformat(), historic=historic)
                if cursor is not None:
                    self._state.keep(*cursor)
            failpoint("landing.after_registration")
        return Delivery(number, name, path, digest)

    def _move(self, content: Path, path: Path) -> Path:
        """Bring a file to its place in one step, so that it stands there whole or not at all; it is on disk already."""
        path.parent.mkdir(parents=True)
        if content.stat().st_dev == path.parent.stat().st_dev:
            content.rename(path)
        else:
            near = self._landing / _PARTS / f"{uuid.uuid4().hex}.new"
            shutil.copyfile(content, near)
            _flushed_digest(near)
            near.rename(path)
            content.unlink()
        for folder in path.parents[: len(path.relative_to(self._landing).parts)]:
            _flush_folder(folder)
        return path

    def cursor(self, key: str) -> str:
        """Return what was last kept under a key, or nothing."""
        return self._state.cursor(key)

    def keep(self, key: str, value: str) -> None:
        """Keep a cursor without a delivery."""
        with self._state.transaction(durable=True):
            self._state.keep(key, value)

    # -- after landing ------------------------------------------------------------------------------------------------------

    def delivery(self, landed: Landed) -> Delivery:
        """Return a delivery with its file, wherever that is by now."""
        path = self._landing / str(landed.number) / landed.name
        if not path.exists():
            path = self._archive / str(landed.number) / landed.name
        return Delivery(landed.number, landed.name, path, landed.digest)

    def archive(self, landed: Landed) -> None:
        """Put away the file of a delivery that was taken. Done twice, it does no harm."""
        folder, kept = self._landing / str(landed.number), self._archive / str(landed.number)
        if folder.exists():
            shutil.rmtree(kept, ignore_errors=True)
            folder.rename(kept)

    def remove(self, landed: Landed) -> None:
        """Let go of the file of a delivery that was put away."""
        shutil.rmtree(self._archive / str(landed.number), ignore_errors=True)

    # -- starting -----------------------------------------------------------------------------------------------------------

    def _recover(self) -> None:
        """Register what landed and was not registered before a crash, and clear away what never became whole."""
        for left in (self._landing / _PARTS).glob("*.new"):
            left.unlink()
        for folder in sorted(self._numbered(), key=lambda path: int(path.name)):
            if folder.parent != self._landing or self._state.deliveries.get(int(folder.name)) is not None:
                continue
            files = [path for path in folder.rglob("*") if path.is_file()]
            if not files:
                shutil.rmtree(folder)
                continue
            name = files[0].relative_to(folder).as_posix()
            with self._state.transaction(durable=True):
                self._state.deliveries.add(int(folder.name), name, _flushed_digest(files[0]), self._clock.now().isoformat())

    def _numbered(self) -> Iterator[Path]:
        for folder in (self._landing, self._archive):
            yield from (path for path in folder.iterdir() if path.is_dir() and path.name.isdecimal())


def _checked(name: str) -> str:
    """Return a name that stays inside its folder; raise ValueError otherwise."""
    path = PurePosixPath(name)
    parts_fit = all(part not in ("..", ".") and len(part.encode()) <= 255 for part in path.parts)
    plain = name.isprintable() and "\\" not in name and len(name) <= _NAME_CHARS_MAX
    if not name or path.is_absolute() or not parts_fit or not plain or path.as_posix() != name:
        raise ValueError(f"{name!r} cannot be the name of a delivery: a relative path of at most {_NAME_CHARS_MAX} printable characters")
    return name


def _flushed_digest(path: Path) -> str:
    """Return the SHA-256 of a file whose bytes are on disk."""
    digest = hashlib.sha256()
    with path.open("rb+") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
        os.fsync(file.fileno())
    return digest.hexdigest()


def _flush_folder(folder: Path) -> None:
    """Have a folder's entries on disk."""
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
