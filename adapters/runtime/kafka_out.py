"""Commands to the hub: an idempotent producer on `<prefix>.<division>.in.v1`, CloudEvents in binary mode."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

from kafka import KafkaProducer
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2

from adapters.runtime.kafka_open import known_to, opened

KafkaConfig = Mapping[str, str | int]
"""Further kafka-python client settings (SASL, TLS)."""

_CONFIG: Mapping[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    "linger_ms": 5,
    # A batch of the sender's is a few hundred commands a partition: one request each rather than ten.
    "batch_size": 256 * 1024,
    "allow_auto_create_topics": False,
    "bootstrap_timeout_ms": 10_000,
}


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A command ready to leave."""

    key: str
    value: bytes
    headers: Mapping[str, str]


class Outbound(Protocol):
    """Where commands go."""

    def send(self, command: Outgoing) -> None:
        """Hand over a command; it may wait in a buffer."""
        ...

    def flush(self) -> None:
        """Return when the broker has all that was handed over; raise ConnectionError otherwise."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class KafkaOut:
    """The producer. `acks=all` and idempotence: what `flush` returns from is on the broker, once and in order per key."""

    def __init__(self, bootstrap: str, topic: str, config: KafkaConfig, *, timeout_s: float = 60.0) -> None:
        self._topic, self._timeout_s = topic, timeout_s
        self._pending: list[Any] = []
        self._partitions: list[int] = []
        try:
            self._producer = opened(KafkaProducer, bootstrap_servers=bootstrap, **{**_CONFIG, **known_to(KafkaProducer, config)})
        except KafkaError as error:
            raise ConnectionError(f"{bootstrap}: {error}") from error

    def send(self, command: Outgoing) -> None:
        """Hand a command to the producer's buffer."""
        headers = [(name, value.encode()) for name, value in command.headers.items()]
        key = command.key.encode()
        try:
            partition = self._partition(key)
            self._pending.append(self._producer.send(self._topic, value=command.value, key=key, headers=headers, partition=partition))
        except KafkaError as error:
            raise ConnectionError(f"{self._topic}: {error}") from error

    def _partition(self, key: bytes) -> int:
        """Return the partition that the client library would choose; a sixth of a send, and firms come again and again."""
        if not self._partitions:
            self._partitions = sorted(self._producer.partitions_for(self._topic))
        return int(self._partitions[_hash(key) % len(self._partitions)])

    def flush(self) -> None:
        """Wait for every acknowledgement."""
        pending, self._pending = self._pending, []
        try:
            self._producer.flush(timeout=self._timeout_s)
            for future in pending:
                if not future.succeeded():
                    future.get(timeout=self._timeout_s)
        except KafkaError as error:
            raise ConnectionError(f"{self._topic}: {error}") from error

    def close(self) -> None:
        """Close the producer."""
        self._producer.close(timeout=5)


@lru_cache(maxsize=65_536)
def _hash(key: bytes) -> int:
    return int(murmur2(key)) & 0x7FFFFFFF
