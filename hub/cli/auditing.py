"""`deltahub audit`."""

from __future__ import annotations

import asyncio
import json

import psycopg
import typer

from hub.cli.embedded import embedded
from hub.ledger.audit import audit
from hub.settings import Settings


def run_audit(settings: Settings, *, as_json: bool) -> int:
    """Audit the ledger and print what was found; return the exit code."""
    try:
        with embedded(settings, kafka=False) as complete:
            report = asyncio.run(audit(complete.database_url))
    except psycopg.OperationalError as error:
        typer.secho(f"deltahub: the database does not answer: {error}", err=True, fg=typer.colors.RED)
        return 2
    if as_json:
        typer.echo(json.dumps({"clean": report.clean, "counts": report.counts, "differences": report.differences}, ensure_ascii=False))
        return 0 if report.clean else 1
    counted = ", ".join(f"{count} {table.replace('_', ' ')} rows" for table, count in report.counts.items())
    typer.echo(f"audited {counted}")
    for difference in report.differences:
        typer.echo(f"  differs  {difference}")
    typer.echo("clean: every balance follows from the journal" if report.clean else f"{len(report.differences)} differences")
    return 0 if report.clean else 1
