"""Runs the roles of the hub as child processes of this one, and starts again what dies."""

from __future__ import annotations

import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from hub.cli.embedded import environment
from hub.embedded import Lifeline
from hub.settings import Settings

GROUPS = (("hub",), ("web",), ("relay", "consumer", "scheduler"))
"""Which roles share a process on one machine."""

START_SECONDS_MAX = 60.0
RESTART_PAUSE_SECONDS = 0.5


class StartError(Exception):
    """A role did not come up; the message says where its log is."""


class Supervisor:
    """Child processes, one for each group of roles."""

    def __init__(self, settings: Settings, groups: Sequence[tuple[str, ...]] = GROUPS) -> None:
        self._settings = settings
        self._groups = groups
        self._children: dict[tuple[str, ...], subprocess.Popen[bytes]] = {}
        self._lifelines: dict[tuple[str, ...], Lifeline] = {}
        self._stop = threading.Event()
        self._logs = settings.data_dir / "logs"

    def start(self) -> None:
        """Start every group and return at once."""
        self._logs.mkdir(parents=True, exist_ok=True)
        for group in self._groups:
            self._spawn(group)
        threading.Thread(target=self._watch, name="supervisor", daemon=True).start()

    def _spawn(self, group: tuple[str, ...]) -> None:
        with self.log_file(group).open("ab") as sink:
            child = subprocess.Popen(
                [sys.executable, "-m", "hub", "serve", *group],
                env={**os.environ, **environment(self._settings)},
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
            )
        previous = self._lifelines.pop(group, None)
        if previous is not None:
            previous.disarm()
        # Should this process be killed hard, its roles must not live on and hold the ports.
        self._lifelines[group] = Lifeline(child.pid)
        self._children[group] = child

    def log_file(self, group: tuple[str, ...]) -> Path:
        """Where a group's log is."""
        return self._logs / f"{'-'.join(group)}.log"

    def pid(self, role: str) -> int:
        """Process id of the group that runs `role`."""
        return next(child.pid for group, child in self._children.items() if role in group)

    def _watch(self) -> None:
        while not self._stop.wait(RESTART_PAUSE_SECONDS):
            for group, child in list(self._children.items()):
                if child.poll() is not None and not self._stop.is_set():
                    self._spawn(group)

    def wait_ready(self) -> None:
        """Wait until the web role says that every part answers, and the gRPC port is open. Raises StartError."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if _serves(self._settings) and listens(self._settings.grpc_address):
                return
            time.sleep(0.1)
        raise StartError(f"the hub did not come up in {START_SECONDS_MAX:.0f} s; its logs are in {self._logs}")

    def stop(self) -> None:
        """Stop every child: politely, then hard."""
        self._stop.set()
        for child in self._children.values():
            child.send_signal(signal.SIGTERM)
        for child in self._children.values():
            try:
                child.wait(10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for lifeline in self._lifelines.values():
            lifeline.disarm()


def _serves(settings: Settings) -> bool:
    authority = settings.identity / "ca.pem"
    if not authority.is_file():
        return False
    try:
        context = ssl.create_default_context(cafile=str(authority))
        return httpx.get(f"https://{settings.web_address}/readyz", verify=context, timeout=2.0).status_code == httpx.codes.OK
    except (httpx.HTTPError, OSError):
        return False


def listens(address: str) -> bool:
    """Say whether something accepts connections at `host:port`."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1.0):
            return True
    except OSError:
        return False


@contextmanager
def running(settings: Settings) -> Iterator[Supervisor]:
    """Run all roles for as long as the context is open; yields once they answer."""
    supervisor = Supervisor(settings)
    try:
        supervisor.start()
        supervisor.wait_ready()
        yield supervisor
    finally:
        supervisor.stop()
