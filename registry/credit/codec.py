"""Credit records and questions: messages to domain and back, and the little that everyone is told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import TypeVar

from hub.codec.encode import timestamp
from hub.codec.events import POOL, Event, event
from hub.codec.fields import Fields
from hub.domain.divisions import is_division
from registry.codec import REASON_CHARS_MAX
from registry.credit.domain import Answer, Appeal, Content, CreditList, Purpose, Reason, Record, Sanction, Subject, SubjectKind
from registry.domain import Period
from registry.tables import NegativeListRow
from yrd.credit.v1 import credit_pb2 as pb
from yrd.events.v1 import events_pb2

AUTHORITY_CHARS_MAX = 200
EVIDENCE_MAX = 20

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)
_TEAM = re.compile(r"(\d{6})-[^\s\x00-\x1f\x7f-\x9f]{1,57}", re.ASCII)

E = TypeVar("E", bound=StrEnum)


def _members(prefix: str, kind: type[E], numbers: Mapping[str, int]) -> dict[int, E]:
    return {numbers[f"{prefix}_{member.value}"]: member for member in kind}


KIND_IN = _members("SUBJECT_KIND", SubjectKind, dict(pb.SubjectKind.items()))
LIST_IN = _members("CREDIT_LIST", CreditList, dict(pb.CreditList.items()))
REASON_IN = _members("CREDIT_REASON", Reason, dict(pb.CreditReason.items()))
PURPOSE_IN = _members("CREDIT_PURPOSE", Purpose, dict(pb.CreditPurpose.items()))


def _number(value: str) -> pb.CreditReason.ValueType:
    return pb.CreditReason.Value(f"CREDIT_REASON_{value}")


def read_subject(message: pb.Subject, fields: Fields, at: str = "subject") -> Subject:
    """Read whom a record or a question is about."""
    before = len(fields.violations)
    kind = fields.enum(f"{at}.kind", message.kind, KIND_IN)
    if len(fields.violations) > before:
        # Which form the id should have, only the kind says.
        return Subject(kind, message.id)
    if kind is SubjectKind.TEAM and not _team_division(message.id):
        fields.wrong(f"{at}.id", "must be the team's number after its division, such as 330522-T2026018")
    elif kind is SubjectKind.PERSON and not _SHA256.fullmatch(message.id):
        fields.wrong(f"{at}.id", "must be the reference that GetPersonReference returns, never a name or an identity number")
    elif kind in (SubjectKind.ENTERPRISE, SubjectKind.PROVIDER):
        fields.uscc(f"{at}.id", message.id)
    return Subject(kind, message.id)


def _team_division(number: str) -> str:
    match = _TEAM.fullmatch(number)
    return match.group(1) if match and is_division(match.group(1)) else ""


def team_division(subject: Subject) -> str:
    """Return the division in front of a team's number."""
    return _team_division(subject.id)


def read_content(message: pb.CreditContent, fields: Fields, at: str = "content") -> Content:
    """Read what a record says."""
    before = len(fields.violations)
    since = fields.date(f"{at}.since", message.since)
    until = fields.optional_date(f"{at}.until", message.until)
    # Dates that could not be read are placeholders: there is nothing to compare.
    if len(fields.violations) == before and until is not None and until <= since:
        fields.wrong(f"{at}.until", "must be after since")
    given = list(message.evidence_sha256)
    if not 1 <= len(given) <= EVIDENCE_MAX or len(set(given)) < len(given):
        fields.wrong(f"{at}.evidence_sha256", f"must list 1 to {EVIDENCE_MAX} documents, each once")
    for i, digest in enumerate(given[:EVIDENCE_MAX]):
        if not _SHA256.fullmatch(digest):
            fields.wrong(f"{at}.evidence_sha256[{i}]", "must be the SHA-256 of a document: 64 hexadecimal digits in lower case")
    return Content(
        list=fields.enum(f"{at}.list", message.list, LIST_IN),
        reason=fields.enum(f"{at}.reason", message.reason, REASON_IN),
        text=fields.text(f"{at}.text", message.text, REASON_CHARS_MAX),
        authority=fields.text(f"{at}.authority", message.authority, AUTHORITY_CHARS_MAX),
        document_no=fields.text(f"{at}.document_no", message.document_no, AUTHORITY_CHARS_MAX, required=False),
        evidence=tuple(given),
        period=Period(since, until),
    )


def content_stored(item: Content) -> dict[str, object]:
    """A record's content as it is stored."""
    return {
        "list": item.list.value,
        "reason": item.reason.value,
        "text": item.text,
        "authority": item.authority,
        "document_no": item.document_no,
        "evidence": list(item.evidence),
        "since": item.period.since.isoformat(),
        "until": _day(item.period.until),
    }


def stored_content(value: Mapping[str, object]) -> Content:
    """A record's content as it was stored."""
    evidence = value["evidence"]
    assert isinstance(evidence, list)
    until = str(value["until"])
    return Content(
        CreditList(str(value["list"])),
        Reason(str(value["reason"])),
        str(value["text"]),
        str(value["authority"]),
        str(value["document_no"]),
        tuple(map(str, evidence)),
        Period(date.fromisoformat(str(value["since"])), date.fromisoformat(until) if until else None),
    )


def subject_message(item: Subject) -> pb.Subject:
    """A subject."""
    return pb.Subject(kind=pb.SubjectKind.Value(f"SUBJECT_KIND_{item.kind.value}"), id=item.id)


def content_message(item: Content) -> pb.CreditContent:
    """What a record says."""
    return pb.CreditContent(
        list=pb.CreditList.Value(f"CREDIT_LIST_{item.list.value}"),
        reason=_number(item.reason.value),
        text=item.text,
        authority=item.authority,
        document_no=item.document_no,
        evidence_sha256=item.evidence,
        since=item.period.since.isoformat(),
        until=_day(item.period.until),
    )


def record_message(item: Record, sanctions: Iterable[Sanction]) -> pb.CreditRecord:
    """A record, for whoever entered it."""
    return pb.CreditRecord(
        record_id=item.record_id,
        subject=subject_message(item.subject),
        content=content_message(item.content),
        entered_by=item.entered_by,
        appeal=appeal_number(item.appeal),
        referred_to=item.referred_to,
        referred_on=_day(item.referred_on),
        ended_on=_day(item.ended_on),
        sanctions=[
            pb.CreditSanction(
                effect=pb.CreditEffect.Value(f"CREDIT_EFFECT_{sanction.effect.value}"),
                since=sanction.period.since.isoformat(),
                until=_day(sanction.period.until),
                rule=sanction.rule,
            )
            for sanction in sanctions
        ],
        version=item.version,
    )


def appeal_number(item: Appeal) -> pb.AppealState.ValueType:
    """How an appeal stands."""
    return pb.AppealState.Value("APPEAL_STATE_UNSPECIFIED" if item is Appeal.NONE else f"APPEAL_STATE_{item.value}")


def answer_message(subject: Subject, item: Answer) -> pb.CreditAnswer:
    """What is told of one subject."""
    if item.reason is None:
        return pb.CreditAnswer(subject=subject_message(subject))
    return pb.CreditAnswer(
        subject=subject_message(subject), barred=True, reason=_number(item.reason.value), since=_day(item.since), until=_day(item.until)
    )


def purpose_number(value: str) -> pb.CreditPurpose.ValueType:
    """A purpose."""
    return pb.CreditPurpose.Value(f"CREDIT_PURPOSE_{value}")


def entry_message(row: NegativeListRow) -> pb.NegativeListEntry:
    """An entry of the negative list."""
    return pb.NegativeListEntry(
        enterprise=row.enterprise, since=row.since.isoformat(), until=_day(row.until), reason=row.reason, entered_by=row.entered_by
    )


def credit_changed(subject: Subject, now: datetime) -> Event:
    """Tell everyone that something about a subject changed, and nothing else."""
    return event(POOL, subject.sha256, events_pb2.CreditChanged(subject_sha256=subject.sha256, occurred_at=timestamp(now)))


def _day(day: date | None) -> str:
    return day.isoformat() if day else ""
