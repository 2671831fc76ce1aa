"""The quarantine as a file that a spreadsheet opens."""

from __future__ import annotations

import csv
from dataclasses import astuple, fields
from pathlib import Path

from adapters.runtime.state import QuarantinedRow, State


def export(state: State, path: Path) -> Path:
    """Write the quarantine as CSV (UTF-8 with a byte order mark, for spreadsheets) and return the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([field.name for field in fields(QuarantinedRow)])
        writer.writerows(astuple(row) for row in state.quarantined())
    return path
