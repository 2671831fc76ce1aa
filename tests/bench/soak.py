"""Memory: authorize and capture in batches until so many redemptions are in, and watch the hub's resident memory."""

from __future__ import annotations

import asyncio
import time

from tests.bench.clearing import BATCH_CALLS, BATCH_ITEMS
from tests.bench.load import closed_loop
from tests.bench.population import Population
from tests.bench.rig import Rig, tell
from tests.bench.table import Row
from tests.bench.wire import Requests, authorized_ids, captures, open_wire

MIB_GOAL = 400
SAMPLE_EVERY = 50_000
_SMALL_FEN = (1_000, 5_000)
_ROUND_CALLS = 20
_FLAT_MIB = 20
"""Growth over the second half that still counts as flat: what the allocator keeps or gives back."""


async def soak(rig: Rig, people: Population, redemptions: int) -> list[Row]:
    """Put `redemptions` in; a row for each sample, and one for the whole."""
    made = Requests(people, fen=_SMALL_FEN, seed=6)
    samples = [(0, rig.resident_mib)]
    meter, started, done = rig.meter(), time.perf_counter(), 0
    async with open_wire(rig.hub) as wire:
        while done < redemptions:
            payloads = await asyncio.to_thread(made.batches, _ROUND_CALLS, BATCH_ITEMS)
            granted = await closed_loop(wire.method("BatchAuthorize"), payloads, float("inf"), BATCH_CALLS, keep=True)
            ids = authorized_ids(granted.answers)
            await closed_loop(wire.method("BatchCapture"), captures(ids, BATCH_ITEMS), float("inf"), BATCH_CALLS)
            done += len(ids)
            if not ids:
                tell("nothing is authorized any more")
                break
            if done >= samples[-1][0] + SAMPLE_EVERY:
                samples.append((done, rig.resident_mib))
                tell(f"{done:,} redemptions, {rig.resident_mib:.0f} MiB, {done / (time.perf_counter() - started):,.0f}/s with captures")
    samples.append((done, rig.resident_mib))
    return [_row(samples, meter.per_item_us(max(done, 1)))]


def _row(samples: list[tuple[int, float]], used: dict[str, float]) -> Row:
    sizes = [size for _, size in samples]
    late = sizes[len(sizes) // 2 :]
    growth = late[-1] - late[0]
    told = ", ".join(f"{count // 1000}k {size:.0f}" for count, size in samples)
    return Row(
        f"hub resident memory over {samples[-1][0]:,} redemptions",
        f"peak {max(sizes):.0f} MiB, {growth:+.0f} MiB over the second half (MiB at {told})",
        goal=f"< {MIB_GOAL} MB, flat",
        reached=max(sizes) * 1.048576 < MIB_GOAL and growth < _FLAT_MIB,
        cpu_us=used,
        values={"peak_mib": max(sizes), "growth_mib": growth, **{f"mib_at_{count}": size for count, size in samples}},
    )
