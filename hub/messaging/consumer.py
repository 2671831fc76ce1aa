"""Kafka to hub: reads the provinces' inbound topics and hands each command to the application, at least once and in order per key.

A broker that keeps nothing (the embedded one) starts its offsets over when it restarts: everything in it is read again from the start,
and only in that case may the order across the restart suffer.

Offsets are committed only after every record before them is handled, refused, or kept as a dead letter, and after that is durable in
PostgreSQL: nothing acknowledged is ever lost. What comes twice is dropped by the inbox, and what slips past it by the request id.
A command that has to wait holds back its own partition only, which is read again from it after a growing pause.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.errors import KafkaError

from hub.domain.clock import Clock, SystemClock
from hub.failpoints import failpoint
from hub.messaging.admin import ensure_topics
from hub.messaging.batch import BatchHandler, BatchOutcome, HandlingLimits, Partition
from hub.messaging.client import opened
from hub.messaging.inbox import Inbox
from hub.messaging.metrics import ConsumerMetrics
from hub.messaging.ports import CommandPort
from hub.messaging.topics import TopicPlan

log = logging.getLogger(__name__)

T = TypeVar("T")

GROUP = "deltahub"
"""The hub's consumer group, and the name of its inbox."""

_CONFIG: Mapping[str, Any] = {
    "enable_auto_commit": False,
    "auto_offset_reset": "earliest",
    "session_timeout_ms": 6_000,
    "heartbeat_interval_ms": 1_500,
    "max_poll_interval_ms": 300_000,
    "metadata_max_age_ms": 30_000,
    "bootstrap_timeout_ms": 5_000,
    "reconnect_backoff_max_ms": 1_000,
}
_COMMIT_MS_MAX = 10_000
_METADATA_SECONDS_MAX = 5.0
_METADATA_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class ConsumerLimits:
    """Bounds of the consumer. Times are seconds."""

    batch_records_max: int = 500
    poll_seconds: float = 0.5
    backoff_seconds_min: float = 0.2
    backoff_seconds_max: float = 15.0
    handling: HandlingLimits = field(default_factory=HandlingLimits)


class CommandConsumer:
    """Consumes the inbound topics of `plan` as a member of `group`. `run` is one task; several processes share the partitions.

    The topics are made at every connection if `make_topics`. `client_config` are further kafka-python settings (SASL, TLS).
    """

    def __init__(
        self,
        *,
        dsn: str,
        bootstrap: str,
        plan: TopicPlan,
        port: CommandPort,
        group: str = GROUP,
        client_config: Mapping[str, Any] | None = None,
        make_topics: bool = True,
        clock: Clock | None = None,
        metrics: ConsumerMetrics | None = None,
        limits: ConsumerLimits | None = None,
    ) -> None:
        self._bootstrap = bootstrap
        self._plan = plan
        self._group = group
        self._client_config = dict(client_config or {})
        self._make_topics = make_topics
        self._clock = clock or SystemClock()
        self._metrics = metrics
        self._limits = limits or ConsumerLimits()
        self._inbox = Inbox(dsn, group)
        self._handler = BatchHandler(port, self._inbox, plan.inbound(), self._limits.handling)
        self._topics = tuple(plan.inbound())
        self._pauses: dict[Partition, _Pause] = {}
        self._identities: dict[str, UUID] = {}
        self._to_rewind: set[Any] = set()
        self._kafka: Any = None

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until `stop` is set, through any outage of Kafka or PostgreSQL; then finish the batch in hand and leave the group."""
        backoff = self._limits.backoff_seconds_min
        # The client is not thread-safe: one thread of its own does all that blocks.
        with ThreadPoolExecutor(1, thread_name_prefix="kafka-consumer") as thread:
            try:
                while not stop.is_set():
                    try:
                        await self._step(thread)
                        backoff = self._limits.backoff_seconds_min
                    except Exception as error:
                        # Nothing may end the consumer but `stop`. What was not committed comes again over a new connection.
                        log.warning("the consumer of %s starts over in %.1f s: %r", self._group, backoff, error)
                        self._count_failure("kafka")
                        await self._disconnect(thread)
                        with contextlib.suppress(TimeoutError):
                            await asyncio.wait_for(stop.wait(), backoff)
                        backoff = min(backoff * 2, self._limits.backoff_seconds_max)
            finally:
                await self._disconnect(thread)

    async def _step(self, thread: ThreadPoolExecutor) -> None:
        if self._kafka is None:
            self._kafka = await _in(thread, self._connect)
        polled = await _in(thread, self._poll)
        self._observe_age(polled)
        if not polled:
            return
        outcome = await self._handle(polled)
        ends = {(place.topic, place.partition): records[-1].offset + 1 for place, records in polled.items()}
        await _in(thread, lambda: self._settle(ends, outcome))
        self._observe(outcome)

    async def _handle(self, polled: Mapping[Any, list[Any]]) -> BatchOutcome:
        try:
            failpoint("consumer.before_handle")
            outcome = await self._handler.handle(list(itertools.chain.from_iterable(polled.values())))
            failpoint("consumer.after_handle_before_inbox")
            await self._inbox.record(outcome.handled, outcome.dead, self._clock.now())
            failpoint("consumer.after_inbox_before_offset_commit")
        except psycopg.Error as error:
            # Without the inbox nothing is known to be done. The whole batch waits and comes again; Kafka itself is not to blame.
            log.warning("the consumer of %s cannot reach its inbox: %r", self._group, error)
            self._count_failure("postgresql")
            await self._inbox.close()
            outcome = BatchOutcome()
            for records in polled.values():
                for record in records:
                    outcome.defer(record)
        return outcome

    # -- in the client's thread ---------------------------------------------------------------------------------------------

    def _connect(self) -> Any:
        if self._make_topics:
            ensure_topics(self._bootstrap, self._client_config, self._plan)
        defaults = {**_CONFIG, "group_id": self._group, "max_poll_records": self._limits.batch_records_max}
        kafka = opened(KafkaConsumer, self._bootstrap, defaults, self._client_config, *self._topics)
        # A group leader that joins before it knows a topic's partitions hands out none of them, and if it learns of them in that very
        # moment it never notices. So wait for them; but not for ever, lest one topic that nobody made stop the other provinces.
        deadline = time.monotonic() + _METADATA_SECONDS_MAX
        while not all(kafka.partitions_for_topic(topic) for topic in self._topics) and time.monotonic() < deadline:
            time.sleep(_METADATA_POLL_SECONDS)
        return kafka

    def _poll(self) -> dict[Any, list[Any]]:
        now = time.monotonic()
        assigned = self._kafka.assignment()
        for place, pause in self._pauses.items():
            if pause.paused and now >= pause.until:
                pause.paused = False
                if TopicPartition(*place) in assigned:
                    self._resume(TopicPartition(*place))
        if self._metrics is not None:
            # Before a poll everything polled was handled, so positions say what was.
            self._metrics.observe_lag(self._kafka, assigned)
        polled: dict[Any, list[Any]] = self._kafka.poll(timeout_ms=int(self._limits.poll_seconds * 1000))
        rewound = self._rewind()
        return {partition: records for partition, records in polled.items() if partition not in rewound}

    def _rewind(self) -> set[Any]:
        """Go back to the beginning of topics that were made anew, where offsets of the old ones mean nothing; return their partitions.

        The embedded broker, started again, neither disowns its old members nor refuses their offsets: unless we look for ourselves, all
        that is in the new topic below our old position would be passed over. The client learns the identities of topics with the
        metadata, which it reads again after every disconnection.
        """
        for topic in self._topics:
            identity = self._kafka._cluster.topic_id(topic)
            if identity is not None and self._identities.setdefault(topic, identity) != identity:
                log.warning("topic %s was made anew and is read from its beginning", topic)
                self._identities[topic] = identity
                self._to_rewind |= {TopicPartition(topic, number) for number in self._kafka.partitions_for_topic(topic)}
        due: set[Any] = self._to_rewind & self._kafka.assignment()
        if not due:
            return due
        try:
            # Committed at once, or a change of members would bring the old position back.
            self._kafka.commit({partition: OffsetAndMetadata(0, "", -1) for partition in due}, timeout_ms=_COMMIT_MS_MAX)
        except KafkaError:
            return due
        for partition in due:
            self._kafka.seek(partition, 0)
        self._to_rewind -= due
        return due

    def _settle(self, ends: Mapping[Partition, int], outcome: BatchOutcome) -> None:
        """Commit what is done, and go back to what has to wait."""
        positions = {place: outcome.stuck.get(place, end) for place, end in ends.items()}
        try:
            offsets = {TopicPartition(*place): OffsetAndMetadata(offset, "", -1) for place, offset in positions.items()}
            self._kafka.commit(offsets, timeout_ms=_COMMIT_MS_MAX)
        except KafkaError as error:
            # Whoever has the partitions next (this member, with its next batch, or another) commits more or reads the batch again, and
            # the inbox tells it what is done. Leaving the group for this would only make everybody wait.
            log.warning("offsets of %d partitions were not committed: %r", len(positions), error)
            self._count_failure("kafka")
        for place in ends:
            if place in outcome.stuck:
                self._hold(place, outcome.stuck[place])
            else:
                self._pauses.pop(place, None)

    def _hold(self, place: Partition, offset: int) -> None:
        partition = TopicPartition(*place)
        pause = self._pauses.setdefault(place, _Pause(self._limits.backoff_seconds_min))
        pause.begin(self._limits.backoff_seconds_max)
        if partition in self._kafka.assignment():
            self._kafka.seek(partition, offset)
            self._kafka.pause(partition)

    def _resume(self, partition: Any) -> None:
        # The client sets aside what it had fetched of a paused partition, and brings it back only while it holds nothing else, which is
        # hardly ever: until then the partition would not be fetched at all. We went back to an earlier offset, so it is worthless anyway.
        self._kafka._fetcher._paused_partition_records.pop(partition, None)
        self._kafka.resume(partition)

    def _close(self) -> None:
        kafka, self._kafka = self._kafka, None
        self._pauses.clear()
        if kafka is not None:
            kafka.close(autocommit=False, timeout_ms=3_000)

    # -- in the event loop --------------------------------------------------------------------------------------------------

    async def _disconnect(self, thread: ThreadPoolExecutor) -> None:
        try:
            await _in(thread, self._close)
        except Exception as error:
            log.warning("the consumer of %s did not leave its group cleanly: %r", self._group, error)
        await self._inbox.close()

    def _count_failure(self, part: str) -> None:
        if self._metrics is not None:
            self._metrics.failures.labels(part).inc()

    def _observe_age(self, polled: Mapping[Any, list[Any]]) -> None:
        if self._metrics is None:
            return
        written = min((record.timestamp for records in polled.values() for record in records), default=None)
        # A partition that is held back has its oldest record in hand, though none was polled.
        if written is not None:
            self._metrics.age.set(max(self._clock.now().timestamp() - written / 1000, 0.0))
        elif not self._pauses:
            self._metrics.age.set(0)

    def _observe(self, outcome: BatchOutcome) -> None:
        if self._metrics is None:
            return
        counts = {
            "handled": len(outcome.handled),
            "duplicate": outcome.duplicates,
            "dead": len(outcome.dead),
            "deferred": outcome.deferred,
        }
        for name, count in counts.items():
            self._metrics.records.labels(name).inc(count)
        for letter in outcome.dead:
            self._metrics.dead_letters.labels(letter.code).inc()


@dataclass(slots=True)
class _Pause:
    """A partition that waits; each time in a row twice as long."""

    seconds: float
    until: float = 0.0
    paused: bool = False

    def begin(self, seconds_max: float) -> None:
        self.until = time.monotonic() + self.seconds
        self.seconds = min(self.seconds * 2, seconds_max)
        self.paused = True


async def _in(thread: ThreadPoolExecutor, call: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, call)
