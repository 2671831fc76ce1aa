from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from hub.domain.model import Agreement, ClassRule, Provider, Recognition
from hub.domain.policy import Category, Policy, RecognitionDefault, RecognitionRule
from hub.domain.recognition import Condition, Dealings, Ground, GroundKind, Lack, grounds, nearest, recognized
from registry.admission.domain import Member
from registry.recognition.domain import PoolMember, judge
from registry.recognition.verdicts import missing_message
from tests.unit.builders import ISSUER, PROVIDER, TODAY, code, desk, line, policy, provider

C = Condition
LISTED, POOL = RecognitionRule(), RecognitionRule(RecognitionDefault.POOL)
BEFORE, AFTER = date(2026, 1, 1), date(2027, 1, 1)
LAB = provider(home="320500", categories=(Category.INSPECTION_TESTING, Category.DATA), rating=420)
SIGNED = (Agreement(BEFORE, None),)


def rule(**changes: Any) -> ClassRule:
    return ClassRule("c1", BEFORE, None)._replace(**changes)


def found(wanted: RecognitionRule, dealings: Dealings, lab: Provider = LAB) -> list[tuple[GroundKind, list[Condition]]]:
    return [(item.kind, [lack.condition for lack in item.lacks]) for item in grounds(wanted, lab, dealings, TODAY)]


def lacks(each: ClassRule, lab: Provider = LAB, agreements: tuple[Agreement, ...] = ()) -> list[Condition]:
    (_, (kind, missing)) = found(LISTED, Dealings((), (each,), agreements), lab)
    assert kind is GroundKind.CLASS
    return missing


@pytest.mark.parametrize(
    ("each", "missing"),
    [
        (rule(home="320000"), []),
        (rule(home="320500"), []),
        (rule(home="320509"), [C.HOME]),
        (rule(home="330000"), [C.HOME]),
        (rule(category=Category.DATA), []),
        (rule(category=Category.RESEARCH), [C.CATEGORY]),
        (rule(min_rating=420), []),
        (rule(min_rating=421), [C.RATING]),
        (rule(quality_listed=True), [C.QUALITY_LIST]),
        (rule(require_agreement=True), [C.AGREEMENT]),
        (rule(home="320000", valid_from=TODAY), []),
        (rule(home="320000", valid_until=TODAY), [C.PERIOD]),
        (rule(home="320000", valid_from=date(2026, 3, 3)), [C.PERIOD]),
        (rule(home="330000", category=Category.IP, min_rating=500, quality_listed=True), [C.HOME, C.CATEGORY, C.RATING, C.QUALITY_LIST]),
        (rule(home="320000", category=Category.DATA, min_rating=400), []),
        (rule(home="320000", category=Category.DATA, min_rating=500), [C.RATING]),
    ],
)
def test_a_class_takes_in_whoever_meets_every_condition(each: ClassRule, missing: list[Condition]) -> None:
    assert lacks(each) == missing
    assert recognized(LISTED, LAB, Dealings(class_rules=(each,)), TODAY) == (not missing)


def test_the_quality_list_and_a_signed_agreement_are_conditions_of_a_class() -> None:
    assert lacks(rule(quality_listed=True), replace(LAB, quality_listed_on=BEFORE)) == []
    assert lacks(rule(require_agreement=True), agreements=SIGNED) == []
    assert lacks(rule(require_agreement=True), agreements=(Agreement(BEFORE, TODAY),)) == [C.AGREEMENT]
    assert lacks(rule(require_agreement=True), agreements=(Agreement(date(2026, 3, 3), None),)) == [C.AGREEMENT]


def test_what_was_taken_back_before_it_began_is_no_ground() -> None:
    dealings = Dealings((Recognition(AFTER, AFTER, True),), (rule(valid_from=AFTER, valid_until=AFTER),))
    assert found(LISTED, dealings) == [(GroundKind.DEFAULT, [C.LISTED_ONLY])]


@pytest.mark.parametrize(
    ("wanted", "dealings", "expected"),
    [
        (POOL, Dealings(), []),
        (LISTED, Dealings(), [C.LISTED_ONLY]),
        (replace(POOL, min_rating=420), Dealings(), []),
        (replace(POOL, min_rating=430), Dealings(), [C.POLICY_RATING]),
        (replace(POOL, require_agreement=True), Dealings(), [C.AGREEMENT]),
        (replace(POOL, require_agreement=True), Dealings(agreements=SIGNED), []),
        (replace(POOL, require_agreement=True, min_rating=430), Dealings(), [C.POLICY_RATING, C.AGREEMENT]),
    ],
)
def test_the_default_of_the_policy(wanted: RecognitionRule, dealings: Dealings, expected: list[Condition]) -> None:
    assert found(wanted, dealings) == [(GroundKind.DEFAULT, expected)]


@pytest.mark.parametrize(
    ("wanted", "item", "agreements", "expected"),
    [
        (LISTED, Recognition(BEFORE, None, False), (), []),
        (LISTED, Recognition(BEFORE, TODAY, False), (), [C.PERIOD]),
        (LISTED, Recognition(BEFORE, None, False, True), (), [C.AGREEMENT]),
        (LISTED, Recognition(BEFORE, None, False, True), SIGNED, []),
        (LISTED, Recognition(BEFORE, None, True, True), (), []),
        (replace(LISTED, require_agreement=True), Recognition(BEFORE, None, False), (), [C.AGREEMENT]),
        (replace(LISTED, require_agreement=True), Recognition(BEFORE, None, False), SIGNED, []),
        (replace(LISTED, require_agreement=True), Recognition(BEFORE, None, True), (), []),
        (replace(LISTED, min_rating=500), Recognition(BEFORE, None, True), (), [C.POLICY_RATING]),
    ],
)
def test_a_recognition_by_name(
    wanted: RecognitionRule, item: Recognition, agreements: tuple[Agreement, ...], expected: list[Condition]
) -> None:
    assert found(wanted, Dealings((item,), (), agreements))[1:] == [(GroundKind.PROVIDER, expected)]


def test_the_policy_asks_of_a_class_what_it_asks_of_all() -> None:
    wanted = RecognitionRule(RecognitionDefault.LISTED, require_agreement=True, min_rating=430)
    assert found(wanted, Dealings(class_rules=(rule(home="320000"),)))[1:] == [(GroundKind.CLASS, [C.POLICY_RATING, C.AGREEMENT])]


def test_the_nearest_ground_is_the_one_that_lacks_least_and_the_closed_default_the_last() -> None:
    far, near = rule(home="330000", min_rating=500), rule(home="320000", min_rating=430)
    over = rule(home="320000", valid_until=TODAY)
    assert nearest(grounds(LISTED, LAB, Dealings((), (over,)), TODAY)).source == over
    closest = nearest(grounds(LISTED, LAB, Dealings((), (over, far, near)), TODAY))
    assert closest.source == near
    assert closest.lacks == (("RATING", "4.30", "4.20"),)
    assert nearest(grounds(LISTED, LAB, Dealings(), TODAY)) == Ground(GroundKind.DEFAULT, None, (Lack(C.LISTED_ONLY, "POOL", "LISTED"),))
    assert nearest(grounds(POOL, LAB, Dealings((), (far,)), TODAY)).holds


@pytest.mark.parametrize("home", ["", "320000"])
def test_authorize_goes_by_classes_and_says_what_is_missing(home: str) -> None:
    world = desk(policy(recognition=LISTED))
    refused = world.authorize(line(100))
    assert code(refused) == "PROVIDER_NOT_RECOGNIZED"
    assert refused.refusal is not None
    assert dict(refused.refusal.metadata) == {"missing": "LISTED_ONLY"}
    world.ws.class_rules[ISSUER] = (rule(home=home, min_rating=400, require_agreement=True),)
    refused = world.authorize(line(100))
    assert refused.refusal is not None
    assert dict(refused.refusal.metadata) == {"missing": "RATING,AGREEMENT"}
    world.ws.agreements[ISSUER, PROVIDER] = SIGNED
    world.ws.providers[PROVIDER] = provider(rating=400)
    assert code(world.authorize(line(100))) == ""


def _policy() -> Policy:
    return policy(recognition=POOL)


MEMBER = Member(PROVIDER, "示例实验室", "320000", (Category.DATA,), BEFORE)


@pytest.mark.parametrize(
    ("member", "wanted", "verdict", "missing"),
    [
        (PoolMember(MEMBER), _policy(), (True, True), []),
        (PoolMember(MEMBER, absent_since=BEFORE), _policy(), (True, False), [C.STANDING]),
        (PoolMember(replace(MEMBER, admitted_on=AFTER)), _policy(), (False, False), [C.ADMISSION]),
        (PoolMember(replace(MEMBER, removed_on=TODAY), absent_since=TODAY), _policy(), (False, False), [C.ADMISSION, C.STANDING]),
        (PoolMember(replace(MEMBER, removed_on=AFTER)), _policy(), (True, True), []),
        (PoolMember(MEMBER), None, (False, False), [C.POLICY]),
        (PoolMember(MEMBER, absent_since=BEFORE), policy(recognition=LISTED), (False, False), [C.STANDING, C.LISTED_ONLY]),
    ],
)
def test_a_verdict_joins_policy_pool_and_recognition(
    member: PoolMember, wanted: Policy | None, verdict: tuple[bool, bool], missing: list[Condition]
) -> None:
    found = judge(wanted, member, Dealings(), TODAY)
    assert (found.recognized, found.payable) == verdict
    assert [lack.condition for lack in found.missing] == missing


@pytest.mark.parametrize("condition", list(Condition))
def test_every_condition_has_words_in_both_languages(condition: Condition) -> None:
    message = missing_message(Lack(condition, "WANTED", "FOUND"))
    assert message.condition
    assert message.zh and message.en
    assert "{" not in message.zh + message.en
