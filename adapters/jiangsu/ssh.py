"""An SFTP session over a plain socket: Conch speaks the protocol, this drives it, one request after the other, without an event loop."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from twisted.conch.client.knownhosts import KnownHostsFile
from twisted.conch.error import HostKeyChanged
from twisted.conch.ssh import connection, transport, userauth
from twisted.conch.ssh.channel import SSHChannel
from twisted.conch.ssh.common import NS
from twisted.conch.ssh.filetransfer import FileTransferClient
from twisted.conch.ssh.keys import BadKeyError, EncryptedKeyError, Key
from twisted.internet import defer, error
from twisted.logger import LogEvent, globalLogBeginner
from twisted.python.failure import Failure
from twisted.python.filepath import FilePath

from adapters.jiangsu.settings import SftpGiven
from adapters.runtime.source import SourceDown, SourceFault

_RECEIVE = 1 << 16


def _unheard(event: LogEvent) -> None:
    """Take a note of Conch's and forget it: what matters is raised."""


# Conch notes every packet; without somebody to listen it would keep them all.
globalLogBeginner.beginLoggingTo([cast(Any, _unheard)], discardBuffer=True, redirectStandardIO=False)


class _Wire:
    """Stands where Conch expects a connection: gathers what is to be sent."""

    def __init__(self) -> None:
        self.out = bytearray()
        self.ended = False

    def write(self, data: bytes) -> None:
        self.out += data

    def loseConnection(self) -> None:
        self.ended = True


class Session:
    """A connection to a server whose key is known, logged in, with an SFTP channel open. Raises SourceDown and SourceFault only."""

    def __init__(self, given: SftpGiven) -> None:
        self._given = given
        self._place = f"sftp://{given.user}@{given.host}:{given.port}"
        self.fault: str = ""
        self.ready = False
        self.extensions: frozenset[bytes] = frozenset()
        self._wire = _Wire()
        client = _Client(self, given)
        self._client, self.files = client, _Files(self)
        try:
            self._socket = socket.create_connection((given.host, given.port), given.timeout_seconds)
        except OSError as failure:
            raise SourceDown(f"{self._place} cannot be reached: {failure}") from None
        try:
            client.makeConnection(self._wire)
            self._until(lambda: self.ready)
        except BaseException:
            self.close()
            raise

    def run(self, asked: Sequence[defer.Deferred[Any]]) -> list[Any]:
        """Wait for the answers to requests already made; raise the first failure among them as the library gives it."""
        answers: list[Any] = [None] * len(asked)
        left = set(range(len(asked)))

        def answered(value: Any, at: int) -> None:
            answers[at] = value
            left.discard(at)

        for at, each in enumerate(asked):
            each.addBoth(answered, at)
        self._until(lambda: not left)
        for answer in answers:
            if isinstance(answer, Failure):
                if answer.check(error.ConnectionLost):
                    raise SourceDown(f"{self._place}: the connection was lost")
                answer.raiseException()
        return answers

    def _until(self, done: Callable[[], bool]) -> None:
        """Send and receive until something is done; raise SourceDown where the server falls silent or goes."""
        try:
            while not done():
                self._send()
                if self.fault:
                    raise SourceFault(f"{self._place}: {self.fault}")
                if self._wire.ended:
                    raise SourceDown(f"{self._place}: the connection was ended")
                data = self._socket.recv(_RECEIVE)
                if not data:
                    raise SourceDown(f"{self._place}: the connection was cut")
                self._client.dataReceived(data)
        except OSError as failure:
            said = "no answer in time" if isinstance(failure, TimeoutError) else str(failure)
            raise SourceDown(f"{self._place}: {said}") from None

    def _send(self) -> None:
        if self._wire.out:
            out, self._wire.out = bytes(self._wire.out), bytearray()
            self._socket.sendall(out)

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class _Client(transport.SSHClientTransport):
    """The client's end: takes the pinned host key only, and nothing weaker than today's algorithms."""

    def __init__(self, session: Session, given: SftpGiven) -> None:
        self.supportedCiphers = [b"aes256-ctr", b"aes192-ctr", b"aes128-ctr"]
        self.supportedMACs = [b"hmac-sha2-512", b"hmac-sha2-256"]
        self.supportedCompressions = [b"none"]
        self.supportedKeyExchanges = [each for each in transport.SSHClientTransport.supportedKeyExchanges if not each.endswith(b"sha1")]
        self._session, self._given = session, given
        self._known, self._name, types = pinned(given)
        offered = transport.SSHClientTransport.supportedPublicKeys
        # Only a key of a pinned kind is asked for: a server with several must not show one that nobody pinned.
        self.supportedPublicKeys = [
            each for each in offered if each in types - {b"ssh-rsa", b"ssh-dss"} or (each.startswith(b"rsa-sha2-") and b"ssh-rsa" in types)
        ]
        self._auth = _Auth(given, _Connection(session))

    def verifyHostKey(self, hostKey: bytes, fingerprint: bytes) -> defer.Deferred[bool]:
        try:
            if self._known.hasHostKey(self._name, Key.fromString(hostKey)):
                return defer.succeed(True)
            said = "shows a host key that known_hosts does not have"
        except HostKeyChanged:
            said = "shows another host key than known_hosts has: somebody may stand between, or the key was changed"
        self._session.fault = f"the server {said}; ask the province, then mend {self._given.known_hosts}"
        return defer.fail(ValueError(said))

    def connectionSecure(self) -> None:
        self.requestService(self._auth)

    def sendDisconnect(self, reason: int, desc: bytes) -> None:
        if reason == transport.DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE:
            self._session.fault = "the server refuses user and key or password: have them checked at the province"
        super().sendDisconnect(reason, desc)

    def receiveError(self, reasonCode: int, description: bytes) -> None:
        if reasonCode in (transport.DISCONNECT_NO_MORE_AUTH_METHODS_AVAILABLE, transport.DISCONNECT_KEY_EXCHANGE_FAILED):
            self._session.fault = self._session.fault or f"the server said {description.decode('utf-8', 'replace')[:200]}"
        self._session._wire.ended = True


def pinned(given: SftpGiven) -> tuple[KnownHostsFile, bytes, frozenset[bytes]]:
    """Return the known hosts, the server's name among them and the kinds of key pinned for it; raise SourceFault where there is none."""
    name = (given.host if given.port == 22 else f"[{given.host}]:{given.port}").encode()
    if not given.known_hosts.is_file():
        raise SourceFault(f"settings: source.sftp.known_hosts: {given.known_hosts} is not there")
    known = KnownHostsFile.fromPath(FilePath(str(given.known_hosts)))
    entries: list[Any] = list(known.iterentries())
    types = frozenset(each.keyType for each in entries if each.keyType and each.matchesHost(name))
    if not types:
        said = f"{given.known_hosts} has no key of {name.decode()}"
        raise SourceFault(f"settings: source.sftp.known_hosts: {said}; get it from the province, not from the network")
    return known, name, types


class _Auth(userauth.SSHUserAuthClient):
    """Logs in with the key or the password of the settings, each tried once."""

    def __init__(self, given: SftpGiven, instance: connection.SSHConnection) -> None:
        super().__init__(given.user.encode(), instance)
        self._key = private_key(given.key_file, given.key_passphrase.read() if given.key_passphrase else None)
        self._password = given.password.read() if given.password else None

    def getPublicKey(self) -> Key | None:
        return None if self._key is None or self.triedPublicKeys else self._key.public()

    def getPrivateKey(self) -> defer.Deferred[Key]:
        assert self._key is not None  # asked for only after its public half was offered
        return defer.succeed(self._key)

    def getPassword(self, prompt: bytes | None = None) -> defer.Deferred[bytes] | None:
        password, self._password = self._password, None
        return None if password is None or prompt is not None else defer.succeed(password.encode())

    def auth_keyboard_interactive(self) -> bool:
        return self._password is not None and super().auth_keyboard_interactive()

    def getGenericAnswers(self, name: bytes, instruction: bytes, prompts: list[tuple[bytes, bool]]) -> defer.Deferred[list[str]]:
        password, self._password = self._password, None
        return defer.succeed([password or ""] * len(prompts))


def private_key(path: Path | None, passphrase: str | None) -> Key | None:
    """Return the key of a file, None without one; raise SourceFault for one that cannot be used."""
    if path is None:
        return None
    said = f"settings: source.sftp.key_file: {path}"
    try:
        key: Key = Key.fromString(path.read_bytes(), passphrase=passphrase)
    except OSError as failure:
        raise SourceFault(f"{said} cannot be read: {failure.strerror}") from None
    except EncryptedKeyError:
        raise SourceFault(f"{said} is encrypted: give key_passphrase, or the right one") from None
    except (BadKeyError, ValueError):
        raise SourceFault(f"{said} is no private key that can be read, or the passphrase is wrong") from None
    if key.isPublic():
        raise SourceFault(f"{said} is a public key: give the private one")
    if key.type() not in ("Ed25519", "EC"):
        raise SourceFault(f"{said} is of type {key.type()}, whose SHA-1 signatures servers refuse: use Ed25519 or ECDSA")
    return key


class _Connection(connection.SSHConnection):
    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def serviceStarted(self) -> None:
        super().serviceStarted()
        # A large window: a file comes in many answers that were asked for together.
        self.openChannel(_Channel(self._session, localWindow=1 << 22, conn=self))


class _Channel(SSHChannel):
    name = b"session"

    def __init__(self, session: Session, **given: Any) -> None:
        super().__init__(**given)
        self._session = session

    def channelOpen(self, specificData: bytes) -> None:
        assert self.conn is not None
        asked = self.conn.sendRequest(self, b"subsystem", NS(b"sftp"), wantReply=True)
        asked.addCallbacks(lambda _: self._session.files.makeConnection(self), self.openFailed)

    def openFailed(self, reason: object) -> None:
        self._session.fault = "the server has no SFTP for this user"

    def dataReceived(self, data: bytes) -> None:
        self._session.files.dataReceived(data)

    def closed(self) -> None:
        self._session._wire.ended = True


class _Files(FileTransferClient):
    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session

    def gotServerVersion(self, serverVersion: int, extData: dict[bytes, bytes]) -> None:
        self._session.extensions = frozenset(extData)
        self._session.ready = True
