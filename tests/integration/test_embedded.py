"""The embedded servers: real, durable where they promise it, and never orphans of a run that wanted them gone."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from hub.embedded import EmbeddedKafka, EmbeddedPostgres, EmbeddedServerError
from hub.embedded.kafka import answers
from hub.embedded.postgres import SOCKET_PATH_BYTES_MAX
from hub.embedded.processes import works_in
from tests.fixtures.messaging import wait_for
from tests.fixtures.postgres import fresh_database, template_database


@pytest.fixture
def directory() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="yrd-embedded-"))
    yield path
    shutil.rmtree(path)


def _one(uri: str, statement: str) -> object:
    with psycopg.connect(uri, autocommit=True) as connection:
        row = connection.execute(statement.encode()).fetchone()
    assert row is not None
    return row[0]


def test_the_server_is_durable_speaks_utf8_and_listens_on_no_port(postgres_server: EmbeddedPostgres) -> None:
    uri = postgres_server.uri()
    settings = {
        "fsync": "on",
        "synchronous_commit": "on",
        "max_connections": "200",
        "listen_addresses": "",
        "server_encoding": "UTF8",
        "TimeZone": "UTC",
        "data_checksums": "on",
    }
    assert {name: _one(uri, f"SHOW {name}") for name in settings} == settings
    assert _one(uri, "SELECT datlocale FROM pg_database WHERE datname = current_database()") == "C.UTF-8"
    assert str(_one(uri, "SELECT version()")).startswith("PostgreSQL 18")


def test_what_was_committed_survives_a_kill(directory: Path) -> None:
    with EmbeddedPostgres(directory) as server:
        with psycopg.connect(server.uri()) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 7 AS value")
        with psycopg.connect(server.uri()) as open_session:
            open_session.execute("INSERT INTO kept VALUES (8)")
            server.kill()
            assert server.pid is None
            with pytest.raises(psycopg.OperationalError):
                open_session.execute("SELECT 1")
        server.start()
        assert _one(server.uri(), "SELECT sum(value) FROM kept") == 7
        assert _one(server.restart().uri(), "SELECT sum(value) FROM kept") == 7
    assert server.pid is None


def test_a_second_start_takes_over_and_does_not_stop_what_it_found(directory: Path) -> None:
    with EmbeddedPostgres(directory) as first:
        with EmbeddedPostgres(directory) as second:
            assert second.pid == first.pid
            assert (first.started, second.started) == (True, False)
        assert first.pid is not None


def test_a_server_outlives_its_starter_and_is_found_again(directory: Path) -> None:
    start = "import os, sys; from pathlib import Path; from hub.embedded import EmbeddedPostgres as P; P(Path(sys.argv[1])).start();"
    subprocess.run([sys.executable, "-c", f"{start} os._exit(9)", str(directory)], check=False)
    server = EmbeddedPostgres(directory)
    orphan = server.pid
    assert orphan is not None
    assert server.start().pid == orphan
    server.stop()


def test_a_stale_process_number_of_another_program_does_not_keep_the_server_down(directory: Path) -> None:
    with EmbeddedPostgres(directory) as server:
        server.kill()
        pid_file = next(directory.glob("*/postmaster.pid"))
        lines = pid_file.read_text().split("\n")
        pid_file.write_text("\n".join([str(os.getpid()), *lines[1:]]))
        assert server.pid is None
        assert server.start().pid not in (None, os.getpid())


def test_a_path_too_long_for_a_socket_is_no_obstacle(directory: Path) -> None:
    deep = directory / ("沪" * 40) / "data"
    with EmbeddedPostgres(deep) as server:
        assert len(os.fsencode(server.socket_dir / ".s.PGSQL.5432")) <= SOCKET_PATH_BYTES_MAX
        assert server.socket_dir.stat().st_mode & 0o077 == 0
        assert _one(server.uri(), "SELECT 1") == 1
    shutil.rmtree(server.socket_dir)


def test_databases_are_copies_of_a_template(postgres_server: EmbeddedPostgres) -> None:
    prepared = []

    def prepare(uri: str) -> None:
        prepared.append(uri)
        with psycopg.connect(uri) as connection:
            connection.execute("CREATE TABLE seed AS SELECT 1 AS value")

    for _ in range(2):
        name = template_database(postgres_server, "template-of-test", prepare)
        with fresh_database(postgres_server, name) as uri:
            assert _one(uri, "SELECT count(*) FROM seed") == 1
            assert _one(uri, "WITH gone AS (DELETE FROM seed RETURNING 1) SELECT count(*) FROM gone") == 1
    assert len(prepared) == 1
    with pytest.raises(psycopg.errors.DuplicateDatabase):
        postgres_server.create_database("template-of-test")
    postgres_server.drop_database("template-of-test")
    postgres_server.drop_database("template-of-test")


def test_a_broker_answers_keeps_its_address_and_says_why_it_cannot_start() -> None:
    with EmbeddedKafka() as broker:
        address = broker.bootstrap
        assert answers(address)
        assert broker.start().bootstrap == address, "starting twice is starting once"
        with pytest.raises(EmbeddedServerError, match="port"):
            EmbeddedKafka(port=broker.port, start_seconds_max=5).start()
        broker.kill()
        assert broker.pid is None
        assert not answers(address)
        assert answers(broker.start().bootstrap)
    assert not answers(address)


def test_a_broker_goes_with_its_starter_even_by_sigkill() -> None:
    code = (
        "import time; from hub.embedded import EmbeddedKafka as K; b = K().start(); print(b.pid, b.bootstrap, flush=True); time.sleep(600)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        pid, address = starter.stdout.readline().split()
        assert answers(address)
        starter.send_signal(signal.SIGKILL)
    wait_for(lambda: not answers(address), "the broker to go")
    wait_for(lambda: not works_in(int(pid), Path.cwd()), "its process to end")


def test_a_lifeline_kills_and_cleans_up_with_its_holder_unless_disarmed(directory: Path) -> None:
    hold = "import sys, time; from hub.embedded import Lifeline; x = Lifeline(int(sys.argv[1]), signal='TERM', remove=sys.argv[2]);"
    litter = directory / "litter"
    litter.mkdir()
    for command, ended in (("x.disarm()", False), ("del x", True)):
        with subprocess.Popen(["sleep", "600"]) as sleeper:
            subprocess.run([sys.executable, "-c", hold + command, str(sleeper.pid), str(litter)], check=True)
            if ended:
                assert sleeper.wait(timeout=60) == -signal.SIGTERM
                wait_for(lambda: not litter.exists(), "the directory to go")
            else:
                assert sleeper.poll() is None
                assert litter.exists()
            sleeper.kill()
