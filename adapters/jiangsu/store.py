"""Where Jiangsu's files lie: a folder of this machine, or (sftp.py) one of another. Paths are relative and use `/`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from adapters.runtime.source import SourceFault, asked

PIECE = 1 << 20
SMALL = 4096
"""Most bytes of a checksum file that are looked at."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as a look at its folder shows it: bytes, when it was written (nanoseconds), and the number its system knows it by, if any.

    It changes when the file is written anew, and not when it is moved.
    """

    size: int
    modified: int
    number: int = 0

    def __str__(self) -> str:
        return f"{self.size}:{self.modified}:{self.number}"


class Store(Protocol):
    """A tree of files. Every call raises SourceDown or SourceFault, never anything else of its own."""

    def entries(self, folder: str) -> dict[str, Entry]:
        """Return the plain files right in a folder by name; raise SourceFault where there is no such folder."""
        ...

    def tree(self, folder: str) -> dict[str, Entry]:
        """Return the plain files in a folder and below by relative path; nothing where there is no such folder."""
        ...

    def entry(self, path: str) -> Entry | None:
        """Return a file's entry, or None."""
        ...

    def small(self, path: str) -> bytes:
        """Return the first bytes of a file, SMALL at most."""
        ...

    def fetch(self, path: str, target: Path, offset: int) -> None:
        """Bring what a file holds from `offset` on to the same place of `target`. What came before a failure stays there."""
        ...

    def move(self, path: str, to: str) -> None:
        """Give a file another name, in one step; make the folders it needs and replace what has that name."""
        ...

    def place(self, content: bytes, path: str) -> None:
        """Put a file in place whole: written under another name, then renamed."""
        ...

    def close(self) -> None:
        """Let go of connections."""
        ...


class LocalStore:
    """A folder of this machine, its own or mounted."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def entries(self, folder: str) -> dict[str, Entry]:
        """Return the plain files right in a folder by name."""
        place = self._root / folder
        if not place.is_dir():
            raise SourceFault(f"the folder {place} is not there: make it, or mount what it is on")
        with asked(place):
            return {
                each.name: _entry(each.stat(follow_symlinks=False)) for each in os.scandir(place) if each.is_file(follow_symlinks=False)
            }

    def tree(self, folder: str) -> dict[str, Entry]:
        """Return the plain files in a folder and below by relative path."""
        top = self._root / folder
        found = {}
        with asked(top):
            for path in sorted(top.rglob("*")):
                if path.is_file() and not path.is_symlink():
                    found[path.relative_to(top).as_posix()] = _entry(path.lstat())
        return found

    def entry(self, path: str) -> Entry | None:
        """Return a file's entry, or None."""
        with asked(self._root / path):
            try:
                return _entry((self._root / path).lstat())
            except FileNotFoundError:
                return None

    def small(self, path: str) -> bytes:
        """Return the first bytes of a file."""
        with asked(self._root / path), (self._root / path).open("rb") as file:
            return file.read(SMALL)

    def fetch(self, path: str, target: Path, offset: int) -> None:
        """Bring what a file holds from `offset` on to `target`."""
        with asked(self._root / path), (self._root / path).open("rb") as source, open_at(target, offset) as file:
            source.seek(offset)
            while piece := source.read(PIECE):
                file.write(piece)

    def move(self, path: str, to: str) -> None:
        """Give a file another name; both folders are flushed, so that the loss of power does not undo it."""
        old, new = self._root / path, self._root / to
        with asked(old):
            new.parent.mkdir(parents=True, exist_ok=True)
            old.replace(new)
            _flush(new.parent)
            _flush(old.parent)

    def place(self, content: bytes, path: str) -> None:
        """Put a file in place whole."""
        target = self._root / path
        with asked(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.tmp")
            with part.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            part.replace(target)
            _flush(target.parent)

    def close(self) -> None:
        """Nothing to let go of."""


@contextmanager
def open_at(target: Path, offset: int) -> Iterator[BinaryIO]:
    """Open a part for writing at an offset; what stood behind it is cut off."""
    with target.open("r+b" if offset else "wb") as file:
        file.seek(offset)
        file.truncate()
        yield file


def _entry(stat: os.stat_result) -> Entry:
    return Entry(stat.st_size, stat.st_mtime_ns, stat.st_ino)


def _flush(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
