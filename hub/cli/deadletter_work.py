"""What the commands about dead letters share: the database, the way in for a record, and how things are printed."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from typing import Any

import psycopg
import typer
from prometheus_client import CollectorRegistry
from rich.console import Console
from rich.table import Table

from hub.bootstrap import Hub
from hub.inbound import InboundCommands
from hub.messaging.consumer import GROUP
from hub.messaging.ports import CommandPort
from hub.messaging.reviving import DeadLetterDesk, Letter, Whole
from hub.settings import Settings


@asynccontextmanager
async def at_desk(settings: Settings, by: str) -> AsyncIterator[DeadLetterDesk]:
    """Open the database for the length of a command; `by` is who acts."""
    async with await psycopg.AsyncConnection.connect(settings.database_url, autocommit=True, connect_timeout=5) as connection:
        yield DeadLetterDesk(connection, GROUP, by)


@asynccontextmanager
async def way_in(settings: Settings) -> AsyncIterator[CommandPort]:
    """Yield what the consumer hands its commands to, in a process that consumes nothing."""
    hub = Hub(settings, CollectorRegistry())
    committing = asyncio.create_task(hub.committer.run())
    try:
        yield InboundCommands(hub.dispatcher)
    finally:
        committing.cancel()
        await asyncio.gather(committing, return_exceptions=True)
        await hub.close()


def say_listed(letters: Sequence[Letter], next_after: int | None, as_json: bool) -> None:
    """Print a page of letters."""
    if as_json:
        _say_json({"dead_letters": [_plain(letter) for letter in letters], "next_after": next_after})
        return
    table = Table("no", "failed at", "place", "source id", "state", "reason")
    for each in letters:
        place = f"{each.topic}\\[{each.partition}]@{each.offset}"
        table.add_row(str(each.id), f"{each.failed_at:%Y-%m-%d %H:%M:%S%z}", place, each.source_id, each.state, each.reason)
    # A terminal's width would cut reasons short in a log or a pipe.
    console = Console()
    console.print(table if console.is_terminal else _lines(letters))
    if next_after is not None:
        typer.echo(f"more: --after {next_after}")


def _lines(letters: Sequence[Letter]) -> str:
    return "\n".join(f"{each.id}  {each.topic}[{each.partition}]@{each.offset}  {each.state}  {each.reason}" for each in letters)


def say_shown(whole: Whole, as_json: bool) -> None:
    """Print one letter with all that is in it."""
    found = {
        **_plain(whole.letter),
        "key": _content(whole.key),
        "headers": [{"name": name, **_content(value)} for name, value in whole.headers],
        "value_base64": None if whole.value is None else base64.b64encode(whole.value).decode(),
        "actions": [{**action, "acted_at": action["acted_at"].isoformat()} for action in whole.actions],
    }
    if as_json:
        _say_json(found)
        return
    for name, value in found.items():
        typer.echo(f"{name:<13} {json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else value}")


def say_done(results: Sequence[tuple[int, str]], done: str, as_json: bool) -> None:
    """Print what became of each letter: an empty problem means that it is done."""
    if as_json:
        _say_json({"results": [{"id": number, "done": not problem, "problem": problem} for number, problem in results]})
        return
    for number, problem in results:
        typer.echo(f"{number}  {problem or done}")


def _content(value: bytes | None) -> dict[str, str | None]:
    """Return bytes as text where they are, else as base64."""
    try:
        return {"value": None if value is None else value.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(value or b"").decode()}


def _plain(letter: Letter) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in asdict(letter).items()}


def _say_json(value: object) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False))
