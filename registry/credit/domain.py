"""Credit records, the sanctions that follow from them, and what of that is told to whom (沪科合〔2022〕19号 五(四)). Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import NamedTuple

from hub.domain.caller import Caller, Role
from hub.domain.clock import add_months
from hub.domain.divisions import contains
from hub.domain.refusals import Refusal, RefusalCode, invalid, invalid_state, not_permitted
from registry.domain import Period


class SubjectKind(StrEnum):
    """What kind of subject a record is about."""

    ENTERPRISE = "ENTERPRISE"
    PROVIDER = "PROVIDER"
    TEAM = "TEAM"
    PERSON = "PERSON"


class CreditList(StrEnum):
    """The negative list bars by itself; a research-credit record bars only as far as the rules say."""

    NEGATIVE = "NEGATIVE"
    RECORD = "RECORD"


class Reason(StrEnum):
    """Class of a reason: the most that anyone who asks is told."""

    VOUCHER_FRAUD = "VOUCHER_FRAUD"
    FALSE_DOCUMENTS = "FALSE_DOCUMENTS"
    COLLUSION = "COLLUSION"
    VOUCHER_TRADING = "VOUCHER_TRADING"
    DOUBLE_SUBSIDY = "DOUBLE_SUBSIDY"
    FALSE_REPORTS = "FALSE_REPORTS"
    RESEARCH_MISCONDUCT = "RESEARCH_MISCONDUCT"
    OBSTRUCTION = "OBSTRUCTION"
    OTHER = "OTHER"


class Effect(StrEnum):
    """What a sanction keeps its subject from. Clearing reads the first two with their commit."""

    BAR_VOUCHERS = "BAR_VOUCHERS"
    SUSPEND_PROVIDER = "SUSPEND_PROVIDER"
    BAR_QUALITY_LIST = "BAR_QUALITY_LIST"
    BAR_EXPERT = "BAR_EXPERT"


class Purpose(StrEnum):
    """What a question is asked for."""

    VOUCHER_ISSUE = "VOUCHER_ISSUE"
    VOUCHER_REDEMPTION = "VOUCHER_REDEMPTION"
    PROVIDER_ADMISSION = "PROVIDER_ADMISSION"
    QUALITY_SELECTION = "QUALITY_SELECTION"
    EXPERT_SELECTION = "EXPERT_SELECTION"


class Appeal(StrEnum):
    """How an appeal stands; NONE was filed."""

    NONE = "NONE"
    FILED = "FILED"
    UPHELD = "UPHELD"
    DISMISSED = "DISMISSED"


class Act(StrEnum):
    """What made a version of a record."""

    ENTER = "ENTER"
    CORRECT = "CORRECT"
    END = "END"
    REFER = "REFER"
    APPEAL = "APPEAL"
    UPHOLD = "UPHOLD"
    DISMISS = "DISMISS"


TOLD: Mapping[Purpose, frozenset[Effect]] = {
    Purpose.VOUCHER_ISSUE: frozenset({Effect.BAR_VOUCHERS}),
    Purpose.VOUCHER_REDEMPTION: frozenset({Effect.BAR_VOUCHERS, Effect.SUSPEND_PROVIDER}),
    Purpose.PROVIDER_ADMISSION: frozenset({Effect.SUSPEND_PROVIDER}),
    Purpose.QUALITY_SELECTION: frozenset({Effect.BAR_QUALITY_LIST, Effect.SUSPEND_PROVIDER}),
    Purpose.EXPERT_SELECTION: frozenset({Effect.BAR_EXPERT}),
}
"""The sanctions that matter for a purpose: nothing else is told."""


class Subject(NamedTuple):
    """Whom a record is about: a credit code, a team's number after its division, or a person's keyed reference."""

    kind: SubjectKind
    id: str

    @property
    def sha256(self) -> str:
        """Hash by which logs and events name the subject. Who knows the subject recognises it; nobody reads it off."""
        return hashlib.sha256(f"{self.kind.value}:{self.id}".encode()).hexdigest()

    @property
    def is_organisation(self) -> bool:
        """True where the id is a unified social credit code: the hub knows it as enterprise, as provider, or both."""
        return self.kind in (SubjectKind.ENTERPRISE, SubjectKind.PROVIDER)


@dataclass(frozen=True, slots=True)
class Content:
    """What a record says."""

    list: CreditList
    reason: Reason
    text: str
    authority: str
    document_no: str
    evidence: tuple[str, ...]
    period: Period


@dataclass(frozen=True, slots=True)
class Record:
    """A record as one of its versions leaves it. `entered_on` is the day of its first version."""

    record_id: str
    subject: Subject
    entered_by: str
    entered_on: date
    version: int
    content: Content
    appeal: Appeal = Appeal.NONE
    referred_to: str = ""
    referred_on: date | None = None
    ended_on: date | None = None


class Rule(NamedTuple):
    """A rule of joint sanctions. An empty `entered_by` means whoever entered the record; `source` cites it, or says `assumed`."""

    id: str
    reasons: frozenset[Reason]
    subjects: frozenset[SubjectKind]
    entered_by: tuple[str, ...]
    effects: tuple[Effect, ...]
    years: int
    source: str

    def applies_to(self, record: Record) -> bool:
        """Say whether a record falls under the rule."""
        entered = not self.entered_by or any(contains(outer, record.entered_by) for outer in self.entered_by)
        return entered and record.content.reason in self.reasons and record.subject.kind in self.subjects


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules, and what the negative list itself bars each kind of subject from."""

    version: str
    negative_list: Mapping[SubjectKind, tuple[Effect, ...]]
    joint: tuple[Rule, ...]


class Sanction(NamedTuple):
    """A sanction: what from, when, by which rule (`list`: the negative list itself)."""

    effect: Effect
    period: Period
    rule: str


def sanctions_of(record: Record, rules: Rules) -> tuple[Sanction, ...]:
    """Return the sanctions that follow from a record, those of rules for as many years as they say.

    None begins before the record was entered: what was done in good faith before stays. None outlasts the day the record was ended.
    """
    content = record.content
    found: list[Sanction] = []
    if content.list is CreditList.NEGATIVE:
        found += [Sanction(effect, content.period, "list") for effect in rules.negative_list.get(record.subject.kind, ())]
    for rule in rules.joint:
        if rule.applies_to(record):
            period = Period(content.period.since, add_months(content.period.since, 12 * rule.years))
            found += [Sanction(effect, period, rule.id) for effect in rule.effects]
    cut = [item._replace(period=_cut(item.period, record)) for item in found]
    return tuple(item for item in cut if item.period.until is None or item.period.since < item.period.until)


def _cut(period: Period, record: Record) -> Period:
    ends = [day for day in (period.until, record.ended_on) if day is not None]
    return Period(max(period.since, record.entered_on), min(ends, default=None))


class Answer(NamedTuple):
    """What is told of one subject; `reason` None where it is not barred."""

    reason: Reason | None
    since: date | None
    until: date | None


NOT_BARRED = Answer(None, None, None)


def told(found: Iterable[tuple[Effect, Reason, Period]], purpose: Purpose, today: date) -> Answer:
    """Return the least that answers a question: of the sanctions in force that matter for the purpose the one that ends last."""
    in_force = [(reason, period) for effect, reason, period in found if effect in TOLD[purpose] and period.covers(today)]
    if not in_force:
        return NOT_BARRED
    reason, period = max(in_force, key=lambda item: (item[1].until or date.max, item[1].since.toordinal() * -1, item[0].value))
    return Answer(reason, period.since, period.until)


def may_record(caller: Caller, division: str | None) -> Refusal | None:
    """The subject's own division enters records, or the coordination group; persons (None) belong to no division."""
    if caller.role is Role.COORDINATOR or division is None or caller.acts_for(division):
        return None
    return not_permitted("仅主体所在地平台或协调组可以录入", "only the platform of the subject's division or the coordination group may")


def may_see(caller: Caller, record: Record) -> bool:
    """Say whether a record is open to the caller: whoever entered it, a division above, or the coordination group."""
    return caller.sees(record.entered_by)


def unchangeable(record: Record) -> Refusal | None:
    """A record that was ended is history."""
    if record.ended_on is None:
        return None
    return invalid_state(f"该记录已于 {record.ended_on} 终止", f"the record was ended on {record.ended_on}")


def appeal_refused(record: Record) -> Refusal | None:
    """One appeal at a time, while there is something to appeal against."""
    if record.appeal is Appeal.FILED:
        return invalid_state("已有申诉待处理", "an appeal is filed already and not decided")
    return unchangeable(record)


def decision_refused(record: Record) -> Refusal | None:
    """Only an appeal that is filed can be decided."""
    return None if record.appeal is Appeal.FILED else invalid_state("没有待处理的申诉", "no appeal is waiting to be decided")


def referral_refused(record: Record, referred_on: date, today: date) -> Refusal | None:
    """A case is referred once, and not in the future."""
    if record.referred_on is not None:
        return invalid_state(f"已于 {record.referred_on} 移送", f"it was referred on {record.referred_on}")
    return invalid("referred_on", "must not be after today") if referred_on > today else None


NOT_FOUND = Refusal(RefusalCode.CREDIT_RECORD_NOT_FOUND)
