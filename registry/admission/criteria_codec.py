"""Admission criteria and evaluations: messages to domain and back."""

from __future__ import annotations

from hub.codec.fields import Fields
from hub.domain import conditions
from hub.domain.conditions import Condition
from registry.admission.codec import named, text_of
from registry.admission.criteria import SAMPLE, Criteria, Evaluation, Line, ScoreItem, StepKind
from yrd.registry.v1 import admission_pb2 as pb

POINTS_MAX = 1_000
ITEMS_MAX = 100
TEXT_CHARS_MAX = 500

STEP_IN = named(pb.ReviewStepKind, "REVIEW_STEP_KIND_", StepKind)
STEP_OUT = {kind: number for number, kind in STEP_IN.items()}


def read_criteria(message: pb.AdmissionCriteria, fields: Fields, at: str = "criteria") -> Criteria:
    """Read criteria. Expressions are compiled and tried: what does not work is a wrong field."""
    scorecard = _scorecard(message, fields, at)
    steps = tuple(fields.enum(f"{at}.required_steps[{i}]", number, STEP_IN) for i, number in enumerate(message.required_steps))
    if len(set(message.required_steps)) < len(message.required_steps):
        fields.wrong(f"{at}.required_steps", "must list each step only once")
    if any(item.by_experts for item in scorecard) and StepKind.EXPERT_SCORE not in steps:
        fields.wrong(f"{at}.required_steps", "must ask for EXPERT_SCORE where experts score an item")
    effective_from = fields.date(f"{at}.effective_from", message.effective_from)
    effective_until = fields.optional_date(f"{at}.effective_until", message.effective_until)
    if effective_until is not None and message.effective_until <= message.effective_from:
        fields.wrong(f"{at}.effective_until", "must be after effective_from")
    division = fields.division(f"{at}.division", message.division)
    if not division.endswith("0000"):
        fields.wrong(f"{at}.division", "must be a province: its six digits end in 0000")
    return Criteria(
        division=division,
        version=fields.number(f"{at}.version", message.version),
        effective_from=effective_from,
        effective_until=effective_until,
        conditions=_conditions(message, fields, at),
        scorecard=scorecard,
        pass_mark=fields.between(f"{at}.pass_mark", message.pass_mark, 0, sum(item.points for item in scorecard)),
        required_steps=steps,
        notice_days=fields.between(f"{at}.notice_days", message.notice_days, 1, 90),
        validity_months=fields.between(f"{at}.validity_months", message.validity_months, 0, 120),
        source=fields.text(f"{at}.source", message.source, TEXT_CHARS_MAX, required=False),
    )


def _conditions(message: pb.AdmissionCriteria, fields: Fields, at: str) -> tuple[Condition, ...]:
    if len(message.conditions) > ITEMS_MAX:
        fields.wrong(f"{at}.conditions", f"must be at most {ITEMS_MAX}")
    found: list[Condition] = []
    for i, item in enumerate(message.conditions[:ITEMS_MAX]):
        where = f"{at}.conditions[{i}]"
        found.append(_condition(item, fields, where, [other.id for other in found]))
        _works(found[-1], fields, where)
    return tuple(found)


def _scorecard(message: pb.AdmissionCriteria, fields: Fields, at: str) -> tuple[ScoreItem, ...]:
    if len(message.scorecard) > ITEMS_MAX:
        fields.wrong(f"{at}.scorecard", f"must be at most {ITEMS_MAX}")
    found: list[ScoreItem] = []
    for i, item in enumerate(message.scorecard[:ITEMS_MAX]):
        where = f"{at}.scorecard[{i}]"
        condition = _condition(item, fields, where, [other.condition.id for other in found])
        if condition.cel:
            _works(condition, fields, where)
        found.append(ScoreItem(condition, fields.between(f"{where}.points", item.points, 1, POINTS_MAX)))
    return tuple(found)


def _condition(item: pb.AdmissionCondition | pb.ScoreItem, fields: Fields, at: str, used: list[str]) -> Condition:
    if item.id in used:
        fields.wrong(f"{at}.id", "is used twice")
    return Condition(
        id=fields.number(f"{at}.id", item.id),
        cel=item.cel,
        zh=fields.text(f"{at}.zh", item.zh, TEXT_CHARS_MAX),
        en=fields.text(f"{at}.en", item.en, TEXT_CHARS_MAX),
    )


def _works(condition: Condition, fields: Fields, at: str) -> None:
    problem = conditions.check(condition, SAMPLE)
    if problem is not None:
        fields.wrong(f"{at}.cel", f"does not compile or does not give true or false: {problem}")


def criteria_message(item: Criteria) -> pb.AdmissionCriteria:
    """Criteria as participants see them."""
    message = pb.AdmissionCriteria(
        division=item.division,
        version=item.version,
        effective_from=item.effective_from.isoformat(),
        effective_until=text_of(item.effective_until),
        pass_mark=item.pass_mark,
        required_steps=[STEP_OUT[step] for step in item.required_steps],
        notice_days=item.notice_days,
        validity_months=item.validity_months,
        source=item.source,
    )
    for condition in item.conditions:
        message.conditions.add(id=condition.id, cel=condition.cel, zh=condition.zh, en=condition.en)
    for condition, points in item.scorecard:
        message.scorecard.add(id=condition.id, cel=condition.cel, points=points, zh=condition.zh, en=condition.en)
    return message


def evaluation_message(item: Evaluation) -> pb.Evaluation:
    """An evaluation as participants see it."""
    return pb.Evaluation(
        criteria_version=item.version,
        evaluated_on=item.day.isoformat(),
        conditions=map(_line, item.conditions),
        scores=map(_line, item.scores),
        steps=map(_line, item.steps),
        total=item.total,
        pass_mark=item.pass_mark,
        passed=item.passed,
    )


def _line(line: Line) -> pb.EvaluationLine:
    return pb.EvaluationLine(**line._asdict())
