"""The first participant of a production hub is registered by a command, once."""

from __future__ import annotations

import psycopg
import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from hub.domain.caller import Role
from hub.embedded import EmbeddedPostgres
from hub.security.access import scopes_of
from tests.fixtures.hub import migrated_database


def test_the_coordinator_is_registered_once(postgres_server: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    with migrated_database(postgres_server) as url:
        monkeypatch.setenv("DELTAHUB_DATABASE_URL", url)
        assert CliRunner().invoke(app, ["coordinator"]).exit_code == 0
        assert CliRunner().invoke(app, ["coordinator"]).exit_code == 1
        with psycopg.connect(url) as connection:
            rows = connection.execute("SELECT participant_id, role, scopes FROM participant").fetchall()
        assert rows == [("spiffe://000000/000000/coordination", "COORDINATOR", sorted(scopes_of(Role.COORDINATOR)))]


def test_without_a_database_it_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELTAHUB_DATABASE_URL", raising=False)
    result = CliRunner().invoke(app, ["coordinator"])
    assert result.exit_code == 2
    assert "DELTAHUB_DATABASE_URL" in result.output
