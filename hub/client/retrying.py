"""How often, and after what pauses, the client tries again."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often, and after what pauses, a call is repeated that found the hub unavailable or overloaded. `attempts=1` never repeats."""

    attempts: int = 8
    initial_seconds: float = 0.1
    max_seconds: float = 2.0

    def pause_seconds(self, attempt: int, asked_seconds: float | None = None) -> float:
        """Return the pause after the `attempt`-th failure (1, 2, …): doubled each time, jittered, no shorter than the hub asked for."""
        backoff = min(self.max_seconds, self.initial_seconds * float(2 ** (attempt - 1)))
        # Without jitter every client of a hub that restarts would come back at the same instant.
        return max(backoff * random.uniform(0.5, 1.0), asked_seconds or 0.0)
