"""`deltahub adapter backfill`: years of history brought in beside the live feed; and what a run would do, for `--dry-run`."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.cli.adapter_mending import AsJson, DryRun, Province, Work, failed, home_of, teller
from hub.domain.clock import Clock, SystemClock, local_date

if TYPE_CHECKING:
    from adapters.runtime.backfill import Backfill
    from adapters.runtime.dryrun import Forecast
    from adapters.runtime.model import Adapter
    from adapters.runtime.source import Landing, Notice, Source

SHOWN_MAX = 200


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(name="backfill")(backfill)


def backfill(
    province: Province,
    since: Annotated[str, typer.Option(help="First day, YYYY-MM-DD")] = "",
    until: Annotated[str, typer.Option(help="Last day, YYYY-MM-DD; default: today")] = "",
    source: Annotated[Path | None, typer.Option(help="A folder of native files, in place of the province's system")] = None,
    settings: Annotated[Path | None, typer.Option(help="The adapter's settings file, as for `adapter run`")] = None,
    cancel: Annotated[bool, typer.Option("--cancel", help="Take back the backfill that is under way; what has landed stays")] = False,
    dry_run: DryRun = False,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """Bring in history 补录: what the province's system has of these days, beside the live feed and under a cursor of its own.

    A running adapter does it itself, between two looks at the live feed; otherwise it is done here, and the next `adapter run` sends it. It
    may be broken off at any moment: the same command goes on. A record that the live feed brought is never overridden by history, and one
    that both bring has one effect.

    Exit 0: all is landed, or a running adapter was told; 1: with --dry-run, rows would go into quarantine; 2: it could not be done.

    Ask first with --dry-run what it would do. Days are Shanghai's, both included; a folder (--source) knows no days and is read whole.

    Example: deltahub adapter backfill 310000 --since 2024-01-01 --until 2025-12-31 --settings adapter.yaml
    """
    from adapters.runtime.source import SourceDown, SourceFault

    try:
        adapter, folder = home_of(province, work)
        if cancel:
            _cancel(folder, as_json)
        elif not since:
            raise ValueError("--since says from which day on")
        elif dry_run:
            _forecast(adapter, folder, since, until, source, settings, as_json)
        else:
            _backfill(adapter, folder, since, until, source, settings, as_json)
    except typer.Exit:
        raise
    except (LookupError, ValueError, OSError, RuntimeError, SourceDown, SourceFault) as error:
        raise failed(error) from error


def _cancel(folder: Path, as_json: bool) -> None:
    from adapters.runtime.backfill import cancel
    from adapters.runtime.state import State

    with State(folder / "state.db") as state:
        ended = cancel(state, SystemClock())
    _say(ended, as_json, "no backfill is under way" if ended is None else "taken back; what has landed stays")


def _backfill(adapter: Adapter, folder: Path, since: str, until: str, source: Path | None, settings: Path | None, as_json: bool) -> None:
    from adapters.runtime import backfill
    from adapters.runtime.landing import FileLanding
    from adapters.runtime.locking import WorkFolderInUse, only_process
    from adapters.runtime.state import State

    clock = SystemClock()
    with State(folder / "state.db") as state:
        backfill.ask(state, since, until, clock, folder=str(source.resolve()) if source else "")
        try:
            with only_process(folder):
                landing = FileLanding(folder, state, clock)
                way = _source(adapter, folder, landing, source, settings, clock)
                try:
                    done = backfill.run(adapter, state, landing, way, clock, _told(quiet=as_json))
                finally:
                    way.close()
            _say(done, as_json, "all has landed; `deltahub adapter run` takes it in and sends it")
        except WorkFolderInUse:
            _say(backfill.asked(state), as_json, "the running adapter does it; the same command shows how far it is")


def _told(*, quiet: bool) -> Callable[[Backfill], None]:
    def tell(now: Backfill) -> None:
        if not quiet and (now.steps % 50 == 0 or now.done_at):
            typer.echo(f"{now.landed:,} deliveries landed in {now.steps:,} steps", err=True)

    return tell


def _say(done: Backfill | None, as_json: bool, text: str) -> None:
    if as_json:
        typer.echo(json.dumps(done.as_dict() if done else {}, ensure_ascii=False))
        return
    if done is not None:
        typer.echo(
            f"{done.since} to {done.until}: {done.landed:,} deliveries landed in {done.steps:,} steps"
            + ("" if done.done_at else ", under way")
        )
    typer.echo(text)


def _source(
    adapter: Adapter, folder: Path, landing: Landing, source: Path | None, settings: Path | None, clock: Clock, *, look_only: bool = False
) -> Source:
    if source is not None:
        return of_folder(adapter, source)
    from hub.cli.adapter_running import connected

    return connected(adapter, folder, landing, settings, clock, look_only=look_only)


def of_folder(adapter: Adapter, source: Path) -> Source:
    """Return a folder of native files as a source."""
    from adapters.runtime.folder import FolderSource
    from adapters.runtime.reading import kinds_in

    return FolderSource(source, lambda name: kinds_in(adapter, name))


def _forecast(adapter: Adapter, folder: Path, since: str, until: str, source: Path | None, settings: Path | None, as_json: bool) -> None:
    clock = SystemClock()

    def bring(way: Source, landing: Landing) -> bool:
        return way.backfill(landing, since, until or local_date(clock.now()).isoformat())

    def connect(landing: Landing) -> Source:
        return _source(adapter, folder, landing, source, settings, clock, look_only=True)

    foretell(adapter, folder, bring, connect, clock, as_json, historic=True)


def foretell(
    adapter: Adapter,
    folder: Path,
    bring: Callable[[Source, Landing], bool],
    connect: Callable[[Landing], Source],
    clock: Clock,
    as_json: bool,
    *,
    historic: bool = False,
) -> None:
    """Say what taking in all that `bring` lands would do, and change nothing. Exit 0, or 1 where rows would go into quarantine.

    `bring` lands a piece and says whether there may be more. Raises SourceDown, SourceFault and OSError.
    """
    from adapters.runtime.dryrun import DryLanding, forecast, waiting
    from adapters.runtime.rows import file_of
    from adapters.runtime.source import Delivery, Noticing
    from adapters.runtime.state import State

    with tempfile.TemporaryDirectory(prefix="deltahub-dry-") as scratch:
        memory = folder / "state.db"
        known = memory.is_file()
        if not known:
            State(Path(scratch) / "state.db").close()
        with State(memory if known else Path(scratch) / "state.db", read_only=True) as state:
            landing = DryLanding(Path(scratch), state, historic=historic)
            way = connect(landing)
            try:
                while bring(way, landing):
                    pass
                notices = list(way.notices()) if isinstance(way, Noticing) else []
            finally:
                way.close()
            first = waiting(state, lambda each: Delivery(each.number, each.name, file_of(folder, each), each.digest))
            now = clock.now().isoformat()
            found = forecast(adapter, state, [*first, *landing.landed], now, teller("files read:", quiet=as_json))
    _say_forecast(found, notices, as_json)
    raise typer.Exit(1 if found.quarantined else 0)


def _say_forecast(found: Forecast, notices: Sequence[Notice], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({**found.as_dict(), "left_alone": [asdict(each) for each in notices]}, ensure_ascii=False))
        return
    for each in notices:
        typer.echo(f"left alone   {each.name}  {each.code}: {each.text}")
    for change in found.changes[:SHOWN_MAX]:
        methods = ", ".join(each.rpartition(".")[2] for each in change.commands)
        typer.echo(f"{change.what:<12} {change.kind:<13} {change.native_id:<20} {change.file}:{change.line}  {methods}{change.reason}")
        if change.reason:
            typer.echo(f"{'':<14}{change.zh} {change.en}")
        for name, before, after in change.fields:
            typer.echo(f"{'':<14}{name}: {before} → {after}")
    if len(found.changes) > SHOWN_MAX:
        typer.echo(f"... and {len(found.changes) - SHOWN_MAX:,} more; --json lists all")
    for (kind, what), count in sorted(found.counts.items()):
        typer.echo(f"{count:>9,}  {kind or '?':<14} {what}")
    typer.echo("nothing was changed, sent or acknowledged")
