"""The `source` section of Zhejiang's adapter, as `adapter.yaml` shows it."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from adapters.runtime.given import Given


class ZhejiangGiven(Given):
    """Where the province's trees are: `folder` that grows, `archive` of past years, `outgoing` for results.

    `part_bytes` is how much of a file lands at a time. `settle_minutes` is how long a file that was put aside must have lain unchanged
    before its last line is taken without a line end, and after how long an unfinished line is told.
    """

    folder: Path
    outgoing: Path
    archive: Path | None = None
    part_bytes: int = Field(default=4_194_304, ge=64, le=67_108_864)
    settle_minutes: int = Field(default=60, ge=0, le=10_080)
