"""The real hub, over gRPC with TLS and tokens on PostgreSQL, against a model of a few hundred lines that shares no code with it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator

import pytest
from hypothesis import seed
from hypothesis.stateful import run_state_machine_as_test

from tests.fixtures.forked import Ground
from tests.fixtures.seeds import LIVE_EXAMPLES, LIVE_MUTANTS, SEED
from tests.property.live_afterwards import House
from tests.property.live_hub import Worlds
from tests.property.live_machine import LiveLife
from tests.property.live_mutants import MUTANTS, Mutant
from tests.property.live_twin import TwinWorlds
from tests.property.profile import live

_STEPS = 25
# What is found early is shrunk soon: each attempt costs a real hub a tenth of a second.
_STEPS_FEW = 8
_MUTANT_EXAMPLES = 500
# What even a short run meets: without these it would say nothing.
_MET = {"authorize", "batch", "atomic", "capture", "void", "stream", "repeat", "reuse", "advance", "publish", "issue", "bar", "close"}


@pytest.fixture(scope="module")
async def worlds(ground: Ground) -> AsyncIterator[Worlds]:
    """Worlds of this module; at the end the auditor looks at all that they left."""
    made = Worlds(ground)
    yield made
    await made.close()


async def _live(worlds: Worlds | TwinWorlds, model: type[House], examples: int, steps: int) -> type[LiveLife]:
    """Let the machine run; return it with what it has seen. The state machine waits for the loop, and so has a thread of its own."""
    members: dict[str, object] = {"worlds": worlds, "loop": asyncio.get_running_loop(), "model_of": model, "steps": [], "seen": Counter()}
    machine: type[LiveLife] = seed(SEED)(type("LiveLife", (LiveLife,), members))
    try:
        await asyncio.to_thread(run_state_machine_as_test, machine, settings=live(examples, steps))
    except Exception as error:
        error.add_note(f"YRD_TEST_SEED={SEED}; {len(machine.steps)} steps: {', '.join(machine.steps)}")
        raise
    return machine


async def test_the_hub_is_what_the_model_says(worlds: Worlds) -> None:
    machine = await _live(worlds, House, LIVE_EXAMPLES, _STEPS)
    met = {outcome.partition(" ")[0] for outcome in machine.seen}
    assert met >= _MET, f"never met: {_MET - met}"


async def _found_out(mutant: Mutant, worlds: Worlds | TwinWorlds, steps_tried: int) -> None:
    with pytest.raises(AssertionError, match="the model") as failed:
        await _live(worlds, mutant.model, _MUTANT_EXAMPLES, steps_tried)
    notes = "\n".join(failed.value.__notes__)
    assert f"YRD_TEST_SEED={SEED}" in notes and "@reproduce_failure" in notes
    steps = notes.rpartition("steps: ")[2].split(", ")
    assert len(steps) <= mutant.steps_max, notes


async def test_a_wrong_model_is_found_out(worlds: Worlds) -> None:
    """The test of the test: a difference from the real hub is found, and shrunk to what matters."""
    await _found_out(MUTANTS[0], worlds, _STEPS_FEW)


@pytest.mark.parametrize("mutant", MUTANTS[:LIVE_MUTANTS], ids=lambda mutant: mutant.model.__name__)
async def test_every_wrong_model_is_found_out(mutant: Mutant) -> None:
    """The same for all kinds of mistakes, against the right model in the hub's place."""
    await _found_out(mutant, TwinWorlds(), _STEPS)
