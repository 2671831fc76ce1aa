"""Review of applications by the home province: steps, evaluation by its criteria, decision (择优确定)."""

from __future__ import annotations

from hub.application.transaction import Transaction
from hub.codec.fields import Fields
from hub.domain.clock import local_date
from hub.domain.refusals import Refusal
from registry.admission import application, application_store, criteria_store
from registry.admission.application import Act, State
from registry.admission.application_codec import noticed, read_step, step_message, stored_applicant, stored_step
from registry.admission.criteria import Criteria, Evaluation, Kind, Step, evaluate
from registry.admission.criteria_codec import evaluation_message
from registry.admission.tables import AdmissionApplicationRow as Row
from registry.codec import REASON_CHARS_MAX
from yrd.registry.v1 import admission_pb2 as pb


async def record_review_step(tx: Transaction, request: pb.RecordReviewStepRequest) -> pb.RecordReviewStepResponse | Refusal:
    """Record a step of the review. APPLICATION_NOT_FOUND; NOT_PERMITTED for anyone but the home's platform; INVALID_STATE where the
    review is over, or the formal check that comes first is not favourable."""
    row = await _to_decide(tx, Fields(), request.application_id)
    if isinstance(row, Refusal):
        return row
    criteria = await criteria_store.by_id(tx.session, row.criteria_id)
    fields = Fields()
    step = read_step(request.step, criteria, (local_date(row.filed_at), tx.today), fields)
    refusal = fields.refusal or application.step_refused(criteria, await _steps(tx, row), step)
    if refusal is not None:
        return refusal
    body = _body(request.step, step)
    message = await application_store.happen(tx, row, Act.REVIEW, body=body)
    if isinstance(message, Refusal):
        return message
    recorded = (await application_store.history(tx.session, row))[-1]
    return pb.RecordReviewStepResponse(application=message, step=step_message(recorded))


def _body(said: pb.ReviewStep, step: Step) -> bytes:
    kept = pb.ReviewStep()
    kept.CopyFrom(said)
    kept.sha256 = step.sha256
    for output_only in ("recorded_at", "participant_id", "division"):
        kept.ClearField(output_only)
    return kept.SerializeToString(deterministic=True)


async def evaluate_application(tx: Transaction, request: pb.EvaluateApplicationRequest) -> pb.EvaluateApplicationResponse | Refusal:
    """Evaluate the criteria on an application as it is today. APPLICATION_NOT_FOUND; NOT_PERMITTED for who may not see it."""
    row = await application_store.find(tx, Fields(), request.application_id)
    if isinstance(row, Refusal):
        return row
    refusal = application.may_see(tx.caller, row.provider, row.home)
    if refusal is not None:
        return refusal
    _, evaluation = await _evaluate(tx, row)
    return pb.EvaluateApplicationResponse(evaluation=evaluation_message(evaluation))


async def decide_review(tx: Transaction, request: pb.DecideReviewRequest) -> pb.DecideReviewResponse | Refusal:
    """End the review. Passing opens the public notice; CONDITION_FAILED, with every line not met, where the criteria do not allow it.

    APPLICATION_NOT_FOUND; NOT_PERMITTED for anyone but the home's platform; INVALID_STATE where the review is over.
    """
    fields = Fields()
    fields.text("reason", request.reason, REASON_CHARS_MAX)
    row = await _to_decide(tx, fields, request.application_id)
    if isinstance(row, Refusal):
        return row
    act = Act.PASS if request.passed else Act.REJECT
    state = application.after(State(row.state), act)
    if isinstance(state, Refusal):
        return state
    criteria, evaluation = await _evaluate(tx, row)
    if request.passed and not evaluation.passed:
        return evaluation.refusal()
    row.evaluation = evaluation_message(evaluation).SerializeToString(deterministic=True)
    if request.passed:
        row.notice_from, row.notice_until = criteria.notice(tx.today)
    message = await application_store.happen(tx, row, act, request.reason)
    if isinstance(message, Refusal):
        return message
    if request.passed:
        tx.emit(noticed(row, opened=True))
    return pb.DecideReviewResponse(application=message)


async def _to_decide(tx: Transaction, fields: Fields, application_id: str) -> Row | Refusal:
    row = await application_store.find(tx, fields, application_id, lock=True)
    return row if isinstance(row, Refusal) else application.may_decide(tx.caller, row.home) or row


async def _steps(tx: Transaction, row: Row) -> list[Step]:
    return [stored_step(item) for item in await application_store.history(tx.session, row) if item.cause == Act.REVIEW]


async def _evaluate(tx: Transaction, row: Row) -> tuple[Criteria, Evaluation]:
    criteria = await criteria_store.by_id(tx.session, row.criteria_id)
    return criteria, evaluate(criteria, Kind(row.kind), stored_applicant(row), await _steps(tx, row), tx.today)
