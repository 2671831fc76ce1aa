"""What the embedded PostgreSQL is given follows the machine, within bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.embedded.sizing import machine_settings, settings_for

GIB = 1024**3


@pytest.mark.parametrize(
    ("memory", "free", "buffers", "log"),
    [
        pytest.param(GIB // 2, GIB, "128MB", "1024MB", id="small: never below the server's own defaults"),
        pytest.param(8 * GIB, 64 * GIB, "1024MB", "4096MB", id="an eighth of the memory, a sixteenth of the disk"),
        pytest.param(512 * GIB, 4096 * GIB, "2048MB", "8192MB", id="large: no more than is of use"),
    ],
)
def test_buffers_and_log_follow_memory_and_disk(memory: int, free: int, buffers: str, log: str) -> None:
    given = settings_for(memory, free)
    assert (given["shared_buffers"], given["max_wal_size"]) == (buffers, log)


def test_the_directory_need_not_be_there_yet(tmp_path: Path) -> None:
    assert machine_settings(tmp_path / "not" / "made" / "yet").keys() == settings_for(GIB, GIB).keys()
