from __future__ import annotations

import asyncio

import pytest

from hub.domain.caller import Caller
from registry.admission.direct import admit_provider
from registry.recognition.naming import list_recognitions, recognize_provider, revoke_recognition
from tests.support_usecases import COORDINATOR, Desk, codes, credit_code, forged, platform
from yrd.registry.v1 import registry_pb2 as pb

SHANGHAI, JIANGSU, ZHEJIANG, CHANGXING = "310000", "320000", "330000", "330522"
LAB, OTHER = sorted((credit_code(1), credit_code(2)))


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    for uscc in (LAB, OTHER):
        provider = pb.Provider(uscc=uscc, name="示例实验室", home=SHANGHAI, admitted_on="2026-01-01")
        await desk.do(admit_provider, platform(SHANGHAI), pb.AdmitProviderRequest(provider=provider))
    return desk


def recognition(since: str, until: str = "", *, provider: str = LAB, issuer: str = ZHEJIANG, agreement: bool = False) -> pb.Recognition:
    return pb.Recognition(issuer=issuer, provider=provider, valid_from=since, valid_until=until, agreement=agreement)


async def recognize(desk: Desk, *wanted: pb.Recognition) -> None:
    for item in wanted:
        request = pb.RecognizeProviderRequest(recognition=item)
        answer = await desk.do(recognize_provider, platform(item.issuer), request)
        assert answer.recognition == item


def revocation(issuer: str = ZHEJIANG, provider: str = LAB) -> pb.RevokeRecognitionRequest:
    return pb.RevokeRecognitionRequest(issuer=issuer, provider=provider)


async def listed(desk: Desk, issuer: str = ZHEJIANG, size: int = 0) -> list[pb.Recognition]:
    found: list[pb.Recognition] = []
    token = ""
    while True:
        request = pb.ListRecognitionsRequest(issuer=issuer, page_size=size, page_token=token)
        answer = await desk.ask(list_recognitions, platform(JIANGSU), request)
        assert not size or len(answer.recognitions) <= size
        found.extend(answer.recognitions)
        token = answer.next_page_token
        if not token:
            return found


async def test_a_recognition_is_kept_told_and_listed(desk: Desk) -> None:
    wanted = recognition("2026-03-01", "2027-03-01", agreement=True)
    await recognize(desk, wanted)
    assert await listed(desk) == [wanted]
    assert await listed(desk, SHANGHAI) == []
    (told,) = desk.told(1)
    assert (told.topic, told.key, told.message.recognition) == ("pool", LAB, wanted)


async def test_the_same_recognition_again_changes_nothing_and_tells_nobody(desk: Desk) -> None:
    wanted = recognition("2026-03-01")
    await recognize(desk, wanted)
    told = desk.told()
    await recognize(desk, wanted)
    assert (await listed(desk), desk.told()) == ([wanted], told)
    await recognize(desk, recognition("2026-03-01", agreement=True))
    assert len(await listed(desk)) == 2


async def test_the_same_recognition_twice_at_once_is_one(desk: Desk) -> None:
    requests = [pb.RecognizeProviderRequest(recognition=recognition("2026-03-01")) for _ in range(5)]
    outcomes = await asyncio.gather(*(desk.send(recognize_provider, platform(ZHEJIANG), request) for request in requests))
    assert codes(outcomes) == ["OK"] * 5
    assert len(await listed(desk)) == 1


@pytest.mark.parametrize("caller", [platform(SHANGHAI), platform(CHANGXING), COORDINATOR], ids=["home", "below", "coordinator"])
async def test_only_the_issuer_recognises_and_revokes(desk: Desk, caller: Caller) -> None:
    await recognize(desk, recognition("2026-03-01"))
    wanted = pb.RecognizeProviderRequest(recognition=recognition("2026-04-01"))
    assert await desk.refused(recognize_provider, caller, wanted) == ("NOT_PERMITTED", [])
    assert await desk.refused(revoke_recognition, caller, revocation()) == ("NOT_PERMITTED", [])


async def test_a_province_recognises_for_a_county_issuer_below_it(desk: Desk) -> None:
    wanted = recognition("2026-03-01", issuer=CHANGXING)
    await desk.do(recognize_provider, platform(ZHEJIANG), pb.RecognizeProviderRequest(recognition=wanted))
    assert await listed(desk, CHANGXING) == [wanted]


async def test_nobody_recognises_a_provider_that_is_not_in_the_pool(still: Desk) -> None:
    wanted = pb.RecognizeProviderRequest(recognition=recognition("2026-03-01", provider=credit_code(3)))
    assert await still.refused(recognize_provider, platform(ZHEJIANG), wanted) == ("PROVIDER_NOT_FOUND", [])


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        (recognition("2026-03-01", "2026-03-01"), ["recognition.valid_until"]),
        (recognition("2026-03-01", "2026-02-28"), ["recognition.valid_until"]),
        (recognition("2026-3-1"), ["recognition.valid_from"]),
        (recognition("2026-03-01", "2026"), ["recognition.valid_until"]),
        (recognition("2026-03-01", issuer="33"), ["recognition.issuer"]),
        (recognition("2026-03-01", provider="LAB"), ["recognition.provider"]),
        (pb.Recognition(), ["recognition.valid_from", "recognition.issuer", "recognition.provider"]),
    ],
)
async def test_a_wrong_field_of_a_recognition_is_named(still: Desk, wrong: pb.Recognition, fields: list[str]) -> None:
    request = pb.RecognizeProviderRequest(recognition=wrong)
    assert await still.refused(recognize_provider, platform(ZHEJIANG), request) == ("INVALID_ARGUMENT", fields)


async def test_a_revocation_ends_what_is_in_force_and_what_is_to_come(desk: Desk) -> None:
    past, running, open_ended = recognition("2025-01-01", "2026-01-01"), recognition("2026-01-01", "2026-06-01"), recognition("2026-02-01")
    coming, foreign = recognition("2026-09-01", "2027-01-01"), recognition("2026-01-01", issuer=JIANGSU)
    other = recognition("2026-01-01", provider=OTHER)
    await recognize(desk, past, running, open_ended, coming, foreign, other)
    desk.advance_to("2026-04-01")
    answer = await desk.do(revoke_recognition, platform(ZHEJIANG), revocation())
    ended = [
        recognition("2026-01-01", "2026-04-01"),
        recognition("2026-02-01", "2026-04-01"),
        recognition("2026-09-01", "2026-09-01"),
    ]
    assert answer.recognition == ended[1]
    assert await listed(desk) == [past, *ended, other]
    assert await listed(desk, JIANGSU) == [foreign]
    assert [told.message.recognition for told in desk.told(3)] == ended
    assert {(told.topic, told.key) for told in desk.told(3)} == {("pool", LAB)}


async def test_a_revoked_recognition_cannot_be_revoked_again_but_given_anew(desk: Desk) -> None:
    await recognize(desk, recognition("2026-03-02"), recognition("2026-09-01"))
    answer = await desk.do(revoke_recognition, platform(ZHEJIANG), revocation())
    assert answer.recognition == recognition("2026-03-02", "2026-03-02")
    assert await desk.refused(revoke_recognition, platform(ZHEJIANG), revocation()) == ("RECOGNITION_NOT_FOUND", [])
    await recognize(desk, recognition("2026-03-02"))
    assert recognition("2026-03-02") in await listed(desk)
    desk.advance_to("2026-10-01")
    assert (await desk.do(revoke_recognition, platform(ZHEJIANG), revocation())).recognition == recognition("2026-03-02", "2026-10-01")


async def test_of_several_who_revoke_at_once_one_does(desk: Desk) -> None:
    await recognize(desk, recognition("2026-03-01"))
    outcomes = await asyncio.gather(*(desk.send(revoke_recognition, platform(ZHEJIANG), revocation()) for _ in range(4)))
    assert codes(outcomes) == ["OK", *["RECOGNITION_NOT_FOUND"] * 3]


async def test_there_is_nothing_to_revoke_of_the_past_or_of_nobody(desk: Desk) -> None:
    await recognize(desk, recognition("2025-01-01", "2026-03-02"))
    assert await desk.refused(revoke_recognition, platform(ZHEJIANG), revocation()) == ("RECOGNITION_NOT_FOUND", [])
    unknown = revocation(provider=credit_code(3))
    assert await desk.refused(revoke_recognition, platform(ZHEJIANG), unknown) == ("RECOGNITION_NOT_FOUND", [])
    assert await desk.refused(revoke_recognition, platform(ZHEJIANG), revocation("", "")) == ("INVALID_ARGUMENT", ["issuer", "provider"])


async def test_a_revocation_repeated_gives_the_same_bytes(desk: Desk) -> None:
    await recognize(desk, recognition("2026-03-01"))
    request = revocation()
    first = await desk.send(revoke_recognition, platform(ZHEJIANG), request)
    state, told = desk.state(), desk.told()
    desk.advance_to("2026-04-01")
    assert await desk.send(revoke_recognition, platform(ZHEJIANG), request) == first
    assert (desk.state(), desk.told()) == (state, told)
    request.provider = OTHER
    assert await desk.refused(revoke_recognition, platform(ZHEJIANG), request) == ("REQUEST_ID_REUSED", [])


async def test_recognitions_are_paged_by_provider_then_first_day(desk: Desk) -> None:
    wanted = [recognition(f"2026-0{month}-01", provider=uscc) for uscc in (LAB, OTHER) for month in (1, 2, 3)]
    wanted.append(recognition("2026-03-01", "2026-05-01", provider=OTHER))
    for item in (*wanted[3:], *wanted[:3]):
        await recognize(desk, item)
    for size in (0, 1, 2, 3, 7):
        assert await listed(desk, size=size) == wanted


@pytest.mark.parametrize("position", [["a"], ["a", "2026-01-01", "x"], ["a", "2026-01", "1"], ["a\x00", "2026-01-01", "1"]])
async def test_a_foreign_page_token_of_recognitions_is_refused(still: Desk, position: list[str]) -> None:
    request = forged(COORDINATOR, pb.ListRecognitionsRequest(issuer=ZHEJIANG), *position)
    assert await still.unanswered(list_recognitions, COORDINATOR, request) == ("INVALID_ARGUMENT", ["page_token"])


async def test_recognitions_are_those_of_an_issuer(still: Desk) -> None:
    assert await still.unanswered(list_recognitions, COORDINATOR, pb.ListRecognitionsRequest()) == ("INVALID_ARGUMENT", ["issuer"])
