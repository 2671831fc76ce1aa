"""`deltahub deadletter`: what came over Kafka and could not be handled."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import psycopg
import typer

from hub.bootstrap import ConfigurationError, clock_of
from hub.cli.deadletter_work import at_desk, say_done, say_listed, say_shown, way_in
from hub.cli.embedded import embedded
from hub.messaging.ports import Unavailable
from hub.messaging.reviving import STATES, DeadLetterDesk, Filter, UnknownLetter, WrongState
from hub.settings import Settings

PAGE_MAX = 1_000

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object")]
By = Annotated[str, typer.Option("--by", help="Who acts; default: the account that runs the command")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="list")(listing)
    app.command(name="show")(show)
    app.command(name="retry")(retry)
    app.command(name="discard")(discard)


def listing(
    state: Annotated[str, typer.Option(help="open, resolved, discarded or all")] = "open",
    topic: Annotated[str, typer.Option(help="Only of this topic, such as yrd.330000.in.v1")] = "",
    reason: Annotated[str, typer.Option(help="Only with this code, such as UNKNOWN_METHOD")] = "",
    province: Annotated[str, typer.Option(help="Only of this province, six digits")] = "",
    after: Annotated[int, typer.Option(help="Go on after this number", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="At most this many", min=1, max=PAGE_MAX)] = 100,
    as_json: AsJson = False,
) -> None:
    """List dead letters in order of their number, without what is in them.

    With --json the object has `dead_letters` and `next_after`, which is null on the last page. Exit 0: listed; 2: could not.
    """
    if state.upper() not in (*STATES, "ALL"):
        raise _problem(f"no state {state}; there are open, resolved, discarded and all")
    wanted = Filter("" if state.upper() == "ALL" else state.upper(), topic, reason, province)

    async def work(desk: DeadLetterDesk, _settings: Settings) -> int:
        found = await desk.page(wanted, after, limit + 1)
        say_listed(found[:limit], found[limit - 1].id if len(found) > limit else None, as_json)
        return 0

    _run(work)


def show(number: Annotated[int, typer.Argument(help="Its number")], as_json: AsJson = False) -> None:
    """Show one dead letter whole: headers, content, and what was done about it. What is in it may be confidential."""

    async def work(desk: DeadLetterDesk, _settings: Settings) -> int:
        say_shown(await desk.show(number), as_json)
        return 0

    _run(work)


def retry(numbers: Annotated[list[int], typer.Argument(help="Their numbers")], by: By = "", as_json: AsJson = False) -> None:
    """Offer records to the hub once more, the same way they came. What was handled already stays as it is.

    Exit 0: all are handled; 1: some still cannot be, and why is printed and kept; 2: one does not exist, or the hub's parts are away.
    """

    async def work(desk: DeadLetterDesk, settings: Settings) -> int:
        results = []
        async with way_in(settings) as port:
            for number in numbers:
                try:
                    problem = await desk.retry(number, port, clock_of(settings).now())
                except WrongState as closed:
                    problem = f"{closed.state}: it was discarded; send the record anew if it is needed after all"
                results.append((number, problem))
        say_done(results, "handled", as_json)
        return 1 if any(problem for _, problem in results) else 0

    _run(work, by)


def discard(
    numbers: Annotated[list[int], typer.Argument(help="Their numbers")],
    reason: Annotated[str, typer.Option(help="Why nobody needs them; kept")],
    by: By = "",
    as_json: AsJson = False,
) -> None:
    """Set dead letters aside for good. They stay in the database, with reason, name and time.

    Exit 0: all are discarded; 1: one was handled before; 2: one does not exist, or the reason is missing.
    """

    async def work(desk: DeadLetterDesk, settings: Settings) -> int:
        results = []
        for number in numbers:
            try:
                await desk.discard(number, reason, clock_of(settings).now())
                results.append((number, ""))
            except WrongState as closed:
                results.append((number, f"{closed.state}: it was handled and cannot be discarded"))
        say_done(results, "discarded", as_json)
        return 1 if any(problem for _, problem in results) else 0

    _run(work, by)


def _run(work: Callable[[DeadLetterDesk, Settings], Coroutine[Any, Any, int]], by: str = "") -> None:
    async def run(settings: Settings) -> int:
        async with at_desk(settings, by or getpass.getuser()) as desk:
            return await work(desk, settings)

    try:
        with embedded(Settings(), kafka=False) as settings:
            code = asyncio.run(run(settings))
    except (UnknownLetter, ValueError, ConfigurationError) as error:
        raise _problem(str(error)) from error
    except Unavailable as error:
        raise _problem(f"a part of the hub is away; nothing was done: {error}") from error
    except psycopg.OperationalError as error:
        raise _problem(f"the database does not answer: {error}") from error
    raise typer.Exit(code)


def _problem(message: str) -> typer.Exit:
    typer.secho(f"deltahub: {message}", err=True, fg=typer.colors.RED)
    return typer.Exit(2)
