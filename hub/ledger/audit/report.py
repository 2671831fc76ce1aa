"""Running the checks over one snapshot, and what comes of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from hub.ledger.audit import accounts, holdings, orders, records, redemptions, windows
from hub.ledger.audit.terms import read_terms

SHOWN_MAX = 20
"""How many differing rows of each check are named."""

# Whatever is found, only so much of it comes over and is kept; the rest is counted where it is.
_FIRST = f"""
SELECT name, difference, total FROM (
  SELECT name, difference, count(*) OVER of_name AS total, row_number() OVER of_name AS place
  FROM ({{check}}) AS found(name, difference) WINDOW of_name AS (PARTITION BY name)) AS counted
WHERE place <= {SHOWN_MAX} ORDER BY name, place"""

# Every check reads whole tables: hash tables that fit in memory, and no start-up cost of compiling. Dates are read in UTC.
_SETTINGS = (
    "work_mem = '128MB'",
    "hash_mem_multiplier = 2",
    "max_parallel_workers_per_gather = 2",
    "jit = off",
    "timezone = 'UTC'",
    "datestyle = 'ISO'",
)

PASSES: tuple[tuple[tuple[str, ...], str], ...] = (
    *accounts.PASSES,
    *holdings.PASSES,
    *orders.PASSES,
    *redemptions.PASSES,
    *windows.PASSES,
    *records.PASSES,
)
"""The names of the checks that a statement makes, and the statement: as few ways through the large tables as there can be."""

CHECKS: tuple[str, ...] = ("policies", *(name for names, _ in PASSES for name in names))
"""Names of all checks."""


@dataclass(slots=True)
class AuditReport:
    """What the auditor found. `counts` says how many rows stood behind it."""

    differences: list[str] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """True where nothing differs."""
        return not self.differences


async def audit(database_url: str) -> AuditReport:
    """Audit one consistent snapshot of the ledger. Raises psycopg.OperationalError where the database does not answer."""
    async with await AsyncConnection.connect(database_url, application_name="deltahub audit") as connection:
        await connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return await look(connection)


async def look(connection: AsyncConnection[Any]) -> AuditReport:
    """Audit what the transaction of a connection sees; to be of one moment, it must be one that keeps its snapshot."""
    report = AuditReport()
    for setting in _SETTINGS:
        await connection.execute(f"SET LOCAL {setting}".encode())
    for table in ("journal", "voucher", "redemption", "service_order", "quota"):
        report.counts[table] = await _count(connection, table)
    terms = await read_terms(connection)
    report.differences.extend(f"policies: {problem}" for problem in terms.problems)
    parameters = {"terms": Jsonb(terms.terms), "shares": Jsonb(terms.shares)}
    for _, statement in PASSES:
        found = await (await connection.execute(_FIRST.format(check=statement).encode(), parameters)).fetchall()
        _add(report, found)
    return report


def _add(report: AuditReport, found: list[Any]) -> None:
    """Add what a pass found, in order of the checks' names."""
    for place, (name, difference, total) in enumerate(found):
        report.differences.append(f"{name}: {difference}")
        last = place + 1 == len(found) or found[place + 1][0] != name
        if last and total > SHOWN_MAX:
            report.differences.append(f"{name}: and {total - SHOWN_MAX} more")


async def _count(connection: AsyncConnection[Any], table: str) -> int:
    row = await (await connection.execute(f"SELECT count(*) FROM {table}".encode())).fetchone()
    assert row is not None
    return int(row[0])
