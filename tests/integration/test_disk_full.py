"""The disk of the write-ahead log is full: calls wait or are told UNAVAILABLE, nothing is half-done, and with room again all goes on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc
import psycopg
import pytest

from hub.embedded import EmbeddedPostgres, Lifeline
from hub.embedded.account import server_account
from hub.ledger.migrate import migrate
from tests.fixtures import delta
from tests.fixtures import messaging as exchange
from tests.fixtures.forked import DOORS, Ground
from tests.fixtures.hub import RunningHub
from tests.fixtures.notproven import NOT_PROVEN
from tests.fixtures.seeds import SEED
from tests.fixtures.traffic import open_traffic
from tests.support_usecases import credit_code
from yrd.participant.v1 import participant_pb2

_DISK_MEGABYTES = 64
_SEGMENTS_MAX = 8
_SETTINGS = {"min_wal_size": "32MB", "max_wal_size": "32MB", "wal_recycle": "off", "wal_init_zero": "on"}


class SmallDisk:
    """A server whose write-ahead log has a small disk of its own, a tmpfs."""

    def __init__(self, directory: Path) -> None:
        self.server = EmbeddedPostgres(directory, settings=_SETTINGS)
        self.disk = directory / "wal"
        self._ballast = self.disk / "ballast"
        self._lifeline: Lifeline | None = None

    def make(self) -> None:
        """Initialise the server, move its log to the small disk, and start it."""
        self.server.start()
        migrate(self.server.uri())
        self.server.stop()
        log = next(self.server.data_dir.glob("*/pg_wal"))
        for path in log.rglob("*"):
            if path.is_file():
                place = self.disk / path.relative_to(log)
                place.parent.mkdir(exist_ok=True)
                shutil.copy(path, place)
        for folder in ("archive_status", "summaries"):
            (self.disk / folder).mkdir(exist_ok=True)
        for path in (self.disk, *self.disk.rglob("*")):
            server_account().own(path)
        shutil.rmtree(log)
        log.symlink_to(self.disk)
        self.start()

    def start(self) -> None:
        """Start, or start again after the server gave up."""
        self.server.start()
        assert self.server.pid is not None
        self._disarm()
        self._lifeline = Lifeline(self.server.pid, signal="QUIT")

    def fill(self) -> None:
        """Leave not a byte, and use up the log that is begun: the server cannot go on then and gives up."""
        with self._ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(1 << 16))
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.server.uri("postgres"), autocommit=True) as connection:
            for _ in range(_SEGMENTS_MAX):
                connection.execute("SELECT pg_logical_emit_message(false, 'test', 'x'), pg_switch_wal()")
        exchange.wait_for(lambda: self.server.pid is None, "the server to give up")

    def empty(self) -> None:
        """Make room again."""
        self._ballast.unlink()

    def close(self) -> None:
        """Kill the server."""
        self._disarm()
        self.server.kill()

    def _disarm(self) -> None:
        if self._lifeline is not None:
            self._lifeline.disarm()


_MOUNTED = "YRD_WAL_DISK"
"""Names a small disk that is there already: in a namespace of its own, where this module runs itself again."""


@pytest.fixture
def small_disk() -> Iterator[SmallDisk | None]:
    """A running server on a small disk; None where the test has to run, and has run, in a namespace that may mount one."""
    if _MOUNTED in os.environ:
        with _server_on(Path(os.environ[_MOUNTED])) as made:
            yield made
        return
    directory = Path(tempfile.mkdtemp(prefix="yrd-wal-"))
    disk = directory / "wal"
    disk.mkdir()
    try:
        if os.geteuid() == 0 and _runs(*_MOUNT, str(disk)):
            try:
                with _server_on(disk) as made:
                    yield made
            finally:
                subprocess.run(["umount", str(disk)], check=True)
        elif _runs("unshare", "-rm", *_MOUNT, str(disk)):
            _again_in_a_namespace(disk)
            yield None
        else:
            pytest.skip(f"{NOT_PROVEN} a full disk under the write-ahead log: this account may mount no tmpfs, nor may it by `unshare -rm`")
    finally:
        shutil.rmtree(directory)


_MOUNT = ("mount", "-t", "tmpfs", "-o", f"size={_DISK_MEGABYTES}m", "tmpfs")


def _runs(*command: str) -> bool:
    return shutil.which(command[0]) is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


def _again_in_a_namespace(disk: Path) -> None:
    """Run this module where the disk can be mounted, as who we are: PostgreSQL serves no root, not even one in name."""
    ours = f"--map-user={os.getuid()} --map-group={os.getgid()}"
    pytest_itself = f"{shlex.quote(sys.executable)} -m pytest -q -n 0 -p no:cacheprovider {shlex.quote(__file__)}"
    steps = f"{shlex.join(_MOUNT)} {shlex.quote(str(disk))} && exec unshare -U {ours} {pytest_itself}"
    environment = {**os.environ, _MOUNTED: str(disk)}
    ran = subprocess.run(["unshare", "-rm", "sh", "-c", steps], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0 and "1 passed" in ran.stdout, ran.stdout + ran.stderr


@contextlib.contextmanager
def _server_on(disk: Path) -> Iterator[SmallDisk]:
    made = SmallDisk(disk.parent)
    try:
        made.make()
        yield made
    finally:
        made.close()


async def test_the_disk_of_the_log_is_full(small_disk: SmallDisk | None, ground: Ground) -> None:
    if small_disk is None:
        return
    uri = small_disk.server.uri()
    async with ground.hub(uri, *DOORS, "relay", "scheduler", SWEEP_SECONDS="0.2") as hub:
        traffic = await open_traffic(hub, SEED)
        async with traffic.flowing():
            await traffic.more(60)
            await asyncio.to_thread(small_disk.fill)
            answered = len(traffic.asked)
            await _told_to_come_back(hub)
            assert len(traffic.asked) == answered, "nothing can be durable now, so nothing may be answered"
            await asyncio.to_thread(small_disk.empty)
            await asyncio.to_thread(small_disk.start)
            await traffic.nothing_lost()
            await traffic.more(60)
        await traffic.settled_exactly()
        await exchange.until(lambda: exchange.unpublished(uri) == 0, "everything to be published")
        assert hub.process.running


async def _told_to_come_back(hub: RunningHub) -> None:
    wire = await hub.wire(delta.CHANGXING)
    firm = delta.firm(credit_code(7, "91330522"), delta.CHANGXING)
    register = participant_pb2.RegisterEnterpriseRequest(request_id=delta.request_id(), enterprise=firm)
    method = f"{delta.ENTERPRISES}.RegisterEnterprise"
    answer = await wire.send(method, register.SerializeToString(), await wire.client.tokens.get())
    assert (answer.status, answer.code) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
