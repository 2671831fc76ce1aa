"""`deltahub policy`: what an officer does with a draft before anybody is bound by it, and publishing it (docs/policies.md).

Only the command line is here; what the commands need is loaded when one of them runs.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object")]
Identity = Annotated[
    Path | None, typer.Option("--identity", envvar="DELTAHUB_CLIENT_IDENTITY", help="Identity folder of the participant that calls the hub")
]
Files = Annotated[list[Path], typer.Argument(help="Policy files (policies: [...])")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (validate, lint, diff, simulate, publish):
        app.command(name=command.__name__)(command)


def validate(files: Files, as_json: Json = False) -> None:
    """Check policy files 校验: form, amounts, dates, and all that the hub would refuse. Every fault has its line and column.

    Exit 0: publishable; 1: faults; 2: no such file.
    """
    from hub.cli import policy_running

    policy_running.validate(files, as_json=as_json)


def lint(files: Files, as_json: Json = False) -> None:
    """Look for contradictions 检查矛盾: categories never payable, caps below a note, gaps and overlaps of periods, idle conditions.

    Exit 0: no errors (warnings may be); 1: errors; 2: no such file.
    """
    from hub.cli import policy_running

    policy_running.run_lint(files, as_json=as_json)


def diff(
    old: Annotated[str, typer.Argument(help="FILE, FILE#ISSUER@VERSION, hub:ISSUER (in force today) or hub:ISSUER@VERSION")],
    new: Annotated[str, typer.Argument(help="The same, for what is to come")],
    as_json: Json = False,
    identity: Identity = None,
) -> None:
    """Say in plain words what changes from one policy to another 比较, in English and Chinese.

    Of whole files, each version in NEW is compared with the same version in OLD, or else with the one before it.
    """
    from hub.cli import policy_running

    policy_running.run_diff(old, new, as_json=as_json, identity=identity)


def simulate(
    source: Annotated[str, typer.Argument(help="FILE, or FILE#ISSUER@VERSION where the file holds several policies")],
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Replay as if in force from this day on, YYYY-MM-DD")],
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write every group as CSV")] = None,
    chart: Annotated[Path | None, typer.Option("--chart", help="Write a chart: .svg, or .html for one with the table below")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many enterprises the table shows: those with the largest difference")] = 20,
    as_json: Json = False,
) -> None:
    """Replay the issuer's past redemptions under a draft 试算: who would have got more or less, the budget, what would have been refused.

    Reads the hub's database (DELTAHUB_DATABASE_URL) and changes nothing. First everything is replayed under the policies in force then,
    which must give exactly what happened; what it does not reproduce is counted and left out. Exit 2: could not run.
    """
    from hub.cli import policy_simulating

    policy_simulating.simulate(source, since.date(), csv_file, chart, top=top, as_json=as_json)


def publish(
    source: Annotated[str, typer.Argument(help="FILE, FILE#ISSUER or FILE#ISSUER@VERSION")],
    identity: Identity = None,
    as_json: Json = False,
) -> None:
    """Publish policies at the hub 发布, as their issuer's platform. A published policy is never edited, only superseded by date.

    What the linter calls an error is not published. Published again, the same policy changes nothing. Exit 1: something was refused.
    """
    from hub.cli import policy_running

    policy_running.publish(source, identity, as_json=as_json)
