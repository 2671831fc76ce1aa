"""Trying again: refusals that another province's data can cure, and commands that were never answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from adapters.runtime.deciding import Verdict, command_of, decide
from adapters.runtime.identity import source_again
from adapters.runtime.records import Known, delivered_again
from adapters.runtime.state import State
from adapters.runtime.work import Work
from hub.domain.clock import Clock

CURABLE: Mapping[str, str] = {
    "ENTERPRISE_NOT_FOUND": "the firm's own province registers it, perhaps later today",
    "PROVIDER_NOT_FOUND": "the provider's home province admits it, perhaps later today",
    "PROVIDER_NOT_RECOGNIZED": "the issuer's recognition may be on its way",
    "POLICY_NOT_IN_FORCE": "the issuer publishes its policy",
    "POLICY_NOT_FOUND": "the issuer publishes its policy",
    "PARTICIPANT_NOT_FOUND": "the coordination group registers the other province's system",
    "UNAVAILABLE": "the hub's own trouble, and it passes",
    "OVERLOADED": "the hub's own trouble, and it passes",
    "DEADLINE_EXCEEDED": "the hub's own trouble, and it passes",
    "RATE_LIMITED": "the hub's own trouble, and it passes",
}
"""Refusals that are tried again by themselves, and why. All others are decisions: they stand until a person or a new edition asks again."""

_CHUNK = 500


@dataclass(frozen=True, slots=True)
class RetryRules:
    """How often and when. Each pause is `factor` times the one before, from `first_seconds` to at most `seconds_max`.

    By default a refusal is tried again 8 times over three days: over a night's data, and over a weekend.
    """

    first_seconds: float = 60.0
    factor: float = 4.0
    seconds_max: float = 86_400.0
    times: int = 8
    unheard_seconds: float = 3600.0

    def pause(self, retries: int) -> float:
        """Return how many seconds pass before the attempt after `retries` ones."""
        return float(min(self.seconds_max, self.first_seconds * self.factor ** min(retries, 30)))

    def scheduled(self, known: Known, now: str) -> Known:
        """Return what is known with the instant of the next attempt, where there is to be one."""
        if known.outcome not in CURABLE or known.retries >= self.times:
            return known
        return replace(known, due_at=later(now, self.pause(known.retries)))


class Retrying:
    """Puts back into the queue what is due. One step is one chunk, in one transaction."""

    def __init__(self, state: State, province: str, clock: Clock, rules: RetryRules) -> None:
        self._state, self._province, self._clock, self._rules = state, province, clock, rules

    def step(self) -> int:
        """Send again what is due; return how many commands that were."""
        return self._refused() + self.unheard(self._rules.unheard_seconds)

    def _refused(self) -> int:
        now = self._clock.now().isoformat()
        due = self._state.records.due(now, _CHUNK)
        if not due:
            return 0
        with self._state.transaction():
            work = Work(self._state, self._province, now)
            work.load([(known.kind, known.native_id) for known in due])
            sent = 0
            for known in due:
                record = (known.kind, known.native_id)
                current = work.of(record)
                if current is None or current.due_at != known.due_at:
                    continue  # an answer or a newer edition came in between
                # Due no more, whatever is decided: otherwise it would be decided on for ever.
                work.remember(replace(current, due_at=""))
                sent += decide(work, work.waiting(record) or delivered_again(current), retry=True) is Verdict.SENT
            work.write()
        return sent

    def unheard(self, seconds: float) -> int:
        """Send commands again that got no answer for so long, under their own request ids: one effect, one more answer.

        The pause doubles each time. After the first time it takes a sign that the hub is there at all: while it is down for a week, the
        topic is not filled with repetitions. With 0 seconds all that left and is unanswered goes again.
        """
        now = self._clock.now().isoformat()
        heard = self._state.cursor(HEARD)
        with self._state.transaction():
            left = self._state.records.unheard(later(now, -seconds), _CHUNK)
            due = [known for known in left if _again(known, now, heard, seconds)]
            work = Work(self._state, self._province, now)
            for known in due:
                again = replace(known, sends=known.sends + 1, sent_at="")
                work.remember(again)
                command_of(work, again, source_again(known.source, again.sends))
            work.write()
        return len(due)


def _again(known: Known, now: str, heard: str, seconds: float) -> bool:
    due = later(known.sent_at, seconds * 2 ** min(known.sends, 10)) <= now
    return due and (not seconds or known.sends == 0 or heard > known.sent_at)


HEARD = "hub/heard"
"""Cursor under which the instant is kept at which the hub was last heard of."""


def later(now: str, seconds: float) -> str:
    """Return the instant some seconds after another, ISO 8601."""
    return (datetime.fromisoformat(now) + timedelta(seconds=seconds)).isoformat()
