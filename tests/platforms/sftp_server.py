"""A small SFTP server, as a process: `python -m tests.platforms.sftp_server FOLDER`.

FOLDER holds `host` (the private host key), `user.pub` (the key that may log in), `password`, and `files`, which is served. The port goes
into `port` once it listens. `faults.json` orders failures, each time it is written anew: `cut_after` so many bytes read, `deny` paths that
begin so, `full` for a disk without room, `plain` for a server without the extensions of OpenSSH, `silent` for one that answers nothing.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path
from typing import Any

from twisted.conch.avatar import ConchUser
from twisted.conch.error import ValidPublicKey
from twisted.conch.interfaces import IConchUser, ISFTPFile, ISFTPServer
from twisted.conch.ssh import connection, factory, filetransfer, session, userauth
from twisted.conch.ssh.common import getNS
from twisted.conch.ssh.keys import Key
from twisted.cred import credentials, portal
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.error import UnauthorizedLogin
from twisted.internet import defer, reactor
from twisted.python import components
from zope.interface import implementer

RENAME, FLUSH = b"posix-rename@openssh.com", b"fsync@openssh.com"


class Faults:
    """What was ordered to fail."""

    def __init__(self, path: Path) -> None:
        self._path, self._seen, self._read = path, 0, 0
        self._ordered: dict[str, Any] = {}

    def ordered(self) -> dict[str, Any]:
        if self._path.exists() and (seen := self._path.stat().st_mtime_ns) != self._seen:
            self._seen, self._ordered, self._read = seen, json.loads(self._path.read_text()), 0
        return self._ordered

    def cuts(self, length: int) -> bool:
        """Count bytes read; say once that it is time to cut."""
        limit = self.ordered().get("cut_after")
        self._read += length
        if limit is None or self._read <= limit:
            return False
        del self._ordered["cut_after"]
        return True


@implementer(IConchUser)
class User(ConchUser):
    def __init__(self, root: Path, faults: Faults) -> None:
        super().__init__()
        self.root, self.faults = root, faults
        self.channelLookup[b"session"] = session.SSHSession
        self.subsystemLookup[b"sftp"] = filetransfer.FileTransferServer


@implementer(ISFTPServer)
class Files:
    def __init__(self, user: User) -> None:
        self.user, self.faults = user, user.faults

    def at(self, path: bytes) -> Path:
        found = (self.user.root / path.decode().lstrip("/")).absolute()
        denied = self.faults.ordered().get("deny")
        if denied and found.relative_to(self.user.root).as_posix().startswith(denied):
            raise OSError(errno.EACCES, "Permission denied")
        return found

    def gotVersion(self, version: int, given: dict[bytes, bytes]) -> dict[bytes, bytes]:
        return {} if self.faults.ordered().get("plain") else {RENAME: b"1", FLUSH: b"1"}

    def openFile(self, name: bytes, flags: int, attributes: dict[str, int]) -> Any:
        return File(self, self.at(name), flags)

    def openDirectory(self, path: bytes) -> Any:
        return Folder(self.at(path))

    def getAttrs(self, path: bytes, follow: bool) -> Any:
        if self.faults.ordered().get("silent"):
            return defer.Deferred()
        return attributes_of(self.at(path).lstat())

    def removeFile(self, path: bytes) -> None:
        self.at(path).unlink()

    def renameFile(self, old: bytes, new: bytes) -> None:
        if self.at(new).exists():
            raise filetransfer.SFTPError(filetransfer.FX_FAILURE, "Failure")
        self.at(old).rename(self.at(new))

    def makeDirectory(self, path: bytes, attributes: dict[str, int]) -> None:
        self.at(path).mkdir()

    def extendedRequest(self, name: bytes, data: bytes) -> bytes:
        if name == RENAME:
            old, new, _ = getNS(data, 2)
            self.at(old).replace(self.at(new))
        elif name != FLUSH:
            raise NotImplementedError(name)
        return b""


@implementer(ISFTPFile)
class File:
    def __init__(self, server: Files, path: Path, flags: int) -> None:
        self.server = server
        writing = flags & filetransfer.FXF_WRITE
        mode = os.O_RDWR | os.O_CREAT | os.O_TRUNC if writing else os.O_RDONLY
        self.handle = os.open(path, mode, 0o644)

    def close(self) -> None:
        os.close(self.handle)

    def readChunk(self, offset: int, length: int) -> bytes:
        data = os.pread(self.handle, length, offset)
        if self.server.faults.cuts(len(data)):
            self.server.user.conn.transport.transport.abortConnection()
        return data

    def writeChunk(self, offset: int, data: bytes) -> None:
        if self.server.faults.ordered().get("full"):
            raise filetransfer.SFTPError(filetransfer.FX_FAILURE, "No space left on device")
        os.pwrite(self.handle, data, offset)


class Folder:
    def __init__(self, path: Path) -> None:
        self.entries = [(each.name.encode(), each.name.encode(), attributes_of(each.lstat())) for each in sorted(path.iterdir())]

    def __iter__(self) -> Any:
        return iter(self.entries)

    def close(self) -> None:
        """Nothing to let go of."""


def attributes_of(stat: os.stat_result) -> dict[str, int]:
    return {
        "size": stat.st_size,
        "uid": stat.st_uid,
        "gid": stat.st_gid,
        "permissions": stat.st_mode,
        "atime": int(stat.st_atime),
        "mtime": int(stat.st_mtime),
    }


@implementer(ICredentialsChecker)
class Checker:
    credentialInterfaces = (credentials.ISSHPrivateKey, credentials.IUsernamePassword)

    def __init__(self, key: Key, password: bytes) -> None:
        self.key, self.password = key, password

    def requestAvatarId(self, given: Any) -> Any:
        if given.username != b"js":
            return defer.fail(UnauthorizedLogin())
        if credentials.IUsernamePassword.providedBy(given):
            return defer.succeed(b"js") if given.password == self.password else defer.fail(UnauthorizedLogin())
        if given.blob != self.key.blob():
            return defer.fail(UnauthorizedLogin())
        if not given.signature:
            return defer.fail(ValidPublicKey())
        return defer.succeed(b"js") if self.key.verify(given.signature, given.sigData) else defer.fail(UnauthorizedLogin())


@implementer(portal.IRealm)
class Realm:
    def __init__(self, root: Path, faults: Faults) -> None:
        self.root, self.faults = root, faults

    def requestAvatar(self, name: bytes, mind: Any, *interfaces: Any) -> Any:
        return IConchUser, User(self.root, self.faults), lambda: None


class Server(factory.SSHFactory):
    services = {b"ssh-userauth": userauth.SSHUserAuthServer, b"ssh-connection": connection.SSHConnection}  # noqa: RUF012 - as Conch has it

    def __init__(self, folder: Path) -> None:
        key = Key.fromFile(str(folder / "host"))
        self.publicKeys, self.privateKeys = {key.sshType(): key.public()}, {key.sshType(): key}
        faults = Faults(folder / "faults.json")
        checker = Checker(Key.fromFile(str(folder / "user.pub")), (folder / "password").read_bytes().strip())
        realm: Any = Realm(folder / "files", faults)
        checkers: list[Any] = [checker]
        self.portal = portal.Portal(realm, checkers)


def main(folder: Path) -> None:
    components.registerAdapter(Files, User, ISFTPServer)
    loop: Any = reactor
    port = loop.listenTCP(0, Server(folder.absolute()), interface="127.0.0.1")
    ready = folder / "port.tmp"
    ready.write_text(str(port.getHost().port))
    ready.rename(folder / "port")
    loop.run()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
