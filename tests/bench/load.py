"""Load: closed loops with a number of calls in flight, and offered rates with the latency from the moment a call was due.

What is sent was made before the clock starts, and travels as bytes both ways: the hub is measured, not the client.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc

Send = Callable[[bytes], Awaitable[Any]]

_REFUSALS = (grpc.StatusCode.FAILED_PRECONDITION,)
"""A firm whose notes are used up is refused: as durable an answer as a grant."""


@dataclass(slots=True)
class Load:
    """What a load came to."""

    calls: int = 0
    refused: int = 0
    failed: int = 0
    seconds: float = 0.0
    latencies: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)

    @property
    def answered(self) -> int:
        """Calls that got a durable answer."""
        return self.calls - self.failed

    @property
    def rate(self) -> float:
        """Durable answers a second."""
        return self.answered / self.seconds

    def latency_ms(self, share: float) -> float:
        """A percentile of the latencies, in milliseconds."""
        ordered = sorted(self.latencies)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)] * 1000


async def closed_loop(send: Send, payloads: Sequence[bytes], seconds: float, in_flight: int, *, keep: bool = False) -> Load:
    """Keep `in_flight` calls under way for `seconds`, or until all payloads are sent. `keep` collects the answers."""
    load, waiting = Load(), iter(payloads)
    started = time.perf_counter()

    async def worker() -> None:
        while time.perf_counter() - started < seconds:
            payload = next(waiting, None)
            if payload is None:
                return
            await _one(load, send, payload, time.perf_counter(), keep=keep)

    await asyncio.gather(*(worker() for _ in range(in_flight)))
    load.seconds = time.perf_counter() - started
    return load


async def offered(send: Send, payloads: Sequence[bytes], rate: float) -> Load:
    """Offer `rate` payloads a second, whatever became of the ones before; latency counts from when each was due."""
    load = Load()
    running: set[asyncio.Task[None]] = set()
    started = time.perf_counter()
    for number, payload in enumerate(payloads):
        due = started + number / rate
        pause = due - time.perf_counter()
        if pause > 0:
            await asyncio.sleep(pause)
        task = asyncio.create_task(_one(load, send, payload, due, keep=False))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    load.seconds = time.perf_counter() - started
    return load


async def _one(load: Load, send: Send, payload: bytes, since: float, *, keep: bool) -> None:
    try:
        answer = await send(payload)
        if keep:
            load.answers.append(answer)
    except grpc.aio.AioRpcError as error:
        if error.code() in _REFUSALS:
            load.refused += 1
        else:
            load.failed += 1
    load.calls += 1
    load.latencies.append(time.perf_counter() - since)
