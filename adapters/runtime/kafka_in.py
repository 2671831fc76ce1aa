"""Events from the hub: the out-topic read from the adapter's own positions, each event kept once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from adapters.runtime.kafka_open import known_to, opened
from adapters.runtime.kafka_out import KafkaConfig

_CONFIG: Mapping[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "allow_auto_create_topics": False,
    "fetch_max_wait_ms": 100,
    "bootstrap_timeout_ms": 10_000,
}
_PROBE_S = 3.0
"""How long the last record read is waited for before its partition is read again from the start."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """A record of the out-topic."""

    topic: str
    partition: int
    offset: int
    headers: Mapping[str, str]
    value: bytes

    @property
    def event_id(self) -> str:
        """What makes the event unique: CloudEvents ids are unique within their source."""
        return f"{self.headers.get('ce_source', '')}#{self.headers.get('ce_id', '')}"

    @property
    def event_type(self) -> str:
        """Full name of the message in the value."""
        return self.headers.get("ce_type", "")


class Positions(Protocol):
    """Where reading goes on."""

    def position(self, topic: str, part: int) -> tuple[int, str] | None:
        """Return the next offset and the id of the event before it, or None."""
        ...


class Inbound(Protocol):
    """Where events come from."""

    def poll(self, timeout_ms: int) -> Sequence[Incoming]:
        """Return what has arrived, waiting at most this long; raise ConnectionError if the broker cannot be read."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class KafkaIn:
    """The consumer. It assigns itself all partitions: one adapter reads its province's topic, and positions live with what was read."""

    def __init__(self, bootstrap: str, topic: str, config: KafkaConfig, positions: Positions, *, timeout_s: float = 60.0) -> None:
        self._early: list[Incoming] = []
        try:
            self._consumer = opened(KafkaConsumer, bootstrap_servers=bootstrap, **{**_CONFIG, **known_to(KafkaConsumer, config)})
        except KafkaError as error:
            raise ConnectionError(f"{bootstrap}: {error}") from error
        try:
            parts = [TopicPartition(topic, part) for part in self._partitions(topic, timeout_s)]
            self._consumer.assign(parts)
            self._resume(parts, positions)
        except KafkaError as error:
            self._consumer.close()
            raise ConnectionError(f"{topic}: {error}") from error
        except BaseException:
            self._consumer.close()
            raise

    def _partitions(self, topic: str, timeout_s: float) -> list[int]:
        """Return the partitions of the topic; wait for the hub to make it, and say so if it does not."""
        deadline = time.monotonic() + timeout_s
        while True:
            found = self._consumer.partitions_for_topic(topic)
            if found:
                return sorted(found)
            if time.monotonic() > deadline:
                raise ConnectionError(f"topic {topic} does not exist; the hub makes it when it starts")
            self._consumer.poll(timeout_ms=200)
            time.sleep(0.2)

    def _resume(self, parts: Sequence[TopicPartition], positions: Positions) -> None:
        """Go on where reading stopped, after looking whether the last record read is still there.

        A broker that keeps nothing (the embedded one) starts its offsets over when it restarts, and neither reports an offset it does
        not have nor counts its end right. So the record itself is the proof: where it does not come, or is another event, the partition
        is read from its start, and what was seen before is dropped by its id.
        """
        anchors: dict[TopicPartition, tuple[int, str]] = {}
        for part in parts:
            known = positions.position(part.topic, part.partition)
            if known is None:
                self._consumer.seek_to_beginning(part)
            else:
                self._consumer.seek(part, known[0] - 1)
                anchors[part] = (known[0] - 1, known[1])
        deadline = time.monotonic() + _PROBE_S
        while anchors and time.monotonic() < deadline:
            for part, records in self._poll(100).items():
                self._early += self._after(part, records, *anchors.pop(part)) if part in anchors else records
        for part in anchors:
            self._consumer.seek_to_beginning(part)

    def _after(self, part: TopicPartition, records: list[Incoming], offset: int, event_id: str) -> list[Incoming]:
        """Return what follows the last record read; nothing, and a new start, if another event stands in its place."""
        if records[0].offset > offset:
            return records  # retention has taken the old record away
        if records[0].event_id == event_id:
            return records[1:]
        self._consumer.seek_to_beginning(part)
        return []

    def poll(self, timeout_ms: int) -> Sequence[Incoming]:
        """Return what has arrived."""
        early, self._early = self._early, []
        if early:
            return early
        return [record for records in self._poll(timeout_ms).values() for record in records]

    def _poll(self, timeout_ms: int) -> dict[TopicPartition, list[Incoming]]:
        try:
            polled = self._consumer.poll(timeout_ms=timeout_ms)
        except KafkaError as error:
            raise ConnectionError(str(error)) from error
        return {part: [_incoming(record) for record in records] for part, records in polled.items() if records}

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()


def _incoming(record: Any) -> Incoming:
    """Return a record of the client library as a plain one."""
    headers = {name: (value or b"").decode() for name, value in record.headers}
    return Incoming(record.topic, record.partition, record.offset, headers, record.value or b"")
