"""`deltahub certs`: the development identity."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from hub.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="init")(init)
    app.command(name="issue")(issue)
    app.command(name="list")(show)


def init() -> None:
    """Make the CAs, the server certificate and the token key, where missing. `deltahub up` does it by itself."""
    from hub.security.certs import certs_init

    settings = Settings()
    made = certs_init(settings.identity, settings.provinces)
    typer.echo(f"{len(made)} certificates in {settings.identity.absolute()}")


def issue(
    division: Annotated[str, typer.Argument(help="Six-digit division, such as 330522; 000000 for the coordination group")],
    out: Annotated[Path, typer.Argument(help="Folder to write cert.pem, key.pem and ca.pem to")],
    system: Annotated[str, typer.Option(help="platform, or coordination")] = "platform",
    days: Annotated[int, typer.Option(min=1, max=397, help="Days it is valid")] = 90,
) -> None:
    """Issue a client identity of the development CA. Example: deltahub certs issue 330522 ./changxing"""
    from hub.security.certs import certs_issue

    try:
        identity = certs_issue(Settings().identity, division, system, out, days=days)
    except ValueError as error:
        typer.secho(f"deltahub: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from error
    typer.echo(f"{identity} in {out.absolute()}")


def show(as_json: Annotated[bool, typer.Option("--json", help="Print a JSON array")] = False) -> None:
    """List certificates with the days they have left. Exit 1 where one ends within 14 days."""
    from hub.security.certs import certs_list

    now = datetime.now(UTC)
    found = certs_list(Settings().identity)
    if as_json:
        rows = [{"kind": item.kind, "identity": item.identity, "not_after": item.not_after.isoformat()} for item in found]
        typer.echo(json.dumps(rows, ensure_ascii=False))
    for item in found if not as_json else ():
        typer.echo(f"{item.kind:<12} {item.days_left(now):>5} days  {item.identity}")
    if any(item.days_left(now) < 14 for item in found):
        raise typer.Exit(1)
