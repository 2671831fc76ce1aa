"""Admission criteria (沪科合〔2022〕19号 四(三): each province sets its own), and what they say of an applicant. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import NamedTuple

from hub.domain import conditions
from hub.domain.conditions import Condition, Context
from hub.domain.policy import Category
from hub.domain.reasons import Reason
from hub.domain.refusals import Refusal, RefusalCode

CLAUSE = "沪科合〔2022〕19号 四(三)"
VARIABLES = ("applicant",)

SAMPLE: Context = {
    "applicant": {
        "uscc": "",
        "name": "",
        "home": "310000",
        "kind": "ADMISSION",
        "categories": ["RESEARCH"],
        "staff": 1,
        "years": 1,
        "qualifications": [{"kind": "CMA", "number": "1", "valid_from": "2026-01-01", "valid_until": "", "valid": True}],
        "qualification_kinds": ["CMA"],
        "document_kinds": ["BUSINESS_LICENCE"],
    }
}


class Kind(StrEnum):
    """What an application is for."""

    ADMISSION = "ADMISSION"
    RENEWAL = "RENEWAL"


class StepKind(StrEnum):
    """Kinds of steps of a review: 形式审查, 专家评分, 现场核查, 会议评审."""

    FORMAL_CHECK = "FORMAL_CHECK"
    EXPERT_SCORE = "EXPERT_SCORE"
    SITE_VISIT = "SITE_VISIT"
    PANEL = "PANEL"


STEP_ZH = {
    StepKind.FORMAL_CHECK: "形式审查",
    StepKind.EXPERT_SCORE: "专家评分",
    StepKind.SITE_VISIT: "现场核查",
    StepKind.PANEL: "会议评审",
}


class Qualification(NamedTuple):
    """A qualification, valid on `[valid_from, valid_until)`; `valid_until` None is open."""

    kind: str
    number: str
    valid_from: date
    valid_until: date | None
    sha256: str

    def valid(self, day: date) -> bool:
        """Say whether it is valid on a day."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True, slots=True)
class Applicant:
    """What an institution says of itself when it applies. `years` are whole years in operation."""

    uscc: str
    name: str
    home: str
    categories: tuple[Category, ...]
    staff: int
    years: int
    qualifications: tuple[Qualification, ...]
    documents: tuple[tuple[str, str], ...]


class ScoreItem(NamedTuple):
    """An item of the scorecard: all `points` where its condition holds, or without an expression the mean of what experts give."""

    condition: Condition
    points: int

    @property
    def by_experts(self) -> bool:
        """Say whether experts score the item."""
        return not self.condition.cel


@dataclass(frozen=True, slots=True)
class Criteria:
    """A province's rules of admission, in force on `[effective_from, effective_until)`. `validity_months` 0 is without end."""

    division: str
    version: str
    effective_from: date
    effective_until: date | None
    conditions: tuple[Condition, ...]
    scorecard: tuple[ScoreItem, ...]
    pass_mark: int
    required_steps: tuple[StepKind, ...]
    notice_days: int
    validity_months: int
    source: str

    def notice(self, decided_on: date) -> tuple[date, date]:
        """Return the public notice `[from, until)` in calendar days; the day of the decision is its first."""
        return decided_on, decided_on + timedelta(days=self.notice_days)

    @property
    def expert_items(self) -> dict[str, int]:
        """Most points by the id of each item that experts score."""
        return {item.condition.id: item.points for item in self.scorecard if item.by_experts}


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a review. `scores` are (item, points); participant and instant of recording are kept with it in the history."""

    kind: StepKind
    held_on: date
    reviewer: str
    favourable: bool
    opinion: str
    scores: tuple[tuple[str, int], ...]
    sha256: str


class Line(NamedTuple):
    """One line of an evaluation; `points_max` 0 where it gives no points."""

    id: str
    met: bool
    zh: str
    en: str
    points: int = 0
    points_max: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What criteria say of an applicant on a day."""

    version: str
    day: date
    conditions: tuple[Line, ...]
    scores: tuple[Line, ...]
    steps: tuple[Line, ...]
    pass_mark: int

    @property
    def total(self) -> int:
        """Sum of the points."""
        return sum(line.points for line in self.scores)

    @property
    def passed(self) -> bool:
        """Say whether all is met."""
        return self.total >= self.pass_mark and all(line.met for line in (*self.conditions, *self.steps))

    def refusal(self) -> Refusal:
        """Return CONDITION_FAILED with every line that is not met, for one who would pass the review all the same."""
        lacking = [line for line in (*self.conditions, *self.steps) if not line.met]
        reasons = [Reason("P2", line.zh, line.en, "CONDITION_FAILED", self.version, CLAUSE) for line in lacking]
        if self.total < self.pass_mark:
            facts = (("total", self.total), ("pass_mark", self.pass_mark))
            zh, en = f"评分 {self.total} 分,低于合格线 {self.pass_mark} 分", f"{self.total} points, below the pass mark of {self.pass_mark}"
            reasons.append(Reason("P2", zh, en, "CONDITION_FAILED", self.version, CLAUSE, facts))
        failed = ",".join([*(line.id for line in lacking), *(["pass_mark"] if self.total < self.pass_mark else [])])
        return Refusal(
            RefusalCode.CONDITION_FAILED,
            reasons=tuple(reasons),
            metadata=(("condition", failed),),
            detail_zh="不符合入库标准:" + ";".join(reason.zh for reason in reasons),
            detail_en="the admission criteria are not met: " + "; ".join(reason.en for reason in reasons),
        )


def in_force(published: Iterable[Criteria], day: date) -> Criteria | None:
    """Return the criteria in force on a day: of those whose period covers it the latest begun, then the highest version."""
    covering = [item for item in published if item.effective_from <= day and (item.effective_until is None or day < item.effective_until)]
    return max(covering, key=lambda item: (item.effective_from, item.version), default=None)


def evaluate(criteria: Criteria, kind: Kind, applicant: Applicant, steps: Sequence[Step], day: date) -> Evaluation:
    """Evaluate criteria on an application as it is on a day: qualifications that have run out by then do not count."""
    context = _context(kind, applicant, day)
    return Evaluation(
        version=criteria.version,
        day=day,
        conditions=tuple(_condition(item, context) for item in criteria.conditions),
        scores=tuple(_score(item, context, steps) for item in criteria.scorecard),
        steps=tuple(_required(kind_, steps) for kind_ in criteria.required_steps),
        pass_mark=criteria.pass_mark,
    )


def _context(kind: Kind, applicant: Applicant, day: date) -> Context:
    qualifications = [
        {
            "kind": item.kind,
            "number": item.number,
            "valid_from": item.valid_from.isoformat(),
            "valid_until": item.valid_until.isoformat() if item.valid_until else "",
            "valid": item.valid(day),
        }
        for item in applicant.qualifications
    ]
    return {
        "applicant": {
            "uscc": applicant.uscc,
            "name": applicant.name,
            "home": applicant.home,
            "kind": kind.value,
            "categories": [category.value for category in applicant.categories],
            "staff": applicant.staff,
            "years": applicant.years,
            "qualifications": qualifications,
            "qualification_kinds": sorted({item.kind for item in applicant.qualifications if item.valid(day)}),
            "document_kinds": sorted({kind_ for kind_, _ in applicant.documents}),
        }
    }


def _condition(condition: Condition, context: Context) -> Line:
    held = conditions.holds(condition, context, VARIABLES)
    zh, en = condition.zh or condition.id, condition.en or condition.id
    return Line(condition.id, held, f"{zh}:{'符合' if held else '不符合'}", f"{en}: {'met' if held else 'not met'}")


def _score(item: ScoreItem, context: Context, steps: Sequence[Step]) -> Line:
    zh, en = item.condition.zh or item.condition.id, item.condition.en or item.condition.id
    if not item.by_experts:
        held = conditions.holds(item.condition, context, VARIABLES)
        points = item.points if held else 0
        return Line(item.condition.id, held, f"{zh}:{points}/{item.points} 分", f"{en}: {points} of {item.points}", points, item.points)
    latest = {step.reviewer: points for step in steps for name, points in step.scores if name == item.condition.id}
    given = list(latest.values())
    points = sum(given) // len(given) if given else 0
    return Line(
        item.condition.id,
        points > 0,
        f"{zh}:{len(given)} 位专家平均 {points}/{item.points} 分",
        f"{en}: {points} of {item.points}, the mean of {len(given)} experts",
        points,
        item.points,
    )


def _required(kind: StepKind, steps: Sequence[Step]) -> Line:
    held = [step for step in steps if step.kind is kind]
    if not held:
        return Line(f"step:{kind.value}", False, f"{STEP_ZH[kind]}尚未进行", f"{kind.value} is not recorded")
    # Experts speak by their points.
    met = held[-1].favourable or kind is StepKind.EXPERT_SCORE
    zh, en = ("通过", "favourable") if met else ("未通过", "not favourable")
    day = held[-1].held_on
    return Line(f"step:{kind.value}", met, f"{STEP_ZH[kind]}({day}):{zh}", f"{kind.value} of {day}: {en}")
