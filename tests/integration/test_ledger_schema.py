"""The migrations make exactly the tables that the code declares."""

from __future__ import annotations

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlmodel import SQLModel

import hub.ledger.exchange_tables  # noqa: F401
import registry.admission.tables
import registry.catalogue.tables
import registry.credit.tables
import registry.demand.tables
import registry.quality.tables
import registry.recognition.tables
import registry.search.tables
import registry.tables  # noqa: F401  — the pool's tables join the same metadata
from hub.embedded import EmbeddedPostgres
from hub.ledger.connection import sqlalchemy_url
from hub.ledger.migrate import MIGRATIONS, head, migrate
from tests.fixtures.hub import migrated_database
from tests.fixtures.postgres import fresh_database

_ISSUED_BEFORE = """
INSERT INTO quota (issuer, enterprise, year, used, issued) VALUES
  ('310000', 'a', 2025, 0, 100), ('310000', 'a', 2026, 50, 200), ('310000', 'b', 2026, 0, 300), ('330000', 'a', 2026, 5, 0),
  ('320000', 'a', 2026, 0, 9223372036854775807), ('320000', 'b', 2026, 0, 1)"""


def test_schema_and_tables_agree(postgres_server: EmbeddedPostgres) -> None:
    with migrated_database(postgres_server) as url:
        engine = create_engine(sqlalchemy_url(url))
        try:
            with engine.connect() as connection:
                context = MigrationContext.configure(connection, opts={"include_schemas": True})
                assert compare_metadata(context, SQLModel.metadata) == []
        finally:
            engine.dispose()


def test_migrating_again_changes_nothing(postgres_server: EmbeddedPostgres) -> None:
    with migrated_database(postgres_server) as url:
        assert migrate(url) == head()
        engine = create_engine(sqlalchemy_url(url))
        try:
            with engine.connect() as connection:
                assert connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [head()]
        finally:
            engine.dispose()


def test_what_was_issued_before_it_was_summed_counts(postgres_server: EmbeddedPostgres) -> None:
    """Of all firms and years; more than the column holds counts as that much."""
    with fresh_database(postgres_server) as url:
        engine = create_engine(sqlalchemy_url(url))
        try:
            with engine.begin() as connection:
                config = Config()
                config.set_main_option("script_location", str(MIGRATIONS))
                config.set_main_option("path_separator", "os")
                config.attributes["connection"] = connection
                command.upgrade(config, "0012")
                connection.execute(text(_ISSUED_BEFORE))
            migrate(url)
            with engine.connect() as connection:
                kept = connection.execute(text("SELECT issuer, face FROM issued_total ORDER BY issuer")).all()
        finally:
            engine.dispose()
    assert [tuple(row) for row in kept] == [("310000", 600), ("320000", 2**63 - 1)]
