"""Commands of `deltahub`. Exit codes: 0 done, 1 it ran and something is wrong, 2 it could not run as asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hub.cli.later import later
from hub.settings import Settings

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="The Yangtze Delta voucher hub 长三角科技创新券通兑枢纽: a voucher of one region pays a provider of another.\n\n"
    "Try [bold]deltahub demo[/bold] first: it starts everything on this machine and clears vouchers between all regions. "
    "Settings come from the environment (DELTAHUB_*); exit codes: 0 done, 1 something is wrong, 2 could not run as asked.",
)
# None of them is loaded before it is asked for, whatever it imports: `serve` starts with every role of every pod.
for _name, _module, _help in (
    ("bench", "bench", "Ledgers to measure on: years of fictitious redemptions."),
    ("certs", "certs", "Certificates of the development identity: make, issue, list."),
    ("adapter", "adapters", "Provincial adapters: native files in, native result files out. docs/operations.md has the runbook."),
    ("scenario", "scenario.command", "Behaviour as data: play scenarios against a fresh hub."),
    ("pool", "pool", "The shared pool as files: import, export, duplicates, a made pool of any size."),
    ("policy", "policy", "Policies 政策: validate, lint, compare, try on the past, publish."),
    ("deadletter", "deadletter", "Dead letters 死信: what came over Kafka and could not be handled."),
    ("topics", "topics", "Kafka topics and who may read and write them."),
):
    app.add_typer(typer.Typer(), name=_name, cls=later(f"hub.cli.{_module}"), no_args_is_help=True, help=_help)


def fail(message: str, code: int = 2) -> typer.Exit:
    """Print what is wrong and return the exit to raise."""
    typer.secho(f"deltahub: {message}", err=True, fg=typer.colors.RED)
    return typer.Exit(code)


@app.command()
def serve(roles: Annotated[list[str], typer.Argument(help="hub, web, relay, consumer, scheduler; several share one process")]) -> None:
    """Run roles of the hub in this process until SIGTERM.

    Needs DELTAHUB_DATABASE_URL (without one the embedded PostgreSQL is used) and, for relay and consumer, DELTAHUB_KAFKA_BOOTSTRAP.
    Example: DELTAHUB_DATABASE_URL=postgresql://… deltahub serve hub
    """
    import uvloop

    from hub.bootstrap import ROLES, ConfigurationError
    from hub.bootstrap import serve as run
    from hub.cli.embedded import embedded
    from hub.logs import configure_logs

    unknown = [role for role in roles if role not in ROLES]
    if unknown:
        raise fail(f"no role {', '.join(unknown)}; there are {', '.join(ROLES)}")
    configure_logs()
    settings = Settings()
    if {"relay", "consumer"} & set(roles) and not settings.kafka_bootstrap:
        raise fail("relay and consumer need DELTAHUB_KAFKA_BOOTSTRAP=host:port; `deltahub up` starts an embedded broker")
    try:
        with embedded(settings, kafka=False) as complete:
            uvloop.run(run(complete, tuple(roles)))
    except ConfigurationError as error:
        raise fail(str(error)) from error


@app.command()
def up() -> None:
    """Run all roles on this machine, with embedded PostgreSQL and Kafka where none are named, until Ctrl-C.

    Data, keys and logs are kept in DELTAHUB_DATA_DIR (./var). Run again, it goes on where it was.
    """
    from hub.cli.up import run_up

    run_up(Settings())


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the table instead of staying up")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object last")] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where to keep the demo's data; default: a fresh directory")] = None,
) -> None:
    """Start everything, send the four provinces' sample files through, clear the first Changxing case and all 16 pairs of regions."""
    from hub.cli.demo import run_demo

    raise typer.Exit(run_demo(Settings(), once=once, as_json=as_json, data_dir=data_dir))


@app.command()
def migrate() -> None:
    """Bring the database schema to the newest revision. Safe to run from several places at once."""
    from hub.cli.embedded import embedded
    from hub.ledger.migrate import migrate as run

    with embedded(Settings(), kafka=False) as settings:
        typer.echo(f"schema is at revision {run(settings.database_url)}")


@app.command()
def audit(as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object")] = False) -> None:
    """Re-derive all balances from the journal and say what differs. Exit 0: clean; 1: something differs; 2: the database does not answer.

    Compared: accounts, notes, wallets, quotas, what is issued, orders, redemptions with their draws and invoices, and of closed windows
    obligations, carries, positions and what is settled. Not known from the journal, so not compared: lines of orders beyond their sum,
    deliveries, fees given back, numbers of notes, applications, registers and the pool; answers and events are looked at for their form
    only, since old ones are forgotten and trimmed.
    """
    from hub.cli.auditing import run_audit

    raise typer.Exit(run_audit(Settings(), as_json=as_json))


@app.command()
def health(role: Annotated[str, typer.Argument(help="hub, web, relay, consumer or scheduler")] = "hub") -> None:
    """Say whether a role of this machine is healthy. Exit 0: it is; 1: it is not. Made for probes."""
    from hub.cli.health import check_health

    problem = check_health(Settings(), role)
    if problem is not None:
        raise fail(problem, 1)
    typer.echo("healthy")


@app.command()
def coordinator(name: Annotated[str, typer.Option(help="Display name")] = "协调组 Coordination group") -> None:
    """Register the coordination group in a new database, once. It registers everyone else, over gRPC.

    Works on the database itself, so whoever runs it holds the keys to it anyway. Refused where a coordinator is registered already.
    """
    from hub.cli.participants import register_coordinator

    register_coordinator(Settings(), name)
