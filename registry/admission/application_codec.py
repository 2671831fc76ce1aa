"""Applications, steps of reviews and objections: messages to domain and back."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date

from hub.codec import encode, enums
from hub.codec.events import POOL, Event, event, out
from hub.codec.fields import Fields
from registry.admission.application import State
from registry.admission.codec import named, read_categories, text_of
from registry.admission.criteria import Applicant, Criteria, Kind, Qualification, Step, StepKind
from registry.admission.criteria_codec import STEP_IN
from registry.admission.tables import AdmissionApplicationRow, ApplicationEventRow, ObjectionRow
from registry.codec import NAME_CHARS_MAX
from yrd.events.v1 import events_pb2
from yrd.registry.v1 import admission_pb2 as pb

OPINION_CHARS_MAX = 2_000
REVIEWER_CHARS_MAX = 100
LIST_MAX = 50
EVIDENCE_MAX = 20
STAFF_MAX, YEARS_MAX = 1_000_000, 1_000

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)

STATE_IN = named(pb.ApplicationState, "APPLICATION_STATE_", State)
STATE_OUT = {state: number for number, state in STATE_IN.items()}
KIND_OUT = {kind: number for number, kind in named(pb.AdmissionKind, "ADMISSION_KIND_", Kind).items()}
OUTCOME_IN = named(pb.ObjectionOutcome, "OBJECTION_OUTCOME_", str)
OUTCOME_OUT = {name: number for number, name in OUTCOME_IN.items()}


def read_applicant(message: pb.Applicant, fields: Fields, at: str = "applicant") -> Applicant:
    """Read what an applicant says of itself."""
    for name in ("qualifications", "documents"):
        if len(getattr(message, name)) > LIST_MAX:
            fields.wrong(f"{at}.{name}", f"must be at most {LIST_MAX}")
    return Applicant(
        uscc=fields.uscc(f"{at}.uscc", message.uscc),
        name=fields.text(f"{at}.name", message.name, NAME_CHARS_MAX),
        home=fields.division(f"{at}.home", message.home),
        categories=read_categories(message.categories, fields, f"{at}.categories"),
        staff=fields.between(f"{at}.staff", message.staff, 1, STAFF_MAX),
        years=fields.between(f"{at}.years", message.years, 0, YEARS_MAX),
        qualifications=tuple(
            _qualification(item, fields, f"{at}.qualifications[{i}]") for i, item in enumerate(message.qualifications[:LIST_MAX])
        ),
        documents=tuple(
            (fields.number(f"{at}.documents[{i}].kind", item.kind), read_sha256(item.sha256, fields, f"{at}.documents[{i}].sha256"))
            for i, item in enumerate(message.documents[:LIST_MAX])
        ),
    )


def _qualification(message: pb.Qualification, fields: Fields, at: str) -> Qualification:
    before = len(fields.violations)
    read = Qualification(
        kind=fields.number(f"{at}.kind", message.kind),
        number=fields.number(f"{at}.number", message.number),
        valid_from=fields.date(f"{at}.valid_from", message.valid_from),
        valid_until=fields.optional_date(f"{at}.valid_until", message.valid_until),
        sha256=read_sha256(message.sha256, fields, f"{at}.sha256"),
    )
    if len(fields.violations) == before and read.valid_until is not None and read.valid_until <= read.valid_from:
        fields.wrong(f"{at}.valid_until", "must be after valid_from")
    return read


def read_sha256(value: str, fields: Fields, at: str, *, required: bool = True) -> str:
    """Read a SHA-256 in hexadecimal digits; it is kept in small letters."""
    if not _SHA256.fullmatch(value.lower()) and (required or value):
        fields.wrong(at, "must be 64 hexadecimal digits" + ("" if required else ", or empty"))
    return value.lower()


def read_evidence(values: Sequence[str], fields: Fields, at: str) -> list[str]:
    """Read the hashes of an objection's evidence."""
    if len(values) > EVIDENCE_MAX:
        fields.wrong(at, f"must be at most {EVIDENCE_MAX}")
    return [read_sha256(value, fields, f"{at}[{i}]") for i, value in enumerate(values[:EVIDENCE_MAX])]


def read_step(message: pb.ReviewStep, criteria: Criteria, days: tuple[date, date], fields: Fields, at: str = "step") -> Step:
    """Read a step of a review under the criteria of its application; it was held on one of `days`, both included."""
    kind = fields.enum(f"{at}.kind", message.kind, STEP_IN)
    before = len(fields.violations)
    held_on = fields.date(f"{at}.held_on", message.held_on)
    if len(fields.violations) == before and not days[0] <= held_on <= days[1]:
        fields.wrong(f"{at}.held_on", f"must be between {days[0]}, when the application was filed, and today")
    return Step(
        kind=kind,
        held_on=held_on,
        reviewer=fields.text(f"{at}.reviewer", message.reviewer, REVIEWER_CHARS_MAX),
        favourable=message.favourable,
        opinion=fields.text(f"{at}.opinion", message.opinion, OPINION_CHARS_MAX),
        scores=_scores(message.scores, criteria.expert_items if kind is StepKind.EXPERT_SCORE else {}, fields, f"{at}.scores"),
        sha256=read_sha256(message.sha256, fields, f"{at}.sha256", required=False),
    )


def _scores(given: Sequence[pb.ItemScore], items: dict[str, int], fields: Fields, at: str) -> tuple[tuple[str, int], ...]:
    if sorted(score.item for score in given) != sorted(items):
        fields.wrong(at, f"must score each of these items once: {', '.join(sorted(items)) or 'none'}")
        return ()
    return tuple((score.item, fields.between(f"{at}[{i}].points", score.points, 0, items[score.item])) for i, score in enumerate(given))


def stored_applicant(row: AdmissionApplicationRow) -> Applicant:
    """Decode a stored applicant; it was checked when it applied."""
    return read_applicant(pb.Applicant.FromString(row.body), Fields())


def stored_step(row: ApplicationEventRow) -> Step:
    """Decode a stored step; it was checked when it was recorded."""
    message = pb.ReviewStep.FromString(row.body or b"")
    return Step(
        kind=STEP_IN[message.kind],
        held_on=date.fromisoformat(message.held_on),
        reviewer=message.reviewer,
        favourable=message.favourable,
        opinion=message.opinion,
        scores=tuple((score.item, score.points) for score in message.scores),
        sha256=message.sha256,
    )


def step_message(row: ApplicationEventRow, *, applicant: bool = False) -> pb.ReviewStep:
    """A step as participants see it; its applicant does not learn who held it."""
    message = pb.ReviewStep.FromString(row.body or b"")
    message.recorded_at.CopyFrom(encode.timestamp(row.at))
    message.participant_id, message.division = row.participant_id, row.division
    if applicant:
        message.reviewer = ""
    return message


def application_message(row: AdmissionApplicationRow, criteria_version: str, open_objections: int) -> pb.AdmissionApplication:
    """An application as those see it who may."""
    return pb.AdmissionApplication(
        application_id=str(row.application_id),
        kind=KIND_OUT[Kind(row.kind)],
        applicant=pb.Applicant.FromString(row.body),
        state=STATE_OUT[State(row.state)],
        criteria_version=criteria_version,
        filed_at=encode.timestamp(row.filed_at),
        filed_by=row.filed_by,
        notice_from=text_of(row.notice_from),
        notice_until=text_of(row.notice_until),
        evaluation=pb.Evaluation.FromString(row.evaluation) if row.evaluation else None,
        open_objections=open_objections,
    )


def applicant_message(item: Applicant) -> pb.Applicant:
    """An applicant, written out."""
    message = pb.Applicant(
        uscc=item.uscc,
        name=item.name,
        home=item.home,
        categories=[enums.CATEGORY_OUT[category] for category in item.categories],
        staff=item.staff,
        years=item.years,
    )
    for held in item.qualifications:
        message.qualifications.add(
            kind=held.kind,
            number=held.number,
            valid_from=held.valid_from.isoformat(),
            valid_until=text_of(held.valid_until),
            sha256=held.sha256,
        )
    for kind, sha256 in item.documents:
        message.documents.add(kind=kind, sha256=sha256)
    return message


def notice_message(row: AdmissionApplicationRow) -> pb.PublicNotice:
    """What everyone may see of an application under public notice."""
    said = pb.Applicant.FromString(row.body)
    return pb.PublicNotice(
        application_id=str(row.application_id),
        kind=KIND_OUT[Kind(row.kind)],
        uscc=said.uscc,
        name=said.name,
        home=said.home,
        categories=said.categories,
        qualifications=said.qualifications,
        notice_from=text_of(row.notice_from),
        notice_until=text_of(row.notice_until),
    )


def history_message(row: ApplicationEventRow, *, applicant: bool = False) -> pb.ApplicationStep:
    """Something that happened to an application; its applicant does not learn who objected."""
    hidden = applicant and row.cause == "Object"
    return pb.ApplicationStep(
        cause=row.cause,
        state=STATE_OUT[State(row.state)],
        at=encode.timestamp(row.at),
        participant_id="" if hidden else row.participant_id,
        division="" if hidden else row.division,
        reason=row.reason,
    )


def objection_message(row: ObjectionRow, *, applicant: bool = False) -> pb.Objection:
    """An objection as those see it who may; the applicant does not learn who raised it."""
    return pb.Objection(
        objection_id=str(row.objection_id),
        application_id=str(row.application_id),
        reason=row.reason,
        evidence_sha256=row.evidence,
        raised_at=encode.timestamp(row.raised_at),
        raised_by="" if applicant else row.raised_by,
        raised_division="" if applicant else row.raised_division,
        outcome=OUTCOME_OUT.get(row.outcome, pb.OBJECTION_OUTCOME_UNSPECIFIED),
        resolution=row.resolution,
        resolved_at=encode.timestamp(row.resolved_at) if row.resolved_at else None,
        resolved_by=row.resolved_by,
    )


def application_changed(message: pb.AdmissionApplication, happened: ApplicationEventRow) -> Event:
    """Tell the province that decides; the key is the provider, so that its applications' changes stay in order."""
    said = events_pb2.AdmissionApplicationChanged(application=message, cause=happened.cause, occurred_at=encode.timestamp(happened.at))
    return event(out(message.applicant.home), message.applicant.uscc, said)


def noticed(row: AdmissionApplicationRow, *, opened: bool) -> Event:
    """Tell everyone of a public notice."""
    return event(POOL, row.provider, events_pb2.AdmissionNoticed(notice=notice_message(row), open=opened))
