from __future__ import annotations

import uuid
from typing import Any

import psycopg
import pytest

from hub.domain.caller import Caller
from registry.admission.history import get_provider
from registry.admission.standing import reinstate_provider
from registry.credit import queries, recording
from registry.credit.domain import Subject, SubjectKind
from tests.fixtures.credit import (
    CHANGXING,
    EVIDENCE,
    FIRM,
    JIANGSU,
    LAB,
    PERSON,
    PERSON_NO,
    SHANGHAI,
    TEAM,
    THE_LAB,
    UNKNOWN,
    ZHEJIANG,
    barred_from_vouchers,
    check,
    content,
    enter,
    furnish_credit,
    subject,
)
from tests.support_usecases import COORDINATOR, Desk, platform
from yrd.credit.v1 import credit_pb2 as pb
from yrd.registry.v1 import registry_pb2


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await furnish_credit(desk)
    return desk


async def test_a_record_bars_with_its_commit_and_says_by_which_rule(desk: Desk) -> None:
    record = await enter(desk, platform(CHANGXING))
    assert await barred_from_vouchers(desk)
    assert [(item.effect, item.since, item.until, item.rule) for item in record.sanctions] == [
        (pb.CREDIT_EFFECT_BAR_VOUCHERS, "2026-03-02", "", "list"),
        (pb.CREDIT_EFFECT_BAR_VOUCHERS, "2026-03-02", "2029-03-02", "fraud-bars-vouchers"),
    ]
    assert (record.version, record.entered_by, record.appeal) == (1, CHANGXING, pb.APPEAL_STATE_UNSPECIFIED)


async def test_everyone_hears_that_something_changed_and_nothing_else(desk: Desk) -> None:
    await enter(desk)
    (told,) = [item for item in desk.told() if item.message.DESCRIPTOR.name == "CreditChanged"]
    digest = Subject(SubjectKind.ENTERPRISE, FIRM).sha256
    assert (told.topic, told.key, told.message.subject_sha256) == ("pool", digest, digest)
    assert {field.name for field, _ in told.message.ListFields()} == {"subject_sha256", "occurred_at"}
    assert FIRM.encode() not in told.message.SerializeToString()


async def standing(desk: Desk) -> tuple[int, str]:
    asked = registry_pb2.GetProviderRequest(uscc=LAB)
    found = (await desk.ask(get_provider, platform(JIANGSU), asked)).provider
    return found.standing, found.suspended_on


async def test_a_provider_on_record_is_out_of_good_standing_until_the_record_ends(desk: Desk) -> None:
    record = await enter(desk, platform(SHANGHAI), THE_LAB)
    in_force = "SELECT kind, since::text, until::text, reason FROM registry.suspension ORDER BY until NULLS FIRST"
    assert desk.rows(in_force) == [
        ("CREDIT", "2026-03-02", None, "虚构服务合同"),
        ("CREDIT", "2026-03-02", "2029-03-02", "虚构服务合同"),
    ]
    assert await standing(desk) == (registry_pb2.PROVIDER_STANDING_SUSPENDED, "2026-03-02")
    reinstate = registry_pb2.ReinstateProviderRequest(provider=LAB, reason="越过记录")
    assert await desk.refused(reinstate_provider, COORDINATOR, reinstate) == ("INVALID_STATE", [])
    desk.advance_to("2026-04-01")
    await desk.do(recording.end_credit, COORDINATOR, pb.EndCreditRequest(record_id=record.record_id, note="信用修复"))
    assert await standing(desk) == (registry_pb2.PROVIDER_STANDING_GOOD, "")
    assert desk.rows("SELECT DISTINCT until::text, ended_by, ended_reason FROM registry.suspension") == [
        ("2026-04-01", "000000", "信用修复")
    ]


async def test_a_correction_is_a_further_version_and_the_former_stays(desk: Desk) -> None:
    record = await enter(desk)
    desk.advance_to("2026-04-01")
    changed = content(list=pb.CREDIT_LIST_RECORD, reason=pb.CREDIT_REASON_OBSTRUCTION, text="未按期提供材料")
    request = pb.CorrectCreditRequest(record_id=record.record_id, content=changed, note="定性有误")
    answer = await desk.do(recording.correct_credit, COORDINATOR, request)
    assert (answer.record.version, answer.record.content, list(answer.record.sanctions)) == (2, changed, [])
    assert not await barred_from_vouchers(desk)
    asked = pb.GetCreditRecordRequest(record_id=record.record_id)
    known = await desk.ask(queries.get_credit_record, COORDINATOR, asked)
    assert [(item.version, item.act, item.note, item.content.reason) for item in known.versions] == [
        (1, "ENTER", "", pb.CREDIT_REASON_FALSE_DOCUMENTS),
        (2, "CORRECT", "定性有误", pb.CREDIT_REASON_OBSTRUCTION),
    ]
    assert known.record == answer.record


async def test_what_is_on_record_cannot_be_changed_in_the_tables_either(desk: Desk) -> None:
    await enter(desk)
    await check(desk, COORDINATOR, subject())
    for table in ("credit_record", "credit_version", "credit_query"):
        with pytest.raises(psycopg.errors.RaiseException):
            desk.rows(f"DELETE FROM registry.{table} RETURNING 1")


async def test_an_appeal_that_is_upheld_ends_the_record(desk: Desk) -> None:
    record = await enter(desk)
    file = pb.FileCreditAppealRequest(record_id=record.record_id, grounds="合同真实")
    decide = pb.DecideCreditAppealRequest(record_id=record.record_id, upheld=True, note="申诉成立")
    assert await desk.refused(recording.decide_credit_appeal, COORDINATOR, decide) == ("INVALID_STATE", [])
    answer = await desk.do(recording.file_credit_appeal, platform(CHANGXING), file)
    assert answer.appeal == pb.APPEAL_STATE_FILED
    assert await barred_from_vouchers(desk)
    again = pb.FileCreditAppealRequest(record_id=record.record_id, grounds="再次")
    assert await desk.refused(recording.file_credit_appeal, platform(CHANGXING), again) == ("INVALID_STATE", [])
    decided = pb.DecideCreditAppealRequest(record_id=record.record_id, upheld=True, note="申诉成立")
    ended = (await desk.do(recording.decide_credit_appeal, COORDINATOR, decided)).record
    assert (ended.appeal, ended.ended_on, list(ended.sanctions)) == (pb.APPEAL_STATE_UPHELD, "2026-03-02", [])
    assert not await barred_from_vouchers(desk)
    correct = pb.CorrectCreditRequest(record_id=record.record_id, content=content(), note="再改")
    assert await desk.refused(recording.correct_credit, COORDINATOR, correct) == ("INVALID_STATE", [])


async def test_an_appeal_that_is_dismissed_leaves_the_record(desk: Desk) -> None:
    record = await enter(desk)
    await desk.do(recording.file_credit_appeal, COORDINATOR, pb.FileCreditAppealRequest(record_id=record.record_id, grounds="不服"))
    decide = pb.DecideCreditAppealRequest(record_id=record.record_id, upheld=False, note="事实清楚")
    kept = (await desk.do(recording.decide_credit_appeal, COORDINATOR, decide)).record
    assert (kept.appeal, kept.ended_on, len(kept.sanctions)) == (pb.APPEAL_STATE_DISMISSED, "", 2)
    assert await barred_from_vouchers(desk)


async def test_a_suspected_crime_is_marked_as_referred_once(desk: Desk) -> None:
    record = await enter(desk)
    refer = pb.ReferCreditRequest(record_id=record.record_id, referred_to="某县公安局", referred_on="2026-03-01")
    marked = (await desk.do(recording.refer_credit, COORDINATOR, refer)).record
    assert (marked.referred_to, marked.referred_on, len(marked.sanctions)) == ("某县公安局", "2026-03-01", 2)
    again = pb.ReferCreditRequest(record_id=record.record_id, referred_to="某县公安局", referred_on="2026-03-01")
    assert await desk.refused(recording.refer_credit, COORDINATOR, again) == ("INVALID_STATE", [])
    other = await enter(desk)
    later = pb.ReferCreditRequest(record_id=other.record_id, referred_to="某县公安局", referred_on="2026-03-03")
    assert await desk.refused(recording.refer_credit, COORDINATOR, later) == ("INVALID_ARGUMENT", ["referred_on"])


async def test_an_entry_expires_by_itself(desk: Desk) -> None:
    await enter(desk, reason=pb.CREDIT_REASON_OTHER, until="2026-09-01")
    desk.advance_to("2026-08-31")
    assert await barred_from_vouchers(desk)
    assert (await check(desk, platform(JIANGSU), subject()))[0].until == "2026-09-01"
    desk.advance_to("2026-09-01")
    assert not await barred_from_vouchers(desk)
    assert not (await check(desk, platform(JIANGSU), subject()))[0].barred


# Who may


@pytest.mark.parametrize(
    ("about", "may", "may_not"),
    [(subject(), ZHEJIANG, SHANGHAI), (THE_LAB, SHANGHAI, ZHEJIANG), (TEAM, CHANGXING, "330421"), (PERSON, JIANGSU, "")],
    ids=["enterprise", "provider", "team", "person"],
)
async def test_the_subjects_own_side_enters_records(desk: Desk, about: pb.Subject, may: str, may_not: str) -> None:
    if may_not:
        request = pb.RecordCreditRequest(subject=about, content=content())
        assert await desk.refused(recording.record_credit, platform(may_not), request) == ("NOT_PERMITTED", [])
    assert (await enter(desk, platform(may), about)).entered_by == may


async def test_others_do_not_learn_that_there_is_a_record(desk: Desk) -> None:
    record = await enter(desk, platform(ZHEJIANG))
    for who in (platform(SHANGHAI), platform(CHANGXING)):
        for record_id in (record.record_id, str(uuid.uuid4())):
            asked = pb.GetCreditRecordRequest(record_id=record_id)
            assert await desk.unanswered(queries.get_credit_record, who, asked) == ("CREDIT_RECORD_NOT_FOUND", [])
            ending = pb.EndCreditRequest(record_id=record_id, note="x")
            assert await desk.refused(recording.end_credit, who, ending) == ("CREDIT_RECORD_NOT_FOUND", [])
    appeal = pb.FileCreditAppealRequest(record_id=record.record_id, grounds="x")
    assert await desk.refused(recording.file_credit_appeal, platform(SHANGHAI), appeal) == ("CREDIT_RECORD_NOT_FOUND", [])


async def test_a_list_shows_ones_own_entries_and_no_others(desk: Desk) -> None:
    own = [(await enter(desk, platform(CHANGXING))).record_id for _ in range(3)]
    await enter(desk)
    await enter(desk, platform(SHANGHAI), THE_LAB)

    async def seen(who: Caller) -> list[str]:
        found, token = [], ""
        while True:
            page = await desk.ask(queries.list_credit_records, who, pb.ListCreditRecordsRequest(page_size=2, page_token=token))
            found += [item.record_id for item in page.records]
            token = page.next_page_token
            if not token:
                return found

    assert sorted(await seen(platform(CHANGXING))) == sorted(own) == sorted(await seen(platform(ZHEJIANG)))
    assert len(await seen(platform(SHANGHAI))) == 1
    assert not await seen(platform(JIANGSU))
    assert len(await seen(COORDINATOR)) == 5


def test_no_other_method_lists_or_searches() -> None:
    (service,) = pb.DESCRIPTOR.services_by_name.values()
    plural = [method.name for method in service.methods if method.name.startswith(("List", "Search", "Export", "BatchGet"))]
    assert plural == ["ListCreditRecords", "ListCreditQueries"]
    assert {field.name for field in pb.ListCreditRecordsRequest.DESCRIPTOR.fields} == {"page_size", "page_token"}


# Bad input


@pytest.mark.parametrize(
    ("about", "field"),
    [
        (pb.Subject(), "subject.kind"),
        (pb.Subject(kind=pb.SUBJECT_KIND_ENTERPRISE, id="x"), "subject.id"),
        (pb.Subject(kind=pb.SUBJECT_KIND_PERSON, id=PERSON_NO), "subject.id"),
        (pb.Subject(kind=pb.SUBJECT_KIND_PERSON, id="张三"), "subject.id"),
        (pb.Subject(kind=pb.SUBJECT_KIND_TEAM, id="T2026018"), "subject.id"),
        (pb.Subject(kind=pb.SUBJECT_KIND_TEAM, id="000000-T1"), "subject.id"),
    ],
)
async def test_a_wrong_subject_is_named(desk: Desk, about: pb.Subject, field: str) -> None:
    request = pb.RecordCreditRequest(subject=about, content=content())
    assert await desk.refused(recording.record_credit, COORDINATOR, request) == ("INVALID_ARGUMENT", [field])


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"list": 0}, "content.list"),
        ({"reason": 99}, "content.reason"),
        ({"text": " "}, "content.text"),
        ({"text": "长" * 501}, "content.text"),
        ({"authority": ""}, "content.authority"),
        ({"document_no": "号" * 201}, "content.document_no"),
        ({"evidence_sha256": []}, "content.evidence_sha256"),
        ({"evidence_sha256": [EVIDENCE] * 2}, "content.evidence_sha256"),
        ({"evidence_sha256": ["AB" * 32]}, "content.evidence_sha256[0]"),
        ({"since": "2026-02-30"}, "content.since"),
        ({"until": "2026-03-02"}, "content.until"),
    ],
)
async def test_a_wrong_field_is_named(desk: Desk, said: dict[str, Any], field: str) -> None:
    request = pb.RecordCreditRequest(subject=subject(), content=content(**said))
    assert await desk.refused(recording.record_credit, COORDINATOR, request) == ("INVALID_ARGUMENT", [field])


async def test_unknown_organisations_are_refused(desk: Desk) -> None:
    for kind, code in ((pb.SUBJECT_KIND_ENTERPRISE, "ENTERPRISE_NOT_FOUND"), (pb.SUBJECT_KIND_PROVIDER, "PROVIDER_NOT_FOUND")):
        request = pb.RecordCreditRequest(subject=subject(kind, UNKNOWN), content=content())
        assert await desk.refused(recording.record_credit, COORDINATOR, request) == (code, [])
