"""What processes use of the machine, from /proc: processor time and resident memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_OWN, _WITH_CHILDREN = slice(11, 13), slice(11, 15)

Seconds = Callable[[], float]


def cpu_seconds(pid: int) -> float:
    """Return the processor time of a process, its threads and its ended children; 0 where it is gone."""
    return _times(pid, _WITH_CHILDREN)


def family_seconds(pid: int) -> float:
    """Return the processor time of a process and of its children, living and ended (PostgreSQL: one a connection)."""
    return cpu_seconds(pid) + sum(_times(child, _OWN) for child in _children(pid))


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB; 0 where it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:")), 0.0)


class Meter:
    """Processor time of named processes since it was made."""

    def __init__(self, watched: Mapping[str, Seconds]) -> None:
        self._watched = dict(watched)
        self._since = {name: seconds() for name, seconds in self._watched.items()}

    def per_item_us(self, items: int) -> dict[str, float]:
        """Return microseconds of processor time an item, by name."""
        return {name: (seconds() - self._since[name]) * 1e6 / max(items, 1) for name, seconds in self._watched.items()}


def _times(pid: int, which: slice) -> float:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0.0
    # The second field is the program's name in brackets and may hold anything; what follows it starts with the third.
    return sum(int(field) for field in text.rpartition(")")[2].split()[which]) / _TICKS


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
