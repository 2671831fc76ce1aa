from __future__ import annotations

import asyncio
import uuid
from typing import Any

import psycopg
import pytest

from hub.application.sweeping import SCHEDULER
from hub.codec.events import Event
from hub.domain.caller import Caller
from registry.quality.daily import DailyRating
from registry.quality.methods import METHODS
from registry.quality.queries import get_provider_quality, list_quality_providers, list_reviews
from registry.quality.rating import rate_pool
from registry.quality.reviewing import annul_review, submit_review
from tests.support_usecases import COORDINATOR, Desk, codes, credit_code, platform
from yrd.registry.v1 import quality_pb2 as pb

SHANGHAI, ZHEJIANG, CHANGXING, ANHUI = "310000", "330000", "330522", "340000"
LAB, OTHER = credit_code(1, "12310104"), credit_code(2, "12310104")
FIRMS = [credit_code(100 + i, "91330522") for i in range(12)]

_PROVIDER = """
INSERT INTO registry.provider (uscc, name, home, categories, admitted_on, rating, admitted_at, admitted_by)
VALUES (%s, '检测中心', '310000', '{}', '2025-01-01', 300, '2025-01-01', '310000')"""
_FIRM = """
INSERT INTO enterprise (uscc, name, division, kind, sme_no, staff, registered_at)
VALUES (%s, '示例企业', '330522', 'TEAM', '', 1, '2025-01-01')"""
_REDEMPTION = """
INSERT INTO redemption (redemption_id, issuer, enterprise, provider, order_no, acquirer, policy_id, state, lines, line_refunds, authorized,
  subsidy, refunded, payee_kind, payee, quota_year, authorized_at, expires_on, draw_notes, draw_numbers, draw_amounts, invoice_no,
  delivered_on, window_no, settled_on)
VALUES (%(id)s, '330522', %(firm)s, %(lab)s, %(order)s, '310000', 1, %(state)s, '[]', '{}', 3000000, %(subsidy)s, %(refunded)s, 'PROVIDER',
  %(lab)s, 2026, %(authorized)s, '2026-06-01', '{}', '{}', '{}', 'FP', %(delivered)s, 1, %(settled)s)"""


@pytest.fixture
async def desk(desk: Desk) -> Desk:
    with psycopg.connect(desk.uri, autocommit=True) as connection:
        for lab in (LAB, OTHER):
            connection.execute(_PROVIDER, (lab,))
        for firm in FIRMS:
            connection.execute(_FIRM, (firm,))
    return desk


def redemption(desk: Desk, firm: str, number: int, lab: str = LAB, **said: Any) -> str:
    """Put a redemption into the ledger as it ends there; return its id."""
    made = str(uuid.uuid4())
    values: dict[str, Any] = {
        "state": "SETTLED",
        "subsidy": 3_000_000,
        "refunded": 0,
        "authorized": "2026-01-05",
        "delivered": "2026-01-20",
    }
    settled = "2026-02-01" if said.get("state", "SETTLED") in ("SETTLED", "REFUNDED") else None
    with psycopg.connect(desk.uri, autocommit=True) as connection:
        connection.execute(
            _REDEMPTION, {**values, "settled": settled, "id": made, "firm": firm, "lab": lab, "order": f"O-{number}", **said}
        )
    return made


def review(redemption_id: str, stars: int = 5, **said: Any) -> pb.SubmitReviewRequest:
    return pb.SubmitReviewRequest(redemption_id=redemption_id, stars=stars, **said)


async def serve_well(desk: Desk, firms: int = 12) -> None:
    for i, firm in enumerate(FIRMS[:firms]):
        await desk.do(submit_review, platform(CHANGXING), review(redemption(desk, firm, i)))
        redemption(desk, firm, i, OTHER)


async def rate(desk: Desk) -> pb.RatePoolResponse:
    answer: pb.RatePoolResponse = await desk.do(rate_pool, COORDINATOR, pb.RatePoolRequest())
    return answer


async def quality(desk: Desk, on: str = "") -> pb.ProviderQuality:
    answer = await desk.ask(get_provider_quality, platform(ANHUI), pb.GetProviderQualityRequest(provider=LAB, on=on))
    found: pb.ProviderQuality = answer.quality
    return found


async def test_an_order_is_reviewed_once_by_the_platform_of_the_enterprise(desk: Desk) -> None:
    settled = redemption(desk, FIRMS[0], 1)
    answer = await desk.do(submit_review, platform(ZHEJIANG), review(settled, 4, comment="数据准确"))
    assert (answer.review.provider, answer.review.order_no, answer.review.enterprise) == (LAB, "O-1", FIRMS[0])
    assert (answer.review.stars, answer.review.comment, answer.review.filed_by) == (4, "数据准确", ZHEJIANG)
    again = redemption(desk, FIRMS[0], 1, settled="2026-02-20")
    assert await desk.refused(submit_review, platform(CHANGXING), review(again, 1)) == ("ALREADY_EXISTS", [])
    assert await desk.refused(submit_review, platform(CHANGXING), review(settled, 4)) == ("ALREADY_EXISTS", [])


@pytest.mark.parametrize("state", ["CLEARED", "REJECTED", "AUTHORIZED", "PENDING_REVIEW"])
async def test_nothing_is_reviewed_before_it_is_settled(desk: Desk, state: str) -> None:
    unpaid = redemption(desk, FIRMS[0], 1, state=state)
    assert await desk.refused(submit_review, platform(CHANGXING), review(unpaid)) == ("INVALID_STATE", [])


@pytest.mark.parametrize(
    ("caller", "code"),
    [(platform(SHANGHAI), "NOT_PERMITTED"), (platform("330421"), "REDEMPTION_NOT_FOUND"), (platform(ANHUI), "REDEMPTION_NOT_FOUND")],
    ids=["the provider's side", "beside", "a stranger"],
)
async def test_nobody_else_files_a_review(desk: Desk, caller: Caller, code: str) -> None:
    settled = redemption(desk, FIRMS[0], 1)
    assert await desk.refused(submit_review, caller, review(settled)) == (code, [])


async def test_wrong_fields_of_a_review_are_named(desk: Desk) -> None:
    wrong = review("x", 6, comment="长" * 501)
    assert await desk.refused(submit_review, platform(CHANGXING), wrong) == ("INVALID_ARGUMENT", ["redemption_id", "stars", "comment"])
    assert await desk.refused(submit_review, platform(CHANGXING), review(str(uuid.uuid4()))) == ("REDEMPTION_NOT_FOUND", [])


async def test_reviews_are_read_by_those_they_concern(desk: Desk) -> None:
    for i in range(3):
        await desk.do(submit_review, platform(CHANGXING), review(redemption(desk, FIRMS[i], i), 3 + i % 2))
    asked = pb.ListReviewsRequest(provider=LAB, page_size=2)
    for caller in (platform(SHANGHAI), platform(ZHEJIANG), COORDINATOR):
        first = await desk.ask(list_reviews, caller, asked)
        rest = await desk.ask(list_reviews, caller, pb.ListReviewsRequest(provider=LAB, page_size=2, page_token=first.next_page_token))
        assert sorted(item.order_no for item in [*first.reviews, *rest.reviews]) == ["O-0", "O-1", "O-2"]
        assert rest.next_page_token == ""
    assert not (await desk.ask(list_reviews, platform(ANHUI), asked)).reviews
    assert await desk.unanswered(list_reviews, COORDINATOR, pb.ListReviewsRequest(provider=FIRMS[0])) == ("PROVIDER_NOT_FOUND", [])


async def test_a_rating_reaches_the_pool_with_its_history_its_event_and_its_words(desk: Desk) -> None:
    await serve_well(desk)
    answer = await rate(desk)
    assert (answer.formula_version, answer.providers, answer.changed) == ("2026-1", 2, 2)
    told = await quality(desk)
    assert 450 <= told.rating <= 500
    assert (told.orders, told.enterprises, told.cleared_fen, told.delivery_days_median) == (12, 12, 36_000_000, 15)
    assert [part.name for part in told.parts] == ["REVIEWS", "DELIVERY", "REFUNDS", "OBJECTIONS"]
    assert (sum(part.weight * part.value for part in told.parts) + 50) // 100 == told.rating
    assert "12 家企业" in told.zh and "12 enterprises" in told.en
    assert desk.rows(f"SELECT rating FROM registry.provider WHERE uscc = '{LAB}'") == [(told.rating,)]
    assert desk.rows(f"SELECT rating FROM registry.provider_version WHERE provider = '{LAB}' AND cause = 'Rate'") == [(told.rating,)]
    rated = [item.message for item in desk.told() if item.key == LAB and item.message.DESCRIPTOR.name == "ProviderChanged"]
    assert [(item.cause, item.provider.rating) for item in rated] == [("Rate", told.rating)]


async def test_a_second_run_changes_nothing_but_says_that_it_ran(desk: Desk) -> None:
    await serve_well(desk)
    await rate(desk)
    told, scores = desk.told(), desk.rows("SELECT count(*) FROM registry.quality_score")
    assert (await rate(desk)).changed == 0
    assert (desk.told(), desk.rows("SELECT count(*) FROM registry.quality_score")) == (told, scores)
    assert desk.rows("SELECT count(*) FROM registry.quality_run") == [(2,)]


async def test_what_is_not_known_leaves_the_rating_of_the_home_province(desk: Desk) -> None:
    redemption(desk, FIRMS[0], 1)
    await rate(desk)
    told = await quality(desk)
    assert (told.rating, told.orders) == (0, 1)
    assert "不足以评分" in told.zh
    assert desk.rows("SELECT DISTINCT rating FROM registry.provider") == [(300,)]


async def test_a_provider_without_orders_has_no_rating(desk: Desk) -> None:
    told = await quality(desk)
    assert (told.provider, told.rating, len(told.parts)) == (LAB, 0, 0)
    unknown = pb.GetProviderQualityRequest(provider=FIRMS[0])
    assert await desk.unanswered(get_provider_quality, COORDINATOR, unknown) == ("PROVIDER_NOT_FOUND", [])
    later = pb.GetProviderQualityRequest(provider=LAB, on="2027-01-01")
    assert await desk.unanswered(get_provider_quality, COORDINATOR, later) == ("INVALID_ARGUMENT", ["on"])


async def test_refunds_rejections_and_disputes_lower_a_rating(desk: Desk) -> None:
    await serve_well(desk)
    await rate(desk)
    good = await quality(desk)
    for i, firm in enumerate(FIRMS[:6]):
        redemption(desk, firm, 100 + i, state="REFUNDED", subsidy=0, refunded=3_000_000)
        redemption(desk, firm, 200 + i, state="REJECTED", subsidy=0)
    await rate(desk)
    bad = await quality(desk)
    fell = {old.name: old.value - new.value for old, new in zip(good.parts, bad.parts, strict=True)}
    assert fell["REFUNDS"] > 20 and fell["OBJECTIONS"] > 20
    assert fell["REVIEWS"] == 0
    assert bad.refunded_fen == 18_000_000
    assert bad.rating < good.rating


async def test_an_annulled_review_stays_on_record_and_counts_no_longer(desk: Desk) -> None:
    await serve_well(desk)
    await rate(desk)
    before = await quality(desk)
    request = pb.AnnulReviewRequest(provider=LAB, order_no="O-0", reason="查实为虚假评价")
    assert await desk.refused(annul_review, platform(SHANGHAI), request) == ("NOT_PERMITTED", [])
    request.ClearField("request_id")
    answer = await desk.do(annul_review, COORDINATOR, request)
    assert (answer.review.stars, answer.review.annulled_reason) == (5, "查实为虚假评价")
    again = pb.AnnulReviewRequest(provider=LAB, order_no="O-0", reason="再次")
    assert await desk.refused(annul_review, COORDINATOR, again) == ("INVALID_STATE", [])
    unknown = pb.AnnulReviewRequest(provider=LAB, order_no="O-99", reason="无")
    assert await desk.refused(annul_review, COORDINATOR, unknown) == ("ORDER_NOT_FOUND", [])
    await rate(desk)
    assert (await quality(desk)).parts[0].votes == before.parts[0].votes - 1


async def test_an_institution_that_serves_itself_says_nothing(desk: Desk) -> None:
    with psycopg.connect(desk.uri, autocommit=True) as connection:
        connection.execute(_FIRM, (LAB,))
    redemption(desk, LAB, 1)
    assert (await rate(desk)).providers == 0


async def test_the_list_follows_the_rating_and_a_suspension_ends_it(desk: Desk) -> None:
    await serve_well(desk)
    assert (await rate(desk)).listed == 1
    assert (await quality(desk)).listed_from == "2026-03-02"
    listed = await desk.ask(list_quality_providers, platform(ANHUI), pb.ListQualityProvidersRequest())
    assert [(item.provider, item.home, item.listed_from) for item in listed.providers] == [(LAB, SHANGHAI, "2026-03-02")]
    assert [item.message.listed for item in desk.told() if item.message.DESCRIPTOR.name == "QualityListingChanged"] == [True]
    elsewhere = pb.ListQualityProvidersRequest(home=ANHUI)
    assert not (await desk.ask(list_quality_providers, COORDINATOR, elsewhere)).providers
    desk.advance_to("2026-04-01")
    desk.rows(
        "INSERT INTO registry.suspension (provider, since, reason, entered_by, ended_by, ended_reason) "
        f"VALUES ('{LAB}', '2026-04-01', '复核', '310000', '', '') RETURNING 1"
    )
    assert (await rate(desk)).delisted == 1
    assert not (await desk.ask(list_quality_providers, COORDINATOR, pb.ListQualityProvidersRequest())).providers
    past = pb.ListQualityProvidersRequest(on="2026-03-31")
    assert len((await desk.ask(list_quality_providers, COORDINATOR, past)).providers) == 1


async def test_the_rating_of_a_past_day_is_what_it_was(desk: Desk) -> None:
    await serve_well(desk)
    await rate(desk)
    then = await quality(desk)
    desk.advance_to("2026-05-01")
    for i, firm in enumerate(FIRMS):
        redemption(desk, firm, 100 + i, state="REJECTED", subsidy=0)
    await rate(desk)
    assert await quality(desk, "2026-03-02") == then
    assert (await quality(desk)).rating < then.rating
    assert (await quality(desk, "2026-03-01")).rating == 0


async def test_ratings_given_cannot_be_changed(desk: Desk) -> None:
    await serve_well(desk)
    await rate(desk)
    for statement in ("UPDATE registry.quality_score SET rating = 500 RETURNING 1", "DELETE FROM registry.quality_score RETURNING 1"):
        with pytest.raises(psycopg.errors.RaiseException):
            desk.rows(statement)


async def test_only_the_coordination_group_has_the_pool_rated(desk: Desk) -> None:
    assert await desk.refused(rate_pool, platform(SHANGHAI), pb.RatePoolRequest()) == ("NOT_PERMITTED", [])


async def test_of_many_schedulers_one_rates_and_the_day_is_done(desk: Desk) -> None:
    await serve_well(desk)
    daily = DailyRating(desk.work.engine, desk.work, desk.clock, SCHEDULER)
    rated = await daily.run_if_due()
    assert rated is not None and rated.changed == 2
    assert await daily.run_if_due() is None
    desk.advance_to("2026-03-03")
    assert await daily.run_if_due() is not None
    assert desk.rows("SELECT ran_on::text FROM registry.quality_run ORDER BY id") == [("2026-03-02",), ("2026-03-03",)]


async def test_a_run_may_leave_more_events_than_one_statement_holds(desk: Desk) -> None:
    events = [Event("pool", str(i), "yrd.events.v1.QualityListingChanged", b"") for i in range(14_000)]
    await desk.work.publish(events)
    assert [int(key) for (key,) in desk.rows("SELECT key FROM outbox ORDER BY seq")] == list(range(14_000))


async def test_of_many_reviews_at_once_one_stays(desk: Desk) -> None:
    settled = redemption(desk, FIRMS[0], 1)
    filed = await asyncio.gather(*(desk.send(submit_review, platform(CHANGXING), review(settled, 1 + i)) for i in range(4)))
    assert codes(filed) == ["ALREADY_EXISTS"] * 3 + ["OK"]


def test_every_method_of_the_service_has_its_use_case() -> None:
    (service,) = pb.DESCRIPTOR.services_by_name.values()
    assert set(METHODS) == {method.full_name for method in service.methods}
