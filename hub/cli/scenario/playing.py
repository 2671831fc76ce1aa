"""A scenario's steps, one after another: done, compared, remembered."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from hub.cli.scenario import verbs_clearing, verbs_pool, verbs_settlement, verbs_state, verbs_vouchers
from hub.cli.scenario.acting import Runner, Sender, Start
from hub.cli.scenario.answers import done, refused
from hub.cli.scenario.arguments import Args, Unsendable
from hub.cli.scenario.checking import count_differences, differences
from hub.cli.scenario.loading import instant
from hub.cli.scenario.model import Outcome, Result, ScenarioError, Step
from hub.cli.scenario.stage import Stage, new_request_id
from hub.domain.divisions import COORDINATION
from yrd.simulation.v1 import simulation_pb2

_CALLS: Mapping[str, Callable[[Stage, Args, Sender], Awaitable[Outcome]]] = {
    verb.__name__: verb
    for verb in (
        *(verbs_clearing.quote, verbs_clearing.authorize, verbs_clearing.capture, verbs_clearing.approve, verbs_clearing.reject),
        *(verbs_clearing.void, verbs_clearing.refund),
        *(verbs_vouchers.issue, verbs_vouchers.request_top_up, verbs_vouchers.approve_top_up, verbs_vouchers.verify),
        *(verbs_pool.publish_policy, verbs_pool.recognize, verbs_pool.revoke_recognition),
        *(verbs_pool.suspend_provider, verbs_pool.reinstate_provider, verbs_pool.sanction_enterprise, verbs_pool.clear_enterprise),
        *(verbs_settlement.close_window, verbs_settlement.confirm_payment, verbs_state.state),
    )
}


async def play_steps(stage: Stage, result: Result) -> None:
    """Play all steps and add what differs to `result`. Raise ScenarioError where a step cannot be played as it is written."""
    for step in stage.scenario.steps:
        try:
            await _play(stage, step, result)
        except ScenarioError as error:
            raise ScenarioError(f"step {step.number} (line {step.line}): {step.verb}: {error}") from None
        except grpc.aio.AioRpcError as error:
            raise ScenarioError(f"step {step.number} ({step.verb}): the hub failed: {error.code().name}: {error.details()}") from None


async def _play(stage: Stage, step: Step, result: Result) -> None:
    if step.inner:
        outcomes = await (_concurrently if step.verb == "concurrently" else _repeat)(stage, step)
        result.differences += count_differences(step, Counter(outcome.label for outcome in outcomes))
        return
    outcome = await _do(stage, step, stage.cast)
    result.differences += differences(step, outcome, stage.names)
    if outcome.refusal and not step.expect.keys() & {"status", "refusal", "refusals"}:
        result.notes.append(f"step {step.number}: {step.verb} was refused: {outcome.refusal}: {outcome.text}")


async def _do(stage: Stage, step: Step, sender: Sender) -> Outcome:
    args = Args(step.args)
    if step.verb == "advance_to":
        return await _advance(stage, args)
    if step.verb == "restart_hub":
        await stage.hub.restart(stage.now)
        return done("OK")
    try:
        return await _CALLS[step.verb](stage, args, sender)
    except Unsendable as error:
        return refused("INVALID_ARGUMENT", str(error))


async def _concurrently(stage: Stage, step: Step) -> list[Outcome]:
    start = Start(len(step.inner))

    async def run(inner: Step) -> Outcome:
        runner = Runner(stage.cast, start)
        try:
            return await _do(stage, inner, runner)
        finally:
            runner.done()

    return list(await asyncio.gather(*(run(inner) for inner in step.inner)))


async def _repeat(stage: Stage, step: Step) -> list[Outcome]:
    return [await _do(stage, step.inner[0], stage.cast) for _ in range(Args(step.args).number("times", 1))]


async def _advance(stage: Stage, args: Args) -> Outcome:
    """Move the clock; the hub runs its sweeps before it answers."""
    try:
        to = stage.now + timedelta(days=args.number("days", 0)) if "days" in args else instant(args.text("instant"))
    except (Unsendable, OverflowError) as error:
        raise ScenarioError(str(error)) from None
    if to < stage.now:
        raise ScenarioError(f"{to.isoformat()} is before the present time {stage.now.isoformat()}")
    request = simulation_pb2.AdvanceClockRequest(request_id=new_request_id(), now=_timestamp(to.timestamp()))
    answer = await stage.cast.send(COORDINATION, "yrd.simulation.v1.SimulationService.AdvanceClock", request)
    if answer.refusal is not None:
        raise ScenarioError(f"the clock was not moved: {answer.code}: {answer.refusal.en}")
    stage.now = to
    return done("OK")


def _timestamp(seconds: float) -> Timestamp:
    made = Timestamp()
    made.FromNanoseconds(round(seconds * 1_000_000) * 1_000)
    return made
