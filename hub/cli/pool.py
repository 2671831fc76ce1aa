"""`deltahub pool`: the shared pool of providers as files, its duplicates, and a made one of any size."""

from __future__ import annotations

import asyncio
import csv
import json
import uuid
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import psycopg
import typer
from sqlalchemy.exc import OperationalError

from hub.cli.embedded import embedded
from hub.cli.pool_index import index
from hub.cli.pool_work import format_of, progress, show
from hub.cli.rating import rate
from hub.domain.divisions import is_division
from hub.settings import Settings

_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object")]
_FormatOption = Annotated[str, typer.Option("--format", help="csv, xlsx or jsonl; default: by the file's name")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="import")(import_entries)
    app.command(name="export")(export_entries)
    app.command(name="dedupe")(dedupe)
    app.command(name="generate")(generate)
    app.command(name="load")(load)
    app.command(name="rate")(rate)
    app.command(name="index")(index)


def _fail(message: object) -> typer.Exit:
    typer.secho(f"deltahub: {message}", err=True, fg=typer.colors.RED)
    return typer.Exit(2)


def import_entries(
    file: Annotated[Path, typer.Argument(help="File of entries; its first row names the columns, in English or Chinese")],
    division: Annotated[str, typer.Option(help="Six-digit division whose platform the rows are loaded for")],
    form: _FormatOption = "",
    as_json: _Json = False,
) -> None:
    """Load a file into the catalogue: broken rows are reported by row and column, the others loaded.

    The same row again changes nothing. Exit 0: all rows are good; 1: some are broken; 2: the file or the database cannot be read.
    """
    from hub.cli.pool_files import import_file
    from registry.catalogue.files import FileError

    if not is_division(division):
        raise _fail(f"--division {division} is no six-digit division code")
    run = uuid.uuid4()
    try:
        kind = format_of(file, form)
        with embedded(Settings(), kafka=False) as settings, progress(as_json) as bar:
            loaded = asyncio.run(import_file(settings, file, kind, division, run, bar))
    except (FileError, OSError, ValueError, OperationalError, psycopg.OperationalError) as error:
        raise _fail(error) from error
    show(loaded, {"import_id": str(run)}, as_json)
    raise typer.Exit(1 if loaded.problems else 0)


def export_entries(
    file: Annotated[Path, typer.Argument(help="File to write")],
    division: Annotated[str, typer.Option(help="Only providers of this home division or below it")] = "",
    provider: Annotated[str, typer.Option(help="Only this provider's unified social credit code")] = "",
    form: _FormatOption = "",
    as_json: _Json = False,
) -> None:
    """Write the entries in force as a file that `pool import` reads. Exit 0: written; 2: it could not be."""
    from hub.cli.pool_files import export_file

    if division and not is_division(division):
        raise _fail(f"--division {division} is no six-digit division code")
    try:
        kind = format_of(file, form)
        with embedded(Settings(), kafka=False) as settings, progress(as_json) as bar:
            count = asyncio.run(export_file(settings, file, kind, division, provider, bar))
    except (OSError, ValueError, OperationalError, psycopg.OperationalError) as error:
        raise _fail(error) from error
    typer.echo(json.dumps({"file": str(file), "rows": count}) if as_json else f"wrote {count} entries to {file}")


def dedupe(
    truth: Annotated[Path | None, typer.Option(help="duplicates.csv of a generated pool: measure precision and recall against it")] = None,
    as_json: _Json = False,
) -> None:
    """Propose merges of institutions and instruments that are in the pool twice. Nothing is merged: the homes confirm or reject.

    A pair that was proposed before, whatever became of it, is not proposed again. Exit 0: done; 2: it could not run.
    """
    from hub.cli.pool_dedupe import run_dedupe

    known: list[tuple[str, str, str]] | None = None
    try:
        if truth is not None:
            with truth.open(encoding="utf-8", newline="") as stream:
                known = [(row["subject"], row["left"], row["right"]) for row in csv.DictReader(stream)]
        with embedded(Settings(), kafka=False) as settings:
            result: dict[str, Any] = asyncio.run(run_dedupe(settings, known))
    except (OSError, KeyError, OperationalError, psycopg.OperationalError) as error:
        raise _fail(error) from error
    _print(result, as_json)


def generate(
    out: Annotated[Path, typer.Argument(help="Folder to write to")],
    seed: Annotated[int, typer.Option(help="The same seed and numbers give the same bytes")] = 1,
    providers: Annotated[int, typer.Option(min=1, help="Providers, duplicates on purpose among them")] = 10_000,
    instruments: Annotated[int, typer.Option(min=0, help="Large instruments, duplicates on purpose among them")] = 28_000,
    items: Annotated[int, typer.Option(min=0, help="Service items, experts, literature and data")] = 100_000,
    as_json: _Json = False,
) -> None:
    """Make a pool of fictitious providers as files, with some duplicates on purpose, which duplicates.csv names."""
    from hub.cli.pool_generate import Size
    from hub.cli.pool_generate import generate as make
    from hub.cli.pool_words import read_places, read_words

    try:
        counts = make(out, read_words(), read_places(Settings().divisions_file), seed, Size(providers, instruments, items))
    except (OSError, ValueError) as error:
        raise _fail(error) from error
    _print({"folder": str(out), **counts}, as_json)


def load(
    folder: Annotated[Path, typer.Argument(help="Folder that `pool generate` wrote")],
    as_json: _Json = False,
) -> None:
    """Load a generated pool into the hub's database, each province's files as its platform. Exit codes as of `pool import`."""
    from hub.cli.pool_files import load_pool
    from registry.catalogue.files import FileError

    try:
        with embedded(Settings(), kafka=False) as settings, progress(as_json) as bar:
            started = perf_counter()
            providers, entries = asyncio.run(load_pool(settings, folder, bar))
    except (FileError, OSError, ValueError, OperationalError, psycopg.OperationalError) as error:
        raise _fail(error) from error
    extra = {"seconds": round(perf_counter() - started, 1), "providers": providers.rows, "providers_failed": providers.failed}
    entries.problems[:0] = providers.problems
    show(entries, extra, as_json)
    raise typer.Exit(1 if entries.problems else 0)


def _print(result: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
        return
    for name, value in result.items():
        typer.echo(f"{name:<24} {value}")
