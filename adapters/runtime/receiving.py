"""Events from Kafka into the memory: outcomes to the records they answer, the rest as what it says; each once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from adapters.runtime.answering import answer_of, take_answers
from adapters.runtime.failpoints import failpoint
from adapters.runtime.kafka_in import Inbound, Incoming
from adapters.runtime.retrying import HEARD, RetryRules
from adapters.runtime.state import State
from adapters.runtime.work import Work
from hub.domain.clock import Clock
from yrd.events.v1 import events_pb2 as events

OUTCOME = "yrd.events.v1.CommandOutcome"


class Receiver:
    """Takes in what the hub tells. One thread calls it.

    What arrives is written with the positions after it in one transaction. An event that comes again changes nothing: an answer says what
    is known already, and a fact is not older than itself.
    """

    def __init__(self, state: State, province: str, connect: Callable[[], Inbound], clock: Clock, rules: RetryRules) -> None:
        self._state, self._province, self._connect, self._clock, self._rules = state, province, connect, clock, rules
        self._inbound: Inbound | None = None
        self.counted: Counter[tuple[str, str]] = Counter()
        """Answers to records since the start, by (kind, outcome)."""
        self.told = 0
        """Events since the start that said something for the result files."""

    def step(self, timeout_ms: int) -> int:
        """Take in what has arrived, waiting at most this long; return how many records of the topic that was. Raises ConnectionError."""
        if self._inbound is None:
            self._inbound = self._connect()
        try:
            arrived = self._inbound.poll(timeout_ms)
        except ConnectionError:
            self.close()
            raise
        if arrived:
            try:
                self._take(arrived)
            except BaseException:
                self.close()  # a new connection reads again from the positions that stand
                raise
        return len(arrived)

    def _take(self, arrived: Sequence[Incoming]) -> None:
        now = self._clock.now().isoformat()
        outcomes = [answer_of(events.CommandOutcome.FromString(each.value)) for each in arrived if each.event_type == OUTCOME]
        with self._state.transaction():
            # Facts first: what a capture's answer leads to depends on how its redemption stands.
            told = self._state.told.take([(each.event_id, each.event_type, each.value) for each in arrived], now)
            work = Work(self._state, self._province, now)
            answered = take_answers(work, outcomes, self._rules)
            work.write()
            for record in arrived:
                self._state.advance(record.topic, record.partition, record.offset + 1, record.event_id)
            self._state.keep(HEARD, now)
            failpoint("receiving.before_commit")
        failpoint("receiving.after_commit")
        self.counted.update((known.kind.value, known.outcome) for known in answered)
        self.told += told

    def close(self) -> None:
        """Let go of the connection."""
        inbound, self._inbound = self._inbound, None
        if inbound is not None:
            inbound.close()
