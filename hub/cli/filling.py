"""Filling a ledger with years of redemptions for benchmarks: set-based, consistent, chunk by chunk.

Each chunk is one transaction that leaves the ledger as clearing would have (`deltahub audit` is clean after every one), so that a fill
may be interrupted. Chunks follow one another in time, from five years ago until now.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from uuid import uuid4

import psycopg
from psycopg.types.json import Jsonb

from hub.cli import filling_sql as sql
from hub.cli.filling_bodies import Bodies, bodies
from hub.cli.filling_parties import NOTE_FEN, NOTES, VERSION, Firm, Lab, firms, labs, policies, register
from hub.domain.clock import add_months, local_date
from hub.domain.policy import Mode, Policy, SettlementModel
from hub.ledger.noteids import BLOCK
from hub.security.spiffe import PLATFORM_SYSTEM, SpiffeId

YEARS = 5
UNIT = 2 * NOTES
"""Redemptions of a unit: one firm's ten notes, two redemptions on each."""
CHUNKS_MIN = 60
CHUNK_UNITS_MAX = 2_500
LABS = 500
WINDOW_BASE = 1_000_000_000
"""Windows of a fill are numbered from here, far above what closings reach: neither the open window nor a later closing meets them."""
CHUNK_SPAN_MAX = timedelta(days=60)
"""Where chunks are few, each is the last days of its time: authorizations live 90 days and notes a year, and none is used after that."""
PAID_AFTER = timedelta(days=20)
EVENTS_KEPT = timedelta(days=30)
"""Only the newest redemptions have outbox rows: published events are history, and Kafka has them."""
WORKERS = 2

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Fill:
    """What a fill came to. `seconds` is all of it, statistics included."""

    redemptions: int
    enterprises: int
    chunks: int
    seconds: float


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Parameters of the statements of one chunk."""

    first: int
    count: int
    total: int
    first_unit: int
    units: int
    firms: int
    labs: int
    start: datetime
    end: datetime
    paid_at: datetime | None
    issued_on: date
    expires_on: date
    expired: bool
    today: date
    window_no: int
    window_id: str
    events: bool
    salt: str
    prefix: str
    note_fen: int = NOTE_FEN
    by: str = "bench"


def objection(connection: psycopg.Connection[tuple[object, ...]]) -> str | None:
    """Say what in a database is not a benchmark's own; None where everything is, or nothing is there."""
    found = connection.execute("SELECT count(*) FROM policy WHERE version <> %s", (VERSION,)).fetchone()
    others = connection.execute("SELECT count(*) FROM enterprise WHERE name <> 'bench'").fetchone()
    assert found is not None and others is not None
    if found[0] or others[0]:
        return f"the database holds {found[0]} policies and {others[0]} enterprises that no benchmark made"
    return None


def fill(database_url: str, redemptions: int, provinces: Sequence[str], now: datetime, progress: Progress) -> Fill:
    """Add `redemptions` to a migrated database and return what was done. `progress` is told how many are in, and of how many.

    Raises psycopg.Error where the database fails; what was committed until then is consistent.
    """
    started = time.perf_counter()
    units = -(-redemptions // UNIT)
    holders = firms(provinces, max(-(-units // YEARS), len(provinces)))
    pool = labs(provinces, LABS)
    since = add_months(local_date(now), -12 * YEARS)
    rules = policies(provinces, since - timedelta(days=1))
    with psycopg.connect(database_url, application_name="deltahub fill") as connection:
        register(connection, rules, holders, pool, now)
        base = _window_base(connection)
    chunks = list(_chunks(redemptions, units, len(holders), base, now))
    worker = _Workers(database_url, holders, pool, rules, bodies(rules[0], holders[0], pool[0], _prefix(base) + "000000000", now))
    try:
        worker.run(chunks, progress)
    finally:
        worker.close()
    with psycopg.connect(database_url, autocommit=True, application_name="deltahub fill") as connection:
        # Without it, statistics and visibility would come from autovacuum, in the middle of what is to be measured.
        connection.execute(f"VACUUM (ANALYZE) {', '.join(sql.TABLES)}".encode())
    return Fill(redemptions, len(holders), len(chunks), round(time.perf_counter() - started, 1))


def _window_base(connection: psycopg.Connection[tuple[object, ...]]) -> int:
    row = connection.execute(
        "SELECT coalesce(max(window_no) + 1, %s) FROM window_issuer WHERE window_no >= %s", (WINDOW_BASE,) * 2
    ).fetchone()
    assert row is not None and isinstance(row[0], int)
    return row[0]


def _prefix(base: int) -> str:
    return f"F{base - WINDOW_BASE:05d}-"


def _chunks(redemptions: int, units: int, holders: int, base: int, now: datetime) -> Iterator[_Chunk]:
    count = min(max(CHUNKS_MIN, -(-units // CHUNK_UNITS_MAX)), units)
    since = now - timedelta(days=365 * YEARS)
    for place in range(count):
        first_unit, last_unit = units * place // count, units * (place + 1) // count
        start, end = since + (now - since) * place / count, since + (now - since) * (place + 1) / count
        start = max(start, end - CHUNK_SPAN_MAX)
        issued_on = local_date(start)
        expires_on = add_months(issued_on, 12)
        first = first_unit * UNIT
        paid_at = end + PAID_AFTER
        yield _Chunk(
            first=first,
            count=min(last_unit * UNIT, redemptions) - first,
            total=redemptions,
            first_unit=first_unit,
            units=last_unit - first_unit,
            firms=holders,
            labs=LABS,
            start=start,
            end=end,
            paid_at=paid_at if paid_at <= now else None,
            issued_on=issued_on,
            expires_on=expires_on,
            expired=expires_on <= local_date(now),
            today=local_date(now),
            window_no=base + place,
            window_id=str(uuid4()),
            events=end > now - EVENTS_KEPT,
            salt=str(base),
            prefix=_prefix(base),
        )


class _Workers:
    """Connections that each take the next chunk. Two of them: PostgreSQL uses one core for each."""

    def __init__(self, url: str, holders: Sequence[Firm], pool: Sequence[Lab], rules: Sequence[Policy], stored: Bodies) -> None:
        homes = {lab.home for lab in pool}
        participants = {home: str(SpiffeId(home, home, PLATFORM_SYSTEM)) for home in homes}
        self._shared = {**stored._asdict(), "participants": Jsonb(participants)}
        self._connections = [_staged(url, holders, pool, rules) for _ in range(WORKERS)]
        self._lock = threading.Lock()

    def run(self, chunks: Sequence[_Chunk], progress: Progress) -> None:
        """Write all chunks. The first failure ends every worker after its chunk."""
        waiting = iter(chunks)
        done, total = 0, chunks[-1].total

        def work(connection: psycopg.Connection[tuple[object, ...]]) -> None:
            nonlocal waiting, done
            while True:
                with self._lock:
                    chunk = next(waiting, None)
                if chunk is None:
                    return
                try:
                    self._write(connection, chunk)
                except BaseException:
                    waiting = iter(())
                    raise
                with self._lock:
                    done += chunk.count
                    progress(done, total)

        with ThreadPoolExecutor(len(self._connections)) as executor:
            for result in [executor.submit(work, connection) for connection in self._connections]:
                result.result()

    def _write(self, connection: psycopg.Connection[tuple[object, ...]], chunk: _Chunk) -> None:
        assert chunk.units * NOTES <= BLOCK
        with connection.transaction():
            row = connection.execute("SELECT nextval('note_block')").fetchone()
            assert row is not None and isinstance(row[0], int)
            parameters = {**self._shared, **asdict(chunk), "note_base": row[0] * BLOCK}
            for statement in (sql.DRAFT, "ANALYZE draft", sql.DRAFT_NOTES, "ANALYZE draft_note", *sql.STATEMENTS):
                connection.execute(statement.encode(), parameters)

    def close(self) -> None:
        """Close the connections."""
        for connection in self._connections:
            connection.close()


def _staged(url: str, holders: Sequence[Firm], pool: Sequence[Lab], rules: Sequence[Policy]) -> psycopg.Connection[tuple[object, ...]]:
    # Client-side binding: the parameters of one statement are many and some are used only as part of an expression.
    connection: psycopg.Connection[tuple[object, ...]] = psycopg.connect(
        url, autocommit=True, application_name="deltahub fill", cursor_factory=psycopg.ClientCursor
    )
    for setting in ("work_mem = '128MB'", "synchronous_commit = off", "timezone = 'UTC'", "max_parallel_workers_per_gather = 0"):
        connection.execute(f"SET {setting}".encode())
    for statement, table, rows in ((sql.FIRM, "bench_firm", holders), (sql.LAB, "bench_lab", pool)):
        connection.execute(statement.encode())
        with connection.cursor() as cursor, cursor.copy(f"COPY {table} FROM STDIN".encode()) as copy:
            for number, row in enumerate(rows):
                copy.write_row((number, *row))
    flags = [(policy.mode is Mode.POST_SUBSIDY, policy.settlement is SettlementModel.NET) for policy in rules]
    named = ([policy.issuer for policy in rules], [post for post, _ in flags], [net for _, net in flags], VERSION)
    connection.execute(sql.POLICY.encode(), named)
    for table in ("bench_firm", "bench_lab", "bench_policy"):
        connection.execute(f"ANALYZE {table}".encode())
    return connection
