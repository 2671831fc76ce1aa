"""How much memory and log the embedded PostgreSQL is given: what its own defaults assume is a machine of twenty years ago.

With them the largest index, that of request ids, no longer fits once some millions of commands are in, and a checkpoint each gigabyte of
log writes nearly every page whole: throughput falls by half (docs/performance.md, growth).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

_MIB = 1024 * 1024
_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")

BUFFERS_MIB = (128, 2_048)
"""Least and most of `shared_buffers`; between them an eighth of the memory."""
LOG_MIB = (1_024, 8_192)
"""Least and most of `max_wal_size`; between them a sixteenth of the free disk. After a crash at most about so much is replayed."""
CHECKPOINT_TIMEOUT = "15min"


def settings_for(memory_bytes: int, disk_free_bytes: int) -> Mapping[str, str]:
    """Return the server settings for a machine with that much memory and free disk."""
    return {
        "shared_buffers": f"{_between(memory_bytes // 8 // _MIB, BUFFERS_MIB)}MB",
        "max_wal_size": f"{_between(disk_free_bytes // 16 // _MIB, LOG_MIB)}MB",
        "checkpoint_timeout": CHECKPOINT_TIMEOUT,
    }


def machine_settings(directory: Path) -> Mapping[str, str]:
    """Return the server settings for this machine and a data directory that is there or will be made."""
    there = next(parent for parent in (directory, *directory.parents) if parent.exists())
    return settings_for(_memory_bytes(), shutil.disk_usage(there).free)


def _memory_bytes() -> int:
    """Memory of the machine, or what its container allows."""
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    try:
        limit = _CGROUP_LIMIT.read_text().strip()
    except OSError:
        return whole
    return min(whole, int(limit)) if limit.isdigit() else whole


def _between(value: int, bounds: tuple[int, int]) -> int:
    least, most = bounds
    return max(least, min(value, most))
