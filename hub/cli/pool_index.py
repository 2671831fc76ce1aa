"""`deltahub pool index`: makes the search index again from the catalogue."""

from __future__ import annotations

import asyncio
from time import perf_counter

import psycopg
import typer

from hub.cli.embedded import embedded
from hub.settings import Settings


def index() -> None:
    """Make the search index again, after a change of its dictionary, synonyms or stop words. Searches wait while it runs.

    In every other case it keeps itself: the role `scheduler` follows each change. Exit 0: done; 2: the database cannot be reached.
    """
    started = perf_counter()
    try:
        with embedded(Settings(), kafka=False) as settings:
            documents = asyncio.run(_rebuild(settings.database_url))
    except psycopg.OperationalError as error:
        typer.secho(f"deltahub: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from error
    typer.echo(f"{documents} documents indexed in {perf_counter() - started:.1f} s")


async def _rebuild(database_url: str) -> int:
    from registry.search.indexing import rebuild

    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        return await rebuild(connection)
