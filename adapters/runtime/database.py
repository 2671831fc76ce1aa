"""The file behind an adapter's memory: one connection that several threads may use, and transactions as durable as they need to be."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters.runtime.schema import check_version, migrate

_CACHE_KIB = 32 * 1024
_CHECKPOINT_PAGES = 64_000
"""Pages (256 MB) after which the log is written back. Each time the disk is waited for; the library's 1,000 come every few chunks."""
_BUSY_S = 30.0
"""How long another process (a status, a replay) may hold the file before a statement fails."""

Values = Sequence[Any]


class Database:
    """A SQLite file in WAL mode. Every call may come from any thread; a transaction keeps the other threads out while it lasts.

    A commit survives the death of the process; one that is `durable` survives the loss of power as well, and with it all that were
    before it. Only what was acknowledged to the province needs that: everything else is asked for again. `read_only` is for a look from
    another process while the adapter runs: it changes nothing and holds nobody up, and raises FileNotFoundError where there is no file.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        if read_only and not path.is_file():
            raise FileNotFoundError(f"{path}: no memory of an adapter is there; the first `deltahub adapter run` makes it")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.RLock()
        self._depth = 0
        where = f"{path.resolve().as_uri()}?mode={'ro' if read_only else 'rwc'}"
        self._db = sqlite3.connect(where, uri=True, isolation_level=None, check_same_thread=False, timeout=_BUSY_S)
        try:
            if read_only:
                check_version(self._db, str(path))
            else:
                self._prepare(str(path))
        except BaseException:
            self._db.close()
            raise

    def _prepare(self, path: str) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_PAGES}")
        migrate(self._db, path)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def transaction(self, *, durable: bool = False) -> Iterator[None]:
        """Keep all that is written inside together, or nothing. Inside another transaction it is a part of that one."""
        with self._lock:
            if self._depth:
                yield
                return
            if durable:
                self._db.execute("PRAGMA synchronous = FULL")
            self._depth = 1
            try:
                self._db.execute("BEGIN IMMEDIATE")
                try:
                    yield
                except BaseException:
                    self._db.execute("ROLLBACK")
                    raise
                self._db.execute("COMMIT")
            finally:
                self._depth = 0
                if durable:
                    self._db.execute("PRAGMA synchronous = NORMAL")

    def run(self, statement: str, values: Values | dict[str, Any] = ()) -> int:
        """Run a statement; return how many rows it changed."""
        with self._lock:
            return self._db.execute(statement, values).rowcount

    def many(self, statement: str, rows: Iterable[Values]) -> None:
        """Run a statement for each row."""
        with self._lock:
            self._db.executemany(statement, rows)

    def all(self, query: str, values: Values | dict[str, Any] = ()) -> list[tuple[Any, ...]]:
        """Return all rows of a query (or of a statement that returns some)."""
        with self._lock:
            return self._db.execute(query, values).fetchall()

    def one(self, query: str, values: Values | dict[str, Any] = ()) -> tuple[Any, ...] | None:
        """Return the first row of a query, or None."""
        with self._lock:
            found: tuple[Any, ...] | None = self._db.execute(query, values).fetchone()
            return found
