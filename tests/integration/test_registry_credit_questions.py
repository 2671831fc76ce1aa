from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.codec.outcome import Outcome
from registry.credit import queries
from registry.credit.asking import CreditQuestions
from registry.credit.bucket import Limits
from tests.fixtures.credit import (
    FIRM,
    JIANGSU,
    OTHER_NO,
    PERSON_NO,
    SHANGHAI,
    THE_LAB,
    UNKNOWN,
    check,
    enter,
    furnish_credit,
    question,
    questions,
    subject,
)
from tests.support_usecases import COORDINATOR, Desk, platform, refusal, response
from yrd.credit.v1 import credit_pb2 as pb


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await furnish_credit(desk)
    return desk


async def test_an_answer_is_the_least_and_the_same_for_unknown_and_unlisted(desk: Desk) -> None:
    await enter(desk, about=THE_LAB)
    answers = await check(desk, platform(JIANGSU), subject(), subject(identifier=UNKNOWN), THE_LAB)
    assert answers == [
        pb.CreditAnswer(subject=subject()),
        pb.CreditAnswer(subject=subject(identifier=UNKNOWN)),
        pb.CreditAnswer(subject=THE_LAB),
    ]
    (barred,) = await check(desk, platform(JIANGSU), THE_LAB, purpose=pb.CREDIT_PURPOSE_PROVIDER_ADMISSION)
    assert barred == pb.CreditAnswer(subject=THE_LAB, barred=True, reason=pb.CREDIT_REASON_FALSE_DOCUMENTS, since="2026-03-02")


async def test_a_person_is_found_by_reference_only_and_its_number_is_kept_nowhere(desk: Desk) -> None:
    ask = questions(desk)
    request = pb.GetPersonReferenceRequest(identity_no=PERSON_NO)
    reference = response(request, await ask.reference(platform(JIANGSU), request)).reference
    other = pb.GetPersonReferenceRequest(identity_no=OTHER_NO)
    assert len(reference) == 64 and response(other, await ask.reference(COORDINATOR, other)).reference != reference
    about = subject(pb.SUBJECT_KIND_PERSON, reference)
    await enter(desk, platform(JIANGSU), about, reason=pb.CREDIT_REASON_RESEARCH_MISCONDUCT, list=pb.CREDIT_LIST_RECORD)
    (barred,) = await check(desk, platform(SHANGHAI), about, purpose=pb.CREDIT_PURPOSE_EXPERT_SELECTION)
    assert (barred.barred, barred.until) == (True, "2031-03-02")
    everything = repr(desk.state()) + repr(desk.rows("SELECT * FROM idempotency")) + repr(desk.rows("SELECT * FROM outbox"))
    assert PERSON_NO not in everything


async def test_a_question_without_purpose_case_or_subject_is_refused_and_takes_nothing(desk: Desk) -> None:
    before = desk.state()
    many = [subject(pb.SUBJECT_KIND_TEAM, f"330522-{i}") for i in range(21)]
    for request, fields in (
        (pb.CheckCreditRequest(case_no="1", subjects=[subject()]), ["purpose"]),
        (pb.CheckCreditRequest(purpose=pb.CREDIT_PURPOSE_VOUCHER_ISSUE, subjects=[subject()]), ["case_no"]),
        (question(), ["subjects"]),
        (question(*many), ["subjects"]),
        (question(subject(), subject()), ["subjects"]),
        (question(subject(identifier="x")), ["subjects[0].id"]),
    ):
        assert refusal(await questions(desk).check(COORDINATOR, request)) == ("INVALID_ARGUMENT", fields)
    for number in ("", PERSON_NO[:-1] + "0", PERSON_NO.lower(), "110105194913310021", " " + PERSON_NO):
        wrong = pb.GetPersonReferenceRequest(identity_no=number)
        assert refusal(await questions(desk).reference(COORDINATOR, wrong)) == ("INVALID_ARGUMENT", ["identity_no"])
    assert desk.state() == before


async def test_the_key_may_be_missing_and_then_nobody_is_given_a_reference(desk: Desk) -> None:
    def none() -> bytes:
        raise FileNotFoundError("credit.key")

    ask = CreditQuestions(desk.work.engine, desk.clock, Limits(20, 1), none)
    request = pb.GetPersonReferenceRequest(identity_no=PERSON_NO)
    assert refusal(await ask.reference(COORDINATOR, request)) == ("UNAVAILABLE", [])


async def test_nobody_asks_more_than_the_bucket_holds_however_many_processes_there_are(desk: Desk) -> None:
    limits = Limits(burst=20, per_hour=60)
    processes = [questions(desk, limits) for _ in range(4)]
    who = platform(JIANGSU)

    async def ask(i: int) -> Outcome:
        return await processes[i % 4].check(who, question(subject(), THE_LAB))

    outcomes = await asyncio.gather(*(ask(i) for i in range(30)))
    refused = [outcome for outcome in outcomes if not outcome.ok]
    assert (len(outcomes) - len(refused), {refusal(item)[0] for item in refused}) == (10, {"RATE_LIMITED"})
    assert desk.rows("SELECT parts, refused FROM registry.credit_bucket") == [(0, 20)]
    assert desk.rows("SELECT count(*) FROM registry.credit_query") == [(20,)]
    assert (await processes[0].check(platform(SHANGHAI), question(subject()))).ok
    desk.clock.advance_to(desk.clock.now().replace(minute=desk.clock.now().minute + 2))
    assert (await processes[1].check(who, question(subject(), THE_LAB))).ok
    assert not (await processes[2].check(who, question(subject()))).ok


async def test_every_question_is_logged_for_the_coordination_group(desk: Desk) -> None:
    await enter(desk)
    await check(desk, platform(JIANGSU), subject(), THE_LAB)
    await check(desk, platform(SHANGHAI), subject(), purpose=pb.CREDIT_PURPOSE_VOUCHER_REDEMPTION)

    async def log(**said: Any) -> list[tuple[str, str, int, bool]]:
        page = await desk.ask(queries.list_credit_queries, COORDINATOR, pb.ListCreditQueriesRequest(**said))
        return [(item.division, item.case_no, item.purpose, item.barred) for item in page.queries]

    issue, redeem = pb.CREDIT_PURPOSE_VOUCHER_ISSUE, pb.CREDIT_PURPOSE_VOUCHER_REDEMPTION
    assert await log() == [
        (SHANGHAI, "SQ-2026-7", redeem, True),
        (JIANGSU, "SQ-2026-7", issue, False),
        (JIANGSU, "SQ-2026-7", issue, True),
    ]
    assert await log(subject=subject()) == [(SHANGHAI, "SQ-2026-7", redeem, True), (JIANGSU, "SQ-2026-7", issue, True)]
    assert len(await log(participant_id=platform(JIANGSU).participant_id)) == 2
    first = await desk.ask(queries.list_credit_queries, COORDINATOR, pb.ListCreditQueriesRequest(page_size=2))
    rest = pb.ListCreditQueriesRequest(page_size=2, page_token=first.next_page_token)
    assert len((await desk.ask(queries.list_credit_queries, COORDINATOR, rest)).queries) == 1
    assert FIRM not in repr(desk.rows("SELECT * FROM registry.credit_query"))


async def test_an_entry_older_than_the_records_is_told_too(desk: Desk) -> None:
    desk.rows(
        "INSERT INTO registry.negative_list (enterprise, since, reason, entered_by, ended_by, ended_reason) "
        f"VALUES ('{FIRM}', '2026-01-01', 'old', '330000', '', '') RETURNING 1"
    )
    (answer,) = await check(desk, platform(JIANGSU), subject())
    assert (answer.barred, answer.reason, answer.since) == (True, pb.CREDIT_REASON_OTHER, "2026-01-01")
