"""What all scenarios of one run stand on: an embedded PostgreSQL with a migrated template, an embedded broker, certificates."""

from __future__ import annotations

import asyncio
import errno
import random
import shutil
import socket
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from hub.cli.scenario.nursery import Nursery
from hub.client import ClientIdentity
from hub.domain.divisions import COORDINATION
from hub.embedded import EmbeddedKafka, EmbeddedPostgres, Lifeline
from hub.ledger.migrate import migrate
from hub.security.authority import DevelopmentAuthority
from hub.security.spiffe import COORDINATION_SYSTEM, PLATFORM_SYSTEM

_TEMPLATE = "scenario_template"
# Nobody kills this server, and what it holds goes with the run: waiting for the disk would only cost time.
_SETTINGS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
# Below the range from which systems give ports to outgoing connections: one of those could take a hub's port while it restarts.
_PORTS = range(15_000, 32_000)


@dataclass
class Ground:
    """The shared parts. `directory` holds everything and is removed at the end."""

    directory: Path
    postgres: EmbeddedPostgres
    kafka: EmbeddedKafka
    authority: DevelopmentAuthority
    nursery: Nursery = field(default_factory=Nursery)
    _cloning: asyncio.Lock = field(default_factory=asyncio.Lock)
    _ports_given: set[int] = field(default_factory=set)

    @property
    def data_dir(self) -> Path:
        """Data directory of the hubs; their development identity lies in it."""
        return self.directory / "data"

    async def new_database(self, name: str) -> str:
        """Return the URL of a fresh, migrated database."""
        async with self._cloning:
            return await asyncio.to_thread(self.postgres.create_database, name, _TEMPLATE)

    def new_port(self) -> int:
        """Return a port that is free and was given to nobody in this run."""
        while True:
            port = random.choice(_PORTS)
            if port not in self._ports_given and _is_free(port):
                self._ports_given.add(port)
                return port

    def identity(self, division: str) -> Path:
        """Return the identity folder of a division's platform, or of the coordination group."""
        system = COORDINATION_SYSTEM if division == COORDINATION else PLATFORM_SYSTEM
        out = self.directory / "clients" / f"{division}-{system}"
        if not (out / "cert.pem").exists():
            self.authority.write_identity(division, system, out)
        return out

    def tls(self) -> ssl.SSLContext:
        """Return TLS settings that trust the hubs of this run."""
        return ClientIdentity.load(self.identity(COORDINATION)).ssl_context()


@asynccontextmanager
async def lay_ground(provinces: Iterable[str]) -> AsyncIterator[Ground]:
    """Start the shared parts; stop and remove them at the end, also where this process is killed."""
    directory = Path(tempfile.mkdtemp(prefix="deltahub-scenarios-"))
    postgres = EmbeddedPostgres(directory / "postgres", settings=_SETTINGS)
    kafka = EmbeddedKafka()
    ground = Ground(directory, postgres, kafka, DevelopmentAuthority(directory / "data" / "identity"))
    lifeline: Lifeline | None = None
    try:
        ground.nursery.open()
        _, lifeline, _ = await asyncio.gather(
            asyncio.to_thread(kafka.start),
            asyncio.to_thread(_start_postgres, ground),
            asyncio.to_thread(ground.authority.ensure, sorted(provinces)),
        )
        yield ground
    finally:
        await asyncio.to_thread(_clear, ground, lifeline)


def _start_postgres(ground: Ground) -> Lifeline:
    server = ground.postgres.start()
    assert server.pid is not None
    lifeline = Lifeline(server.pid, signal="QUIT", remove=str(ground.directory))
    migrate(server.create_database(_TEMPLATE))
    return lifeline


def _clear(ground: Ground, lifeline: Lifeline | None) -> None:
    ground.nursery.close()
    ground.kafka.kill()
    ground.postgres.kill()
    if lifeline is not None:
        lifeline.disarm()
    shutil.rmtree(ground.directory, ignore_errors=True)
    if ground.postgres.socket_dir != ground.postgres.data_dir:
        shutil.rmtree(ground.postgres.socket_dir, ignore_errors=True)


def _is_free(port: int) -> bool:
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((address, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            # A machine without IPv6 has no such address to lose.
    return True
