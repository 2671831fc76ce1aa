"""The one table: what was measured, the goal where there is one, and the processor time it took."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

USED = ("hub", "PostgreSQL", "load", "relay")
"""Whose processor time is shown. Where an echo is measured, its server stands under `hub`."""


@dataclass(slots=True)
class Row:
    """One measurement. `values` are its numbers by name with the unit last; `cpu_us` is processor time an item by process."""

    name: str
    text: str
    goal: str = ""
    reached: bool | None = None
    cpu_us: dict[str, float] = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)


def machine() -> dict[str, Any]:
    """Return where and when this ran."""
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": platform.machine(),
        "processor": _processor(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    """Return the processor's own name, as far as the system tells."""
    cpuinfo = Path("/proc/cpuinfo")
    told = dict(line.split(":", 1) for line in cpuinfo.read_text().splitlines() if ":" in line) if cpuinfo.exists() else {}
    facts = {name.strip(): value.strip() for name, value in told.items()}
    name = facts.get("model name", "an unnamed processor")
    return f"{name} (family {facts['cpu family']}, model {facts['model']})" if {"cpu family", "model"} <= set(facts) else name


def print_table(rows: list[Row]) -> None:
    """Print the rows as a Markdown table."""
    here = machine()
    cores = f"{here['cores']} cores of {here['processor']}, {here['memory_gib']} GiB"
    print(f"\n{here['date']}, {here['machine']}, {cores}, Python {here['python']}\n")
    head = ["what", "measured", "goal", f"CPU µs an item: {', '.join(USED)}"]
    body = [[row.name, row.text, _goal(row), _cpu(row)] for row in rows]
    widths = [max(len(line[column]) for line in [head, *body]) for column in range(len(head))]
    for line in [head, ["-" * width for width in widths], *body]:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |")


def print_json(rows: list[Row]) -> None:
    """Print one JSON object."""
    print(json.dumps({**machine(), "rows": [asdict(row) for row in rows]}, ensure_ascii=False, indent=1))


def _goal(row: Row) -> str:
    verdict = {None: "", True: ": reached", False: ": not reached"}[row.reached]
    return f"{row.goal}{verdict}"


def _cpu(row: Row) -> str:
    return ", ".join(f"{row.cpu_us[name]:,.0f}" if name in row.cpu_us else "-" for name in USED) if row.cpu_us else ""
