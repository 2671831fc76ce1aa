"""What the pool's commands share: the database, whom they act for, files as transactions of some thousand rows, what they print."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from hub.application.transaction import Transaction
from hub.bootstrap import clock_of
from hub.codec.outcome import refusal_of
from hub.domain.caller import Caller, Role
from hub.domain.divisions import province_of
from hub.ledger.unitofwork import UnitOfWork
from hub.security.spiffe import PLATFORM_SYSTEM, SpiffeId
from hub.settings import Settings
from registry.catalogue.files import Format
from registry.catalogue.loading import Loaded
from yrd.registry.v1 import catalogue_pb2

T = TypeVar("T")

ROWS_PER_TRANSACTION = 5_000
SHOWN_MAX = 20

_FORMATS = {".csv": Format.CSV, ".xlsx": Format.XLSX, ".jsonl": Format.JSONL, ".ndjson": Format.JSONL}


def platform(division: str) -> Caller:
    """The platform of a division, whom a command at the database acts for: whoever runs it holds the keys to everything anyway."""
    return Caller(str(SpiffeId(province_of(division), division, PLATFORM_SYSTEM)), division, Role.PLATFORM)


def format_of(path: Path, given: str) -> Format:
    """Return the format named, or else the one of the file's name. Raises ValueError."""
    if given:
        return Format(given.upper())
    if path.suffix.lower() not in _FORMATS:
        raise ValueError(f"{path.name}: say which format it has, --format csv, xlsx or jsonl")
    return _FORMATS[path.suffix.lower()]


@asynccontextmanager
async def working(settings: Settings) -> AsyncIterator[UnitOfWork]:
    """Open the database for the length of a command."""
    work = UnitOfWork(settings.database_url, clock_of(settings), pool_size=1)
    try:
        yield work
    finally:
        await work.close()


Load = Callable[[Transaction], Awaitable[Loaded]]


async def transact(work: UnitOfWork, caller: Caller, name: str, load: Load) -> Loaded:
    """Run one part of a file in a transaction of its own, as the RPC would: with a record of the request, and events after the commit."""
    result: list[Loaded] = []

    async def use_case(tx: Transaction, _: object) -> catalogue_pb2.ImportEntriesResponse:
        result.append(await load(tx))
        return catalogue_pb2.ImportEntriesResponse()

    digest = hashlib.sha256(name.encode()).digest()
    outcome = await work.mutate(use_case, caller, None, request_id=str(uuid.uuid5(uuid.NAMESPACE_URL, name)), digest=digest)
    if not outcome.ok:
        raise ValueError(refusal_of(outcome).en)
    # A part that was loaded before under the same name is not loaded again.
    return result[0] if result else Loaded()


def parts(rows: Iterable[T], size: int = ROWS_PER_TRANSACTION) -> Iterator[list[T]]:
    """Cut rows into parts."""
    source = iter(rows)
    while part := list(islice(source, size)):
        yield part


def progress(quiet: bool) -> Progress:
    """A bar on standard error; none where the output is for machines."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), disable=quiet)


def show(loaded: Loaded, extra: dict[str, Any], as_json: bool) -> None:
    """Print what came of a file or a pool."""
    counts = {name: getattr(loaded, name) for name in ("rows", "created", "updated", "unchanged", "failed")}
    if as_json:
        errors = [problem.as_dict() for problem in loaded.problems]
        typer.echo(json.dumps({**extra, **counts, "errors": errors}, ensure_ascii=False))
        return
    for name, value in {**extra, **counts}.items():
        typer.echo(f"{name:<12} {value}")
    for problem in loaded.problems[:SHOWN_MAX]:
        told = problem.as_dict()
        where = f"row {told['row']}" + (f", {told['column']}" if told["column"] else "")
        typer.echo(f"  {where}: {told['code']}: {told['zh']};{told['remedy_zh']} | {told['en']}. {told['remedy_en']}")
    if len(loaded.problems) > SHOWN_MAX:
        typer.echo(f"  … {len(loaded.problems) - SHOWN_MAX} more; --json has them all")
