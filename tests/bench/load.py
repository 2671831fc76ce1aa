"""Load: closed loops with a number of calls in flight, and offered rates with the latency from the moment a call was due."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

Call = Callable[[int], Awaitable[Any]]


@dataclass(slots=True)
class Load:
    """What a load came to."""

    calls: int = 0
    failed: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Calls that succeeded, a second."""
        return (self.calls - self.failed) / self.seconds

    def latency_ms(self, share: float) -> float:
        """A percentile of the latencies, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


async def closed_loop(call: Call, seconds: float, in_flight: int) -> Load:
    """Keep `in_flight` calls under way for `seconds`."""
    load = Load()
    started = time.perf_counter()
    number = 0

    async def worker() -> None:
        nonlocal number
        while time.perf_counter() - started < seconds:
            number += 1
            await _one(load, call, number, time.perf_counter())

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    load.seconds = time.perf_counter() - started
    return load


async def offered(call: Call, seconds: float, rate: float) -> Load:
    """Offer `rate` calls a second, whatever became of the ones before; latency counts from when each was due."""
    load = Load()
    started = time.perf_counter()
    running: set[asyncio.Task[None]] = set()
    for number in range(int(seconds * rate)):
        due = started + number / rate
        pause = due - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        task = asyncio.create_task(_one(load, call, number, due))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    load.seconds = time.perf_counter() - started
    return load


async def _one(load: Load, call: Call, number: int, since: float) -> None:
    try:
        await call(number)
    except Exception:
        load.failed += 1
    load.calls += 1
    load.latencies.append(time.perf_counter() - since)
