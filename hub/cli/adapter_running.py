"""`deltahub adapter run`, `status` and `list`."""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hub.cli.adapter_mending import AsJson, DryRun, Province, Work, failed, home_of
from hub.domain.clock import Clock, SystemClock
from hub.settings import Settings

if TYPE_CHECKING:
    from adapters.runtime.engine import Engine
    from adapters.runtime.landing import FileLanding
    from adapters.runtime.model import Adapter
    from adapters.runtime.settings import AdapterSettings
    from adapters.runtime.source import Landing, Source

_Settings = Annotated[Path | None, typer.Option("--settings", help="The adapter's settings file (YAML); docs/operations.md lists its keys")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command(name="run")(run)
    app.command(name="status")(status)
    app.command(name="list")(show)


def run(
    province: Province,
    settings: _Settings = None,
    source: Annotated[Path | None, typer.Option(help="A folder of native files, in place of the province's system")] = None,
    once: Annotated[bool, typer.Option("--once", help="End when all that the province has now is answered, or after --deadline")] = False,
    deadline: Annotated[float, typer.Option(help="With --once: seconds to wait for each phase's answers")] = 120.0,
    dry_run: DryRun = False,
    work: Work = None,
    as_json: AsJson = False,
) -> None:
    """Exchange a province's records with the hub over Kafka, and hand it what the hub answers in its own format.

    It goes on until SIGTERM, through any outage of the province's system, of Kafka or of the hub: what cannot leave waits on disk. A file
    may come any number of times, and the process may die at any moment: each record has one effect. One process a province.

    The broker is `kafka.bootstrap` of the settings file or DELTAHUB_KAFKA_BOOTSTRAP.

    With --dry-run everything that the province has now is read and decided upon, and told: what is new, changed (field by field), withdrawn
    or unusable. Nothing is sent, kept or acknowledged.

    Exit 0: ended as asked; 1: with --once, some records are refused, in quarantine or unanswered, with --dry-run some would go into
    quarantine; 2: it could not run.

    Example: deltahub adapter run 330000 --settings adapter.yaml

    To try it: deltahub adapter run 330000 --source FOLDER --dry-run
    """
    from adapters.runtime.source import SourceDown, SourceFault
    from hub.logs import configure_logs

    try:
        adapter, _ = home_of(province, None)
        wanted = _settings(adapter, settings, work)
        if dry_run:
            _foretell(adapter, wanted, source, as_json=as_json)
        with _engine(adapter, wanted, source, once=once) as engine:
            if once:
                _once(engine, deadline, as_json=as_json)
                return
            configure_logs()
            _run(engine, wanted)
    except typer.Exit:
        raise
    except (LookupError, ValueError, OSError, RuntimeError, SourceDown, SourceFault) as error:
        raise failed(error) from error


def _foretell(adapter: Adapter, wanted: AdapterSettings, source: Path | None, *, as_json: bool) -> None:
    """Say what a run would do, and end."""
    from adapters.runtime.reading import POLICY_FILE
    from hub.cli.adapter_backfill import foretell, of_folder

    folder, clock = wanted.work_dir, SystemClock()
    assert folder is not None

    def bring(way: Source, landing: Landing) -> bool:
        landing.put(POLICY_FILE, [adapter.policy_file.read_bytes()])
        return way.pull(landing)

    def connect(landing: Landing) -> Source:
        if source is not None:
            return of_folder(adapter, source)
        return _connected(adapter, folder, landing, wanted.source, clock, look_only=True)

    foretell(adapter, folder, bring, connect, clock, as_json)


def _once(engine: Engine, deadline: float, *, as_json: bool) -> None:
    from adapters.runtime.command import run_once

    report = run_once(engine, deadline_s=deadline)
    engine.catch_up()
    files = [*engine.push_results(), engine.files.quarantine_file]
    if as_json:
        typer.echo(json.dumps({**report.as_dict(), "files": [str(path) for path in files]}, ensure_ascii=False))
    else:
        for key, value in report.as_dict().items():
            typer.echo(f"{key:<14} {_plain(value)}")
        for path in files:
            typer.echo(f"wrote          {path}")
    if report.refused or report.quarantined or report.unanswered:
        raise typer.Exit(1)


def _plain(value: object) -> str:
    """Return a count, or counts by name, as one line."""
    if not isinstance(value, dict):
        return str(value)
    nested = (f"{name} ({_plain(count)})" if isinstance(count, dict) else f"{name} {count}" for name, count in value.items())
    return ", ".join(nested) or "-"


def _run(engine: Engine, wanted: AdapterSettings) -> None:
    from adapters.runtime.serving import serving

    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        if wanted.metrics_address:
            stack.enter_context(serving(engine, wanted.metrics_address))
        engine.run(stop)


def _settings(adapter: Adapter, path: Path | None, work: Path | None) -> AdapterSettings:
    """Return the adapter's settings. What the hub's own environment says of Kafka and of folders holds where nothing else does."""
    from adapters.runtime.settings import load_settings

    own = Settings()
    defaults: dict[str, Any] = {
        "work_dir": work or own.data_dir / "adapters" / adapter.name,
        "kafka": {"bootstrap": own.kafka_bootstrap, "prefix": own.topic_prefix, "further": own.kafka_config},
    }
    found = load_settings(path, defaults)
    return found if work is None else found.model_copy(update={"work_dir": work})


@contextmanager
def _engine(adapter: Adapter, wanted: AdapterSettings, source: Path | None, *, once: bool) -> Iterator[Engine]:
    from adapters.runtime import failpoints
    from adapters.runtime.command import Broker, of_folder, open_engine

    if not wanted.kafka.bootstrap or wanted.work_dir is None:
        raise ValueError("say where Kafka is: kafka.bootstrap in the settings file, or DELTAHUB_KAFKA_BOOTSTRAP=host:port")
    failpoints.arm(wanted.failpoints)
    folder, clock = wanted.work_dir, SystemClock()

    def connect(landing: FileLanding) -> Source:
        if source is not None:
            return of_folder(adapter, source)(landing)
        return _connected(adapter, folder, landing, wanted.source, clock)

    # A loop that runs for years asks again soon and can be stopped in between; a single run waits for the hub to make its topics.
    broker = Broker(wanted.kafka.bootstrap, wanted.kafka.prefix, wanted.kafka.config(), topic_seconds=60.0 if once else 5.0)
    with open_engine(adapter, broker.ends(adapter), folder, connect=connect, clock=clock, limits=wanted.limits()) as engine:
        yield engine


def connected(
    adapter: Adapter, folder: Path, landing: FileLanding | Landing, settings: Path | None, clock: Clock, *, look_only: bool = False
) -> Source:
    """Open the way to the province's system by the settings file. Raises SettingsError and SourceFault."""
    return _connected(adapter, folder, landing, _settings(adapter, settings, folder).source, clock, look_only=look_only)


def _connected(
    adapter: Adapter, folder: Path, landing: Landing, given: Mapping[str, object] | None, clock: Clock, *, look_only: bool = False
) -> Source:
    from adapters.runtime.source import SourceFault, SourceSettings

    if given is None:
        raise SourceFault(
            "say where the records come from: a section `source` in the file that --settings names,"
            f" or --source FOLDER with native files (samples are in {adapter.samples})"
        )
    return adapter.connect(SourceSettings(given, folder, landing, clock, look_only=look_only))


def status(province: Province, settings: _Settings = None, work: Work = None, as_json: AsJson = False) -> None:
    """Say how an adapter is 运行状态: what came, what waits, what was refused, what is in quarantine, and whom it reaches.

    It reads the adapter's memory and disturbs nothing, whether the adapter runs or not.

    Exit 0: nothing needs a person; 1: something does, and it is listed; 2: it could not be read.

    Example: deltahub adapter status 330000 --json
    """
    from adapters.runtime.locking import in_use
    from adapters.runtime.state import State
    from adapters.runtime.status import status_of

    try:
        adapter, _ = home_of(province, None)
        folder = _settings(adapter, settings, work).work_dir or Path()
        with State(folder / "state.db", read_only=True) as state:
            found = status_of(adapter.name, adapter.division, state, SystemClock().now(), running=in_use(folder))
    except (LookupError, ValueError, OSError, RuntimeError) as error:
        raise failed(error) from error
    if as_json:
        typer.echo(json.dumps(found.as_dict(), ensure_ascii=False))
    else:
        from hub.cli.adapter_table import print_status

        print_status(found)
    raise typer.Exit(1 if found.attention else 0)


def show(as_json: AsJson = False) -> None:
    """List the adapters installed: division, name, title. A distribution brings its own by an entry point of `deltahub.adapters`.

    Exit 0: listed.
    """
    from adapters.runtime.registry import list_adapters

    adapters = list_adapters()
    if as_json:
        typer.echo(
            json.dumps([{"division": each.division, "name": each.name, "zh": each.title_zh, "en": each.title_en} for each in adapters])
        )
        return
    for each in adapters:
        typer.echo(f"{each.division}  {each.name:<12} {each.title_zh} {each.title_en}")
