"""Where the division data file is: codes and names, versioned, outside the code (docs/domain.md, Codes)."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

_FILE = "divisions.csv"
DEFAULT_FILES = (Path(__file__).resolve().parents[1] / "data" / _FILE, Path(sys.prefix) / "share" / "deltahub" / _FILE)
"""Where the file is looked for: in a checkout, then where a wheel installs it."""


def divisions_file(path: Path | None = None) -> Path | None:
    """Return the first that exists of `path` and the defaults, or None."""
    return next((file for file in (path, *DEFAULT_FILES) if file is not None and file.is_file()), None)


def province_codes(path: Path | None = None) -> tuple[str, ...]:
    """Return the province-level codes of the file, sorted: the regions that take part. Empty where there is no file."""
    found = divisions_file(path)
    if found is None:
        return ()
    with found.open(encoding="utf-8", newline="") as stream:
        return tuple(sorted({row["code"] for row in csv.DictReader(stream) if row["code"].endswith("0000")}))
