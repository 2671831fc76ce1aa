"""Rows of the clearing path: unary at full load, latency at an offered rate, batches."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.load import Load, closed_loop, offered
from tests.bench.population import Population
from tests.bench.processes import Meter
from tests.bench.rig import Rig, tell
from tests.bench.table import Row
from tests.bench.wire import Requests, Wire, authorized_ids, captured_count, captures, open_wire

IN_FLIGHT = 64
BATCH_ITEMS = 500
BATCH_CALLS = 4
BATCH_GOAL = 8_000
OFFERED = 500
P50_MS_GOAL, P99_MS_GOAL = 8.0, 40.0
_UNARY_MAX_A_SECOND = 6_000
_BATCH_MAX_A_SECOND = 16_000
_WARM_UP = 500


@dataclass(frozen=True, slots=True)
class Window:
    """How long each row is measured, and the echo rate of the same run (0 where it was not measured)."""

    seconds: float
    echo: float = 0.0


async def unary(rig: Rig, people: Population, window: Window, *, zipf: bool) -> Row:
    """Authorize one by one, 64 in flight."""
    kind = "Zipf" if zipf else "uniform"
    tell(f"unary Authorize, {IN_FLIGHT} in flight, {kind}")
    payloads = Requests(people, zipf=zipf).unary(int(window.seconds * _UNARY_MAX_A_SECOND) + _WARM_UP)
    async with open_wire(rig.hub) as wire:
        send = wire.method("Authorize")
        await closed_loop(send, payloads[:_WARM_UP], window.seconds, IN_FLIGHT)
        meter = rig.meter()
        load = await closed_loop(send, payloads[_WARM_UP:], window.seconds, IN_FLIGHT)
    row = _row(f"durable unary Authorize, {IN_FLIGHT} in flight, {kind}", load, load.answered, meter)
    if window.echo:
        share = load.rate / window.echo
        row.text += f", {share:.0%} of the echo"
        row.values["share_of_echo"] = share
        row.goal, row.reached = f"half of the echo ({window.echo / 2:,.0f}/s)", share >= 0.5
    return row


async def latency(rig: Rig, people: Population, window: Window) -> Row:
    """Authorize at an offered rate."""
    tell(f"unary Authorize, {OFFERED}/s offered")
    payloads = Requests(people, seed=2).unary(int(window.seconds * OFFERED))
    async with open_wire(rig.hub) as wire:
        send = wire.method("Authorize")
        await closed_loop(send, Requests(people, seed=3).unary(_WARM_UP), window.seconds, IN_FLIGHT)
        meter = rig.meter()
        load = await offered(send, payloads, OFFERED)
    row = _row(f"durable unary Authorize, {OFFERED}/s offered", load, load.answered, meter)
    row.goal = f"p50 < {P50_MS_GOAL:.0f} ms, p99 < {P99_MS_GOAL:.0f} ms"
    row.reached = row.values["p50_ms"] < P50_MS_GOAL and row.values["p99_ms"] < P99_MS_GOAL and not load.failed
    return row


async def warm(rig: Rig, people: Population, seconds: float) -> None:
    """Authorize in batches, unmeasured, until what the rows to come touch is in the database's memory and written since its checkpoint."""
    if not seconds:
        return
    tell(f"warming up for {seconds:.0f} s")
    payloads = Requests(people, fen=(1_000, 5_000), seed=8).batches(int(seconds * _BATCH_MAX_A_SECOND / BATCH_ITEMS / 2), BATCH_ITEMS)
    async with open_wire(rig.hub) as wire:
        await closed_loop(wire.method("BatchAuthorize"), payloads, seconds, BATCH_CALLS)


async def batch(rig: Rig, people: Population, window: Window) -> list[Row]:
    """Authorize in batches of 500, a few calls in flight, then capture what was authorized."""
    tell(f"BatchAuthorize of {BATCH_ITEMS}, {BATCH_CALLS} in flight")
    count = int(window.seconds * _BATCH_MAX_A_SECOND / BATCH_ITEMS)
    payloads = Requests(people, seed=4).batches(count + BATCH_CALLS, BATCH_ITEMS)
    async with open_wire(rig.hub) as wire:
        await closed_loop(wire.method("BatchAuthorize"), payloads[:BATCH_CALLS], window.seconds, BATCH_CALLS)
        meter = rig.meter()
        load = await closed_loop(wire.method("BatchAuthorize"), payloads[BATCH_CALLS:], window.seconds, BATCH_CALLS, keep=True)
        items = load.answered * BATCH_ITEMS
        first = _row(f"durable BatchAuthorize, {BATCH_ITEMS} a call, {BATCH_CALLS} calls in flight", load, items, meter)
        ids = authorized_ids(load.answers)
        load.answers.clear()
        _batch_goal(first, items / load.seconds, "authorizations", items - len(ids))
        return [first, await _capture(rig, wire, ids)]


async def _capture(rig: Rig, wire: Wire, ids: list[str]) -> Row:
    tell(f"BatchCapture of the same {len(ids):,}")
    payloads = captures(ids, BATCH_ITEMS)
    meter = rig.meter()
    load = await closed_loop(wire.method("BatchCapture"), payloads, float("inf"), BATCH_CALLS, keep=True)
    row = _row(f"durable BatchCapture, {BATCH_ITEMS} a call, {BATCH_CALLS} calls in flight", load, len(ids), meter)
    done = captured_count(load.answers)
    _batch_goal(row, done / load.seconds, "captures", len(ids) - done)
    return row


def _batch_goal(row: Row, rate: float, what: str, refused: int) -> None:
    calls = f"a call p50 {row.values['p50_ms']:.0f} ms, p99 {row.values['p99_ms']:.0f} ms"
    row.text = f"{rate:,.0f} {what}/s ({calls}{f', {refused:,} refused' if refused else ''}{_failures(row)})"
    row.values |= {"items_per_s": rate, "refused": refused}
    row.goal, row.reached = f"{BATCH_GOAL:,} {what}/s", rate >= BATCH_GOAL


def _row(name: str, load: Load, items: int, meter: Meter) -> Row:
    used = meter.per_item_us(items)
    if not load.answered:
        return Row(name, f"{load.failed} calls failed, none was answered", cpu_us=used)
    values = {
        "per_s": load.rate,
        "p50_ms": load.latency_ms(0.5),
        "p99_ms": load.latency_ms(0.99),
        "refused": load.refused,
        "failed": load.failed,
    }
    row = Row(name, "", cpu_us=used, values=values)
    refused = f", {load.refused / load.calls:.1%} refused" if load.refused else ""
    row.text = f"{load.rate:,.0f}/s (p50 {values['p50_ms']:.1f} ms, p99 {values['p99_ms']:.1f} ms{refused}{_failures(row)})"
    return row


def _failures(row: Row) -> str:
    return f", {row.values['failed']:.0f} failed" if row.values.get("failed") else ""
