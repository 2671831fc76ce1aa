"""Events from the hub: the out-topic read from the adapter's own positions, each event kept once."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

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

    def position(self, topic: str, part: int) -> int | None:
        """Return the next offset, or None."""
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

    def _seek(self, part: TopicPartition, known: int | None, end: int) -> None:
        """Go on where reading stopped. A broker that holds less than was read has lost its past: read what it has from the start."""
        if known is None or known > end:
            self._consumer.seek_to_beginning(part)
        else:
            self._consumer.seek(part, known)

    def poll(self, timeout_ms: int) -> Sequence[Incoming]:
        """Return what has arrived."""
        try:
            batches = self._consumer.poll(timeout_ms=timeout_ms)
        except KafkaError as error:
            raise ConnectionError(str(error)) from error
        return [
            Incoming(
                record.topic,
                record.partition,
                record.offset,
                {name: value.decode() for name, value in record.headers},
                record.value,
            )
            for records in batches.values()
            for record in records
        ]

    def close(self) -> None:
        """Close the consumer."""
        self._consumer.close()
