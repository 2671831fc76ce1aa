"""Outbox to Kafka: every committed outbox row reaches Kafka at least once, in order per key (design property 8).

One relay at a time is active, by a session lock of PostgreSQL; the others stand by and take over when its session ends. A row is marked
published only after all in-sync replicas have it. A crash between the two sends it again: consumers know the event by its `ce_id`, which
is the row's sequence number. Rows are sent in sequence order, none before a lower one that may still be committed (`outbox.py`), which
keeps each key in order. A row that cannot be sent is never skipped: everything behind it waits.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from hub.domain.clock import Clock, SystemClock
from hub.failpoints import failpoint
from hub.messaging import deadletters
from hub.messaging.admin import ensure_topics
from hub.messaging.cloudevents import CloudEvent, encode
from hub.messaging.metrics import RelayMetrics
from hub.messaging.outbox import Outbox, OutboxRow
from hub.messaging.producing import Message, OrderedProducer
from hub.messaging.schemas import IncompatibleSchema, SchemaRegistry
from hub.messaging.topics import TopicPlan, physical

log = logging.getLogger(__name__)

_COUNT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class RelayLimits:
    """Bounds of the relay. Times are seconds."""

    batch_rows_max: int = 500
    poll_seconds: float = 0.25
    stall_seconds: float = 20.0
    """How long a batch may wait for its acknowledgements before the producer is replaced and the batch sent again."""
    backoff_seconds_min: float = 0.1
    backoff_seconds_max: float = 5.0


class Relay:
    """Publishes the outbox. `run` blocks its thread until stopped; an object is for one thread, except `pending` and `active`.

    `source` becomes `ce_source`, such as `//hub.yrd/ledger`. `client_config` are further kafka-python settings (SASL, TLS). With `plan`
    the topics are made at every connection to Kafka; leave it out where the broker's operator makes them. With `schemas` nothing is
    published that the topic's consumers could not read: it waits, and everything behind it, as with any row that cannot be sent.
    """

    def __init__(
        self,
        *,
        dsn: str,
        bootstrap: str,
        prefix: str,
        source: str,
        client_config: Mapping[str, Any] | None = None,
        plan: TopicPlan | None = None,
        clock: Clock | None = None,
        metrics: RelayMetrics | None = None,
        limits: RelayLimits | None = None,
        schemas: SchemaRegistry | None = None,
    ) -> None:
        self._dsn = dsn
        self._bootstrap = bootstrap
        self._client_config = dict(client_config or {})
        self._prefix = prefix
        self._source = source
        self._plan = plan
        self._clock = clock or SystemClock()
        self._metrics = metrics
        self._limits = limits or RelayLimits()
        self._schemas = schemas
        self._stop = threading.Event()
        self._outbox: Outbox | None = None
        self._producer: OrderedProducer | None = None
        self._batch_rows = self._limits.batch_rows_max
        self._count_due = 0.0
        self._dead_letters_of: set[str] = set()

    @property
    def active(self) -> bool:
        """True while this relay holds the lock."""
        outbox = self._outbox
        return outbox is not None and outbox.locked

    def run(self, stop: threading.Event) -> None:
        """Publish until `stop` is set, through any outage of Kafka or PostgreSQL; return within about a second of it.

        While no broker answers it may take `bootstrap_timeout_ms` of the client settings, by default five seconds.
        """
        self._stop = stop
        backoff = self._limits.backoff_seconds_min
        try:
            while not stop.is_set():
                try:
                    published = self.run_once()
                    backoff = self._limits.backoff_seconds_min
                    if published == 0:
                        self._wait_for_rows()
                except Exception as error:
                    # Nothing may end the relay but `stop`: an unknown failure is retried like an outage, in order, and seen in the log.
                    if stop.is_set():
                        break
                    log.warning("the relay could not publish, next attempt in %.1f s: %r", backoff, error)
                    stop.wait(backoff)
                    backoff = min(backoff * 2, self._limits.backoff_seconds_max)
        finally:
            self.close()

    def run_once(self) -> int:
        """Publish one batch and return how many rows it had; 0 also while another relay is active.

        Raise kafka.errors.KafkaError, psycopg.Error, IncompatibleSchema or ValueError (a row with an unknown topic) if it failed; the
        next call starts again from the first unpublished row.
        """
        try:
            outbox = self._outbox = self._outbox or Outbox(self._dsn)
            if not outbox.try_lock():
                return 0
            rows = outbox.unpublished(self._batch_rows)
            self._observe(outbox, rows)
            if rows:
                self._check_schemas(outbox, rows)
                failpoint("relay.before_send")
                self._publish(rows)
                failpoint("relay.after_send_before_mark")
                outbox.mark_published([row.seq for row in rows], self._clock.now())
                failpoint("relay.after_mark")
        except IncompatibleSchema:
            self._count_failure("schema")
            self._batch_rows = 1
            raise
        except psycopg.Error:
            self._drop_outbox()
            self._count_failure("postgresql")
            raise
        except Exception:
            self._drop_producer()
            self._count_failure("kafka")
            # One by one, until it goes again: a row that cannot be sent must not have those before it sent over and over.
            self._batch_rows = 1
            raise
        self._batch_rows = self._limits.batch_rows_max
        if self._metrics is not None:
            self._metrics.published.inc(len(rows))
        return len(rows)

    def pending(self) -> int:
        """Return how many rows wait to be published. Uses a connection of its own; raises psycopg.Error."""
        with contextlib.closing(Outbox(self._dsn)) as outbox:
            return outbox.pending()

    def close(self) -> None:
        """Let go of Kafka and of the lock."""
        self._drop_producer()
        self._drop_outbox()

    def _check_schemas(self, outbox: Outbox, rows: Sequence[OutboxRow]) -> None:
        if self._schemas is not None:
            for topic, type_ in dict.fromkeys((row.topic, row.type) for row in rows):
                self._schemas.check(outbox.connection, topic, type_, self._clock.now())

    def _publish(self, rows: Sequence[OutboxRow]) -> None:
        if self._producer is None:
            if self._plan is not None:
                ensure_topics(self._bootstrap, self._client_config, self._plan)
            self._producer = OrderedProducer(self._bootstrap, self._client_config)
        messages = [self._message(row) for row in rows]
        self._producer.publish(messages, stall_seconds=self._limits.stall_seconds, stop=self._stop)

    def _message(self, row: OutboxRow) -> Message:
        event = CloudEvent(id=str(row.seq), source=self._source, type=row.type, time=row.occurred_at, data=row.payload, key=row.key)
        key, value, headers = encode(event)
        if row.type == deadletters.TYPE:
            headers += deadletters.headers_of(row.payload)
        return physical(self._prefix, row.topic), key, value, headers

    def _wait_for_rows(self) -> None:
        if self._outbox is not None and self._outbox.locked:
            self._outbox.wait(self._limits.poll_seconds)
        else:
            self._stop.wait(self._limits.poll_seconds)

    def _drop_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close()

    def _drop_outbox(self) -> None:
        outbox, self._outbox = self._outbox, None
        if outbox is not None:
            outbox.close()
        if self._metrics is not None:
            self._metrics.active.set(0)

    def _count_failure(self, part: str) -> None:
        if self._metrics is not None:
            self._metrics.failures.labels(part).inc()

    def _observe(self, outbox: Outbox, rows: Sequence[OutboxRow]) -> None:
        if self._metrics is None:
            return
        self._metrics.active.set(1)
        age = (self._clock.now() - rows[0].occurred_at).total_seconds() if rows else 0.0
        self._metrics.oldest_age.set(max(age, 0.0))
        if len(rows) < self._batch_rows:
            self._metrics.pending.set(len(rows))
        if time.monotonic() >= self._count_due:
            # Counting a long backlog costs more than publishing a batch of it.
            self._count_due = time.monotonic() + _COUNT_SECONDS
            if len(rows) >= self._batch_rows:
                self._metrics.pending.set(outbox.pending())
            self._count_dead_letters(self._metrics, outbox)

    def _count_dead_letters(self, metrics: RelayMetrics, outbox: Outbox) -> None:
        counts = outbox.open_dead_letters()
        # A province whose last letter was closed falls to nothing rather than staying at one.
        for division in self._dead_letters_of - set(counts):
            metrics.dead_letters.labels(division).set(0)
        for division, count in counts.items():
            metrics.dead_letters.labels(division).set(count)
        self._dead_letters_of |= set(counts)
