"""Which processes work in a directory: a server's postmaster and its children all have their data directory as working directory."""

from __future__ import annotations

import os
from pathlib import Path

_PROC = Path("/proc")


def works_in(pid: int, directory: Path) -> bool:
    """Say whether process `pid` is alive and works in `directory`; without /proc, whether it is alive."""
    if not (_PROC / "self").exists():
        return _alive(pid)
    try:
        return (_PROC / str(pid) / "cwd").readlink() == directory.resolve()
    except OSError:
        # Gone, a zombie, or another account's: none of them is our server.
        return False


def processes_in(directory: Path) -> list[int]:
    """Return the processes that work in `directory`; always empty without /proc."""
    if not (_PROC / "self").exists():
        return []
    return [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdigit() and works_in(int(entry.name), directory)]


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
