"""Admission from the application to the pool: review by criteria, objections, renewal, lapse, and a history that stays."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine

from hub.codec.outcome import refusal_of
from hub.embedded import EmbeddedPostgres
from hub.ledger.connection import sqlalchemy_url
from hub.ledger.migrate import MIGRATIONS, migrate
from registry.admission.admitting import admit_applicant
from registry.admission.applying import apply_for_admission, withdraw_application
from registry.admission.history import get_provider, list_provider_changes
from registry.admission.objecting import raise_objection, resolve_objection
from registry.admission.reviewing import decide_review, evaluate_application, record_review_step
from registry.admission.standing import remove_provider
from tests.fixtures.admission import (
    HOME,
    LAB,
    OTHER_LAB,
    ZHEJIANG,
    applicant,
    applied,
    formal,
    look,
    noticed,
    provider_caller,
    publish,
    qualification,
    reviewed,
    scored,
    sha256,
)
from tests.fixtures.postgres import fresh_database
from tests.support_usecases import COORDINATOR, Desk, codes, platform
from yrd.registry.v1 import admission_pb2 as pb
from yrd.registry.v1 import registry_pb2


async def test_from_the_application_to_the_pool(desk: Desk) -> None:
    await publish(desk)
    application_id = await applied(desk, provider_caller(LAB))
    await reviewed(desk, application_id)
    decided = await desk.do(decide_review, HOME, pb.DecideReviewRequest(application_id=application_id, passed=True, reason="择优确定"))
    made = decided.application
    assert (made.state, made.notice_from, made.notice_until) == (pb.APPLICATION_STATE_PUBLIC_NOTICE, "2026-03-02", "2026-03-09")
    assert (made.evaluation.total, made.evaluation.pass_mark, made.evaluation.passed) == (90, 60, True)
    notice = desk.told(1)[0]
    assert (notice.topic, notice.key, notice.message.notice.notice_until, notice.message.open) == ("pool", LAB, "2026-03-09", True)
    desk.advance_to("2026-03-08")
    admit = pb.AdmitApplicantRequest(application_id=application_id)
    assert await desk.refused(admit_applicant, HOME, pb.AdmitApplicantRequest(application_id=application_id)) == ("INVALID_STATE", [])
    desk.advance_to("2026-03-09")
    answer = await desk.do(admit_applicant, HOME, admit)
    assert answer.application.state == pb.APPLICATION_STATE_ADMITTED
    assert (answer.provider.admitted_on, answer.provider.valid_until) == ("2026-03-09", "2029-03-09")
    assert answer.provider.standing == registry_pb2.PROVIDER_STANDING_GOOD
    told = desk.told(2)
    assert [(item.topic, item.message.cause) for item in told] == [("310000.out", "Admit"), ("pool", "Admit")]
    found = await look(desk, application_id)
    assert [item.cause for item in found.history] == ["Apply", "Review", "Review", "Review", "Pass", "Admit"]
    assert {item.participant_id for item in found.history[1:]} == {HOME.participant_id}
    assert found.history[0].participant_id == provider_caller(LAB).participant_id
    changes = await desk.ask(list_provider_changes, HOME, registry_pb2.ListProviderChangesRequest(provider=LAB))
    assert [(item.cause, item.application_id, item.effective_on) for item in changes.changes] == [("Admit", application_id, "2026-03-09")]


async def test_a_renewal_keeps_the_first_day_and_lengthens_from_the_present_end(desk: Desk) -> None:
    await publish(desk, validity_months=12)
    first = await noticed(desk)
    desk.advance_to("2026-03-09")
    await desk.do(admit_applicant, HOME, pb.AdmitApplicantRequest(application_id=first))
    desk.advance_to("2027-02-01")
    renewal = await noticed(desk, name="上海新材料研究院")
    found = await look(desk, renewal)
    assert found.application.kind == pb.ADMISSION_KIND_RENEWAL
    desk.advance_to("2027-02-08")
    answer = await desk.do(admit_applicant, HOME, pb.AdmitApplicantRequest(application_id=renewal))
    assert (answer.provider.admitted_on, answer.provider.valid_until, answer.provider.name) == (
        "2026-03-09",
        "2028-03-09",
        "上海新材料研究院",
    )
    past = await desk.ask(get_provider, platform(ZHEJIANG), registry_pb2.GetProviderRequest(uscc=LAB, as_of="2027-02-07"))
    assert (past.provider.name, past.provider.valid_until) == ("上海高分子材料研究开发中心", "2027-03-09")


async def test_an_admission_that_is_not_renewed_lapses_by_itself_and_clearing_sees_it(desk: Desk) -> None:
    await publish(desk, validity_months=1)
    application_id = await noticed(desk)
    desk.advance_to("2026-03-09")
    await desk.do(admit_applicant, HOME, pb.AdmitApplicantRequest(application_id=application_id))
    request = registry_pb2.GetProviderRequest(uscc=LAB)
    desk.advance_to("2026-04-08")
    assert (await desk.ask(get_provider, HOME, request)).provider.standing == registry_pb2.PROVIDER_STANDING_GOOD
    desk.advance_to("2026-04-09")
    assert (await desk.ask(get_provider, HOME, request)).provider.standing == registry_pb2.PROVIDER_STANDING_LAPSED
    assert desk.rows("SELECT kind, since::text, until FROM registry.suspension") == [("LAPSE", "2026-04-09", None)]


async def test_who_was_removed_applies_for_admission_anew(desk: Desk) -> None:
    await publish(desk)
    first = await noticed(desk)
    desk.advance_to("2026-03-09")
    await desk.do(admit_applicant, HOME, pb.AdmitApplicantRequest(application_id=first))
    gone = await desk.do(remove_provider, HOME, registry_pb2.RemoveProviderRequest(provider=LAB, reason="弄虚作假"))
    assert (gone.provider.standing, gone.provider.removed_on) == (registry_pb2.PROVIDER_STANDING_REMOVED, "2026-03-09")
    desk.advance_to("2026-06-01")
    again = await noticed(desk)
    assert (await look(desk, again)).application.kind == pb.ADMISSION_KIND_ADMISSION
    desk.advance_to("2026-06-08")
    answer = await desk.do(admit_applicant, HOME, pb.AdmitApplicantRequest(application_id=again))
    assert (answer.provider.admitted_on, answer.provider.removed_on) == ("2026-06-08", "")
    rows = desk.rows("SELECT kind, since::text, until::text FROM registry.suspension ORDER BY id")
    assert ("REMOVAL", "2026-03-09", "2026-06-08") in rows


async def test_criteria_not_met_refuse_to_pass_and_say_why_with_numbers(desk: Desk) -> None:
    await publish(desk)
    application_id = await applied(desk, staff=5, years=2, qualifications=[qualification(valid_until="2026-03-02")])
    evaluation = (await desk.ask(evaluate_application, HOME, pb.EvaluateApplicationRequest(application_id=application_id))).evaluation
    assert [(line.id, line.met) for line in evaluation.conditions] == [("cma-or-cnas", False), ("one-year", True)]
    assert [(line.id, line.met) for line in evaluation.steps] == [("step:FORMAL_CHECK", False), ("step:EXPERT_SCORE", False)]
    await reviewed(desk, application_id, points=59)
    evaluation = (await desk.ask(evaluate_application, HOME, pb.EvaluateApplicationRequest(application_id=application_id))).evaluation
    assert [(line.id, line.points, line.points_max) for line in evaluation.scores] == [
        ("staff", 0, 20),
        ("years", 0, 20),
        ("ability", 59, 60),
    ]
    assert evaluation.scores[2].zh == "服务能力:2 位专家平均 59/60 分"
    assert (evaluation.total, evaluation.passed) == (59, False)
    outcome = await desk.send(decide_review, HOME, pb.DecideReviewRequest(application_id=application_id, passed=True, reason="x"))
    said = refusal_of(outcome)
    assert "评分 59 分,低于合格线 60 分" in said.zh
    assert [reason.rule for reason in said.reasons] == ["P2", "P2"]
    assert [(fact.name, fact.value) for fact in said.reasons[1].facts] == [("total", 59), ("pass_mark", 60)]
    answer = await desk.do(decide_review, HOME, pb.DecideReviewRequest(application_id=application_id, passed=False, reason="未达标"))
    assert answer.application.state == pb.APPLICATION_STATE_REJECTED
    assert not answer.application.evaluation.passed


async def test_the_formal_check_comes_first_and_of_one_expert_the_latest_word_counts(desk: Desk) -> None:
    await publish(desk)
    application_id = await applied(desk)
    score = pb.RecordReviewStepRequest(application_id=application_id, step=scored(10))
    assert await desk.refused(record_review_step, HOME, score) == ("INVALID_STATE", [])
    for made in (formal(), scored(10), scored(30, reviewer="专家乙"), scored(51)):
        await desk.do(record_review_step, HOME, pb.RecordReviewStepRequest(application_id=application_id, step=made))
    evaluation = (await desk.ask(evaluate_application, HOME, pb.EvaluateApplicationRequest(application_id=application_id))).evaluation
    assert evaluation.scores[2].points == 40


async def test_criteria_of_the_day_of_filing_govern_to_the_end(desk: Desk) -> None:
    await publish(desk)
    application_id = await applied(desk)
    await publish(desk, version="2026-2", effective_from="2026-03-02", pass_mark=100, notice_days=30)
    await reviewed(desk, application_id)
    made = await desk.do(decide_review, HOME, pb.DecideReviewRequest(application_id=application_id, passed=True, reason="y"))
    assert (made.application.criteria_version, made.application.notice_until) == ("2026-1", "2026-03-09")
    other = await applied(desk, uscc=OTHER_LAB)
    assert (await look(desk, other)).application.criteria_version == "2026-2"


async def test_an_open_objection_holds_admission_up_and_an_upheld_one_stops_it(desk: Desk) -> None:
    await publish(desk)
    application_id = await noticed(desk)
    objection = pb.RaiseObjectionRequest(application_id=application_id, reason="资质系伪造", evidence_sha256=[sha256("letter")])
    first = (await desk.do(raise_objection, provider_caller(OTHER_LAB), objection)).objection
    second = (
        await desk.do(raise_objection, platform(ZHEJIANG), pb.RaiseObjectionRequest(application_id=application_id, reason="人员不符"))
    ).objection
    desk.advance_to("2026-03-09")
    late = pb.RaiseObjectionRequest(application_id=application_id, reason="迟到")
    assert await desk.refused(raise_objection, COORDINATOR, late) == ("INVALID_STATE", [])
    admit = pb.AdmitApplicantRequest(application_id=application_id)
    assert await desk.refused(admit_applicant, HOME, admit) == ("INVALID_STATE", [])

    def resolve(objection_id: str, outcome: pb.ObjectionOutcome.ValueType) -> pb.ResolveObjectionRequest:
        return pb.ResolveObjectionRequest(objection_id=objection_id, outcome=outcome, resolution="已核查")

    dismissed = resolve(second.objection_id, pb.OBJECTION_OUTCOME_DISMISSED)
    assert await desk.refused(resolve_objection, platform(ZHEJIANG), dismissed) == ("NOT_PERMITTED", [])
    answer = await desk.do(resolve_objection, HOME, resolve(second.objection_id, pb.OBJECTION_OUTCOME_DISMISSED))
    assert (answer.application.open_objections, answer.objection.resolved_by) == (1, HOME.participant_id)
    again = resolve(second.objection_id, pb.OBJECTION_OUTCOME_UPHELD)
    assert await desk.refused(resolve_objection, HOME, again) == ("INVALID_STATE", [])
    answer = await desk.do(resolve_objection, HOME, resolve(first.objection_id, pb.OBJECTION_OUTCOME_UPHELD))
    assert answer.application.state == pb.APPLICATION_STATE_STOPPED
    assert desk.told(1)[0].message.open is False
    assert await desk.refused(admit_applicant, HOME, pb.AdmitApplicantRequest(application_id=application_id)) == ("INVALID_STATE", [])
    assert desk.rows("SELECT count(*) FROM registry.provider") == [(0,)]


async def test_one_application_at_a_time_also_when_two_are_filed_at_once(desk: Desk) -> None:
    await publish(desk)
    requests = [pb.ApplyForAdmissionRequest(applicant=applicant()) for _ in range(4)]
    outcomes = await asyncio.gather(*(desk.send(apply_for_admission, HOME, request) for request in requests))
    assert codes(outcomes) == ["ALREADY_EXISTS"] * 3 + ["OK"]
    (row,) = desk.rows("SELECT application_id::text FROM registry.admission_application")
    await desk.do(withdraw_application, provider_caller(LAB), pb.WithdrawApplicationRequest(application_id=row[0], reason="补充材料"))
    again = pb.WithdrawApplicationRequest(application_id=row[0], reason="再次")
    assert await desk.refused(withdraw_application, HOME, again) == ("INVALID_STATE", [])
    await applied(desk)


async def test_what_was_known_before_there_was_a_history_is_kept_in_it(postgres_server: EmbeddedPostgres) -> None:
    with fresh_database(postgres_server) as uri:
        engine = create_engine(sqlalchemy_url(uri))
        with engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS))
            config.set_main_option("path_separator", "os")
            config.attributes["connection"] = connection
            command.upgrade(config, "0002")
        engine.dispose()
        with psycopg.connect(uri, autocommit=True) as database:
            database.execute(
                "INSERT INTO registry.provider (uscc, name, home, categories, admitted_on, rating, admitted_at, admitted_by) VALUES "
                "(%s, '检测中心', '310000', '{RESEARCH}', '2025-01-01', 0, '2026-02-01T01:00:00Z', '310000')",
                [LAB],
            )
            database.execute(
                "INSERT INTO registry.suspension (provider, since, until, reason, entered_by, ended_by, ended_reason) VALUES "
                "(%s, '2026-02-03', '2026-02-05', '复核', '310000', '000000', '已整改'), "
                "(%s, '2026-02-10', NULL, '再查', '310000', '', '')",
                [LAB, LAB],
            )
        migrate(uri)
        desk = Desk(uri)
        try:
            seen = {}
            for day in ("2024-12-31", "2025-01-01", "2026-02-03", "2026-02-05", "2026-02-10"):
                request = registry_pb2.GetProviderRequest(uscc=LAB, as_of=day)
                outcome = await desk.work.query(get_provider, HOME, request)
                seen[day] = registry_pb2.GetProviderResponse.FromString(outcome.body).provider.standing if outcome.ok else None
        finally:
            await desk.work.close()
        good, suspended = registry_pb2.PROVIDER_STANDING_GOOD, registry_pb2.PROVIDER_STANDING_SUSPENDED
        assert list(seen.values()) == [None, good, suspended, good, suspended]


@pytest.mark.parametrize("table", ["provider_version", "admission_event"])
@pytest.mark.parametrize("statement", ["DELETE FROM registry.{}", "UPDATE registry.{} SET reason = ''", "TRUNCATE registry.{}"])
async def test_nobody_changes_what_happened(desk: Desk, table: str, statement: str) -> None:
    await publish(desk)
    application_id = await noticed(desk)
    desk.advance_to("2026-03-09")
    await desk.do(admit_applicant, HOME, pb.AdmitApplicantRequest(application_id=application_id))
    before = desk.state()
    with psycopg.connect(desk.uri) as connection, pytest.raises(psycopg.errors.RaiseException, match="never changed"):
        connection.execute(statement.format(table).encode())
    assert desk.state() == before
