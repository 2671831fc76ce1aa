"""What a command line or a demonstration calls: run adapters, one or all, and look into their quarantine."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

from adapters.runtime.kafka_out import KafkaConfig
from adapters.runtime.model import Adapter, Phase
from adapters.runtime.registry import find_adapter, list_adapters
from adapters.runtime.session import AdapterReport, Progress, Session, open_session, silent
from adapters.runtime.state import QuarantinedRow, State
from adapters.runtime.topics import DEFAULT_PREFIX
from hub.domain.clock import Clock, SystemClock

__all__ = ["collect_all", "collect_results", "find_adapter", "list_adapters", "quarantine_rows", "run", "run_adapter", "run_all"]


def run_adapter(
    adapter: Adapter,
    *,
    bootstrap: str,
    work_dir: Path,
    kafka_config: KafkaConfig | None = None,
    prefix: str = DEFAULT_PREFIX,
    samples_dir: Path | None = None,
    phases: Sequence[Phase] = tuple(Phase),
    clock: Clock | None = None,
    progress: Progress = silent,
    deadline_s: float = 120.0,
    retry_refused: bool = False,
) -> AdapterReport:
    """Send an adapter's phases one after the other, each answered before the next, and return the counts.

    Raises ConnectionError (no broker, no topic) and PolicyFileError. What was sent before and is unchanged is not sent again.
    """
    report = AdapterReport(adapter.name)
    with open_session(
        adapter,
        bootstrap=bootstrap,
        kafka_config=kafka_config or {},
        prefix=prefix,
        work_dir=work_dir,
        clock=clock or SystemClock(),
        samples_dir=samples_dir,
        progress=progress,
        deadline_s=deadline_s,
        retry_refused=retry_refused,
    ) as session:
        for phase in phases:
            session.run(phase, report)
    return report


def run(
    name: str,
    *,
    bootstrap: str,
    work_dir: Path,
    kafka_config: KafkaConfig | None = None,
    prefix: str = DEFAULT_PREFIX,
    samples_dir: Path | None = None,
    phases: Sequence[Phase] = tuple(Phase),
    clock: Clock | None = None,
    progress: Progress = silent,
    deadline_s: float = 120.0,
    retry_refused: bool = False,
) -> AdapterReport:
    """Run the adapter of that name or division (`deltahub adapter run PROVINCE`); raise LookupError if there is none."""
    return run_adapter(
        find_adapter(name),
        bootstrap=bootstrap,
        work_dir=work_dir,
        kafka_config=kafka_config,
        prefix=prefix,
        samples_dir=samples_dir,
        phases=phases,
        clock=clock,
        progress=progress,
        deadline_s=deadline_s,
        retry_refused=retry_refused,
    )


def run_all(
    adapters: Sequence[Adapter],
    *,
    bootstrap: str,
    work_dir: Path,
    kafka_config: KafkaConfig | None = None,
    prefix: str = DEFAULT_PREFIX,
    phases: Sequence[Phase] = tuple(Phase),
    clock: Clock | None = None,
    progress: Progress = silent,
    deadline_s: float = 120.0,
) -> list[AdapterReport]:
    """Run several adapters side by side, in step: nobody begins a phase before everybody has finished the one before."""
    reports = [AdapterReport(adapter.name) for adapter in adapters]
    with ExitStack() as stack, ThreadPoolExecutor(max_workers=max(1, len(adapters)), thread_name_prefix="adapter") as threads:

        def opened(adapter: Adapter) -> Session:
            return stack.enter_context(
                open_session(
                    adapter,
                    bootstrap=bootstrap,
                    kafka_config=kafka_config or {},
                    prefix=prefix,
                    work_dir=work_dir,
                    clock=clock or SystemClock(),
                    progress=progress,
                    deadline_s=deadline_s,
                )
            )

        sessions = [opened(adapter) for adapter in adapters]
        for phase in phases:
            for done in [threads.submit(session.run, phase, report) for session, report in zip(sessions, reports, strict=True)]:
                done.result()
    return reports


def collect_results(
    adapter: Adapter,
    *,
    bootstrap: str,
    work_dir: Path,
    kafka_config: KafkaConfig | None = None,
    prefix: str = DEFAULT_PREFIX,
    clock: Clock | None = None,
) -> list[Path]:
    """Read what the hub has told an adapter's province and write its native result files and quarantine; return the files."""
    with open_session(
        adapter, bootstrap=bootstrap, kafka_config=kafka_config or {}, prefix=prefix, work_dir=work_dir, clock=clock or SystemClock()
    ) as session:
        return session.collect()


def collect_all(
    adapters: Sequence[Adapter],
    *,
    bootstrap: str,
    work_dir: Path,
    kafka_config: KafkaConfig | None = None,
    prefix: str = DEFAULT_PREFIX,
    clock: Clock | None = None,
) -> dict[str, list[Path]]:
    """Collect the results of several adapters side by side; return the files by adapter name."""

    def collect(adapter: Adapter) -> list[Path]:
        return collect_results(adapter, bootstrap=bootstrap, work_dir=work_dir, kafka_config=kafka_config, prefix=prefix, clock=clock)

    with ThreadPoolExecutor(max_workers=max(1, len(adapters)), thread_name_prefix="adapter") as threads:
        return {adapter.name: files for adapter, files in zip(adapters, threads.map(collect, adapters), strict=True)}


def quarantine_rows(name: str, *, work_dir: Path) -> list[QuarantinedRow]:
    """Return the quarantine of an adapter; raise LookupError if there is no such adapter."""
    path = work_dir / find_adapter(name).name / "state.db"
    if not path.exists():
        return []
    with State(path) as state:
        return state.quarantined()
