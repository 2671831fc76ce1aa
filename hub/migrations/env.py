"""Alembic's environment: runs migrations on the connection it is given."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection
from sqlmodel import SQLModel

# Both packages' tables join SQLModel's metadata when they are imported; nothing else is wanted of them.
import hub.ledger.exchange_tables
import hub.ledger.tables  # noqa: F401
import registry.admission.tables
import registry.catalogue.tables
import registry.credit.tables
import registry.demand.tables
import registry.quality.tables
import registry.recognition.tables
import registry.search.tables
import registry.tables  # noqa: F401


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, include_schemas=True)
    with context.begin_transaction():
        context.run_migrations()


_run(context.config.attributes["connection"])
