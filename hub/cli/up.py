"""`deltahub up`: all roles on this machine."""

from __future__ import annotations

import signal
import threading

import typer

from hub.cli.embedded import embedded
from hub.cli.supervisor import StartError, running
from hub.settings import Settings


def run_up(settings: Settings) -> None:
    """Start everything and wait for Ctrl-C or SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    typer.echo(f"starting; data, keys and logs are in {settings.data_dir.absolute()}")
    try:
        with embedded(settings, kafka=True) as complete, running(complete):
            typer.echo(f"gRPC   {complete.grpc_address}   (mTLS; `deltahub certs issue` makes a client identity)")
            typer.echo(f"web    https://{complete.web_address}/   (CA: {(complete.identity / 'ca.pem').absolute()})")
            typer.echo(f"Kafka  {complete.kafka_bootstrap}")
            typer.echo("running; Ctrl-C ends it")
            stop.wait()
            typer.echo("stopping")
    except StartError as error:
        typer.secho(f"deltahub: {error}", err=True, fg=typer.colors.RED)
        raise typer.Exit(1) from error
