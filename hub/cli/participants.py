"""`deltahub coordinator`: the first participant of a production hub, whom nobody else can register."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import typer

from hub.domain.caller import Role
from hub.domain.divisions import COORDINATION
from hub.security.access import scopes_of
from hub.security.spiffe import COORDINATION_SYSTEM, SpiffeId
from hub.settings import Settings

_INSERT = """
INSERT INTO participant (participant_id, division, name, role, scopes, registered_at)
SELECT %s, %s, %s, %s, %s, %s WHERE NOT EXISTS (SELECT FROM participant WHERE role = %s)"""


def register_coordinator(settings: Settings, name: str) -> None:
    """Register the coordination group under this name. Exits 2 without a database, 1 where a coordinator is registered already."""
    identity = str(SpiffeId(COORDINATION, COORDINATION, COORDINATION_SYSTEM))
    role = Role.COORDINATOR
    if not settings.database_url:
        typer.secho("deltahub: set DELTAHUB_DATABASE_URL; a development hub knows its coordination group by itself", err=True)
        raise typer.Exit(2)
    values = (identity, COORDINATION, name, role.value, sorted(scopes_of(role)), datetime.now(UTC), role.value)
    with psycopg.connect(settings.database_url) as connection:
        made = connection.execute(_INSERT, values).rowcount
    if not made:
        typer.secho("deltahub: a coordinator is registered already", err=True)
        raise typer.Exit(1)
    typer.echo(f"registered {identity}")
