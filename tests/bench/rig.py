"""What is measured on: PostgreSQL, a broker, a hub process, and a relay of its own where one is wanted."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.embedded import EmbeddedKafka, EmbeddedPostgres, Lifeline
from hub.ledger.migrate import migrate
from tests.bench.processes import Meter, cpu_seconds, family_seconds, resident_mib
from tests.fixtures.hub import HubProcess


class ClearingHub(HubProcess):
    """The roles on the clearing path; relay and consumer are other processes, in production other machines."""

    roles = ("hub", "web")

    @property
    def pid(self) -> int:
        """Process id while it runs."""
        assert self._process is not None
        return self._process.pid


@dataclass(slots=True)
class Rig:
    """A running hub on a database of its own."""

    server: EmbeddedPostgres
    broker: EmbeddedKafka
    url: str
    hub: ClearingHub

    def meter(self, relay: int | None = None) -> Meter:
        """Start to count the processor time of hub, PostgreSQL, this process as the load generator, and a relay."""
        hub, postmaster = self.hub.pid, self.server.pid
        assert postmaster is not None
        watched = {
            "hub": lambda: cpu_seconds(hub),
            "PostgreSQL": lambda: family_seconds(postmaster),
            "load": lambda: cpu_seconds(os.getpid()),
        }
        if relay is not None:
            watched["relay"] = lambda: cpu_seconds(relay)
        return Meter(watched)

    @property
    def resident_mib(self) -> float:
        """Resident memory of the hub process, MiB."""
        return resident_mib(self.hub.pid)


def tell(text: str) -> None:
    """Say on standard error what goes on."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def fresh_database(server: EmbeddedPostgres, name: str) -> str:
    """Return the URL of a new, migrated database."""
    url = server.create_database(name)
    migrate(url)
    return url


@contextmanager
def running_hub(server: EmbeddedPostgres, broker: EmbeddedKafka, url: str, directory: Path) -> Iterator[Rig]:
    """Run a hub on a migrated database."""
    directory.mkdir()
    hub = ClearingHub(url, broker.bootstrap, directory, {})
    hub.start()
    try:
        yield Rig(server, broker, url, hub)
    finally:
        hub.kill()


@contextmanager
def running_relay(rig: Rig) -> Iterator[int]:
    """Run the relay role in a process of its own; yields its id."""
    with (rig.hub.directory / "relay.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "hub", "serve", "relay"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=rig.hub.environment(),
        )
    with Lifeline(process.pid):
        try:
            yield process.pid
        finally:
            process.kill()
            process.wait()
