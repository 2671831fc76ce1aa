"""The division data file: codes and names, versioned, outside the code (docs/domain.md, Codes)."""

from __future__ import annotations

import csv
from pathlib import Path

DEFAULT_FILE = Path(__file__).resolve().parents[1] / "data" / "divisions.csv"


def province_codes(path: Path = DEFAULT_FILE) -> tuple[str, ...]:
    """Return the province-level codes of the file, sorted: the regions that take part. Empty where there is no file."""
    if not path.is_file():
        return ()
    with path.open(encoding="utf-8", newline="") as stream:
        return tuple(sorted({row["code"] for row in csv.DictReader(stream) if row["code"].endswith("0000")}))
