"""Jiangsu's files on a server that speaks SFTP (version 3). A connection is made when it is needed and kept until it fails."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from twisted.conch.ssh.common import NS
from twisted.conch.ssh.filetransfer import (
    FX_CONNECTION_LOST,
    FX_NO_CONNECTION,
    FX_NO_SUCH_FILE,
    FX_PERMISSION_DENIED,
    FXF_CREAT,
    FXF_READ,
    FXF_TRUNC,
    FXF_WRITE,
    SFTPError,
)
from twisted.internet.defer import Deferred

from adapters.jiangsu.settings import SftpGiven
from adapters.jiangsu.ssh import Session, pinned
from adapters.jiangsu.store import SMALL, Entry, open_at
from adapters.runtime.source import SourceDown, SourceFault

_PIECE = 1 << 15  # what every server gives in one answer
_AHEAD = 32  # requests under way together
_RENAME, _FLUSH = b"posix-rename@openssh.com", b"fsync@openssh.com"


class SftpStore:
    """A folder of an SFTP server."""

    def __init__(self, given: SftpGiven) -> None:
        pinned(given)  # a server nobody pinned is a fault of the settings, told at the start
        self._given = given
        self._session: Session | None = None

    def entries(self, folder: str) -> dict[str, Entry]:
        """Return the plain files right in a folder by name."""
        with self._asked(folder) as session:
            try:
                listed = self._list(session, folder)
            except _Missing:
                raise SourceFault(f"the folder {folder} is not on {self._given.host}: have it made at the province") from None
            return {name: _entry(attributes) for name, attributes in listed.items() if _plain(attributes)}

    def tree(self, folder: str) -> dict[str, Entry]:
        """Return the plain files in a folder and below by relative path."""
        with self._asked(folder) as session:
            return dict(self._walk(session, folder, ""))

    def _walk(self, session: Session, folder: str, below: str) -> Iterator[tuple[str, Entry]]:
        try:
            listed = self._list(session, f"{folder}/{below}" if below else folder)
        except _Missing:
            return
        for name, attributes in sorted(listed.items()):
            path = f"{below}/{name}" if below else name
            if _plain(attributes):
                yield path, _entry(attributes)
            elif stat.S_ISDIR(attributes.get("permissions", 0)):
                yield from self._walk(session, folder, path)

    def entry(self, path: str) -> Entry | None:
        """Return a file's entry, or None."""
        with self._asked(path) as session:
            try:
                return _entry(self._one(session, session.files.getAttrs(self._at(path))))
            except _Missing:
                return None

    def small(self, path: str) -> bytes:
        """Return the first bytes of a file."""
        with self._asked(path) as session, self._open(session, path, FXF_READ) as file:
            try:
                return bytes(self._one(session, file.readChunk(0, SMALL)))
            except EOFError:
                return b""

    def fetch(self, path: str, target: Path, offset: int) -> None:
        """Bring what a file holds from `offset` on to `target`; many pieces are asked for together, and kept in their order."""
        with self._asked(path) as session, self._open(session, path, FXF_READ) as file, open_at(target, offset) as part:
            while True:
                asked = [file.readChunk(offset + at * _PIECE, _PIECE).addErrback(_end) for at in range(_AHEAD)]
                for answer in self._all(session, asked):
                    part.write(answer)
                    offset += len(answer)
                    if len(answer) < _PIECE:
                        break  # the end, or a short answer: what comes behind it is asked for again
                part.flush()
                if not answer:
                    return

    def move(self, path: str, to: str) -> None:
        """Give a file another name."""
        with self._asked(path) as session:
            self._folders(session, to)
            self._rename(session, path, to)

    def place(self, content: bytes, path: str) -> None:
        """Put a file in place whole."""
        folder, _, name = path.rpartition("/")
        part = f"{folder}/.{name}.tmp" if folder else f".{name}.tmp"
        with self._asked(path) as session:
            self._folders(session, path)
            with self._open(session, part, FXF_WRITE | FXF_CREAT | FXF_TRUNC) as file:
                for start in range(0, len(content), _PIECE * _AHEAD):
                    pieces = range(start, min(start + _PIECE * _AHEAD, len(content)), _PIECE)
                    self._all(session, [file.writeChunk(at, content[at : at + _PIECE]) for at in pieces])
                if _FLUSH in session.extensions:
                    self._one(session, session.files.extendedRequest(_FLUSH, file.handle))
            self._rename(session, part, path)

    def close(self) -> None:
        """Hang up."""
        session, self._session = self._session, None
        if session is not None:
            session.close()

    def _rename(self, session: Session, path: str, to: str) -> None:
        old, new = self._at(path), self._at(to)
        if _RENAME in session.extensions:
            self._one(session, session.files.extendedRequest(_RENAME, NS(old) + NS(new)))
            return
        # Plain SFTP renames onto nothing that exists; readers go by the checksum file meanwhile.
        with suppress(_Missing):
            self._one(session, session.files.removeFile(new))
        self._one(session, session.files.renameFile(old, new))

    def _folders(self, session: Session, path: str) -> None:
        """Make the folders that a file needs."""
        parts = path.split("/")[:-1]
        for upto in range(1, len(parts) + 1):
            folder = self._at("/".join(parts[:upto]))
            try:
                self._one(session, session.files.getAttrs(folder))
            except _Missing:
                self._one(session, session.files.makeDirectory(folder, {}))

    def _list(self, session: Session, folder: str) -> dict[str, dict[str, int]]:
        """Return the attributes of everything in a folder by name."""
        found: dict[str, dict[str, int]] = {}
        handle = self._one(session, session.files.openDirectory(self._at(folder)))
        try:
            while True:
                for name, _, attributes in self._one(session, handle.read()):
                    found[name.decode("utf-8", "replace")] = attributes
        except EOFError:
            return {name: attributes for name, attributes in found.items() if name not in (".", "..")}
        finally:
            self._one(session, handle.close())

    @contextmanager
    def _open(self, session: Session, path: str, flags: int) -> Iterator[Any]:
        file = self._one(session, session.files.openFile(self._at(path), flags, {}))
        try:
            yield file
        finally:
            if self._session is session:
                self._one(session, file.close())

    def _at(self, path: str) -> bytes:
        return f"{self._given.root}/{path}".encode()

    def _one(self, session: Session, asked: Deferred[Any]) -> Any:
        return self._all(session, [asked])[0]

    def _all(self, session: Session, asked: list[Deferred[Any]]) -> list[Any]:
        try:
            return session.run(asked)
        except SFTPError as failure:
            if failure.code == FX_NO_SUCH_FILE:
                raise _Missing from None
            raise
        except SourceDown:
            self.close()
            raise

    @contextmanager
    def _asked(self, path: str) -> Iterator[Session]:
        """Give the session, a new one where there is none; say of a failure whether a person must act or time will mend it."""
        where = f"{path} on {self._given.host}"
        try:
            if self._session is None:
                self._session = Session(self._given)
            yield self._session
        except _Missing:
            raise SourceDown(f"{where} is not there, or not any more") from None
        except NotImplementedError:
            raise SourceFault(f"{where}: the server does not know how to do this") from None
        except SFTPError as failure:
            if failure.code in (FX_NO_CONNECTION, FX_CONNECTION_LOST):
                self.close()
                raise SourceDown(f"{where}: {failure.message}") from None
            hint = "mend the rights" if failure.code == FX_PERMISSION_DENIED else "the disk may be full, or the folder not writable"
            raise SourceFault(f"{where}: the server says {failure.message or failure.code!r}; {hint}") from None


class _Missing(Exception):
    """No such file or folder."""


def _end(failure: Any) -> bytes:
    """Take the end of a file for an empty answer."""
    failure.trap(EOFError)
    return b""


def _entry(attributes: dict[str, int]) -> Entry:
    return Entry(attributes.get("size", 0), attributes.get("mtime", 0) * 1_000_000_000)


def _plain(attributes: dict[str, int]) -> bool:
    return stat.S_ISREG(attributes.get("permissions", 0))
