"""`make bench-adapters`: native records into Kafka, step by step, with the machine's own ceilings beside them, measured in one run."""

from __future__ import annotations

import argparse
import os
import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from adapters.runtime.command import open_engine
from adapters.runtime.commands import AUTHORIZE
from adapters.runtime.engine import Ends, Engine, Limits
from adapters.runtime.folder import FolderSource
from adapters.runtime.identity import digest_of
from adapters.runtime.kafka_in import Incoming
from adapters.runtime.kafka_out import KafkaOut, Outgoing
from adapters.runtime.model import Adapter, Broken, Kind
from adapters.runtime.reading import records_in
from adapters.runtime.receiving import OUTCOME
from adapters.runtime.registry import find_adapter
from hub.embedded import EmbeddedKafka
from tests.bench.days.files import lay_out
from tests.bench.days.world import make_day
from tests.bench.processes import cpu_seconds
from tests.bench.rig import tell
from tests.bench.table import Row, print_json, print_table
from tests.fixtures import apache_kafka
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.events.v1 import events_pb2 as events

GOAL = 5_000
_FORMATS = {"shanghai": "JSON pages", "jiangsu": "CSV, GB18030", "zhejiang": "JSON Lines", "anhui": "XLSX"}
_PARTITIONS = 6
# A day of records fits: what is measured is the way to Kafka, not a queue that waits for it.
_LIMITS = Limits(queue_limit=100_000, gate_seconds=0.0)


class Timed:
    """How long something took, on the clock and in processor time of this process."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), cpu_seconds(os.getpid())
        self.seconds = self.cpu = 0.0

    def stop(self) -> Timed:
        self.seconds, self.cpu = time.perf_counter() - self._wall, cpu_seconds(os.getpid()) - self._cpu
        return self


def row(name: str, items: int, legs: Sequence[Timed], *, unit: str = "records", goal: int = 0) -> Row:
    """Return a line of the table for what one or several legs took."""
    rate, used = items / sum(leg.seconds for leg in legs), sum(leg.cpu for leg in legs) * 1e6 / items
    text = f"{rate:,.0f} {unit}/s, {used:,.0f} µs of processor each"
    return Row(name, text, f"{goal:,}/s" if goal else "", rate >= goal if goal else None, values={"per_s": rate, "cpu_us": used})


class Silence:
    """A hub that says only what it was given."""

    def __init__(self) -> None:
        self.waiting: list[Incoming] = []

    def poll(self, timeout_ms: int) -> Sequence[Incoming]:
        told, self.waiting = self.waiting[:500], self.waiting[500:]
        return told

    def close(self) -> None:
        """Nothing to let go of."""


class Nowhere:
    """A broker that takes nothing, for steps that end before it."""

    def send(self, command: Outgoing) -> None:
        raise ConnectionError("not connected")

    def flush(self) -> None:
        """Nothing to wait for."""

    def close(self) -> None:
        """Nothing to let go of."""


@contextmanager
def engine_of(adapter: Adapter, files: Path, work: Path, outbound: Callable[[], Any], hub: Silence) -> Iterator[Engine]:
    """Open an engine whose source has all but the captures, and land them."""
    early = lambda name: Kind.CAPTURE not in adapter.kinds(name)  # noqa: E731
    ends = Ends(outbound, lambda _state: hub)
    with open_engine(adapter, ends, work, connect=lambda _: FolderSource(files, early), limits=_LIMITS) as engine:
        engine.bring()
        yield engine


def read_and_map(adapter: Adapter, files: Path) -> tuple[int, Timed]:
    """Read, map, digest and serialise every record of the files."""
    timed, count = Timed(), 0
    for path in sorted(path for path in files.rglob("*") if path.is_file()):
        for item in records_in(adapter, path, path.relative_to(files).as_posix()):
            count += 1
            if not isinstance(item, Broken):
                digest_of(item[0], adapter.dropped)
                mapped = adapter.map(item[0])
                if not isinstance(mapped, Broken):
                    mapped.request.SerializeToString(deterministic=True)
    return count, timed.stop()


def into_queue(adapter: Adapter, files: Path, work: Path) -> tuple[int, Timed]:
    """Take everything that has landed into the queue on disk."""
    with engine_of(adapter, files, work, Nowhere, Silence()) as engine:
        timed = Timed()
        while engine.intake.step():
            pass
        return sum(engine.intake.counted.values()), timed.stop()


def into_kafka(adapter: Adapter, files: Path, work: Path, bootstrap: str) -> tuple[int, list[Timed]]:
    """Bring a day to the broker: all but the captures; then, their orders answered meanwhile, the captures. Both at once read and sent."""
    topic, hub = f"bench-{uuid.uuid4().hex[:8]}", Silence()
    make_topic(bootstrap, topic)
    with engine_of(adapter, files, work, lambda: KafkaOut(bootstrap, topic, {}), hub) as engine:
        engine.sender.probe()
        legs = [_both(engine)]
        _answer(engine, hub)
        engine.province.source = FolderSource(files, adapter.kinds)
        engine.bring()
        legs.append(_both(engine))
        left = engine.state.queue.depth()
        if left:
            raise RuntimeError(f"{left} commands did not leave")
        return sum(engine.intake.counted.values()), legs


def _both(engine: Engine) -> Timed:
    """Take in on one thread and send on another, until nothing is left."""
    read = threading.Event()

    def take() -> None:
        while engine.intake.step():
            pass
        read.set()

    timed = Timed()
    thread = threading.Thread(target=take)
    thread.start()
    while not (read.is_set() and not engine.state.queue.depth()):
        if not engine.sender.step():
            time.sleep(0.01)
    thread.join()
    return timed.stop()


def _answer(engine: Engine, hub: Silence) -> None:
    """Have every authorization granted, as the hub would tell it."""
    rows = engine.state.db.all("SELECT request_id, source FROM sent WHERE method = ?", (AUTHORIZE,))
    for at, (request_id, source) in enumerate(rows):
        redemption = clearing.Redemption(redemption_id=str(uuid.uuid4()), state=clearing.REDEMPTION_STATE_AUTHORIZED)
        response = clearing.AuthorizeResponse(redemption=redemption).SerializeToString()
        outcome = events.CommandOutcome(request_id=request_id, method=AUTHORIZE, source_id=source, response=response)
        headers = {"ce_id": str(at + 1), "ce_source": "//hub.bench", "ce_type": OUTCOME}
        hub.waiting.append(Incoming("out", 0, at, headers, outcome.SerializeToString()))
    while engine.receiver.step(0):
        pass


def make_topic(bootstrap: str, topic: str) -> None:
    """Make a topic as the hub would."""
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        admin.create_topics([NewTopic(topic, _PARTITIONS, 1)])
    finally:
        admin.close()


def bare_producer(bootstrap: str, count: int) -> Timed:
    """Send messages as large as commands are, with the same settings and nothing else."""
    topic = f"bare-{uuid.uuid4().hex[:8]}"
    make_topic(bootstrap, topic)
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True, linger_ms=5)
    names = ("ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type")
    headers = [(name, b"x" * 30) for name in names]
    keys = [f"91330522MA2B{at:06d}".encode() for at in range(5_000)]
    try:
        producer.partitions_for(topic)
        timed = Timed()
        sent = [producer.send(topic, value=b"x" * 180, key=keys[at % len(keys)], headers=headers) for at in range(count)]
        producer.flush(timeout=60)
        for each in sent:
            each.get(timeout=60)
        return timed.stop()
    finally:
        producer.close()


def bare_insert(folder: Path, count: int) -> Timed:
    """Insert rows of the size of a record and its command, 500 a transaction, with the settings of the adapter's memory."""
    db = sqlite3.connect(folder / "bare.db", isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")
    db.execute("CREATE TABLE bare (kind TEXT, native_id TEXT, body BLOB, PRIMARY KEY (kind, native_id)) STRICT")
    timed = Timed()
    for start in range(0, count, 500):
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO bare VALUES ('record', ?, ?)", [(str(at), b"x" * 600) for at in range(start, min(count, start + 500))])
        db.execute("COMMIT")
    timed.stop()
    db.close()
    return timed


def measure(province: str, records: int, brokers: dict[str, str], folder: Path) -> list[Row]:
    """Return the lines of a province."""
    adapter = find_adapter(province)
    tell(f"{province}: making {records:,} records")
    day = make_day(adapter.division, records)
    files = lay_out(day, adapter.division, 1, folder / province / "files")
    name = f"{province} ({_FORMATS[province]})"
    tell(f"{province}: read and map")
    count, timed = read_and_map(adapter, files)
    rows = [row(f"{name}: read and map", count, [timed])]
    tell(f"{province}: into the queue")
    count, timed = into_queue(adapter, files, folder / province / "queue")
    rows.append(row(f"{name}: into the queue on disk", count, [timed]))
    for broker, bootstrap in brokers.items():
        tell(f"{province}: into {broker}")
        count, legs = into_kafka(adapter, files, folder / province / broker.replace(" ", "-"), bootstrap)
        rows.append(row(f"{name}: file to {broker}", count, legs, goal=GOAL if province in ("jiangsu", "zhejiang") else 0))
    return rows


def main() -> None:
    """Run the benchmark and print the table."""
    parser = argparse.ArgumentParser(prog="make bench-adapters", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="native records of the day")
    parser.add_argument("--provinces", default="jiangsu,zhejiang", help=f"of {','.join(_FORMATS)}")
    parser.add_argument("--embedded-only", action="store_true", help="leave Apache Kafka out even where a JDK and Maven are present")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead of the table")
    options = parser.parse_args()
    apache = apache_kafka.ApacheKafka().start() if apache_kafka.available() and not options.embedded_only else None
    try:
        with tempfile.TemporaryDirectory(prefix="yrd-bench-adapters-") as directory, EmbeddedKafka() as embedded:
            brokers = {"embedded Kafka": embedded.bootstrap} | ({"Apache Kafka 4": apache.bootstrap} if apache else {})
            folder, many = Path(directory), options.records // 4
            rows = [
                row(f"ceiling: bare producer, {name}", many, [bare_producer(at, many)], unit="messages") for name, at in brokers.items()
            ]
            rows.append(row("ceiling: bare SQLite insert, 500 a transaction", many, [bare_insert(folder, many)], unit="rows"))
            for province in options.provinces.split(","):
                rows += measure(province, options.records, brokers, folder)
    finally:
        if apache:
            apache.stop()
    (print_json if options.json else print_table)(rows)


if __name__ == "__main__":
    main()
