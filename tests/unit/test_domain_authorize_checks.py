"""Authorize, checks 1-10 in their order, and the quote that lists them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import pytest

from hub.domain.caller import Caller, Role
from hub.domain.conditions import Condition
from hub.domain.model import LineFlag, Recognition
from hub.domain.policy import Category, CategoryRule, EnterpriseKind, RecognitionDefault, RecognitionRule
from tests.unit.builders import (
    ACQUIRER,
    ENTERPRISE,
    ISSUER,
    ISSUER_CALLS,
    PROVIDER,
    STRANGER_CALLS,
    TESTING,
    TODAY,
    Desk,
    approved,
    code,
    desk,
    enterprise,
    line,
    note,
    policy,
    provider,
)

Fault = Callable[[Desk], None]


def _policy(world: Desk, **changes: object) -> None:
    world.ws.policies[1] = replace(world.ws.policies[1], **changes)  # type: ignore[arg-type]  # names are checked by the dataclass


def _unknown(world: Desk) -> None:
    del world.ws.enterprises[ENTERPRISE]


def _enterprise(**changes: object) -> Fault:
    def fault(world: Desk) -> None:
        world.ws.enterprises[ENTERPRISE] = enterprise(**changes)

    return fault


def _provider(**changes: object) -> Fault:
    def fault(world: Desk) -> None:
        world.ws.providers[PROVIDER] = provider(**changes)

    return fault


def _no_policy(world: Desk) -> None:
    world.ws.policies.clear()


def _no_provider(world: Desk) -> None:
    del world.ws.providers[PROVIDER]


def _listed(world: Desk) -> None:
    _policy(world, recognition=RecognitionRule(RecognitionDefault.LISTED))


def _not_covered(world: Desk) -> None:
    _policy(world, categories={Category.IP: CategoryRule(5000)})


def _condition(world: Desk) -> None:
    _policy(world, conditions=(Condition("small", "order.amount_fen < 1", "仅限小额", "small orders only"),))


def _no_notes(world: Desk) -> None:
    del world.ws.wallets[world.wallet().key]


def _expired_notes(world: Desk) -> None:
    for held in world.wallet().notes:
        held.expires_on = TODAY
    world.wallet().last_expiry = TODAY


def _drawn_notes(world: Desk) -> None:
    for held in world.wallet().notes:
        held.available, held.reserved = 0, held.face


def _nothing_left(world: Desk) -> None:
    world.wallet().quota_used[TODAY.year] = 1_000_000_00


CASES: list[tuple[int, str, Fault]] = [
    (1, "ENTERPRISE_NOT_FOUND", _unknown),
    (1, "ENTERPRISE_NOT_OF_ISSUER", _enterprise(division="320500")),
    (2, "POLICY_NOT_IN_FORCE", _no_policy),
    (3, "ENTERPRISE_NOT_ELIGIBLE", _enterprise(kind=EnterpriseKind.TEAM)),
    (3, "ENTERPRISE_NOT_ELIGIBLE", _enterprise(sme_no="")),
    (3, "ENTERPRISE_NOT_ELIGIBLE", _enterprise(sme_valid_until=TODAY)),
    (3, "ENTERPRISE_NOT_ELIGIBLE", _enterprise(sme_valid_from=TODAY + timedelta(days=1))),
    (4, "ENTERPRISE_SANCTIONED", _enterprise(sanctioned_on=TODAY)),
    (5, "PROVIDER_NOT_FOUND", _no_provider),
    (5, "PROVIDER_NOT_FOUND", _provider(admitted_on=TODAY + timedelta(days=1))),
    (5, "PROVIDER_SUSPENDED", _provider(suspended_on=TODAY)),
    (6, "PROVIDER_NOT_RECOGNIZED", _listed),
    (7, "CATEGORY_NOT_COVERED", _not_covered),
    (8, "CONDITION_FAILED", _condition),
    (9, "VOUCHER_EXHAUSTED", _no_notes),
    (9, "VOUCHER_EXHAUSTED", _drawn_notes),
    (9, "VOUCHER_EXPIRED", _expired_notes),
    (10, "QUOTA_EXCEEDED", _nothing_left),
]
_IDS = [f"{number}-{name}-{index}" for index, (number, name, _) in enumerate(CASES)]


@pytest.mark.parametrize(("number", "expected", "fault"), CASES, ids=_IDS)
def test_authorize_check_refuses_alone(number: int, expected: str, fault: Fault) -> None:
    world = desk()
    fault(world)
    decision = world.authorize(line(100))
    assert code(decision) == expected
    assert decision.redemption is None and not decision.transfers
    _, listed = world.quote(line(100))
    assert listed == [expected]
    # The officer reads which check it was; check 10 tells the steps of A1 and A2.
    assert [step.rule for step in decision.reasons] == ([f"Authorize {number}"] if number < 10 else ["A1", "A2"])


def test_authorize_checks_in_order_first_failure_refuses_and_a_quote_lists_all() -> None:
    """Everything is wrong at once; each repair brings the next check's code to the front."""
    world = desk()
    rule = world.ws.policies.pop(1)
    rule = replace(
        rule,
        categories={Category.IP: CategoryRule(5000)},
        recognition=RecognitionRule(RecognitionDefault.LISTED),
        conditions=(Condition("first", "order.amount_fen < 1"), Condition("second", "voucher.count > 99")),
    )
    del world.ws.enterprises[ENTERPRISE]
    del world.ws.providers[PROVIDER]
    _expired_notes(world)
    _nothing_left(world)

    def expect(*codes: str) -> None:
        assert world.quote(line(100))[1] == list(codes)
        decision = world.authorize(line(100))
        assert code(decision) == codes[0]
        assert decision.redemption is None and not decision.transfers

    expect("ENTERPRISE_NOT_FOUND", "POLICY_NOT_IN_FORCE", "PROVIDER_NOT_FOUND", "VOUCHER_EXPIRED")
    foreign = enterprise(division="320500", kind=EnterpriseKind.TEAM, sanctioned_on=TODAY)
    world.ws.enterprises[ENTERPRISE] = foreign
    expect("ENTERPRISE_NOT_OF_ISSUER", "POLICY_NOT_IN_FORCE", "ENTERPRISE_SANCTIONED", "PROVIDER_NOT_FOUND", "VOUCHER_EXPIRED")
    world.ws.enterprises[ENTERPRISE] = replace(foreign, division="310118")
    expect("POLICY_NOT_IN_FORCE", "ENTERPRISE_SANCTIONED", "PROVIDER_NOT_FOUND", "VOUCHER_EXPIRED")
    world.ws.policies[1] = rule
    expect("ENTERPRISE_NOT_ELIGIBLE", "ENTERPRISE_SANCTIONED", "PROVIDER_NOT_FOUND", "CATEGORY_NOT_COVERED", "VOUCHER_EXPIRED")
    world.ws.enterprises[ENTERPRISE] = enterprise(sanctioned_on=TODAY)
    expect("ENTERPRISE_SANCTIONED", "PROVIDER_NOT_FOUND", "CATEGORY_NOT_COVERED", "VOUCHER_EXPIRED")
    world.ws.enterprises[ENTERPRISE] = enterprise()
    expect("PROVIDER_NOT_FOUND", "CATEGORY_NOT_COVERED", "VOUCHER_EXPIRED")
    world.ws.providers[PROVIDER] = provider(suspended_on=TODAY)
    failed = ("CONDITION_FAILED", "CONDITION_FAILED")
    expect("PROVIDER_SUSPENDED", "PROVIDER_NOT_RECOGNIZED", "CATEGORY_NOT_COVERED", *failed, "VOUCHER_EXPIRED")
    world.ws.providers[PROVIDER] = provider()
    expect("PROVIDER_NOT_RECOGNIZED", "CATEGORY_NOT_COVERED", *failed, "VOUCHER_EXPIRED")
    world.ws.recognitions[ISSUER, PROVIDER] = (Recognition(TODAY, None, False),)
    expect("CATEGORY_NOT_COVERED", *failed, "VOUCHER_EXPIRED")
    _policy(world, categories={TESTING: CategoryRule(5000)})
    expect(*failed, "VOUCHER_EXPIRED", "QUOTA_EXCEEDED")
    _policy(world, conditions=())
    expect("VOUCHER_EXPIRED", "QUOTA_EXCEEDED")
    world.hold(note(99))
    expect("QUOTA_EXCEEDED")
    world.wallet().quota_used.clear()
    assert world.quote(line(100))[1] == []
    assert approved(world.authorize(line(100))).subsidy == 50_00


def test_c10_only_the_acquirers_platform_authorizes() -> None:
    world = desk()
    coordination = Caller("c", "000000", Role.COORDINATOR)
    below = Caller("js2", "320500", Role.PLATFORM)
    for caller in (ISSUER_CALLS, STRANGER_CALLS, coordination, below, Caller("p", ACQUIRER, Role.PROVIDER)):
        assert code(world.authorize(line(100), caller=caller)) == "NOT_PERMITTED"
    assert world.authorize(line(100)).refusal is None


def test_c0_caller_comes_before_the_checks() -> None:
    world = desk()
    _unknown(world)
    assert code(world.authorize(line(100), caller=STRANGER_CALLS)) == "NOT_PERMITTED"


@pytest.mark.parametrize(
    ("recognition", "recognitions", "rating", "ok"),
    [
        (RecognitionRule(RecognitionDefault.POOL), (), 0, True),
        (RecognitionRule(RecognitionDefault.LISTED), (), 0, False),
        (RecognitionRule(RecognitionDefault.LISTED), (Recognition(TODAY, None, False),), 0, True),
        (RecognitionRule(RecognitionDefault.LISTED), (Recognition(TODAY + timedelta(days=1), None, True),), 0, False),
        (RecognitionRule(RecognitionDefault.LISTED), (Recognition(date(2026, 1, 1), TODAY, True),), 0, False),
        (RecognitionRule(RecognitionDefault.LISTED), (Recognition(date(2026, 1, 1), TODAY + timedelta(days=1), True),), 0, True),
        (RecognitionRule(RecognitionDefault.LISTED, require_agreement=True), (Recognition(TODAY, None, False),), 0, False),
        (RecognitionRule(RecognitionDefault.LISTED, require_agreement=True), (Recognition(TODAY, None, True),), 0, True),
        (RecognitionRule(RecognitionDefault.POOL, require_agreement=True), (), 0, False),
        (RecognitionRule(RecognitionDefault.POOL, require_agreement=True), (Recognition(TODAY, None, True),), 0, True),
        (RecognitionRule(RecognitionDefault.POOL, min_rating=400), (), 399, False),
        (RecognitionRule(RecognitionDefault.POOL, min_rating=400), (), 400, True),
        (RecognitionRule(RecognitionDefault.POOL, min_rating=400), (), 0, False),
        (RecognitionRule(RecognitionDefault.LISTED, min_rating=400), (Recognition(TODAY, None, True),), 399, False),
    ],
)
def test_p2_recognition_is_dated_directional_and_the_issuers(
    recognition: RecognitionRule, recognitions: tuple[Recognition, ...], rating: int, ok: bool
) -> None:
    world = desk(policy(recognition=recognition), recognitions=recognitions)
    world.ws.providers[PROVIDER] = provider(rating=rating)
    # The other direction, and another issuer, say nothing.
    world.ws.recognitions[ACQUIRER, PROVIDER] = (Recognition(date(2026, 1, 1), None, True),)
    assert code(world.authorize(line(100))) == ("" if ok else "PROVIDER_NOT_RECOGNIZED")


@pytest.mark.parametrize("flag", list(LineFlag))
def test_s2_a_flagged_line_is_never_supported(flag: LineFlag) -> None:
    world = desk()
    assert code(world.authorize(line(100, TESTING, flag))) == "CATEGORY_EXCLUDED"
    breakdown = world.authorize(line(100), line(900, TESTING, flag), order="o2").breakdown
    assert breakdown is not None
    assert (breakdown.subsidy, breakdown.enterprise_pays) == (50_00, 950_00)


def test_s2_excluded_only_where_all_lines_fall_to_it() -> None:
    world = desk()
    assert code(world.authorize(line(1, TESTING, LineFlag.STATUTORY_TEST), line(1, Category.IP))) == "CATEGORY_NOT_COVERED"
    both = (LineFlag.PATENT_APPLICATION, LineFlag.NON_INNOVATION)
    assert code(world.authorize(line(1, Category.IP, *both), line(1, TESTING, *both))) == "CATEGORY_EXCLUDED"


def test_p3_the_categories_a_provider_lists_do_not_matter() -> None:
    world = desk()
    world.ws.providers[PROVIDER] = provider(categories=())
    assert world.authorize(line(100)).refusal is None


def test_check_8_names_the_condition_and_says_it_in_both_languages() -> None:
    world = desk()
    _condition(world)
    refusal = world.authorize(line(100)).refusal
    assert refusal is not None
    assert ("condition", "small") in refusal.metadata
    assert (refusal.zh, refusal.en) == ("仅限小额", "small orders only")


def test_check_8_conditions_see_what_may_be_drawn_today() -> None:
    """`voucher` is what check 9 goes by: live notes with something available."""
    world = desk(policy(conditions=(Condition("c", "voucher.available_fen == 100000 && voucher.count == 1"),)), notes=0)
    world.hold(note(1), note(2, expires_on=TODAY), note(3, cancelled=True), note(4, available=0, redeemed=1000_00))
    assert world.quote(line(100))[1] == []


def test_check_9_is_about_all_notes_ever_held() -> None:
    world = desk(notes=0)
    world.hold(note(1, expires_on=TODAY), note(2, expires_on=TODAY + timedelta(days=1), available=0, redeemed=1000_00))
    assert code(world.authorize(line(100))) == "VOUCHER_EXHAUSTED"
    world.days(1)
    assert code(world.authorize(line(100))) == "VOUCHER_EXPIRED"


def test_check_9_knows_only_the_issuers_notes() -> None:
    world = desk(notes=0)
    world.hold(note(1, wallet=world.command(line(1), issuer="310118").wallet))
    assert code(world.authorize(line(100))) == "VOUCHER_EXHAUSTED"
