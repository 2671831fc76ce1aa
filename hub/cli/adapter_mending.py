"""`deltahub adapter backfill` and `replay`: history brought in, and commands sent again. The quarantine is in `adapter_quarantine`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hub.settings import Settings

if TYPE_CHECKING:
    from adapters.runtime.model import Adapter
    from adapters.runtime.replay import Wanted
    from adapters.runtime.state import State

Province = Annotated[str, typer.Argument(help="Name or division of the adapter, such as 330000; `adapter list` shows both")]
Work = Annotated[
    Path | None,
    typer.Option(
        "--work",
        envvar="DELTAHUB_ADAPTER_WORK_DIR",
        help="The adapter's folder, as `work_dir` of its settings; default: adapters/PROVINCE in DELTAHUB_DATA_DIR",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done, and do nothing")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    from hub.cli import adapter_backfill, adapter_quarantine

    adapter_backfill.register(app)
    app.command(name="replay")(replay)
    desk = typer.Typer(no_args_is_help=True, help="Rows that could not be used 隔离区: why, what to do, try again, set aside.")
    adapter_quarantine.register(desk)
    app.add_typer(desk, name="quarantine")


@dataclass(frozen=True)
class Home:
    """An adapter, its folder and its memory."""

    adapter: Adapter
    folder: Path
    state: State


def home_of(province: str, work: Path | None) -> tuple[Adapter, Path]:
    """Return an adapter and its folder; raise LookupError where there is no such adapter."""
    from adapters.runtime.registry import find_adapter

    adapter = find_adapter(province)
    return adapter, work or Settings().data_dir / "adapters" / adapter.name


@contextmanager
def at_home(province: str, work: Path | None, *, read_only: bool = False) -> Iterator[Home]:
    """Open an adapter's memory; what goes wrong is told in one line with exit code 2."""
    from adapters.runtime.source import SourceDown, SourceFault
    from adapters.runtime.state import State

    try:
        adapter, folder = home_of(province, work)
        if not (folder / "state.db").is_file():
            raise LookupError(
                f"{folder}: no memory of this adapter is there; it is made by the first `deltahub adapter run {adapter.name}`"
            )
        with State(folder / "state.db", read_only=read_only) as state:
            yield Home(adapter, folder, state)
    except typer.Exit:
        raise
    except (LookupError, ValueError, OSError, RuntimeError, SourceDown, SourceFault) as error:
        raise failed(error) from error


def failed(error: Exception | str) -> typer.Exit:
    """Say why nothing could be done, and return exit code 2."""
    typer.secho(f"deltahub: {error}", err=True, fg=typer.colors.RED)
    return typer.Exit(2)


def teller(what: str, *, quiet: bool) -> Callable[[int, int], None]:
    """Return a function that tells on the error stream how far long work is: at most a line for each tenth of it."""
    last = -1

    def tell(done: int, total: int) -> None:
        nonlocal last
        tenth = 10 * done // max(total, 1)
        if not quiet and total > 1_000 and tenth > last:
            last = tenth
            typer.echo(f"{what} {done:,} of {total:,}", err=True)

    return tell


def replay(
    province: Province,
    refused: Annotated[
        str | None, typer.Option(help="Refused records: with this code, such as PROVIDER_NOT_FOUND, or `any`", show_default=False)
    ] = None,
    unanswered: Annotated[bool, typer.Option("--unanswered", help="Records whose command was never answered")] = False,
    file: Annotated[str, typer.Option(help="Records of this native file, as it was delivered, that are refused or unanswered")] = "",
    record: Annotated[str, typer.Option(help="One record: KIND/ID, such as voucher/FQ-0001")] = "",
    dry_run: DryRun = False,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """Send again 重发: what was refused as a new attempt, what was never answered under its own request id, so that it has one effect.

    What the hub took is never sent again. The commands go into the adapter's queue: a running adapter sends them at once, otherwise the
    next `adapter run` does. Asked for twice, it sends nothing twice.

    Exit 0: done; 1: some records went into quarantine, or their file is no longer kept; 2: it could not be done.

    Example: deltahub adapter replay 330000 --refused PROVIDER_NOT_RECOGNIZED --dry-run
    """
    from adapters.runtime.replay import replay as send_again
    from hub.domain.clock import SystemClock

    if refused is None and not unanswered and not file and not record:
        raise failed("say what to send again: --refused CODE (or any), --unanswered, --file NAME or --record KIND/ID")
    with at_home(province, work, read_only=dry_run) as home:
        wanted = _wanted(refused, file, record, unanswered=unanswered)
        done = send_again(
            home.adapter, home.state, home.folder, SystemClock(), wanted, dry_run=dry_run, progress=teller("replayed", quiet=as_json)
        )
    if as_json:
        typer.echo(json.dumps({**done.as_dict(), "dry_run": dry_run}, ensure_ascii=False))
    else:
        typer.echo("would be done:" if dry_run else "done:")
        for name, value in done.as_dict().items():
            typer.echo(f"{name:<12} {', '.join(f'{code} {count}' for code, count in value.items()) if isinstance(value, dict) else value}")
    raise typer.Exit(1 if done.quarantined or done.gone else 0)


def _wanted(refused: str | None, file: str, record: str, *, unanswered: bool) -> Wanted:
    from adapters.runtime.model import Kind
    from adapters.runtime.replay import Wanted
    from hub.domain.refusals import RefusalCode

    one = None
    if record:
        kind, slash, native_id = record.partition("/")
        if not slash or not native_id or kind not in set(Kind):
            raise ValueError(f"--record {record}: say KIND/ID with one of {', '.join(Kind)}")
        one = (Kind(kind), native_id)
    code = "" if refused is None or refused.lower() == "any" else refused.upper()
    if code and code not in {each.value for each in RefusalCode}:
        raise ValueError(f"--refused {refused}: there is no such refusal code; `any` means all of them")
    return Wanted(refused is not None, code, unanswered, file, one)
