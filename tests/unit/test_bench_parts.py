"""The parts of the benchmark that count: a wrong count would be believed."""

from __future__ import annotations

import asyncio
import json
import os

import grpc
import pytest

from tests.bench.load import closed_loop, offered
from tests.bench.processes import Meter, cpu_seconds, family_seconds, resident_mib
from tests.bench.table import Row, print_json, print_table

_NOTHING = grpc.aio.Metadata()


class Door:
    """Answers, refuses or fails, as the payload says, and notes how many calls were under way at once."""

    def __init__(self) -> None:
        self.most = self._now = 0

    async def __call__(self, payload: bytes) -> bytes:
        self._now += 1
        self.most = max(self.most, self._now)
        await asyncio.sleep(0)
        self._now -= 1
        if payload != b"OK":
            raise grpc.aio.AioRpcError(grpc.StatusCode[payload.decode()], _NOTHING, _NOTHING)
        return payload


async def test_a_refusal_is_an_answer_and_a_failure_is_none() -> None:
    payloads = [b"OK"] * 5 + [b"FAILED_PRECONDITION"] * 3 + [b"UNAVAILABLE"] * 2
    door = Door()
    load = await closed_loop(door, payloads, 60.0, 4, keep=True)
    assert (load.calls, load.answered, load.refused, load.failed) == (10, 8, 3, 2)
    assert load.answers == [b"OK"] * 5
    assert door.most == 4
    assert load.rate == pytest.approx(8 / load.seconds)
    assert len(load.latencies) == 10


async def test_a_closed_loop_ends_in_time() -> None:
    load = await closed_loop(Door(), [b"OK"] * 10, 0.0, 4)
    assert load.calls == 0


async def test_what_is_offered_is_sent_whatever_became_of_it() -> None:
    load = await offered(Door(), [b"OK", b"RESOURCE_EXHAUSTED"] * 3, 10_000)
    assert (load.calls, load.failed) == (6, 3)


def test_a_process_is_seen_working() -> None:
    own = os.getpid()
    meter = Meter({"load": lambda: cpu_seconds(own)})
    until = cpu_seconds(own) + 0.05
    while cpu_seconds(own) < until:
        sum(range(10_000))
    assert meter.per_item_us(10)["load"] >= 4_000
    assert family_seconds(own) >= cpu_seconds(own) - 0.01
    assert resident_mib(own) > 10
    assert (cpu_seconds(2**22 + 1), resident_mib(2**22 + 1)) == (0, 0)


def test_the_table_shows_goals_and_processor_time(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        Row("a", "9,000/s", "8,000/s", True, {"hub": 100.4, "load": 3.0}),
        Row("b", "p99 50 ms", "p99 < 40 ms", False, values={"p99_ms": 50.0}),
        Row("c", "1/s"),
    ]
    print_table(rows)
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert lines[2:] == [
        ["a", "9,000/s", "8,000/s: reached", "100, -, 3, -"],
        ["b", "p99 50 ms", "p99 < 40 ms: not reached", ""],
        ["c", "1/s", "", ""],
    ]
    print_json(rows)
    assert json.loads(capsys.readouterr().out)["rows"][1]["values"] == {"p99_ms": 50.0}
