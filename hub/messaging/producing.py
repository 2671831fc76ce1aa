"""One Kafka producer that publishes batches in order, and gives up whole rather than out of order."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError

from hub.messaging.client import opened
from hub.messaging.cloudevents import Headers

Message = tuple[str, bytes | None, bytes, Headers]
"""Topic, key, value and headers."""

_CONFIG: Mapping[str, Any] = {
    "acks": "all",
    "enable_idempotence": True,
    "linger_ms": 2,
    "batch_size": 256 * 1024,
    "compression_type": None,
    "bootstrap_timeout_ms": 5_000,
    "max_block_ms": 5_000,
    "request_timeout_ms": 10_000,
    "reconnect_backoff_max_ms": 1_000,
    # The producer retries in order for as long as it is let; `publish` is what gives up, and then on everything at once.
    "delivery_timeout_ms": 3_600_000,
}


class OrderedProducer:
    """Publishes messages so that per key none is ever overtaken by a later one. Blocks; one thread may use it.

    Records are idempotent within one producer. After the first failure nothing more leaves: the object is spent, `spent` is true, and
    whoever owns it makes a new one and sends again from the first message that was not acknowledged.
    """

    def __init__(self, bootstrap: str, client_config: Mapping[str, Any]) -> None:
        """Connect; raise kafka.errors.KafkaError if no broker answers within five seconds."""
        self._producer = opened(KafkaProducer, bootstrap, _CONFIG, client_config)
        self.spent = False

    def publish(self, messages: Iterable[Message], *, stall_seconds: float, stop: threading.Event) -> None:
        """Send all and wait until all are acknowledged by all in-sync replicas.

        Raise KafkaError if any failed, if `stall_seconds` passed, or if `stop` was set meanwhile; some may then have arrived.
        """
        batch = _Acknowledgements(self._fence)
        try:
            for topic, key, value, headers in messages:
                if batch.error is not None:
                    break
                batch.expect(self._producer.send(topic, value=value, key=key, headers=headers))
            batch.wait(time.monotonic() + stall_seconds, stop)
        except BaseException:
            self._fence()
            raise

    def close(self) -> None:
        """Let go of the connection; what is unacknowledged is dropped."""
        self._fence()

    def _fence(self) -> None:
        """Make sure that nothing more leaves."""
        self.spent = True
        # `close` waits for what is in flight and raises where that takes longer than the timeout, without closing. The sender's own
        # `force_close`, which it would have called, drops all that is queued. It may be called from the sender's thread as well.
        with contextlib.suppress(KafkaError):
            self._producer.close(timeout=0)
        self._producer._sender.force_close()


class _Acknowledgements:
    """Counts the acknowledgements of one batch; the first failure fences the producer in the sender's thread, before its next request."""

    def __init__(self, fence: Callable[[], None]) -> None:
        self.error: BaseException | None = None
        self._fence = fence
        self._expected = 0
        self._arrived = 0
        self._sent_all = False
        self._changed = threading.Condition()

    def expect(self, future: Any) -> None:
        self._expected += 1
        future.add_callback(self._acknowledged)
        future.add_errback(self._failed)

    def wait(self, deadline: float, stop: threading.Event) -> None:
        with self._changed:
            self._sent_all = True
            while self.error is None and self._arrived < self._expected:
                if stop.is_set():
                    raise KafkaTimeoutError("stopped before all were acknowledged")
                if time.monotonic() > deadline:
                    raise KafkaTimeoutError(f"{self._expected - self._arrived} of {self._expected} records were not acknowledged in time")
                self._changed.wait(0.2)
        if self.error is not None:
            raise self.error

    def _acknowledged(self, _metadata: Any) -> None:
        # Counted in the sender's thread, or in the publishing one where the record was faster than its callback.
        with self._changed:
            self._arrived += 1
            if self._sent_all and self._arrived >= self._expected:
                self._changed.notify_all()

    def _failed(self, error: BaseException) -> None:
        if self.error is None:
            self.error = error
            self._fence()
        with self._changed:
            self._changed.notify_all()
