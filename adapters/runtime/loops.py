"""A loop of the adapter: it goes on through any outage of its counterpart, with pauses that grow, and says how it is."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from adapters.runtime.source import SourceDown, SourceFault
from hub.domain.clock import Clock

log = logging.getLogger(__name__)

Wait = Callable[[float], object]
"""Pauses for some seconds, or for less where the adapter is to stop."""

_OUTAGES = (SourceDown, ConnectionError, TimeoutError)
"""What passes by itself. Everything else is logged with where it happened, for a person has to act."""


@dataclass(slots=True)
class Backoff:
    """Pauses after failures: doubled each time up to a cap, and each shortened by chance, so that provinces do not knock in step."""

    first_seconds: float = 0.5
    seconds_max: float = 60.0
    chance: Callable[[], float] = random.random
    failures: int = 0

    def failed(self) -> float:
        """Return how many seconds to pause after one more failure: between half and the whole of what is due."""
        due = min(self.seconds_max, self.first_seconds * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return due * (0.5 + 0.5 * self.chance())

    def succeeded(self) -> None:
        """Begin anew."""
        self.failures = 0


@dataclass(frozen=True, slots=True)
class LoopState:
    """How a loop is: whether its last step went well, when one last did, what is wrong, and since when it is so. Instants ISO 8601."""

    up: bool = False
    last_success_at: str = ""
    error: str = ""
    since: str = ""


@dataclass
class Health:
    """How the loops are. Threads write it, the health endpoint reads it."""

    clock: Clock
    keep: Callable[[str, LoopState], None] = lambda _name, _state: None
    loops: dict[str, LoopState] = field(default_factory=dict)
    _kept: dict[str, LoopState] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, name: str, *, error: str = "") -> None:
        """Note how a step of a loop went; keep it where a status finds it, when it changed or some seconds have passed."""
        now = self.clock.now().isoformat()
        with self._lock:
            before, up = self.loops.get(name, LoopState()), not error
            changed = before.up != up or before.error != error or not before.since
            state = replace(before, up=up, error=error, since=now if changed else before.since)
            self.loops[name] = replace(state, last_success_at=now) if up else state
            kept = self._kept.get(name)
            due = changed or kept is None or now[:18] != kept.last_success_at[:18]  # to ten seconds
            if due:
                self._kept[name] = self.loops[name]
        if due:
            self._write_down(name)

    def _write_down(self, name: str) -> None:
        """Keep how a loop is. A full disk must not end the loop that it holds up: the next note tries again."""
        try:
            self.keep(name, self.loops[name])
        except Exception:
            log.exception("%s: how it is cannot be written down", name)
            with self._lock:
                self._kept.pop(name, None)

    @property
    def ready(self) -> bool:
        """True while every loop is up."""
        return bool(self.loops) and all(state.up for state in self.loops.values())


@dataclass
class Loop:
    """Calls `step` over and over until `stop` is set. `step` returns how many seconds to pause, 0 to go on at once."""

    name: str
    step: Callable[[], float]
    health: Health
    stop: threading.Event
    wait: Wait
    backoff: Backoff = field(default_factory=Backoff)

    def run(self) -> None:
        """Go on through any failure; only `stop` ends it."""
        while not self.stop.is_set():
            pause = self.once()
            if pause > 0:
                self.wait(pause)

    def once(self) -> float:
        """Make one step; return the pause after it."""
        try:
            pause = self.step()
        except Exception as error:
            pause = max(self.backoff.failed(), error.wait_seconds if isinstance(error, SourceDown) else 0.0)
            self._tell(error, pause)
            return pause
        if self.backoff.failures:
            log.info("%s: reached again", self.name)
            self.backoff.succeeded()
        self.health.note(self.name)
        return pause

    def _tell(self, error: Exception, pause: float) -> None:
        if isinstance(error, _OUTAGES):
            log.warning("%s: not reached, tried again in %.1f s: %s", self.name, pause, error)
        elif isinstance(error, SourceFault):
            log.error("%s: a person must act, tried again in %.1f s: %s", self.name, pause, error)
        else:
            log.exception("%s: failed, tried again in %.1f s", self.name, pause)
        self.health.note(self.name, error=f"{type(error).__name__}: {error}"[:500])
