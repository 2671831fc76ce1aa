"""What a command line, a demonstration or a test calls: engines opened, run together phase by phase, their results collected."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters.runtime.engine import Ends, Engine, Limits, Progress
from adapters.runtime.folder import FolderSource
from adapters.runtime.kafka_in import KafkaIn
from adapters.runtime.kafka_out import KafkaConfig, KafkaOut
from adapters.runtime.landing import FileLanding
from adapters.runtime.locking import only_process
from adapters.runtime.model import Adapter, Phase
from adapters.runtime.quarantining import QuarantinedRow
from adapters.runtime.registry import find_adapter, list_adapters
from adapters.runtime.report import Report
from adapters.runtime.source import Source
from adapters.runtime.state import State
from adapters.runtime.topics import DEFAULT_PREFIX, in_topic, out_topic
from hub.domain.clock import Clock, SystemClock

__all__ = ["Broker", "collect", "find_adapter", "list_adapters", "open_engine", "quarantine_rows", "run_once", "run_together"]

Connect = Callable[[FileLanding], Source]
"""Makes an adapter's source, given where it lands what it brings."""


@dataclass(frozen=True, slots=True)
class Broker:
    """The Kafka that adapters and hub share. `config`: further kafka-python settings; `topic_seconds`: how long a topic is waited for."""

    bootstrap: str
    prefix: str = DEFAULT_PREFIX
    config: KafkaConfig = field(default_factory=dict)
    topic_seconds: float = 60.0

    def ends(self, adapter: Adapter) -> Ends:
        """Return an adapter's two ends: its own in-topic and its own out-topic."""
        outward, inward = in_topic(self.prefix, adapter.division), out_topic(self.prefix, adapter.division)
        return Ends(
            lambda: KafkaOut(self.bootstrap, outward, self.config),
            lambda state: KafkaIn(self.bootstrap, inward, self.config, state, timeout_s=self.topic_seconds),
        )


def of_folder(adapter: Adapter, folder: Path | None = None) -> Connect:
    """Return a source that brings the native files of a folder, by default the adapter's samples."""
    return lambda _landing: FolderSource(folder or adapter.samples, adapter.kinds)


@contextmanager
def open_engine(
    adapter: Adapter,
    ends: Ends,
    work: Path,
    *,
    connect: Connect | None = None,
    clock: Clock | None = None,
    limits: Limits | None = None,
) -> Iterator[Engine]:
    """Open an adapter's memory (`<work>/state.db`) and its engine; without `connect` it brings its samples.

    Raises WorkFolderInUse, PolicyFileError, SourceFault where the source's settings are wrong, and WrongSchema.
    """
    with only_process(work), State(work / "state.db") as state:
        engine = Engine(adapter, state, work, ends, clock or SystemClock(), connect or of_folder(adapter), limits)
        try:
            yield engine
        finally:
            engine.close()


def run_once(engine: Engine, *, deadline_s: float = 120.0, phases: Sequence[Phase] = tuple(Phase)) -> Report:
    """Bring what the province has now, have it answered as far as the deadline of each phase allows, and return the counts.

    What an earlier run left unanswered is sent again. Raises SourceDown, SourceFault and ConnectionError.
    """
    engine.bring()
    engine.resend()
    for phase in phases:
        engine.exchange(phase, deadline_s=deadline_s)
    return engine.report()


def run_together(
    adapters: Sequence[Adapter],
    broker: Broker,
    work_dir: Path,
    *,
    clock: Clock | None = None,
    progress: Progress | None = None,
    deadline_s: float = 120.0,
) -> list[Report]:
    """Run several adapters side by side over their samples, in step: nobody begins a phase before everybody has finished the one before.

    Alone, each would be refused what the others have not brought yet, and try again later; in step nothing is refused for being early.
    """
    with ExitStack() as stack, ThreadPoolExecutor(max(1, len(adapters)), thread_name_prefix="adapter") as threads:

        def opened(adapter: Adapter) -> Engine:
            return stack.enter_context(open_engine(adapter, broker.ends(adapter), work_dir / adapter.name, clock=clock))

        def one_phase(engine: Engine, phase: Phase) -> None:
            left = engine.exchange(phase, deadline_s=deadline_s)
            if progress is not None:
                answered = sum(count for of, _, outcome, count in engine.state.records.tally() if of == phase and outcome)
                progress(engine.adapter.name, phase, answered, answered + left)

        engines = [opened(adapter) for adapter in adapters]
        list(threads.map(lambda engine: engine.bring(), engines))
        for phase in Phase:
            list(threads.map(one_phase, engines, [phase] * len(engines)))
        return [engine.report() for engine in engines]


def collect(adapters: Sequence[Adapter], broker: Broker, work_dir: Path, *, clock: Clock | None = None) -> Mapping[str, list[Path]]:
    """Read what the hub has told since, side by side, and write each province's native result files; return the files by adapter name."""

    def one(adapter: Adapter) -> list[Path]:
        with open_engine(adapter, broker.ends(adapter), work_dir / adapter.name, clock=clock) as engine:
            engine.catch_up()
            return [*engine.push_results(), engine.files.quarantine_file]

    with ThreadPoolExecutor(max(1, len(adapters)), thread_name_prefix="adapter") as threads:
        return dict(zip([adapter.name for adapter in adapters], threads.map(one, adapters), strict=True))


def quarantine_rows(work: Path) -> list[QuarantinedRow]:
    """Return the quarantine of an adapter's folder, also while it runs; nothing where the adapter never ran."""
    if not (work / "state.db").is_file():
        return []
    with State(work / "state.db", read_only=True) as state:
        return state.quarantine.rows()
