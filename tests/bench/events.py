"""From the commit to Kafka: how long until an event can be read, at 1,000 a second."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from datetime import datetime
from typing import Any

import psycopg
from kafka import KafkaConsumer, TopicPartition

from hub.embedded import Lifeline
from hub.messaging.topics import out_topic
from tests.bench.load import closed_loop, offered
from tests.bench.population import ACQUIRER, Population
from tests.bench.rig import Rig, running_relay, tell
from tests.bench.table import Row
from tests.bench.wire import Requests, open_wire

RATE = 1_000
_BATCH = 50
_WARM_BATCHES = 4
P99_SECONDS_GOAL = 1.0
_DRAIN_SECONDS_MAX = 60.0
_QUIET_SECONDS = 3.0


async def events(rig: Rig, people: Population, seconds: float) -> Row:
    """Authorize 1,000 a second in small batches, and measure each event from its decision, before the commit, until it is read."""
    tell(f"commit to Kafka, {RATE:,}/s offered in batches of {_BATCH}")
    wanted = int(seconds * RATE)
    payloads = Requests(people, seed=5).batches(wanted // _BATCH + _WARM_BATCHES, _BATCH)
    with running_relay(rig) as relay:
        async with open_wire(rig.hub) as wire:
            send = wire.method("BatchAuthorize")
            # The outbox of the rows before must be empty, or their events would be waited for.
            await asyncio.to_thread(_drain, rig)
            reader = _Reader(out_topic(rig.hub.prefix, ACQUIRER), rig.broker.bootstrap)
            try:
                await asyncio.to_thread(reader.wait_ready)
                await closed_loop(send, payloads[:_WARM_BATCHES], 60.0, 1)
                meter, since = rig.meter(relay), time.time()
                load = await offered(send, payloads[_WARM_BATCHES:], RATE / _BATCH)
                await asyncio.to_thread(_drain, rig)
                used = meter.per_item_us(load.answered * _BATCH)
            finally:
                seen = await asyncio.to_thread(reader.stop)
    # What was decided before is from other rows, however late it came.
    return _row(sorted(delay for decided, delay in seen if decided >= since), load.answered * _BATCH, used)


def _row(delays: list[float], sent: int, used: dict[str, float]) -> Row:
    name = f"commit to event readable in Kafka, {RATE:,}/s offered"
    if not delays:
        return Row(name, "no event came", cpu_us=used)
    p50, p99 = delays[len(delays) // 2], delays[min(int(len(delays) * 0.99), len(delays) - 1)]
    return Row(
        name,
        f"p50 {p50 * 1000:,.0f} ms, p99 {p99 * 1000:,.0f} ms ({len(delays):,} events of {sent:,} authorizations)",
        goal=f"p99 < {P99_SECONDS_GOAL:.0f} s",
        reached=p99 < P99_SECONDS_GOAL,
        cpu_us=used,
        values={"p50_ms": p50 * 1000, "p99_ms": p99 * 1000, "events": len(delays), "authorizations": sent},
    )


def _drain(rig: Rig) -> None:
    deadline = time.monotonic() + _DRAIN_SECONDS_MAX
    with psycopg.connect(rig.url, autocommit=True) as connection:
        while time.monotonic() < deadline:
            row = connection.execute("SELECT EXISTS (SELECT FROM outbox WHERE published_at IS NULL)").fetchone()
            if row is not None and not row[0]:
                return
            time.sleep(0.05)
    tell("the relay did not catch up")


class _Reader:
    """A consumer in a process of its own, so that reading does not delay sending."""

    def __init__(self, topic: str, bootstrap: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.events", json.dumps([topic, bootstrap])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lifeline = Lifeline(self._process.pid)

    def wait_ready(self) -> None:
        """Wait until it stands at the end of the topic."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "ready"

    def stop(self) -> list[tuple[float, float]]:
        """Return for each event when it was decided (Unix seconds) and how many seconds later it was read."""
        text, _ = self._process.communicate()
        self._lifeline.disarm()
        return [(decided, delay) for decided, delay in json.loads(text or "[]")]


def _read(topic: str, bootstrap: str) -> None:
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, fetch_max_wait_ms=20)
    consumer.assign([TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())])
    consumer.seek_to_end()
    consumer.poll(timeout_ms=0)
    for partition in consumer.assignment():
        # Seeking is lazy: asking for the position makes it happen now.
        consumer.position(partition)
    ended = threading.Event()

    def watch() -> None:
        # Whoever started this process closes its input when all is sent.
        sys.stdin.read()
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    print("ready", flush=True)
    seen: list[tuple[float, Any]] = []
    last = time.monotonic()
    while not (ended.is_set() and time.monotonic() - last > _QUIET_SECONDS):
        for records in consumer.poll(timeout_ms=50).values():
            last, now = time.monotonic(), time.time()
            seen.extend((now, record.headers) for record in records)
    decided = [datetime.fromisoformat(dict(headers)["ce_time"].decode()).timestamp() for _, headers in seen]
    print(json.dumps([(at, now - at) for at, (now, _) in zip(decided, seen, strict=True)]))


if __name__ == "__main__":
    _read(*json.loads(sys.argv[1]))
