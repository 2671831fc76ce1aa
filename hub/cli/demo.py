"""`deltahub demo`: from nothing to cleared cross-region vouchers, with everything embedded."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import typer

from adapters.runtime import command
from adapters.runtime.model import Phase
from hub.cli.demo_cases import Clearing, play
from hub.cli.demo_table import print_table
from hub.cli.embedded import embedded
from hub.cli.supervisor import StartError, listens, running
from hub.domain.money import format_yuan
from hub.embedded.kafka import free_port
from hub.ledger.audit import audit
from hub.settings import Settings


@dataclass
class DemoReport:
    """What the demo did."""

    seconds: float = 0.0
    adapters: list[dict[str, object]] = field(default_factory=list)
    clearings: list[Clearing] = field(default_factory=list)
    obligations: list[dict[str, str]] = field(default_factory=list)
    positions: dict[str, str] = field(default_factory=dict)
    files: dict[str, list[str]] = field(default_factory=dict)
    audit_clean: bool = False
    audit_differences: list[str] = field(default_factory=list)
    page: str = ""

    @property
    def ok(self) -> bool:
        """True where every case cleared, every command was answered, and the auditor found nothing."""
        answered = all(not adapter["unanswered"] and adapter["ok"] for adapter in self.adapters)
        return self.audit_clean and answered and bool(self.clearings) and all(case.cleared for case in self.clearings)

    def as_dict(self) -> dict[str, object]:
        """The report as plain data."""
        return {"ok": self.ok, **asdict(self)}


class _Steps:
    """Says what goes on, with the seconds since the start. With `--json` it says it on standard error."""

    def __init__(self, *, quiet_stdout: bool) -> None:
        self._err = quiet_stdout
        self._started = time.monotonic()
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started

    def say(self, text: str) -> None:
        with self._lock:
            typer.echo(f"{self.seconds:6.1f} s  {text}", err=self._err)

    def adapter(self, name: str, phase: Phase, done: int, total: int) -> None:
        if done == total:
            self.say(f"{name}: {phase.value.lower()}, {total} commands answered")


def run_demo(settings: Settings, *, once: bool, as_json: bool, data_dir: Path | None) -> int:
    """Play the demo; return the exit code. It works in a directory of its own, emptied first."""
    steps = _Steps(quiet_stdout=as_json)
    home = data_dir or settings.data_dir / "demo"
    shutil.rmtree(home, ignore_errors=True)
    settings = settings.model_copy(
        update={
            "data_dir": home.absolute(),
            "grpc_address": _address(settings.grpc_address),
            "web_address": _address(settings.web_address),
            "sweep_seconds": 60.0,
        }
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    steps.say("starting PostgreSQL, Kafka and the hub's roles")
    try:
        with embedded(settings, kafka=True) as complete, running(complete):
            report = _play(complete, steps)
            _tell(report, as_json=as_json)
            if not once:
                typer.echo(f"\nThe page is at {report.page} (its CA: {complete.identity / 'ca.pem'}); Ctrl-C ends the demo.", err=as_json)
                stop.wait()
    except (StartError, TimeoutError, ConnectionError) as error:
        typer.secho(f"deltahub: {error}", err=True, fg=typer.colors.RED)
        return 1
    return 0 if report.ok else 1


def _address(wanted: str) -> str:
    """Return the wanted address, or one with a free port where something listens there already."""
    host, _, _port = wanted.rpartition(":")
    return f"{host}:{free_port()}" if listens(wanted) else wanted


def _play(settings: Settings, steps: _Steps) -> DemoReport:
    report = DemoReport(page=f"https://{settings.web_address}/")
    adapters = command.list_adapters()
    work_dir = settings.data_dir / "adapters"
    steps.say(f"running; sending the sample files of {', '.join(adapter.name for adapter in adapters)} through Kafka")
    broker = command.Broker(settings.kafka_bootstrap, settings.topic_prefix, settings.kafka_config)
    reports = command.run_together(adapters, broker, work_dir, progress=steps.adapter)
    report.adapters = [item.as_dict() for item in reports]
    steps.say("clearing the first Changxing case, then one order for each of the 16 pairs of regions, over gRPC")
    played = asyncio.run(play(settings))
    report.clearings = played.clearings
    report.obligations = [
        {"debtor": item.debtor, "creditor": item.creditor, "amount": format_yuan(item.amount_fen)} for item in played.window.obligations
    ]
    report.positions = {item.division: format_yuan(item.amount_fen) for item in played.window.positions}
    steps.say(f"window closed: {len(report.obligations)} obligations; writing each province's result files")
    files = command.collect(adapters, broker, work_dir)
    report.files = {name: [str(path) for path in paths] for name, paths in files.items()}
    audited = asyncio.run(audit(settings.database_url))
    report.audit_clean, report.audit_differences = audited.clean, audited.differences
    report.seconds = round(steps.seconds, 1)
    steps.say(f"audit {'clean' if audited.clean else 'found differences'} over {audited.counts['journal']} transfers")
    return report


def _tell(report: DemoReport, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(report.as_dict(), ensure_ascii=False))
    else:
        print_table(report)
