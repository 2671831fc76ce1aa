"""`deltahub scenario run`: the command; what it does is in `runner`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="run")(run)


def run(
    paths: Annotated[
        list[Path], typer.Argument(metavar="PATH", help="Scenario files, or folders of them (files beginning with _ are bases)")
    ],
    junit: Annotated[Path | None, typer.Option(help="Also write the results as JUnit XML to this file")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, max=16, help="Scenarios played at once; default: one a processor, two to four")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output, the lines on standard error")] = False,
) -> None:
    """Play scenarios, each against a fresh hub through its public API, and say where it does not do what they expect.

    A scenario is a YAML file: policies, parties and vouchers, then steps with what is expected of each. Write your province's own
    before you publish a policy. Servers are embedded, the clock is virtual, nothing outside a temporary directory is touched.
    The last line is `N passed, N failed`. Exit 0: all passed; 1: some failed; 2: a file could not be read.

    Example: deltahub scenario run tests/scenarios --junit scenarios.xml
    """
    # The runner brings gRPC, Kafka and PostgreSQL clients along; `--help` does not need them.
    from hub.cli.scenario.runner import run_scenarios

    if as_json:
        raise typer.Exit(
            run_scenarios(paths, junit=junit, workers=workers, progress=lambda line: typer.echo(line, err=True), machine=typer.echo)
        )
    raise typer.Exit(run_scenarios(paths, junit=junit, workers=workers, progress=typer.echo))
