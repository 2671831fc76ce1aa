"""`deltahub bench`: ledgers to measure on."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Annotated

import psycopg
import typer

from hub.settings import Settings

_TELL_SECONDS = 2.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="fill")(fill_command)
    # With one command alone typer would make it the whole of `deltahub bench`.
    app.callback()(_bench)


def _bench() -> None:
    """Ledgers to measure on."""


def fill_command(
    redemptions: Annotated[int, typer.Argument(min=1, max=100_000_000, help="How many redemptions to add")] = 1_000_000,
    yes: Annotated[bool, typer.Option("--yes", help="Also into a database that holds other data, or beside a production identity")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object last")] = False,
) -> None:
    """Fill the ledger with five years of fictitious redemptions, most of them settled; `deltahub audit` stays clean.

    About 3 kB of disk a redemption. Interrupted, it leaves a consistent ledger with fewer of them. Exit 2: it refused.
    Example: DELTAHUB_DATABASE_URL=postgresql://… deltahub bench fill 10000000
    """
    # Here, not above: every command of `deltahub` would pay for what this one needs.
    from hub.cli.embedded import embedded
    from hub.ledger.migrate import migrate

    settings = Settings()
    try:
        if not (yes or settings.development):
            raise _refusal("DELTAHUB_IDENTITY_DIR names a production identity")
        with embedded(settings, kafka=False) as complete:
            migrate(complete.database_url)
            problem = None if yes else _objection(complete.database_url)
            if problem is not None:
                raise _refusal(problem)
            _fill(complete, redemptions, as_json=as_json)
    except psycopg.OperationalError as error:
        raise _failure(f"the database does not answer: {error}") from error
    except KeyboardInterrupt:
        raise _failure("interrupted; what is in so far is consistent") from None


def _refusal(problem: str) -> typer.Exit:
    return _failure(f"{problem}; with --yes it is filled all the same")


def _failure(problem: str) -> typer.Exit:
    typer.secho(f"deltahub: {problem}", err=True, fg=typer.colors.RED)
    return typer.Exit(2)


def _objection(database_url: str) -> str | None:
    from hub.cli.filling import objection

    with psycopg.connect(database_url) as connection:
        return objection(connection)


def _fill(settings: Settings, redemptions: int, *, as_json: bool) -> None:
    from hub.bootstrap import clock_of
    from hub.cli.filling import fill

    started, told = time.monotonic(), 0.0

    def progress(done: int, total: int) -> None:
        nonlocal told
        seconds = time.monotonic() - started
        if seconds - told >= _TELL_SECONDS or done == total:
            told = seconds
            typer.echo(f"{seconds:6.1f} s  {done:,} of {total:,} redemptions, {done / seconds:,.0f}/s", err=True)

    done = fill(settings.database_url, redemptions, settings.provinces, clock_of(settings).now(), progress)
    if as_json:
        typer.echo(json.dumps(asdict(done)))
    else:
        typer.echo(f"{done.redemptions:,} redemptions of {done.enterprises:,} enterprises in {done.chunks} windows, {done.seconds:.1f} s")
