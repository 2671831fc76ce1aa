"""Hub processes made by forking one that has loaded everything and started nothing: a start costs a tenth of a second, not three.

What runs in the child is `deltahub serve`, as it would after an exec; only the loading of modules is shared. Where forking without exec
is not safe (macOS: its frameworks forbid it), the child does exec.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from hub.embedded import Lifeline

_MODULES = (
    *("hub.bootstrap", "hub.cli.embedded", "hub.cli.main", "hub.logs", "hub.messaging.metrics", "hub.messaging.relay", "hub.rpc.server"),
    *("hub.web.app", "hub.web.viewers", "uvicorn.loops.auto", "uvicorn.protocols.http.auto"),
)
"""What `deltahub serve` loads, in part only once it knows its roles."""

_FORK_ONLY = sys.platform != "darwin"


class Nursery:
    """The process that forks. Its children end with this process, and with `close`."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lifelines: dict[int, Lifeline] = {}
        self._one_at_a_time = threading.Lock()

    def open(self) -> None:
        """Start loading; do not wait for it."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", "hub.cli.scenario.nursery"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )

    def launch(self, roles: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
        """Start `deltahub serve ROLES` with exactly this environment, its output added to `log`; return the process id. Blocks.

        Raises OSError where no process could be made.
        """
        process = self._process
        assert process is not None and process.stdin is not None and process.stdout is not None, "open first"
        order = {"roles": list(roles), "environment": dict(environment), "log": str(log)}
        with self._one_at_a_time:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        if not answer:
            raise OSError("the process that starts hubs has ended")
        pid = int(answer)
        self._lifelines[pid] = Lifeline(pid)
        return pid

    def kill(self, pid: int) -> None:
        """SIGKILL a child and wait until it is gone. Blocks."""
        lifeline = self._lifelines.pop(pid, None)
        if lifeline is None:
            return
        lifeline.disarm()
        try:
            os.kill(pid, signal.SIGKILL)
            while True:
                os.kill(pid, 0)
                _pause()
        except ProcessLookupError:
            return

    def runs(self, pid: int) -> bool:
        """Say whether a child still runs."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return pid in self._lifelines

    def close(self) -> None:
        """Kill all children and end. Blocks."""
        for pid in list(self._lifelines):
            self.kill(pid)
        process, self._process = self._process, None
        if process is not None:
            assert process.stdin is not None and process.stdout is not None
            process.stdin.close()
            process.stdout.close()
            process.kill()
            process.wait()


def _pause() -> None:
    threading.Event().wait(0.002)


def _serve_orders() -> None:
    """Fork a child for each order on standard input; answer with its process id."""
    _load()
    # Children are reaped by the kernel, so that one that is gone is gone for `runs` too.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    # What is loaded stays shared between the children: the collector does not write into it.
    gc.collect()
    gc.freeze()
    for line in sys.stdin.buffer:
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become_hub(order["roles"], order["environment"], order["log"])
        sys.stdout.buffer.write(f"{pid}\n".encode())
        sys.stdout.buffer.flush()


def _load() -> None:
    """Import all that `serve` needs. Nothing may be started here: no thread, no connection, no gRPC object."""
    for module in _MODULES:
        importlib.import_module(module)
    from hub.bootstrap import ROLES, prepare

    prepare(ROLES)


def _become_hub(roles: Sequence[str], environment: Mapping[str, str], log: str) -> NoReturn:
    """Turn this child into the hub: its own session, output, environment. Never returns."""
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        with open(os.devnull, "rb") as nothing, open(log, "ab") as output:  # noqa: PTH123 — descriptors are what is wanted
            os.dup2(nothing.fileno(), 0)
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
        if not _FORK_ONLY:
            os.execve(sys.executable, [sys.executable, "-m", "hub", "serve", *roles], dict(environment))
        os.environ.clear()
        os.environ.update(environment)
        from hub.cli.main import app

        sys.argv = ["deltahub", "serve", *roles]
        app(prog_name="deltahub", args=["serve", *roles])
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    except BaseException:
        sys.excepthook(*sys.exc_info())
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    _serve_orders()
