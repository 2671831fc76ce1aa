"""One adapter at work: phases sent, outcomes awaited, results written."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters.runtime.inbox import take_in
from adapters.runtime.kafka_in import Inbound, KafkaIn
from adapters.runtime.kafka_out import KafkaConfig, KafkaOut, Outbound
from adapters.runtime.model import Adapter, Phase
from adapters.runtime.quarantine import export
from adapters.runtime.reading import Reading, outgoing, read_phase
from adapters.runtime.results import Results, fold
from adapters.runtime.state import State
from adapters.runtime.topics import in_topic, out_topic
from hub.domain.clock import Clock

Progress = Callable[[str, Phase, int, int], None]
"""Told of (adapter name, phase, outcomes in, commands sent) as work goes on."""


def silent(_name: str, _phase: Phase, _done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(slots=True)
class AdapterReport:
    """Counts of a run. `ok` + `refused` + `unanswered` = all records ever sent in the phases run."""

    name: str
    read: int = 0
    sent: int = 0
    unchanged: int = 0
    quarantined: int = 0
    ok: int = 0
    refused: int = 0
    unanswered: int = 0
    by_kind: dict[str, Counter[str]] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain data for `--json`."""
        plain = {name: getattr(self, name) for name in ("name", "read", "sent", "unchanged", "quarantined", "ok", "refused", "unanswered")}
        return {**plain, "by_kind": {kind: dict(counts) for kind, counts in self.by_kind.items()}, "refusals": dict(self.refusals)}


@dataclass(slots=True)
class Session:
    """An adapter with its memory and both directions of its exchange. Not for two threads at once."""

    adapter: Adapter
    state: State
    outbound: Outbound
    inbound: Inbound
    samples: Path
    work: Path
    clock: Clock
    progress: Progress = silent
    deadline_s: float = 120.0
    retry_refused: bool = False

    def run(self, phase: Phase, report: AdapterReport) -> None:
        """Send a phase and wait, up to the deadline, until every record of it is answered; add to the report."""
        now = self.clock.now().isoformat()
        reading = read_phase(self.adapter, phase, self.samples, self.state, retry_refused=self.retry_refused)
        with self.state.transaction():
            self.state.quarantine(phase, reading.quarantined, now)
            for ready in reading.ready:
                self.state.remember(ready.record, phase, ready.digest, ready.attempt, ready.request_id, ready.mapped.method)
        for ready in reading.ready:
            self.outbound.send(outgoing(self.adapter, ready, now))
        self.outbound.flush()
        self._await(phase, len(reading.ready))
        self._count(phase, reading, report)

    def _await(self, phase: Phase, total: int) -> None:
        """Take events in until nothing of the phase is unanswered, or the deadline passes."""
        deadline = time.monotonic() + self.deadline_s
        while (waiting := self.state.unanswered(phase)) and time.monotonic() < deadline:
            take_in(self.state, self.inbound.poll(200))
            self.progress(self.adapter.name, phase, max(0, total - waiting), total)
        self.progress(self.adapter.name, phase, total - min(total, waiting), total)

    def _count(self, phase: Phase, reading: Reading, report: AdapterReport) -> None:
        """Add a phase to the report."""
        report.read += reading.read
        report.sent += len(reading.ready)
        report.unchanged += reading.unchanged
        report.quarantined += len(reading.quarantined)
        for kind, outcome, count in self.state.tally(phase):
            name = {"OK": "ok", "": "unanswered"}.get(outcome, "refused")
            setattr(report, name, getattr(report, name) + count)
            report.by_kind.setdefault(kind, Counter())[outcome or "UNANSWERED"] += count
            if name == "refused":
                report.refusals[outcome] += count

    def catch_up(self, *, quiet_ms: int = 1500, limit_s: float = 30.0) -> None:
        """Take in what the hub has told since, until it has been quiet for a while or the limit passes."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            arrived = self.inbound.poll(quiet_ms)
            if not arrived:
                return
            take_in(self.state, arrived)

    def collect(self) -> list[Path]:
        """Catch up, then write the province's native result files and the quarantine; return the files."""
        self.catch_up()
        folder = self.work / "results"
        folder.mkdir(parents=True, exist_ok=True)
        files = self.adapter.write(self.results(), folder)
        return [*files, export(self.state, self.work / "quarantine.csv")]

    def results(self) -> Results:
        """Return what the hub has told so far."""
        return fold(self.state.events(), self.state.all_sent())


@contextmanager
def open_session(
    adapter: Adapter,
    *,
    bootstrap: str,
    kafka_config: KafkaConfig,
    prefix: str,
    work_dir: Path,
    clock: Clock,
    samples_dir: Path | None = None,
    progress: Progress = silent,
    deadline_s: float = 120.0,
    retry_refused: bool = False,
) -> Iterator[Session]:
    """Open an adapter's memory (`<work_dir>/<name>/state.db`) and its Kafka connections; raise ConnectionError if there is no broker."""
    work = work_dir / adapter.name
    with State(work / "state.db") as state:
        inbound = KafkaIn(bootstrap, out_topic(prefix, adapter.division), kafka_config, state)
        try:
            outbound = KafkaOut(bootstrap, in_topic(prefix, adapter.division), kafka_config)
            try:
                samples = samples_dir or adapter.samples
                yield Session(adapter, state, outbound, inbound, samples, work, clock, progress, deadline_s, retry_refused)
            finally:
                outbound.close()
        finally:
            inbound.close()
