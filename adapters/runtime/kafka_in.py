"""Events from the hub: the out-topic read from the adapter's own positions, each event kept once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from adapters.runtime.kafka_out import KafkaConfig


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
        self._anchors: dict[TopicPartition, tuple[int, str]] = {}
        self._consumer = KafkaConsumer(
            bootstrap_servers=bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            fetch_max_wait_ms=100,
            **dict(config),
        )
        try:
            parts = [TopicPartition(topic, part) for part in self._partitions(topic, timeout_s)]
            self._consumer.assign(parts)
            ends = self._consumer.end_offsets(parts)
            for part in parts:
                self._seek(part, positions.position(topic, part.partition), ends[part])
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

    def _seek(self, part: TopicPartition, known: tuple[int, str] | None, end: int) -> None:
        """Go on where reading stopped: at the last record read, which must still be there. See `_same_log`."""
        if known is None or known[0] == 0 or known[0] > end:
            self._consumer.seek_to_beginning(part)
        else:
            self._consumer.seek(part, known[0] - 1)
            self._anchors[part] = (known[0] - 1, known[1])

    def _same_log(self, part: TopicPartition, records: list[Incoming]) -> list[Incoming]:
        """Return what is new of the first records of a partition.

        A broker that keeps nothing (the embedded one) starts its offsets over when it restarts. If another event stands where the last
        one was read, it is another log: it is read from its start, and what was seen before is dropped by its id.
        """
        offset, event_id = self._anchors.pop(part)
        if records[0].offset > offset:
            return records  # retention has taken the old record away
        if records[0].event_id == event_id:
            return records[1:]
        self._consumer.seek_to_beginning(part)
        return []

    def poll(self, timeout_ms: int) -> Sequence[Incoming]:
        """Return what has arrived."""
        try:
            batches = self._consumer.poll(timeout_ms=timeout_ms)
        except KafkaError as error:
            raise ConnectionError(str(error)) from error
        arrived: list[Incoming] = []
        for part, polled in batches.items():
            records = [_incoming(record) for record in polled]
            arrived += self._same_log(part, records) if part in self._anchors else records
        return arrived

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()


def _incoming(record: Any) -> Incoming:
    """Return a record of the client library as a plain one."""
    headers = {name: (value or b"").decode() for name, value in record.headers}
    return Incoming(record.topic, record.partition, record.offset, headers, record.value or b"")
