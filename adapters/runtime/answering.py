"""What the hub's answer to a command changes in what is known of its record, and of the records that waited for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from adapters.runtime.commands import AUTHORIZE
from adapters.runtime.deciding import decide
from adapters.runtime.effects import gone_already, held_after, is_correction, spent_after, state_after
from adapters.runtime.model import PHASE_OF, Broken, Kind
from adapters.runtime.reasons import describe
from adapters.runtime.records import Known
from adapters.runtime.retrying import RetryRules
from adapters.runtime.work import Work
from yrd.clearing.v1 import clearing_pb2 as clearing
from yrd.common.v1 import refusal_pb2 as refusal
from yrd.events.v1 import events_pb2 as events


@dataclass(frozen=True, slots=True)
class Answer:
    """The outcome of one command: `OK` with the response, or the code of a refusal with its texts."""

    request_id: str
    outcome: str
    zh: str = ""
    en: str = ""
    response: bytes = b""


def answer_of(told: events.CommandOutcome) -> Answer:
    """Return the answer in an event."""
    if told.WhichOneof("outcome") != "refusal":
        return Answer(told.request_id, "OK", response=told.response)
    code = refusal.RefusalCode.Name(told.refusal.code).removeprefix("REFUSAL_CODE_")
    wrong = "".join(f" [{each.field}: {each.description}]" for each in told.refusal.violations)
    return Answer(told.request_id, code, told.refusal.zh + wrong, told.refusal.en + wrong)


def answered(known: Known, answer: Answer, now: str) -> Known:
    """Return what is known of a record after the answer to its last command."""
    code = "OK" if gone_already(known.method, answer.outcome, known.state) else answer.outcome
    known = replace(known, outcome=code, message_zh=answer.zh, message_en=answer.en, due_at="", last_answered_at=now)
    if code != "OK":
        return known
    held = held_after(known.method, known.request, known.held, answer.response)
    if known.method == AUTHORIZE:
        known = replace(known, redemption_id=clearing.AuthorizeResponse.FromString(answer.response).redemption.redemption_id)
    return replace(
        known,
        held=held,
        ever=known.ever or bool(held),
        spent=known.spent or spent_after(known.method, answer.response),
        state=state_after(known.method, answer.response) or known.state,
    )


def take_answers(work: Work, answers: Iterable[Answer], rules: RetryRules) -> list[Known]:
    """Note answers, and decide again about what waited for them; return the records that were answered.

    An answer to an earlier command of a record finds none: that command no longer matters.
    """
    given = {answer.request_id: answer for answer in answers}
    found = work.state.records.by_requests(list(given))
    changed: list[Known] = []
    for request_id, stored in found.items():
        before = work.known.get((stored.kind, stored.native_id)) or stored
        if before.request_id != request_id or before.outcome:
            continue  # a command that was sent again is answered again: a refund counts once
        known = answered(before, given[request_id], work.now)
        changed.append(rules.scheduled(known, work.now))
        work.remember(changed[-1])
        _told_of_correction(work, known)
    _go_on(work, changed)
    return changed


def _told_of_correction(work: Work, known: Known) -> None:
    """A correction that the hub refuses is a person's to mend; what the hub holds stays as it was."""
    if known.outcome != "OK" and is_correction(known.method):
        zh, en = describe("CORRECTION_REFUSED", f"{known.outcome} {known.message_zh}")
        broken = Broken(known.file, known.line, known.id_field, "CORRECTION_REFUSED", zh, en, known.native_id, known.native_id)
        work.hold(broken, PHASE_OF[known.kind], known.kind, known.delivery, known.row)
        work.unpark((known.kind, known.native_id))


def _go_on(work: Work, changed: list[Known]) -> None:
    """Decide again about editions that waited for these records: their own next ones, and captures of authorizations."""
    own = [(known.kind, known.native_id) for known in changed]
    work.load(own)
    waiting = [parked for record in own if (parked := work.waiting(record)) is not None]
    orders = [known.native_id for known in changed if known.kind is Kind.AUTHORIZATION]
    captures = work.state.parking.referring(orders) if orders else []
    work.load([each.record for each in captures])
    for delivered in (*waiting, *captures):
        decide(work, delivered)
