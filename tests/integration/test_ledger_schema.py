"""The migrations make exactly the tables that the code declares."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
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
from hub.ledger.migrate import head, migrate
from tests.fixtures.hub import migrated_database


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
