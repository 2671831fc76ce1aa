"""Who sees and does what of an admission; its criteria; bad input."""

from __future__ import annotations

from typing import Any

import pytest

from registry.admission.admitting import admit_applicant
from registry.admission.applying import apply_for_admission, withdraw_application
from registry.admission.history import list_provider_changes
from registry.admission.listing import get_application, list_applications, list_public_notices
from registry.admission.objecting import list_objections, raise_objection, resolve_objection
from registry.admission.publishing import get_admission_criteria, list_admission_criteria, publish_admission_criteria
from registry.admission.reviewing import decide_review, evaluate_application, record_review_step
from tests.fixtures.admission import (
    CHANGXING,
    HOME,
    LAB,
    OTHER_LAB,
    SHANGHAI,
    ZHEJIANG,
    applicant,
    applied,
    criteria,
    formal,
    look,
    noticed,
    provider_caller,
    publish,
    qualification,
    scored,
    step,
)
from tests.support_usecases import COORDINATOR, Desk, platform
from yrd.registry.v1 import admission_pb2 as pb
from yrd.registry.v1 import registry_pb2


async def test_the_applicant_does_not_learn_who_objected_or_who_judged(desk: Desk) -> None:
    await publish(desk)
    application_id = await noticed(desk)
    await desk.do(raise_objection, provider_caller(OTHER_LAB), pb.RaiseObjectionRequest(application_id=application_id, reason="存疑"))
    ask = pb.ListObjectionsRequest(application_id=application_id, open_only=True)
    seen = {
        name: [item.raised_by for item in (await desk.ask(list_objections, caller, ask)).objections]
        for name, caller in {
            "applicant": provider_caller(LAB),
            "objector": provider_caller(OTHER_LAB),
            "home": HOME,
            "coordinator": COORDINATOR,
            "foreign": platform(ZHEJIANG),
        }.items()
    }
    raiser = provider_caller(OTHER_LAB).participant_id
    assert seen == {"applicant": [""], "objector": [raiser], "home": [raiser], "coordinator": [raiser], "foreign": []}
    own = await look(desk, application_id, provider_caller(LAB))
    assert {item.reviewer for item in own.steps} == {""}
    assert (own.history[-1].cause, own.history[-1].participant_id) == ("Object", "")
    assert (await look(desk, application_id)).history[-1].participant_id == raiser


async def test_each_side_sees_its_own_applications_only(desk: Desk) -> None:
    await publish(desk)
    await publish(desk, CHANGXING)
    shanghai = await applied(desk)
    zhejiang = await applied(desk, platform(CHANGXING), uscc=OTHER_LAB, home=CHANGXING)
    everyone = {
        "shanghai": (HOME, [shanghai]),
        "zhejiang": (platform(ZHEJIANG), [zhejiang]),
        "huzhou": (platform("330500"), [zhejiang]),
        "jiaxing": (platform("330400"), []),
        "the lab": (provider_caller(LAB), [shanghai]),
        "another lab": (provider_caller("91330522MA2B12343A"), []),
        "coordinator": (COORDINATOR, [zhejiang, shanghai]),
    }
    for name, (caller, seen) in everyone.items():
        answer = await desk.ask(list_applications, caller, pb.ListApplicationsRequest())
        assert sorted(item.application_id for item in answer.applications) == sorted(seen), name
        for application_id in (shanghai, zhejiang):
            request = pb.GetApplicationRequest(application_id=application_id)
            if application_id in seen:
                assert (await look(desk, application_id, caller)).application.application_id == application_id
            else:
                assert await desk.unanswered(get_application, caller, request) == ("NOT_PERMITTED", [])
                evaluate = pb.EvaluateApplicationRequest(application_id=application_id)
                assert await desk.unanswered(evaluate_application, caller, evaluate) == ("NOT_PERMITTED", [])
    foreign = pb.ListApplicationsRequest(home=SHANGHAI)
    assert await desk.unanswered(list_applications, platform(ZHEJIANG), foreign) == ("NOT_PERMITTED", [])
    another = pb.ListApplicationsRequest(provider=OTHER_LAB)
    assert await desk.unanswered(list_applications, provider_caller(LAB), another) == ("NOT_PERMITTED", [])
    changes = registry_pb2.ListProviderChangesRequest()
    assert await desk.unanswered(list_provider_changes, provider_caller(LAB), changes) == ("NOT_PERMITTED", [])


async def test_a_foreign_province_does_nothing_to_an_application(desk: Desk) -> None:
    await publish(desk)
    application_id = await noticed(desk)
    foreign = platform(ZHEJIANG)
    attempts: list[tuple[Any, Any]] = [
        (publish_admission_criteria, pb.PublishAdmissionCriteriaRequest(criteria=criteria(version="x"))),
        (apply_for_admission, pb.ApplyForAdmissionRequest(applicant=applicant(OTHER_LAB))),
        (withdraw_application, pb.WithdrawApplicationRequest(application_id=application_id, reason="x")),
        (record_review_step, pb.RecordReviewStepRequest(application_id=application_id, step=formal())),
        (decide_review, pb.DecideReviewRequest(application_id=application_id, passed=True, reason="x")),
        (admit_applicant, pb.AdmitApplicantRequest(application_id=application_id)),
    ]
    for use_case, request in attempts:
        assert await desk.refused(use_case, foreign, request) == ("NOT_PERMITTED", []), use_case.__name__
    other = pb.ApplyForAdmissionRequest(applicant=applicant(OTHER_LAB))
    assert await desk.refused(apply_for_admission, provider_caller(LAB), other) == ("NOT_PERMITTED", [])
    elsewhere = pb.ApplyForAdmissionRequest(applicant=applicant(LAB, ZHEJIANG))
    assert await desk.refused(apply_for_admission, provider_caller(LAB), elsewhere) == ("NOT_PERMITTED", [])


async def test_public_notices_are_everyones_while_they_last(desk: Desk) -> None:
    await publish(desk)
    application_id = await noticed(desk)
    for caller in (platform(ZHEJIANG), provider_caller(OTHER_LAB), COORDINATOR):
        (notice,) = (await desk.ask(list_public_notices, caller, pb.ListPublicNoticesRequest())).notices
        assert (notice.application_id, notice.uscc, notice.notice_until) == (application_id, LAB, "2026-03-09")
    assert not (await desk.ask(list_public_notices, HOME, pb.ListPublicNoticesRequest(home=ZHEJIANG))).notices
    desk.advance_to("2026-03-09")
    assert not (await desk.ask(list_public_notices, HOME, pb.ListPublicNoticesRequest())).notices


async def test_criteria_are_published_once_and_superseded_by_date(desk: Desk) -> None:
    await publish(desk)
    told = desk.told()
    await publish(desk)
    assert desk.told() == told
    changed = pb.PublishAdmissionCriteriaRequest(criteria=criteria(pass_mark=61))
    assert await desk.refused(publish_admission_criteria, HOME, changed) == ("ALREADY_EXISTS", [])
    await publish(desk, version="2026-2", effective_from="2026-07-01", pass_mark=70)
    for day, version in (("2026-06-30", "2026-1"), ("2026-07-01", "2026-2"), ("", "2026-1")):
        request = pb.GetAdmissionCriteriaRequest(division=SHANGHAI, on_date=day)
        assert (await desk.ask(get_admission_criteria, provider_caller(LAB), request)).criteria.version == version
    before = pb.GetAdmissionCriteriaRequest(division=SHANGHAI, on_date="2025-12-31")
    assert await desk.unanswered(get_admission_criteria, HOME, before) == ("CRITERIA_NOT_FOUND", [])
    pages: list[list[str]] = []
    token = ""
    while not pages or token:
        answer = await desk.ask(
            list_admission_criteria, HOME, pb.ListAdmissionCriteriaRequest(division=SHANGHAI, page_size=1, page_token=token)
        )
        pages.append([item.version for item in answer.criteria])
        token = answer.next_page_token
    assert pages == [["2026-1"], ["2026-2"]]


async def test_without_criteria_nobody_applies(desk: Desk) -> None:
    request = pb.ApplyForAdmissionRequest(applicant=applicant())
    assert await desk.refused(apply_for_admission, HOME, request) == ("CRITERIA_NOT_FOUND", [])


CONDITION = pb.AdmissionCondition(id="a", cel="true", zh="甲", en="a")
EXPERTS = pb.ScoreItem(id="a", points=10, zh="甲", en="a")


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"division": "310118"}, ["criteria.division"]),
        ({"version": "a b"}, ["criteria.version"]),
        ({"effective_from": "tomorrow"}, ["criteria.effective_from"]),
        ({"effective_until": "2026-01-01"}, ["criteria.effective_until"]),
        ({"conditions": [CONDITION, CONDITION]}, ["criteria.conditions[1].id"]),
        ({"conditions": [pb.AdmissionCondition(id="a", cel="applicant.stuff > 1", zh="甲", en="a")]}, ["criteria.conditions[0].cel"]),
        ({"conditions": [pb.AdmissionCondition(id="a", cel="order.amount_fen > 1", zh="甲", en="a")]}, ["criteria.conditions[0].cel"]),
        ({"conditions": [pb.AdmissionCondition(id="a", cel="applicant.staff", zh="甲", en="a")]}, ["criteria.conditions[0].cel"]),
        ({"conditions": [pb.AdmissionCondition(id="a", cel="true")]}, ["criteria.conditions[0].zh", "criteria.conditions[0].en"]),
        ({"scorecard": [EXPERTS], "pass_mark": 11}, ["criteria.pass_mark"]),
        ({"scorecard": [EXPERTS], "pass_mark": 5, "required_steps": []}, ["criteria.required_steps"]),
        (
            {"scorecard": [pb.ScoreItem(id="a", cel="1 +", points=0, zh="甲", en="a")], "pass_mark": 0},
            ["criteria.scorecard[0].cel", "criteria.scorecard[0].points"],
        ),
        ({"required_steps": [99]}, ["criteria.required_steps[0]", "criteria.required_steps"]),
        ({"notice_days": 0}, ["criteria.notice_days"]),
        ({"validity_months": 121}, ["criteria.validity_months"]),
    ],
)
async def test_wrong_criteria_are_refused_before_they_are_published(desk: Desk, changes: dict[str, Any], fields: list[str]) -> None:
    request = pb.PublishAdmissionCriteriaRequest(criteria=criteria(**changes))
    code, found = await desk.refused(publish_admission_criteria, HOME, request)
    assert (code, sorted(found)) == ("INVALID_ARGUMENT", sorted(fields))


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"uscc": "12310104425001236A"}, ["applicant.uscc"]),
        ({"name": " "}, ["applicant.name"]),
        ({"home": "3"}, ["applicant.home"]),
        ({"categories": [99]}, ["applicant.categories[0]"]),
        ({"staff": 0}, ["applicant.staff"]),
        ({"years": -1}, ["applicant.years"]),
        (
            {"qualifications": [qualification(kind="", number="a b")]},
            ["applicant.qualifications[0].kind", "applicant.qualifications[0].number"],
        ),
        ({"qualifications": [qualification(valid_until="2023-01-01")]}, ["applicant.qualifications[0].valid_until"]),
        ({"qualifications": [qualification(sha256="abc")]}, ["applicant.qualifications[0].sha256"]),
        ({"qualifications": [qualification()] * 51}, ["applicant.qualifications"]),
        ({"documents": [pb.AdmissionDocument(kind="X", sha256="")]}, ["applicant.documents[0].sha256"]),
    ],
)
async def test_a_wrong_applicant_is_refused(desk: Desk, changes: dict[str, Any], fields: list[str]) -> None:
    request = pb.ApplyForAdmissionRequest(applicant=applicant(**changes))
    assert await desk.refused(apply_for_admission, HOME, request) == ("INVALID_ARGUMENT", fields)


async def test_wrong_steps_decisions_objections_and_ids(desk: Desk) -> None:
    await publish(desk)
    application_id = await applied(desk)
    nobody = "7d1f6f0e-53c9-4a3c-9a3e-1d0f6f1b9a01"
    await desk.do(record_review_step, HOME, pb.RecordReviewStepRequest(application_id=application_id, step=formal()))
    wrong: list[tuple[pb.ReviewStep, list[str]]] = [
        (pb.ReviewStep(), ["step.kind", "step.held_on", "step.reviewer", "step.opinion"]),
        (formal(held_on="2026-03-01"), ["step.held_on"]),
        (formal(held_on="2026-03-03"), ["step.held_on"]),
        (formal(opinion="x" * 2001), ["step.opinion"]),
        (formal(sha256="zz"), ["step.sha256"]),
        (formal(scores=[pb.ItemScore(item="ability", points=1)]), ["step.scores"]),
        (scored(61), ["step.scores[0].points"]),
        (step(pb.REVIEW_STEP_KIND_EXPERT_SCORE), ["step.scores"]),
        (step(pb.REVIEW_STEP_KIND_EXPERT_SCORE, scores=[pb.ItemScore(item="staff", points=1)]), ["step.scores"]),
    ]
    for made, fields in wrong:
        request = pb.RecordReviewStepRequest(application_id=application_id, step=made)
        assert await desk.refused(record_review_step, HOME, request) == ("INVALID_ARGUMENT", fields)
    unknown: list[tuple[Any, Any]] = [
        (withdraw_application, pb.WithdrawApplicationRequest(application_id=nobody, reason="x")),
        (record_review_step, pb.RecordReviewStepRequest(application_id=nobody, step=formal())),
        (decide_review, pb.DecideReviewRequest(application_id=nobody, reason="x")),
        (raise_objection, pb.RaiseObjectionRequest(application_id=nobody, reason="x")),
        (admit_applicant, pb.AdmitApplicantRequest(application_id=nobody)),
    ]
    for use_case, asked in unknown:
        assert await desk.refused(use_case, HOME, asked) == ("APPLICATION_NOT_FOUND", [])
        asked.application_id = asked.request_id = ""
        assert (await desk.refused(use_case, HOME, asked))[1][-1:] == ["application_id"]
    resolve = pb.ResolveObjectionRequest(objection_id=nobody, outcome=pb.OBJECTION_OUTCOME_UPHELD, resolution="x")
    assert await desk.refused(resolve_objection, HOME, resolve) == ("OBJECTION_NOT_FOUND", [])
    empty = pb.ResolveObjectionRequest()
    assert await desk.refused(resolve_objection, HOME, empty) == ("INVALID_ARGUMENT", ["objection_id", "outcome", "resolution"])
    unreasoned = pb.RaiseObjectionRequest(application_id=application_id, evidence_sha256=["x"])
    assert await desk.refused(raise_objection, HOME, unreasoned) == ("INVALID_ARGUMENT", ["reason", "evidence_sha256[0]"])
    early = pb.RaiseObjectionRequest(application_id=application_id, reason="x")
    assert await desk.refused(raise_objection, COORDINATOR, early) == ("INVALID_STATE", [])
