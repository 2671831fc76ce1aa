"""`make adapter-day PROVINCE=zhejiang N=100000`: a province's day through everything there is, and both its ends reconciled to the record.

PostgreSQL, Kafka, a hub with all roles, the adapter as its own process (`deltahub adapter run --once`), results out, then
`deltahub adapter reconcile` against the ledger over gRPC, and the auditor. The neighbours bring what the day's orders need.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from adapters.runtime.command import Broker, of_folder, open_engine, run_once
from adapters.runtime.model import Adapter
from adapters.runtime.registry import find_adapter, list_adapters
from hub.embedded import EmbeddedKafka, EmbeddedPostgres, Lifeline
from hub.ledger.audit import audit
from hub.ledger.migrate import migrate
from tests.bench.days.files import lay_out
from tests.bench.days.world import Day, make_day
from tests.bench.rig import tell
from tests.fixtures.hub import HubProcess

_QUIET_SECONDS_MAX = 600.0


@dataclass
class Played:
    """What came of a day. `seconds` are those of each step, `run` and `reconciled` what the two commands said."""

    province: str
    records: int
    seconds: dict[str, float] = field(default_factory=dict)
    run: dict[str, Any] = field(default_factory=dict)
    reconciled: dict[str, Any] = field(default_factory=dict)
    reconciled_code: int = -1
    audit_clean: bool = False
    audited: dict[str, int] = field(default_factory=dict)
    dirt: dict[str, int] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """True where both commands found nothing wrong."""
        return self.audit_clean and self.reconciled_code == 0


class ServingHub(HubProcess):
    """The roles that are called; relay and consumer run in processes of their own, as in production."""

    roles = ("hub", "web")


@contextmanager
def running(database_url: str, bootstrap: str, directory: Path, *, apart: bool) -> Iterator[HubProcess]:
    """Run a hub, in one process or with relay and consumer apart."""
    hub = (ServingHub if apart else HubProcess)(database_url, bootstrap, directory, {})
    with ExitStack() as stack:
        stack.callback(hub.kill)
        hub.start()
        for role in ("relay", "consumer") if apart else ():
            log = stack.enter_context((directory / f"{role}.log").open("ab"))
            command = [sys.executable, "-m", "hub", "serve", role]
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, env=hub.environment())
            stack.callback(process.wait)
            stack.callback(process.kill)
            stack.enter_context(Lifeline(process.pid))
        yield hub


class DayRun:
    """A day on its way through a running hub."""

    def __init__(self, day: Day, hub: HubProcess, directory: Path) -> None:
        self.day, self.hub, self.directory = day, hub, directory
        self.adapter = find_adapter(day.province)
        self.work = directory / "adapters"
        self.broker = Broker(hub.bootstrap, hub.prefix)
        self.deadline_s = max(120.0, day.sizes.n / 200)

    def neighbours(self) -> None:
        """Have every province's providers admitted, and then the neighbours' firms, notes and recognitions, all side by side."""
        adapters = list_adapters()
        with ThreadPoolExecutor(len(adapters)) as threads:
            list(threads.map(lambda adapter: self._bring(adapter, 0), adapters))
            list(threads.map(lambda adapter: self._bring(adapter, 1), [each for each in adapters if each.name != self.adapter.name]))

    def _bring(self, adapter: Adapter, at: int) -> None:
        folder = lay_out(self.day, adapter.division, at, self.directory / "files" / adapter.name / str(at))
        ends, source = self.broker.ends(adapter), of_folder(adapter, folder)
        with open_engine(adapter, ends, self.work / adapter.name, connect=source) as engine:
            report = run_once(engine, deadline_s=self.deadline_s)
        if report.unanswered or report.refused:
            raise RuntimeError(f"{adapter.name}, delivery {at}: {report.as_dict()}")

    def deliver(self, at: int) -> dict[str, Any]:
        """Bring a delivery of the day through the adapter's own process; return its report."""
        folder = self.directory / "files" / self.adapter.name / str(at)
        if not folder.exists():
            lay_out(self.day, self.adapter.division, at, folder)
        done = self.command("run", "--source", str(folder), "--once", "--deadline", str(self.deadline_s), "--json")
        if done.returncode == 2:
            raise RuntimeError(done.stderr)
        report: dict[str, Any] = json.loads(done.stdout)
        return report

    def drain(self) -> None:
        """Wait until all the hub has to tell is with Kafka, and have the results written from it."""
        deadline = time.monotonic() + _QUIET_SECONDS_MAX
        with psycopg.connect(self.hub.database_url, autocommit=True) as connection:
            while connection.execute("SELECT 1 FROM outbox WHERE published_at IS NULL LIMIT 1").fetchone():
                if time.monotonic() > deadline:
                    raise TimeoutError("the relay does not get to the end of the outbox")
                time.sleep(0.2)
        self.deliver(2)

    def reconcile(self, *more: str) -> subprocess.CompletedProcess[str]:
        """Reconcile against the ledger, under the province's own identity."""
        identity = self.hub.folder(self.adapter.division)
        where = ("--hub", self.hub.grpc_address, "--web", self.hub.web_address, "--identity", str(identity))
        return self.command("reconcile", *where, "--out", str(self.directory / "differences.csv"), *more)

    def command(self, name: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the adapter as an operator would."""
        command = [sys.executable, "-m", "hub", "adapter", name, self.adapter.name, *options, "--work", str(self.work / self.adapter.name)]
        return subprocess.run(command, env=self.hub.environment(), capture_output=True, text=True, check=False)


def play(province: str, n: int, database_url: str, bootstrap: str, directory: Path, *, seed: int = 1, apart: bool = False) -> Played:
    """Play a day of `n` native records of a province (by name) on a migrated database; `directory` takes all files.

    `apart` runs relay and consumer in processes of their own.
    """
    adapter = find_adapter(province)
    played = Played(adapter.name, n)
    clock = _Clock(played)
    tell(f"{province}: making {n:,} records")
    day = make_day(adapter.division, n, seed)
    played.dirt = dict(day.dirt)
    with running(database_url, bootstrap, directory, apart=apart) as hub:
        run = DayRun(day, hub, directory)
        clock.step("providers and neighbours", run.neighbours)
        clock.step("morning", lambda: run.deliver(1))
        played.run = clock.step("evening", lambda: run.deliver(2))
        clock.step("drain and results", run.drain)
        done = clock.step("reconcile", lambda: run.reconcile("--json"))
    played.reconciled_code = done.returncode
    if done.returncode == 2:
        raise RuntimeError(done.stderr)
    played.reconciled = json.loads(done.stdout)
    report = clock.step("audit", lambda: asyncio.run(audit(database_url)))
    played.audit_clean, played.audited = report.clean, dict(report.counts)
    return played


class _Clock:
    """Times the steps of a day."""

    def __init__(self, played: Played) -> None:
        self._played = played

    def step(self, name: str, work: Any) -> Any:
        tell(f"{self._played.province}: {name}")
        started = time.perf_counter()
        result = work()
        self._played.seconds[name] = time.perf_counter() - started
        return result


def main() -> None:
    """Play a day and print what came of it; exit 1 unless both ends are clean."""
    parser = argparse.ArgumentParser(prog="make adapter-day", description=__doc__)
    parser.add_argument("province", help="name of the adapter, such as zhejiang")
    parser.add_argument("n", type=int, help="native records of the day")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    # Ended from outside, it still has servers to end and files to remove.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="yrd-day-") as home, EmbeddedPostgres(Path(home) / "pg") as server, EmbeddedKafka() as broker:
        url = server.create_database("day")
        migrate(url)
        directory = Path(home) / "day"
        directory.mkdir()
        played = play(options.province, options.n, url, broker.bootstrap, directory, seed=options.seed, apart=True)
    print(json.dumps(played.reconciled | {"differences": played.reconciled["differences"][:20]}, ensure_ascii=False))
    print(json.dumps({"seconds": {name: round(value, 1) for name, value in played.seconds.items()}, "run": played.run}, ensure_ascii=False))
    rate = options.n / (played.seconds["morning"] + played.seconds["evening"])
    print(
        f"{rate:,.0f} native records/s from file to answered; audit {'clean' if played.audit_clean else 'NOT CLEAN'} over {played.audited}"
    )
    raise SystemExit(0 if played.clean else 1)


if __name__ == "__main__":
    main()
