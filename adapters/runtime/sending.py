"""The queue to Kafka: in order of phases, forgotten only when the broker has acknowledged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from adapters.runtime.failpoints import failpoint
from adapters.runtime.kafka_out import Outbound, Outgoing
from adapters.runtime.model import Phase
from adapters.runtime.queueing import ORDER, Queued
from adapters.runtime.retrying import later
from adapters.runtime.state import State
from hub.domain.clock import Clock

BATCH = 1000
"""Commands handed to the broker before their acknowledgements are waited for."""


class Sender:
    """Sends what is queued. One thread calls it.

    A command of a later phase waits while one of an earlier phase that has left is unanswered, but for no more than `gate_seconds`: an
    answer that is lost must not stop the province. What then comes too early is refused, and tried again.
    """

    def __init__(self, state: State, connect: Callable[[], Outbound], clock: Clock, *, gate_seconds: float = 120.0) -> None:
        self._state, self._connect, self._clock, self._gate_seconds = state, connect, clock, gate_seconds
        self._outbound: Outbound | None = None
        self.counted: Counter[str] = Counter()
        """Commands acknowledged since the start, by method."""

    def step(self, phases: tuple[Phase, ...] = tuple(Phase)) -> int:
        """Send a batch of the earliest phase that may leave; return how many commands the broker has. Raises ConnectionError.

        `phases` are those that may leave at all.
        """
        batch = self._state.queue.head(BATCH)
        if not batch or batch[0].phase not in phases or self._gated(batch[0].phase):
            return 0
        if self._outbound is None:
            self._outbound = self._connect()
        failpoint("sending.before_send")
        self._send(self._outbound, batch)
        failpoint("sending.after_send_before_forget")
        with self._state.transaction():
            self._state.queue.forget(batch, self._clock.now().isoformat())
        failpoint("sending.after_forget")
        self.counted.update(command.headers["ce_type"].rpartition(".")[2] for command in batch)
        return len(batch)

    def probe(self) -> None:
        """Connect where there is no connection, so that a broker that is gone is known before there is anything to send."""
        if self._outbound is None:
            self._outbound = self._connect()

    def _send(self, outbound: Outbound, batch: list[Queued]) -> None:
        try:
            for command in batch:
                outbound.send(Outgoing(command.key, command.value, command.headers))
            outbound.flush()
        except ConnectionError:
            # What it still has in hand is sent again from the queue: another connection begins with nothing.
            self.close()
            raise

    def _gated(self, phase: Phase) -> bool:
        earlier = [each for each in Phase if ORDER[each] < ORDER[phase]]
        since = later(self._clock.now().isoformat(), -self._gate_seconds)
        return self._state.records.waited_for(earlier, since)

    def close(self) -> None:
        """Let go of the connection."""
        outbound, self._outbound = self._outbound, None
        if outbound is not None:
            outbound.close()
