"""Events into the adapter's memory: outcomes to the records they answer, the rest for the result files."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.runtime.commands import AUTHORIZE
from adapters.runtime.kafka_in import Incoming
from adapters.runtime.state import State
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import refusal_pb2 as refusal
from yrd.events.v1 import events_pb2 as events

OUTCOME = "yrd.events.v1.CommandOutcome"


def take_in(state: State, arrived: Sequence[Incoming]) -> int:
    """Keep what arrived and the positions after it, in one transaction; return how many outcomes were among it."""
    if not arrived:
        return 0
    outcomes = 0
    with state.transaction():
        for record in arrived:
            fresh = state.keep_event(record.event_id, record.event_type, record.value)
            if fresh and record.event_type == OUTCOME:
                _answer(state, events.CommandOutcome.FromString(record.value))
                outcomes += 1
            state.advance(record.topic, record.partition, record.offset + 1, record.event_id)
    return outcomes


def _answer(state: State, outcome: events.CommandOutcome) -> None:
    """Note the outcome of one command."""
    if outcome.WhichOneof("outcome") == "refusal":
        code = refusal.RefusalCode.Name(outcome.refusal.code).removeprefix("REFUSAL_CODE_")
        wrong = "".join(f" [{each.field}: {each.description}]" for each in outcome.refusal.violations)
        state.answer(outcome.request_id, code, outcome.refusal.zh + wrong, outcome.refusal.en + wrong, "")
        return
    redemption_id = ""
    if outcome.method == AUTHORIZE:
        redemption_id = clearing.AuthorizeResponse.FromString(outcome.response).redemption.redemption_id
    state.answer(outcome.request_id, "OK", "", "", redemption_id)
