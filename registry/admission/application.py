"""The life of an application for admission: its states, who may do what to it, and what refuses it. Pure."""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from hub.domain.caller import Caller
from hub.domain.divisions import contains
from hub.domain.refusals import Refusal, invalid_state, not_permitted
from registry.admission.criteria import Criteria, Kind, Step, StepKind
from registry.admission.domain import Member


class State(StrEnum):
    """States of an application; the last four are final."""

    SUBMITTED = "SUBMITTED"
    UNDER_REVIEW = "UNDER_REVIEW"
    PUBLIC_NOTICE = "PUBLIC_NOTICE"
    ADMITTED = "ADMITTED"
    REJECTED = "REJECTED"
    WITHDRAWN = "WITHDRAWN"
    STOPPED = "STOPPED"


class Act(StrEnum):
    """What may happen to an application."""

    APPLY = "Apply"
    REVIEW = "Review"
    PASS = "Pass"
    REJECT = "Reject"
    OBJECT = "Object"
    UPHOLD = "Uphold"
    DISMISS = "Dismiss"
    ADMIT = "Admit"
    WITHDRAW = "Withdraw"


OPEN = (State.SUBMITTED, State.UNDER_REVIEW, State.PUBLIC_NOTICE)

_MOVES: dict[Act, dict[State, State]] = {
    Act.APPLY: {},
    Act.REVIEW: {State.SUBMITTED: State.UNDER_REVIEW, State.UNDER_REVIEW: State.UNDER_REVIEW},
    Act.PASS: {State.SUBMITTED: State.PUBLIC_NOTICE, State.UNDER_REVIEW: State.PUBLIC_NOTICE},
    Act.REJECT: {State.SUBMITTED: State.REJECTED, State.UNDER_REVIEW: State.REJECTED},
    Act.OBJECT: {State.PUBLIC_NOTICE: State.PUBLIC_NOTICE},
    Act.UPHOLD: {State.PUBLIC_NOTICE: State.STOPPED},
    Act.DISMISS: {State.PUBLIC_NOTICE: State.PUBLIC_NOTICE},
    Act.ADMIT: {State.PUBLIC_NOTICE: State.ADMITTED},
    Act.WITHDRAW: dict.fromkeys(OPEN, State.WITHDRAWN),
}

STATE_ZH = {
    State.SUBMITTED: "已申报",
    State.UNDER_REVIEW: "评审中",
    State.PUBLIC_NOTICE: "公示中",
    State.ADMITTED: "已入库",
    State.REJECTED: "未通过",
    State.WITHDRAWN: "已撤回",
    State.STOPPED: "因异议成立终止",
}


def after(state: State, act: Act) -> State | Refusal:
    """Return the state that an act leaves, or INVALID_STATE where it does not fit the present one (rules.md C9)."""
    return _MOVES[act].get(state) or invalid_state(f"申请当前状态为{STATE_ZH[state]},不可执行该操作", f"the application is {state.value}")


def kind_of(known: Member | None) -> Kind:
    """Who is in the pool applies for renewal, everybody else for admission."""
    return Kind.ADMISSION if known is None or known.removed_on is not None else Kind.RENEWAL


def may_apply(caller: Caller, uscc: str, home: str) -> Refusal | None:
    """The provider itself applies, in its own region, or its home platform for it (沪科合〔2022〕19号 四(三): 自愿申报)."""
    if caller.acts_for(home) or (caller.is_provider(uscc) and contains(caller.division, home)):
        return None
    return not_permitted("仅服务机构本身或其所在地平台可以申报", "only the provider itself or its home platform applies")


def may_decide(caller: Caller, home: str) -> Refusal | None:
    """The home province alone reviews and decides (rules.md P2)."""
    if caller.acts_for(home):
        return None
    return not_permitted("仅服务机构所在地平台可以评审", "only the platform of the applicant's home reviews and decides")


def may_see(caller: Caller, uscc: str, home: str) -> Refusal | None:
    """An application is seen by its home's platforms, the applicant and the coordination group."""
    if caller.sees(home) or caller.is_provider(uscc):
        return None
    return not_permitted("无权查看该申请", "the application is another region's")


def step_refused(criteria: Criteria, steps: list[Step], step: Step) -> Refusal | None:
    """Where the criteria ask for a formal check, nothing else is held before a favourable one."""
    if step.kind is StepKind.FORMAL_CHECK or StepKind.FORMAL_CHECK not in criteria.required_steps:
        return None
    checks = [item for item in steps if item.kind is StepKind.FORMAL_CHECK]
    if checks and checks[-1].favourable:
        return None
    return invalid_state("须先通过形式审查", "the formal check comes first, and must be favourable")


def objection_refused(state: State, notice_until: date | None, today: date) -> Refusal | None:
    """Objections are raised during the public notice."""
    if state is State.PUBLIC_NOTICE and notice_until is not None and today < notice_until:
        return None
    return invalid_state("申请不在公示期内", "the application is not under public notice")


def admission_refused(notice_until: date | None, open_objections: int, today: date) -> Refusal | None:
    """Admission comes after the public notice, and after every objection is handled."""
    if notice_until is None or today < notice_until:
        return invalid_state(f"公示至 {notice_until} 止,尚未期满", f"the public notice runs until {notice_until}")
    if open_objections:
        return invalid_state(f"尚有 {open_objections} 项异议未处理", f"{open_objections} objections are still open")
    return None


def handled(outcome: str) -> Refusal | None:
    """An objection is handled once."""
    return invalid_state(f"该异议已处理:{outcome}", f"the objection is {outcome} already") if outcome else None
