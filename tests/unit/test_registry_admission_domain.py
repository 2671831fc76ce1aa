"""Providers, criteria and applications as pure decisions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from hub.domain.conditions import Condition
from hub.domain.policy import Category
from hub.domain.refusals import Refusal, RefusalCode
from registry.admission import application, domain
from registry.admission.application import Act, State
from registry.admission.criteria import Applicant, Criteria, Kind, Qualification, ScoreItem, Step, StepKind, evaluate, in_force
from registry.admission.domain import Absence, Cause, Member, Standing
from tests.fixtures.admission import provider_caller
from tests.support_usecases import COORDINATOR, platform

DAY = date(2026, 3, 2)
LAB = Member("12310104425001236Q", "检测中心", "310000", (Category.RESEARCH,), date(2026, 1, 1))
CRITERIA = Criteria(
    division="310000",
    version="1",
    effective_from=date(2026, 1, 1),
    effective_until=None,
    conditions=(Condition("cma", '"CMA" in applicant.qualification_kinds', "具备 CMA", "holds CMA"),),
    scorecard=(
        ScoreItem(Condition("staff", "applicant.staff >= 20", "人员", "staff"), 40),
        ScoreItem(Condition("ability", "", "能力", "ability"), 60),
    ),
    pass_mark=70,
    required_steps=(StepKind.FORMAL_CHECK, StepKind.EXPERT_SCORE),
    notice_days=7,
    validity_months=12,
    source="assumed",
)
APPLICANT = Applicant(
    "12310104425001236Q", "检测中心", "310000", (), 20, 3, (Qualification("CMA", "1", date(2025, 1, 1), date(2026, 6, 1), ""),), ()
)


def step(kind: StepKind, reviewer: str = "甲", points: int | None = None, *, favourable: bool = True) -> Step:
    return Step(kind, DAY, reviewer, favourable, "", () if points is None else (("ability", points),), "")


def code(value: object) -> RefusalCode | None:
    return value.code if isinstance(value, Refusal) else None


@pytest.mark.parametrize(
    ("member", "standing", "admitted"),
    [
        (LAB, Standing.GOOD, True),
        (replace(LAB, admitted_on=date(2026, 3, 3)), Standing.GOOD, False),
        (replace(LAB, valid_until=DAY), Standing.LAPSED, True),
        (replace(LAB, valid_until=date(2026, 3, 3)), Standing.GOOD, True),
        (replace(LAB, suspended_on=DAY, valid_until=DAY), Standing.SUSPENDED, True),
        (replace(LAB, suspended_on=DAY, removed_on=DAY), Standing.REMOVED, False),
        (replace(LAB, removed_on=date(2026, 3, 3)), Standing.GOOD, True),
    ],
)
def test_standing_goes_by_the_day(member: Member, standing: Standing, admitted: bool) -> None:
    assert (member.standing(DAY), member.admitted(DAY)) == (standing, admitted)


def test_admission_is_new_a_renewal_or_a_return() -> None:
    assert domain.admit(None, LAB) == (Cause.ADMIT, LAB)
    suspended = replace(LAB, suspended_on=DAY)
    assert domain.admit(suspended, LAB) == (Cause.RENEW, suspended)
    assert domain.admit(replace(suspended, removed_on=DAY), LAB) == (Cause.ADMIT, LAB)


def test_only_the_first_word_of_a_provider_counts_from_the_past() -> None:
    assert domain.counts_from(None, LAB, DAY) == date(2026, 1, 1)
    assert domain.counts_from(None, replace(LAB, admitted_on=date(2026, 4, 1)), DAY) == DAY
    assert domain.counts_from(LAB, LAB, DAY) == DAY


def test_a_removed_provider_takes_no_other_change() -> None:
    gone = replace(LAB, removed_on=DAY)
    for turned in (domain.suspend(gone, DAY), domain.reinstate(gone), domain.remove(gone, DAY), domain.renew(gone, None)):
        assert code(turned) is RefusalCode.INVALID_STATE
    suspended = replace(LAB, suspended_on=DAY)
    assert domain.suspend(LAB, DAY) == suspended
    assert code(domain.suspend(suspended, DAY)) is RefusalCode.INVALID_STATE
    assert domain.reinstate(suspended) == LAB
    assert code(domain.reinstate(LAB)) is RefusalCode.INVALID_STATE
    assert domain.absences(replace(suspended, valid_until=DAY)) == {Absence.SUSPENSION: DAY, Absence.LAPSE: DAY}


@pytest.mark.parametrize(
    ("known", "months", "until"),
    [
        (None, 0, None),
        (None, 12, date(2027, 3, 2)),
        (replace(LAB, valid_until=date(2026, 5, 31)), 9, date(2027, 2, 28)),
        (replace(LAB, valid_until=date(2026, 1, 31)), 12, date(2027, 3, 2)),
        (replace(LAB, valid_until=date(2026, 5, 31), removed_on=DAY), 12, date(2027, 3, 2)),
    ],
)
def test_a_renewal_lengthens_what_still_runs(known: Member | None, months: int, until: date | None) -> None:
    assert domain.lasts_until(known, months, DAY) == until


def test_evaluation_counts_what_is_valid_on_the_day() -> None:
    steps = [
        step(StepKind.FORMAL_CHECK),
        step(StepKind.EXPERT_SCORE, "甲", 20),
        step(StepKind.EXPERT_SCORE, "乙", 31),
        step(StepKind.EXPERT_SCORE, "甲", 30),
    ]
    found = evaluate(CRITERIA, Kind.ADMISSION, APPLICANT, steps, DAY)
    assert (found.total, found.passed) == (40 + 30, True)
    later = evaluate(CRITERIA, Kind.ADMISSION, APPLICANT, steps, date(2026, 6, 1))
    assert (later.total, later.passed) == (70, False)
    refusal = later.refusal()
    assert (refusal.code, refusal.metadata) == (RefusalCode.CONDITION_FAILED, (("condition", "cma"),))
    assert refusal.zh == "不符合入库标准:具备 CMA:不符合"
    unfavourable = evaluate(CRITERIA, Kind.ADMISSION, APPLICANT, [*steps, step(StepKind.FORMAL_CHECK, favourable=False)], DAY)
    assert [line.met for line in unfavourable.steps] == [False, True]
    nothing = evaluate(CRITERIA, Kind.ADMISSION, replace(APPLICANT, staff=19), [], DAY)
    assert nothing.refusal().metadata == (("condition", "step:FORMAL_CHECK,step:EXPERT_SCORE,pass_mark"),)


def test_criteria_in_force_are_the_latest_begun() -> None:
    second = replace(CRITERIA, version="2", effective_from=date(2026, 3, 1), effective_until=date(2026, 4, 1))
    assert in_force([CRITERIA, second], DAY) is second
    assert in_force([CRITERIA, second], date(2026, 4, 1)) is CRITERIA
    assert in_force([second], date(2026, 2, 28)) is None
    assert CRITERIA.notice(DAY) == (DAY, date(2026, 3, 9))


def test_every_act_fits_exactly_the_states_it_says() -> None:
    allowed = {(state, act): application.after(state, act) for state in State for act in Act}
    fits = {pair: state.value for pair, state in allowed.items() if isinstance(state, State)}
    assert {state for state, _ in fits} == set(application.OPEN)
    assert {act for _, act in fits} == set(Act) - {Act.APPLY}
    assert {act for state, act in fits if state is State.PUBLIC_NOTICE} == {Act.OBJECT, Act.UPHOLD, Act.DISMISS, Act.ADMIT, Act.WITHDRAW}
    assert fits[State.SUBMITTED, Act.REVIEW] == fits[State.UNDER_REVIEW, Act.REVIEW] == "UNDER_REVIEW"
    assert fits[State.PUBLIC_NOTICE, Act.UPHOLD] == "STOPPED"
    assert all(code(allowed[state, act]) is RefusalCode.INVALID_STATE for state, act in allowed if (state, act) not in fits)


def test_who_may_apply_decide_and_see() -> None:
    uscc = LAB.uscc
    for caller, applies, decides, sees in (
        (platform("310000"), True, True, True),
        (platform("330000"), False, False, False),
        (COORDINATOR, False, False, True),
        (provider_caller(uscc), True, False, True),
        (provider_caller(uscc, "330000"), False, False, True),
        (provider_caller("91310118MA1JTERT16"), False, False, False),
    ):
        assert (application.may_apply(caller, uscc, "310000") is None) == applies
        assert (application.may_decide(caller, "310000") is None) == decides
        assert (application.may_see(caller, uscc, "310000") is None) == sees
