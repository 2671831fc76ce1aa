"""What the exchange tells Prometheus. Made once at start, not at import, so that tests and processes keep their own registries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge


class RelayMetrics:
    """Metrics of the outbox relay."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.published = Counter("deltahub_relay_published", "Outbox rows acknowledged by Kafka", registry=registry)
        self.failures = Counter("deltahub_relay_failures", "Failed attempts to publish", ["part"], registry=registry)
        self.pending = Gauge("deltahub_relay_pending", "Outbox rows not yet published", registry=registry)
        self.oldest_age = Gauge("deltahub_relay_oldest_age_seconds", "Age of the oldest unpublished outbox row", registry=registry)
        self.active = Gauge("deltahub_relay_active", "1 while this relay holds the lock, 0 while it stands by", registry=registry)
        self.dead_letters = Gauge(
            "deltahub_dead_letters_open",
            "Dead letters nobody has retried or discarded; told by the active relay",
            ["division"],
            registry=registry,
        )


class ConsumerMetrics:
    """Metrics of the inbound consumer. `outcome` is handled, duplicate, dead or deferred."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self.records = Counter("deltahub_consumer_records", "Inbound records by what became of them", ["outcome"], registry=registry)
        self.failures = Counter("deltahub_consumer_failures", "Failures of Kafka or of the database", ["part"], registry=registry)
        self.dead_letters = Counter(
            "deltahub_consumer_dead_letters", "Records that cannot be handled, by reason", ["code"], registry=registry
        )
        self.lag = Gauge(
            "deltahub_consumer_lag", "Records of this member's partitions not yet handled", ["topic", "partition"], registry=registry
        )
        self.age = Gauge(
            "deltahub_consumer_age_seconds",
            "Time from the writing of the oldest record in hand to its handling; 0 while none waits",
            registry=registry,
        )

    def observe_lag(self, kafka: Any, assigned: Iterable[Any]) -> None:
        """Tell how far a kafka-python consumer is behind in each of its partitions."""
        # Partitions that went to another member are its to tell.
        self.lag.clear()
        for partition in assigned:
            state = kafka._subscription.assignment.get(partition)
            # Asking the client for the position would wait for one where there is none yet.
            if state is not None and state.has_valid_position and state.highwater is not None:
                lag = max(state.highwater - state.position.offset, 0)
                self.lag.labels(partition.topic, str(partition.partition)).set(lag)
