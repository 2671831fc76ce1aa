"""An adapter as a process of its own, over a real broker: killed at any step, stopped, watched, and alone in its folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest

from adapters.runtime.failpoints import PLACES
from adapters.runtime.model import Phase
from adapters.runtime.registry import find_adapter
from adapters.runtime.state import State
from hub.embedded import EmbeddedKafka, Lifeline
from tests.fixtures.adapter import bench_of
from tests.fixtures.exchange import exchange
from tests.fixtures.kafka import Broker
from tests.fixtures.messaging import wait_for
from tests.fixtures.ports import free_port

ADAPTER = find_adapter("shanghai")
DIVISION = ADAPTER.division
FILES = 1 + sum(path.is_file() and bool(ADAPTER.kinds(path.name)) for path in ADAPTER.samples.rglob("*"))
"""What lands: the native files and the rules."""
T = TypeVar("T")


class Process:
    """`deltahub adapter run shanghai` in a folder."""

    def __init__(self, bootstrap: str, prefix: str, work: Path, **settings: Any) -> None:
        self.work = work
        self._file = work.parent / f"{work.name}.yaml"
        quick = {"poll_seconds": 0.2, "results_seconds": 0.2, "chunk_rows": 20, "retry": {"unheard_seconds": 2.0}}
        self.settings = {"work_dir": str(work), "kafka": {"bootstrap": bootstrap, "prefix": prefix}, **quick, **settings}
        self._process: subprocess.Popen[str] | None = None
        self._lifeline: Lifeline | None = None

    def start(self, **more: Any) -> subprocess.Popen[str]:
        """Start it."""
        self._file.write_text(json.dumps({**self.settings, **more}), encoding="utf-8")  # JSON is YAML
        command = [
            sys.executable,
            "-m",
            "hub",
            "adapter",
            "run",
            "shanghai",
            "--settings",
            str(self._file),
            "--source",
            str(ADAPTER.samples),
        ]
        self._process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=_environment())
        self._lifeline = Lifeline(self._process.pid)
        return self._process

    def end(self) -> str:
        """Kill it where it still runs, and return what it said."""
        if self._process is None:
            return ""
        process, self._process = self._process, None
        if self._lifeline is not None:
            self._lifeline.disarm()
        if process.poll() is None:
            process.kill()
        return process.communicate(timeout=30)[1] if process.stderr and not process.stderr.closed else ""

    def look(self, what: Callable[[State], T]) -> T | None:
        """Read the memory while the process runs; None where it is not made yet."""
        try:
            with State(self.work / "state.db", read_only=True) as state:
                return what(state)
        except FileNotFoundError:
            return None

    def through(self) -> bool:
        """Say whether all is taken in, sent, answered and told, and the results are with the province."""
        return self.look(_through) or False

    def outcomes(self) -> set[str]:
        """Return the outcomes there are."""
        return self.look(lambda state: {outcome for _, _, outcome, _ in state.records.tally()}) or set()


def _through(state: State) -> bool:
    landed = state.deliveries.all()
    taken = len(landed) == FILES and all(each.told for each in landed)
    return taken and not state.queue.depth() and not any(map(state.records.unanswered, Phase)) and len(state.pushed()) == 5


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("DELTAHUB_")}


@pytest.fixture(scope="module")
def effects(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The commands of a province to which nothing happens, by request id."""
    bench = bench_of(ADAPTER, tmp_path_factory.mktemp("undisturbed"))
    assert bench.run().unanswered == 0
    return bench.hub.effects


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_killed_at_any_step_it_goes_on_with_one_effect_a_record(
    place: str, embedded_kafka: EmbeddedKafka, effects: dict[str, bytes], tmp_path: Path
) -> None:
    with exchange(embedded_kafka.bootstrap) as hub:
        process = Process(embedded_kafka.bootstrap, hub.prefix, tmp_path / "work")
        killed = process.start(failpoints={place: "kill"})
        try:
            said = killed.communicate(timeout=60)[1]
        finally:
            process.end()
        assert killed.returncode == -signal.SIGKILL, said
        process.start()
        try:
            wait_for(process.through, f"all to be through after {place}")
        finally:
            said = process.end()
        assert process.outcomes() == {"OK"}, said
        assert hub.hubs[DIVISION].effects == effects


def test_a_process_is_watched_is_alone_and_stops_when_told(embedded_kafka: EmbeddedKafka, tmp_path: Path) -> None:
    port = free_port()
    with exchange(embedded_kafka.bootstrap) as hub:
        process = Process(embedded_kafka.bootstrap, hub.prefix, tmp_path / "work", metrics_address=f"127.0.0.1:{port}")
        running = process.start()
        try:
            wait_for(process.through, "all to be through")
            ready = json.loads(_get(port, "readyz"))
            assert ready["ready"] and set(ready["loops"]) == {"province", "intake", "sending", "receiving"}
            assert _get(port, "healthz") == "alive\n"
            metrics = _get(port, "metrics")
            assert 'deltahub_adapter_records_total{kind="voucher",province="shanghai",verdict="sent"}' in metrics
            assert 'deltahub_adapter_queue_depth{province="shanghai"} 0.0' in metrics
            assert 'deltahub_adapter_loop_up{loop="sending",province="shanghai"} 1.0' in metrics
            second = subprocess.run(_command("run", process, "--source", str(ADAPTER.samples), "--once"), **_captured())
            assert second.returncode == 2
            assert f"in use by process {running.pid}" in second.stderr
            status = subprocess.run([*_command("status", process), "--json"], **_captured())
            found = json.loads(status.stdout)
            assert status.returncode == 1  # the samples hold rows for the quarantine
            assert found["running"] and found["queue"] == 0 and all(loop["up"] for loop in found["loops"])
            assert found["attention"] == [f"{sum(found['quarantined'].values())} rows in quarantine"]
            running.send_signal(signal.SIGTERM)
            assert running.wait(30) == 0
        finally:
            process.end()
        table = subprocess.run(_command("status", process), **_captured())
        assert "not running 未运行" in table.stdout and "accepted 受理" in table.stdout


def test_it_works_through_the_absence_of_kafka(private_kafka: Broker, effects: dict[str, bytes], tmp_path: Path) -> None:
    bootstrap = private_kafka.bootstrap
    private_kafka.kill()
    process = Process(bootstrap, "yrd", tmp_path / "work", backoff_seconds_max=1.0)
    running = process.start()
    try:
        wait_for(lambda: (process.look(lambda state: state.queue.depth()) or 0) > 300, "all to be queued while there is no broker")
        private_kafka.start()
        with exchange(private_kafka.bootstrap, "yrd") as hub:
            wait_for(process.through, "all to be through once there is a broker")
        assert running.poll() is None
        assert hub.hubs[DIVISION].effects == effects
    finally:
        process.end()


def _get(port: int, page: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=10) as response:
        return str(response.read().decode())


def _command(name: str, process: Process, *more: str) -> list[str]:
    return [sys.executable, "-m", "hub", "adapter", name, "shanghai", "--settings", str(process._file), *more]


def _captured() -> dict[str, Any]:
    return {"capture_output": True, "text": True, "timeout": 60, "env": _environment()}
