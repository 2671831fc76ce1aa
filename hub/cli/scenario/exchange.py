"""Events read back from Kafka, as every province would read them from its own topic."""

from __future__ import annotations

import time
from collections.abc import Iterator, Set
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from hub.messaging.cloudevents import decode
from yrd.clearing.v1 import clearing_pb2
from yrd.events.v1 import events_pb2

_REDEMPTION_CHANGED = events_pb2.RedemptionChanged.DESCRIPTOR.full_name
_POLL_MS = 100


@dataclass(frozen=True, slots=True)
class Told:
    """One event that a province was told, in order of delivery within its key. `redemption` where the event is about one."""

    division: str
    id: str
    key: bytes
    redemption: clearing_pb2.Redemption | None

    @property
    def sequence(self) -> int:
        """Place of the event in the hub's outbox."""
        return int(self.id)


def read_back(bootstrap: str, prefix: str, ids: Set[str], seconds_max: float) -> list[Told]:
    """Read all out-topics from their beginning until all events of `ids` have come, or time is up. Blocks.

    The events themselves tell when all is read: an embedded broker does not count its records right.
    """
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest", fetch_max_wait_ms=_POLL_MS
    )
    try:
        topics = [topic for topic in consumer.topics() if topic.startswith(f"{prefix}.") and topic.endswith(".out.v1")]
        consumer.assign([TopicPartition(topic, part) for topic in topics for part in sorted(consumer.partitions_for_topic(topic) or ())])
        told: list[Told] = []
        missing = set(ids)
        deadline = time.monotonic() + seconds_max
        while missing and topics and time.monotonic() < deadline:
            for event in _poll(consumer, prefix):
                told.append(event)
                missing.discard(event.id)
        return told
    finally:
        consumer.close(autocommit=False)


def _poll(consumer: Any, prefix: str) -> Iterator[Told]:
    for partition, records in consumer.poll(timeout_ms=_POLL_MS).items():
        division = partition.topic.removeprefix(f"{prefix}.").partition(".")[0]
        for record in records:
            event = decode(record)
            redemption = events_pb2.RedemptionChanged.FromString(event.data).redemption if event.type == _REDEMPTION_CHANGED else None
            yield Told(division, event.id, record.key or b"", redemption)
