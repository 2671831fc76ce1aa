from __future__ import annotations

import asyncio
from typing import Any

import pytest

from hub.domain.caller import Caller, Role
from registry.recognition.agreements import end_agreement, list_agreements, register_agreement
from registry.recognition.naming import bulk_recognize, list_recognitions, revoke_recognition
from tests.fixtures.recognition import (
    ANHUI,
    FAR,
    JIANGSU,
    LAB,
    OTHER,
    SHANGHAI,
    SUZHOU,
    ZHEJIANG,
    agreement,
    conditions,
    explain,
    found,
    klass,
    name,
    set_class,
    sign,
)
from tests.support_usecases import COORDINATOR, Desk, codes, credit_code, platform
from yrd.common.v1 import refusal_pb2
from yrd.registry.v1 import recognition_pb2 as pb
from yrd.registry.v1 import registry_pb2

ITSELF = Caller(f"spiffe://{JIANGSU}/{SUZHOU}/provider-{LAB}", SUZHOU, Role.PROVIDER)


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await found(desk)
    return desk


def ending(number: str = "XY-1", issuer: str = ZHEJIANG, reason: str = "期满不续") -> pb.EndAgreementRequest:
    return pb.EndAgreementRequest(issuer=issuer, number=number, reason=reason)


def registering(wanted: pb.TripartiteAgreement) -> pb.RegisterAgreementRequest:
    return pb.RegisterAgreementRequest(agreement=wanted)


async def test_an_agreement_makes_a_recognition_count_that_requires_one(desk: Desk) -> None:
    await name(desk, ZHEJIANG, LAB, require_agreement=True)
    await set_class(desk, klass(home=JIANGSU, require_agreement=True))
    verdict = await explain(desk, ZHEJIANG, LAB)
    assert not verdict.recognized
    assert [conditions(ground.missing) for ground in verdict.grounds] == [["LISTED_ONLY"], ["AGREEMENT"], ["AGREEMENT"]]
    kept = await sign(desk, agreement())
    assert (await explain(desk, ZHEJIANG, LAB)).recognized
    assert not (await explain(desk, ZHEJIANG, OTHER)).recognized
    (told,) = desk.told(1)
    assert (told.topic, told.key) == ("pool", LAB)
    assert told.message.agreement.number == kept.number
    assert told.message.agreement.document_sha256 == ""
    desk.advance_to("2026-04-01")
    ended = (await desk.do(end_agreement, platform(ZHEJIANG), ending())).agreement
    assert (ended.valid_until, ended.ended_by, ended.ended_reason) == ("2026-04-01", ZHEJIANG, "期满不续")
    assert not (await explain(desk, ZHEJIANG, LAB)).recognized
    assert (await explain(desk, ZHEJIANG, LAB, "2026-03-31")).recognized
    assert await desk.refused(end_agreement, platform(ZHEJIANG), ending()) == ("INVALID_STATE", [])


async def test_an_agreement_is_what_a_policy_asks_for(desk: Desk) -> None:
    await name(desk, JIANGSU, FAR)
    assert conditions((await explain(desk, JIANGSU, FAR)).missing) == ["AGREEMENT"]
    await sign(desk, agreement(JIANGSU, FAR, valid_until="2026-06-01"))
    assert (await explain(desk, JIANGSU, FAR)).payable
    assert not (await explain(desk, JIANGSU, FAR, "2026-06-01")).payable


async def test_the_same_agreement_again_changes_nothing_and_another_under_its_number_is_refused(desk: Desk) -> None:
    kept = await sign(desk, agreement())
    told = desk.told()
    assert await sign(desk, agreement()) == kept
    assert desk.told() == told
    for other in (agreement(provider=OTHER), agreement(document_sha256="cd" * 32), agreement(valid_until="2027-01-01")):
        assert await desk.refused(register_agreement, platform(ZHEJIANG), registering(other)) == ("ALREADY_EXISTS", [])
    await sign(desk, agreement(JIANGSU))
    await desk.do(end_agreement, platform(ZHEJIANG), ending())
    assert await desk.refused(register_agreement, platform(ZHEJIANG), registering(agreement())) == ("ALREADY_EXISTS", [])


async def test_of_several_who_end_an_agreement_at_once_one_does(desk: Desk) -> None:
    await sign(desk, agreement())
    outcomes = await asyncio.gather(*(desk.send(end_agreement, platform(ZHEJIANG), ending()) for _ in range(4)))
    assert codes(outcomes) == ["INVALID_STATE"] * 3 + ["OK"]


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"signed_on": "2026-03-03"}, ["signed_on"]),
        ({"signed_on": "2026-03-01", "valid_until": "2026-03-01"}, ["valid_until"]),
        ({"document_sha256": "AB" * 32}, ["document_sha256"]),
        ({"document_sha256": ""}, ["document_sha256"]),
        ({"platform_division": "33"}, ["platform_division"]),
        ({"platform_name": " "}, ["platform_name"]),
        ({"number": "X 1"}, ["number"]),
        ({"provider": "LAB"}, ["provider"]),
    ],
)
async def test_a_wrong_field_of_an_agreement_is_named(desk: Desk, changes: dict[str, str], fields: list[str]) -> None:
    request = registering(agreement(**changes))
    expected = [f"agreement.{field}" for field in fields]
    assert await desk.refused(register_agreement, platform(ZHEJIANG), request) == ("INVALID_ARGUMENT", expected)


async def test_who_may_register_and_end_agreements(desk: Desk) -> None:
    await sign(desk, agreement())
    for caller in (platform(JIANGSU), platform("330500"), COORDINATOR):
        assert await desk.refused(register_agreement, caller, registering(agreement(number="XY-2"))) == ("NOT_PERMITTED", [])
        assert await desk.refused(end_agreement, caller, ending()) == ("NOT_PERMITTED", [])
    assert await desk.refused(end_agreement, platform(ZHEJIANG), ending("XY-9")) == ("AGREEMENT_NOT_FOUND", [])
    unknown = registering(agreement(provider=credit_code(9)))
    assert await desk.refused(register_agreement, platform(ZHEJIANG), unknown) == ("PROVIDER_NOT_FOUND", [])


async def test_agreements_are_listed_to_their_parties(desk: Desk) -> None:
    first, second, third = (
        await sign(desk, agreement(JIANGSU, LAB, "A-1")),
        await sign(desk, agreement(ZHEJIANG, LAB, "B-1")),
        await sign(desk, agreement(ZHEJIANG, FAR, "B-2")),
    )

    async def seen(caller: Caller, issuer: str = "", provider: str = "", size: int = 1) -> list[pb.TripartiteAgreement]:
        listed: list[pb.TripartiteAgreement] = []
        token = ""
        while True:
            request = pb.ListAgreementsRequest(issuer=issuer, provider=provider, page_size=size, page_token=token)
            answer = await desk.ask(list_agreements, caller, request)
            listed.extend(answer.agreements)
            token = answer.next_page_token
            if not token:
                return listed

    assert await seen(platform(ZHEJIANG), ZHEJIANG) == [second, third]
    assert await seen(platform(ZHEJIANG), ZHEJIANG, FAR) == [third]
    assert await seen(ITSELF, provider=LAB) == [first, second]
    assert await seen(ITSELF, ZHEJIANG, LAB) == [second]
    assert await seen(platform(JIANGSU), provider=LAB) == [first, second]
    assert await seen(COORDINATOR, provider=credit_code(9)) == []
    for caller, issuer, provider in (
        (platform(ANHUI), ZHEJIANG, ""),
        (platform(ANHUI), "", LAB),
        (ITSELF, "", FAR),
        (ITSELF, ZHEJIANG, ""),
    ):
        request = pb.ListAgreementsRequest(issuer=issuer, provider=provider)
        assert await desk.unanswered(list_agreements, caller, request) == ("NOT_PERMITTED", [])
    assert await desk.unanswered(list_agreements, COORDINATOR, pb.ListAgreementsRequest()) == ("INVALID_ARGUMENT", ["issuer"])


def row(provider: str, issuer: str = ZHEJIANG, since: str = "2026-03-02", **flags: Any) -> registry_pb2.Recognition:
    return registry_pb2.Recognition(issuer=issuer, provider=provider, valid_from=since, **flags)


async def test_a_bulk_keeps_what_is_right_and_says_what_is_wrong_row_by_row(desk: Desk) -> None:
    await name(desk, ZHEJIANG, OTHER)
    told = len(desk.told())
    rows = [row(LAB), row(credit_code(9)), row(OTHER), row(FAR, since="x"), row(FAR, SHANGHAI), row(LAB), row(FAR, require_agreement=True)]
    answer = await desk.do(bulk_recognize, platform(ZHEJIANG), pb.BulkRecognizeRequest(recognitions=rows))
    outcomes = [
        "created" if item.created else refusal_pb2.RefusalCode.Name(item.refusal.code)[13:] if item.HasField("refusal") else "known"
        for item in answer.outcomes
    ]
    assert outcomes == ["created", "PROVIDER_NOT_FOUND", "known", "INVALID_ARGUMENT", "NOT_PERMITTED", "known", "created"]
    assert answer.outcomes[3].refusal.violations[0].field == "recognitions[3].valid_from"
    assert [item.message.recognition for item in desk.told()[told:]] == [rows[0], rows[6]]
    listed = await desk.ask(list_recognitions, COORDINATOR, registry_pb2.ListRecognitionsRequest(issuer=ZHEJIANG))
    assert sorted(item.provider for item in listed.recognitions) == [LAB, OTHER, FAR]


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_bulk_is_one_to_a_thousand_rows(desk: Desk, count: int) -> None:
    request = pb.BulkRecognizeRequest(recognitions=[row(LAB)] * count)
    assert await desk.refused(bulk_recognize, platform(ZHEJIANG), request) == ("INVALID_ARGUMENT", ["recognitions"])


async def test_bulks_that_meet_do_not_block_each_other(desk: Desk) -> None:
    forth, back = [row(LAB), row(OTHER), row(FAR)], [row(FAR), row(OTHER), row(LAB)]
    requests = [pb.BulkRecognizeRequest(recognitions=rows) for rows in (forth, back) * 3]
    outcomes = await asyncio.gather(*(desk.send(bulk_recognize, platform(ZHEJIANG), request) for request in requests))
    assert codes(outcomes) == ["OK"] * 6
    assert desk.rows("SELECT count(*) FROM registry.recognition") == [(3,)]


async def test_a_revocation_says_who_ended_what_when(desk: Desk) -> None:
    await name(desk, ZHEJIANG, LAB, until="2027-01-01")
    desk.advance_to("2026-04-01")
    await desk.do(revoke_recognition, platform(ZHEJIANG), registry_pb2.RevokeRecognitionRequest(issuer=ZHEJIANG, provider=LAB))
    kept = (
        "SELECT valid_until::text, stated_until::text, entered_by, entered_at IS NULL, ended_by, ended_at IS NULL FROM registry.recognition"
    )
    assert desk.rows(kept) == [("2026-04-01", "2027-01-01", ZHEJIANG, False, ZHEJIANG, False)]
