"""`deltahub adapter`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hub.cli import adapter_new
from hub.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="run")(run)
    app.command(name="list")(show)
    adapter_new.register(app)


def run(
    province: Annotated[str, typer.Argument(help="Name or division of the adapter, such as 330000; `adapter list` shows both")],
    source: Annotated[Path | None, typer.Option(help="Folder of native files; default: the adapter's samples")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False,
) -> None:
    """Send a province's native files to the hub over Kafka, and write what the hub answers in the province's own format.

    Needs DELTAHUB_KAFKA_BOOTSTRAP. A file may come again: what was sent and is unchanged has no second effect.
    """
    from adapters.runtime import command

    settings = Settings()
    if not settings.kafka_bootstrap:
        typer.secho("deltahub: set DELTAHUB_KAFKA_BOOTSTRAP=host:port", err=True, fg=typer.colors.RED)
        raise typer.Exit(2)
    work_dir = settings.data_dir / "adapters"
    try:
        adapter = command.find_adapter(province)
        report = command.run_adapter(
            adapter,
            bootstrap=settings.kafka_bootstrap,
            kafka_config=settings.kafka_config,
            prefix=settings.topic_prefix,
            work_dir=work_dir,
            samples_dir=source,
        )
        files = command.collect_results(
            adapter, bootstrap=settings.kafka_bootstrap, kafka_config=settings.kafka_config, prefix=settings.topic_prefix, work_dir=work_dir
        )
    except (LookupError, ValueError, ConnectionError, TimeoutError) as error:
        typer.secho(f"deltahub: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps({**report.as_dict(), "files": [str(path) for path in files]}, ensure_ascii=False))
        return
    for key, value in report.as_dict().items():
        typer.echo(f"{key:<14} {value}")
    for path in files:
        typer.echo(f"wrote          {path}")


def show() -> None:
    """List the adapters installed."""
    from adapters.runtime import command

    for adapter in command.list_adapters():
        typer.echo(f"{adapter.division}  {adapter.name}")
