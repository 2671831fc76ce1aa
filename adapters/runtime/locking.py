"""One process a province and working folder: two would read the same rows and overwrite each other's memory."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class WorkFolderInUse(RuntimeError):
    """Another process of the province works on the folder."""


@contextmanager
def only_process(work: Path) -> Iterator[None]:
    """Keep other processes off a working folder while the context is open; raise WorkFolderInUse where one is there already.

    The lock goes with the process, however it ends.
    """
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            owner = file.read().strip() or "unknown"
            raise WorkFolderInUse(
                f"{work} is in use by process {owner}: one process a province; stop it first, or give this one another work_dir"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def in_use(work: Path) -> bool:
    """Say whether a process works on a folder now."""
    try:
        with (work / "lock").open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False
