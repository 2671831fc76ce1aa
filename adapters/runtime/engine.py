"""The exchange of one province: landing, intake, sending and receiving, each in a loop of its own that no other can hold up."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from adapters.runtime import backfill
from adapters.runtime.deciding import Verdict
from adapters.runtime.delivering import ProvinceSide, ResultFiles
from adapters.runtime.intake import Intake
from adapters.runtime.kafka_in import Inbound
from adapters.runtime.kafka_out import Outbound
from adapters.runtime.landing import FileLanding
from adapters.runtime.loops import Backoff, Health, Loop, LoopState, Wait
from adapters.runtime.model import Adapter, Phase
from adapters.runtime.policy_file import PolicyFileError, load_policies
from adapters.runtime.queueing import ORDER
from adapters.runtime.reading import POLICY_FILE
from adapters.runtime.receiving import Receiver
from adapters.runtime.report import Report, report_of
from adapters.runtime.retrying import Retrying, RetryRules
from adapters.runtime.sending import Sender
from adapters.runtime.source import Source
from adapters.runtime.state import State
from hub.domain.clock import Clock

log = logging.getLogger(__name__)

Progress = Callable[[str, Phase, int, int], None]
"""Told of (adapter name, phase, outcomes in, commands sent) when a phase is through."""

_IDLE_S = 0.2
"""Pause of a loop that found nothing to do: what lands or is queued waits no longer than this."""
_POLL_MS = 500


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of an exchange. The names say the units."""

    queue_limit: int = 50_000
    chunk_rows: int = 500
    gate_seconds: float = 120.0
    poll_seconds: float = 30.0
    results_seconds: float = 60.0
    results_days: int = 0
    keep_days: int = 90
    backoff_first_seconds: float = 0.5
    backoff_seconds_max: float = 60.0
    retry: RetryRules = field(default_factory=RetryRules)


@dataclass(frozen=True, slots=True)
class Ends:
    """How the two ends at Kafka are connected; both raise ConnectionError."""

    outbound: Callable[[], Outbound]
    inbound: Callable[[State], Inbound]


class Engine:
    """An adapter at work in its folder. `run` is for years, `exchange` for a test or a demonstration that goes phase by phase."""

    def __init__(
        self,
        adapter: Adapter,
        state: State,
        work: Path,
        ends: Ends,
        clock: Clock,
        connect: Callable[[FileLanding], Source],
        limits: Limits | None = None,
    ) -> None:
        """Raise PolicyFileError: a province without its rules can do nothing, and its officer must mend the file first."""
        self.adapter, self.state, self.work, self.clock = adapter, state, work, clock
        self.limits = limits or Limits()
        load_policies(adapter.policy_file)
        self._policies_seen = 0
        rules = self.limits.retry
        self.landing = FileLanding(work, state, clock)
        self.intake = Intake(adapter, state, self.landing, clock, queue_limit=self.limits.queue_limit, chunk_rows=self.limits.chunk_rows)
        self.sender = Sender(state, ends.outbound, clock, gate_seconds=self.limits.gate_seconds)
        self.receiver = Receiver(state, adapter.name, lambda: ends.inbound(state), clock, rules)
        self.retrying = Retrying(state, adapter.name, clock, rules)
        self.files = ResultFiles(adapter, state, work, clock, days=self.limits.results_days)
        self.province = ProvinceSide(connect(self.landing), state, self.landing, clock, keep_days=self.limits.keep_days)
        self.health = Health(clock, self._keep)
        self._written: tuple[int, int] | None = None
        self._unpushed: list[Path] = []
        self._next_pull = self._next_results = 0.0
        self._more_history = False
        self._threads: list[threading.Thread] = []

    def close(self) -> None:
        """Let go of all connections. The memory is its opener's to close."""
        self.sender.close()
        self.receiver.close()
        self.province.source.close()

    def _keep(self, name: str, state: LoopState) -> None:
        self.state.contact(name, up=state.up, at=self.clock.now().isoformat(), error=state.error)

    # -- for years ----------------------------------------------------------------------------------------------------------

    def run(self, stop: threading.Event, wait: Wait | None = None) -> None:
        """Exchange until `stop` is set, through any outage of the province, of Kafka or of the hub. Then finish the steps in hand."""
        loops = [self._loop(name, step, stop, wait or stop.wait) for name, step in self.steps().items()]
        for loop in loops:
            self.health.note(loop.name, error="not reached yet since the start")
        self._threads = [threading.Thread(target=loop.run, name=f"{self.adapter.name}-{loop.name}") for loop in loops]
        for thread in self._threads:
            thread.start()
        for thread in self._threads:
            thread.join()

    @property
    def alive(self) -> bool:
        """True while every loop goes on."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    def steps(self) -> dict[str, Callable[[], float]]:
        """Return one step of each loop by its name; a step returns how many seconds to pause."""
        return {"province": self._province_step, "intake": self._intake_step, "sending": self._send_step, "receiving": self._receive_step}

    def _loop(self, name: str, step: Callable[[], float], stop: threading.Event, wait: Wait) -> Loop:
        backoff = Backoff(self.limits.backoff_first_seconds, self.limits.backoff_seconds_max)
        return Loop(name, step, self.health, stop, wait, backoff)

    def _province_step(self) -> float:
        """Speak with the province: what is new, what was taken, what came out. One that fails does not keep the others from their turn."""
        failed: list[Exception] = []
        for part in (self.land_policies, self._pull, self._backfill, self.province.tell, self.province.clear, self._results):
            try:
                part()
            except Exception as error:
                failed.append(error)
        if failed:
            raise failed[0]
        again = self._more_history or time.monotonic() >= self._next_pull
        return 0.0 if again else min(1.0, self.limits.poll_seconds)

    def _pull(self) -> None:
        now = time.monotonic()
        if now >= self._next_pull and not self.province.pull():
            self._next_pull = now + self.limits.poll_seconds

    def _backfill(self) -> None:
        """Bring a piece of the history that was asked for; the live feed has its turn in between."""
        under_way = backfill.step(self.adapter, self.state, self.landing, self.province.source, self.clock)
        self._more_history = under_way is not None and not under_way.done_at

    def _results(self) -> None:
        now = time.monotonic()
        if now >= self._next_results and self.results_due:
            self._next_results = now + self.limits.results_seconds
            self.push_results()

    def _intake_step(self) -> float:
        worked = self.intake.step()
        return 0.0 if self.retrying.step() or worked else _IDLE_S

    def _send_step(self) -> float:
        self.sender.probe()
        return 0.0 if self.sender.step() else _IDLE_S

    def _receive_step(self) -> float:
        self.receiver.step(_POLL_MS)
        return 0.0

    # -- step by step -------------------------------------------------------------------------------------------------------

    def land_policies(self) -> None:
        """Land the province's rules where they are new. Rules that cannot be read are told, and those in force stay."""
        changed = self.adapter.policy_file.stat().st_mtime_ns
        if changed == self._policies_seen:
            return
        self._policies_seen = changed
        try:
            load_policies(self.adapter.policy_file)
        except PolicyFileError as error:
            log.error("%s: the rules were changed and cannot be read, those sent before stay: %s", self.adapter.name, error)
            return
        self.landing.put(POLICY_FILE, [self.adapter.policy_file.read_bytes()])

    def bring(self) -> None:
        """Land all that the province has now. Raises SourceDown and SourceFault."""
        self.land_policies()
        while self.province.pull():
            pass

    def resend(self) -> None:
        """Send again what left before and was never answered, once what the hub has told meanwhile is read."""
        if self.state.records.oldest_unanswered()[0]:
            self.catch_up(quiet_ms=500)
            while self.retrying.unheard(0.0):
                pass

    def exchange(self, phase: Phase, *, deadline_s: float = 120.0) -> int:
        """Take in, send and receive until all up to a phase is answered, or the deadline passes; return how many are unanswered."""
        deadline = time.monotonic() + deadline_s
        until = tuple(each for each in Phase if ORDER[each] <= ORDER[phase])
        while time.monotonic() < deadline:
            worked = self.intake.step()
            # A full queue has to empty before the rest of this phase can come into it.
            worked = bool(self.sender.step(tuple(Phase) if self.intake.full else until)) or worked
            arrived = self.receiver.step(0 if worked else 100)
            if not worked and not arrived and not self._open(until):
                break
        self.province.tell()
        return self._open(until)

    def _open(self, phases: tuple[Phase, ...]) -> int:
        """Return how many commands of some phases are to leave or to be answered."""
        return sum(self.state.records.unanswered(phase) for phase in phases)

    def catch_up(self, *, quiet_ms: int = 1500, limit_s: float = 30.0) -> None:
        """Take in what the hub has told, until it has been quiet for a while or the limit passes."""
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline and self.receiver.step(quiet_ms):
            pass

    @property
    def _stand(self) -> tuple[int, int]:
        return self.receiver.counted.total(), self.receiver.told

    @property
    def results_due(self) -> bool:
        """True where the result files say less than is known, or the province does not have them."""
        return bool(self._unpushed) or self._written != self._stand

    def push_results(self) -> list[Path]:
        """Write the result files where they are out of date, and hand over those that changed; return all. Raises as the source does."""
        stand = self._stand
        if self._written != stand:
            self._unpushed = self.files.write()
            self._written = stand
        files = self._unpushed
        self.province.push(files)
        self._unpushed = []
        return files

    def report(self) -> Report:
        """Return the counts of what was done since the start, and of what is."""
        counted = self.intake.counted
        unchanged = sum(count for (_, verdict), count in counted.items() if verdict == Verdict.UNCHANGED)
        return report_of(self.adapter.name, self.state, read=sum(counted.values()), sent=self.sender.counted.total(), unchanged=unchanged)
