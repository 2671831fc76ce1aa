"""A lifeline between this process and a server it started: when this process dies, however it dies, the server goes too."""

from __future__ import annotations

import subprocess
from types import TracebackType

# `read` fails at end of file, and the write end of the pipe closes with the process that holds it, even by SIGKILL.
_WATCH = 'read _ || { kill -"$1" "$2" 2>/dev/null; [ -z "$3" ] || rm -rf "$3"; }'


class Lifeline:
    """Kills process `pid` with `signal` (a name such as `KILL`) when the process that made this object ends.

    `remove`, if given, is a directory deleted afterwards. A shell of a few hundred kilobytes watches a pipe: it works on every POSIX
    system, unlike the parent-death signal of Linux, which follows the starting *thread* and not the process.
    """

    def __init__(self, pid: int, *, signal: str = "KILL", remove: str = "") -> None:
        self._watcher = subprocess.Popen(
            ["/bin/sh", "-c", _WATCH, "lifeline", signal, str(pid), remove],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A Ctrl-C at the terminal must not end the watcher before the watched.
            start_new_session=True,
        )

    def disarm(self) -> None:
        """Let the watched process be; further calls do nothing."""
        pipe = self._watcher.stdin
        if pipe is None or pipe.closed:
            return
        try:
            pipe.write(b"\n")
            pipe.close()
        except BrokenPipeError:
            # The watcher is gone already: nothing is left to disarm.
            pass
        self._watcher.wait()

    def __enter__(self) -> Lifeline:
        """Return self."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Disarm."""
        self.disarm()
