"""Schema migrations: Alembic, run from the installed package."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text

from hub.ledger.connection import sqlalchemy_url

MIGRATIONS = Path(__file__).resolve().parent.parent / "migrations"
_LOCK = 7_310_001


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    return config


def migrate(database_url: str) -> str:
    """Bring the schema to the newest revision and return it. Two processes may call at once; one waits for the other."""
    engine = create_engine(sqlalchemy_url(database_url))
    try:
        with engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
            _upgrade(connection)
    finally:
        engine.dispose()
    return head()


def _upgrade(connection: Connection) -> None:
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def head() -> str:
    """Return the newest revision known to this program."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""
