from __future__ import annotations

import asyncio

import pytest

from hub.domain.caller import Caller
from registry.recognition import domain
from registry.recognition.classes import end_class_recognition, list_class_recognitions, set_class_recognition
from tests.fixtures.recognition import ANHUI, DATA, JIANGSU, LAB, SHANGHAI, TESTING, ZHEJIANG, conditions, explain, found, klass, set_class
from tests.support_usecases import COORDINATOR, Desk, codes, forged, platform
from yrd.registry.v1 import recognition_pb2 as pb


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    await found(desk)
    return desk


def setting(wanted: pb.ClassRecognition) -> pb.SetClassRecognitionRequest:
    return pb.SetClassRecognitionRequest(class_recognition=wanted)


def ending(class_id: str, reason: str = "协议到期") -> pb.EndClassRecognitionRequest:
    return pb.EndClassRecognitionRequest(class_id=class_id, reason=reason)


async def listed(desk: Desk, issuer: str = ZHEJIANG, size: int = 0, caller: Caller = COORDINATOR) -> list[pb.ClassRecognition]:
    seen: list[pb.ClassRecognition] = []
    token = ""
    while True:
        request = pb.ListClassRecognitionsRequest(issuer=issuer, page_size=size, page_token=token)
        answer = await desk.ask(list_class_recognitions, caller, request)
        assert not size or len(answer.class_recognitions) <= size
        seen.extend(answer.class_recognitions)
        token = answer.next_page_token
        if not token:
            return seen


async def test_a_class_is_kept_told_listed_and_counts(desk: Desk) -> None:
    assert not (await explain(desk, ZHEJIANG, LAB)).recognized
    kept = await set_class(desk, klass(home=JIANGSU, category=TESTING, min_rating=400))
    assert (kept.home, kept.category, kept.min_rating, kept.entered_by) == (JIANGSU, TESTING, 400, ZHEJIANG)
    (told,) = desk.told(1)
    assert (told.topic, told.key, told.message.class_recognition) == ("pool", ZHEJIANG, kept)
    assert await listed(desk, caller=platform(ANHUI)) == [kept]
    verdict = await explain(desk, ZHEJIANG, LAB)
    assert verdict.recognized and verdict.payable
    assert verdict.grounds[1].class_recognition == kept


async def test_the_same_class_again_changes_nothing_and_tells_nobody(desk: Desk) -> None:
    kept = await set_class(desk, klass(home=JIANGSU))
    told = desk.told()
    assert await set_class(desk, klass(home=JIANGSU)) == kept
    assert (await listed(desk), desk.told()) == ([kept], told)
    other = await set_class(desk, klass(home=JIANGSU, quality_listed=True))
    assert other.class_id != kept.class_id


async def test_the_same_class_at_once_is_one(desk: Desk) -> None:
    requests = [setting(klass(category=DATA)) for _ in range(5)]
    outcomes = await asyncio.gather(*(desk.send(set_class_recognition, platform(ZHEJIANG), request) for request in requests))
    assert codes(outcomes) == ["OK"] * 5
    assert len(await listed(desk)) == 1


async def test_an_ended_class_keeps_its_past_and_says_who_ended_it_and_why(desk: Desk) -> None:
    kept = await set_class(desk, klass(home=JIANGSU, until="2027-01-01"))
    desk.advance_to("2026-04-01")
    ended = (await desk.do(end_class_recognition, platform(ZHEJIANG), ending(kept.class_id))).class_recognition
    assert (ended.valid_until, ended.ended_by, ended.ended_reason) == ("2026-04-01", ZHEJIANG, "协议到期")
    assert desk.told(1)[0].message.class_recognition == ended
    assert (await explain(desk, ZHEJIANG, LAB, "2026-03-31")).recognized
    verdict = await explain(desk, ZHEJIANG, LAB)
    assert not verdict.recognized
    assert conditions(verdict.missing) == ["PERIOD"]
    assert verdict.missing[0].wanted == "[2026-03-02, 2026-04-01)"
    assert desk.rows("SELECT stated_until::text FROM registry.class_recognition") == [("2027-01-01",)]
    assert await desk.refused(end_class_recognition, platform(ZHEJIANG), ending(kept.class_id)) == ("INVALID_STATE", [])
    again = await set_class(desk, klass(home=JIANGSU, until="2027-01-01"))
    assert again.class_id != kept.class_id
    assert await listed(desk, size=1) == [ended, again]


async def test_a_class_still_to_come_never_begins_once_ended(desk: Desk) -> None:
    kept = await set_class(desk, klass(since="2026-09-01", home=JIANGSU))
    ended = (await desk.do(end_class_recognition, platform(ZHEJIANG), ending(kept.class_id))).class_recognition
    assert ended.valid_until == "2026-09-01"
    verdict = await explain(desk, ZHEJIANG, LAB, "2026-10-01")
    assert [ground.holds for ground in verdict.grounds] == [False]


@pytest.mark.parametrize("caller", [platform(SHANGHAI), platform("330500"), COORDINATOR], ids=["other", "below", "coordinator"])
async def test_only_the_issuer_sets_and_ends(desk: Desk, caller: Caller) -> None:
    kept = await set_class(desk, klass(home=JIANGSU))
    assert await desk.refused(set_class_recognition, caller, setting(klass(category=DATA))) == ("NOT_PERMITTED", [])
    assert await desk.refused(end_class_recognition, caller, ending(kept.class_id)) == ("NOT_PERMITTED", [])


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        (klass(), ["class_recognition"]),
        (klass(home="32"), ["class_recognition.home"]),
        (klass(category=99), ["class_recognition.category"]),
        (klass(min_rating=501), ["class_recognition.min_rating"]),
        (klass(min_rating=-1), ["class_recognition.min_rating"]),
        (klass(home=JIANGSU, until="2026-03-02"), ["class_recognition.valid_until"]),
        (klass(home=JIANGSU, since="2026-3-2"), ["class_recognition.valid_from"]),
        (klass(issuer="x", home=JIANGSU), ["class_recognition.issuer"]),
    ],
)
async def test_a_wrong_field_of_a_class_is_named(still: Desk, wrong: pb.ClassRecognition, fields: list[str]) -> None:
    assert await still.refused(set_class_recognition, platform(ZHEJIANG), setting(wrong)) == ("INVALID_ARGUMENT", fields)


async def test_what_is_not_there_cannot_be_ended(still: Desk) -> None:
    unknown = ending("7d1f6f0e-53c9-4a3c-9a3e-1d0f6f1b9a01")
    assert await still.refused(end_class_recognition, platform(ZHEJIANG), unknown) == ("RECOGNITION_NOT_FOUND", [])
    assert await still.refused(end_class_recognition, platform(ZHEJIANG), ending("1", "")) == ("INVALID_ARGUMENT", ["class_id", "reason"])
    foreign = forged(COORDINATOR, pb.ListClassRecognitionsRequest(issuer=ZHEJIANG), "a", "b")
    assert await still.unanswered(list_class_recognitions, COORDINATOR, foreign) == ("INVALID_ARGUMENT", ["page_token"])
    assert await still.unanswered(list_class_recognitions, COORDINATOR, pb.ListClassRecognitionsRequest()) == (
        "INVALID_ARGUMENT", ["issuer"],
    )  # fmt: skip


async def test_an_issuer_has_a_bounded_number_of_classes(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(domain, "CLASSES_MAX", 2)
    kept = await set_class(desk, klass(min_rating=100))
    await set_class(desk, klass(min_rating=200))
    assert await desk.refused(set_class_recognition, platform(ZHEJIANG), setting(klass(min_rating=300))) == ("INVALID_STATE", [])
    await desk.do(end_class_recognition, platform(ZHEJIANG), ending(kept.class_id))
    await set_class(desk, klass(min_rating=300))
