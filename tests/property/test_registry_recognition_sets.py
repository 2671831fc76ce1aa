"""What SQL counts and lists at once is what `judge` says of each pair: random pools, policies, names, classes, agreements, any day."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.embedded import EmbeddedPostgres
from registry.recognition.explaining import where_recognized
from registry.recognition.listing import get_coverage_matrix, list_recognized_providers
from tests.fixtures.recognition import LISTED, POOL, publish
from tests.fixtures.seeds import DATABASE_TIMES
from tests.property.profile import PROFILE
from tests.support_usecases import COORDINATOR, Desk, credit_code, open_desk
from yrd.common.v1 import types_pb2
from yrd.registry.v1 import recognition_pb2 as pb

TODAY = date(2026, 3, 2)
ISSUERS = ("310000", "320000", "330000", "330522")
LABS = tuple(credit_code(number) for number in range(1, 13))
HOMES = ("310000", "320500", "320509", "340100")
CATEGORIES = ("DATA", "RESEARCH", "IP")
RATINGS = (0, 299, 300, 400)
NOW = datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Pool:
    """A pool as rows."""

    rules: dict[str, dict[str, Any]]
    labs: list[tuple[str, list[str], int, date]]
    classes: list[tuple[Any, ...]]
    named: list[tuple[Any, ...]]
    signed: list[tuple[Any, ...]]
    listed: dict[str, tuple[date, date | None]]
    suspended: dict[str, tuple[date, date | None]]


def some_pool(dice: Random) -> Pool:
    """Return a random pool, dense enough that nearly every condition decides somewhere: thrown whole, since lists grown item by item stay
    short, and most of what is short is out of its period."""
    return Pool(
        rules={issuer: _some_rule(dice) for issuer in dice.sample(ISSUERS, 3)},
        labs=[
            (dice.choice(HOMES), dice.sample(CATEGORIES, dice.randint(0, 2)), dice.choice(RATINGS), _some_day(dice) - timedelta(days=3))
            for _ in LABS
        ],
        classes=[_some_class(dice) for _ in range(dice.randint(2, 8))],
        named=[
            (dice.choice(ISSUERS), dice.choice(LABS), _some_period(dice), dice.random() < 0.3, dice.random() < 0.3)
            for _ in range(dice.randint(0, 8))
        ],
        signed=[(dice.choice(ISSUERS), dice.choice(LABS), _some_period(dice)) for _ in range(dice.randint(0, 10))],
        listed={lab: _some_period(dice) for lab in dice.sample(LABS, 4)},
        suspended={lab: _some_period(dice) for lab in dice.sample(LABS, 2)},
    )


def _some_day(dice: Random) -> date:
    return TODAY + timedelta(days=dice.randint(-4, 4))


def _some_period(dice: Random) -> tuple[date, date | None]:
    since, length = _some_day(dice) - timedelta(days=2), dice.randint(0, 8)
    return since, since + timedelta(days=length) if dice.random() < 0.5 else None


def _some_rule(dice: Random) -> dict[str, Any]:
    return {
        "default": dice.choice([LISTED, LISTED, POOL]),
        "require_agreement": dice.random() < 0.3,
        "min_rating": dice.choice([0, 0, 300]),
    }


def _some_class(dice: Random) -> tuple[Any, ...]:
    home = dice.choice(["", "", "320000", "320500", "320509", "340000"])
    category, rating = dice.choice(["", "", *CATEGORIES]), dice.choice([0, 300, 400])
    return (dice.choice(ISSUERS), home, category, rating, dice.random() < 0.2, dice.random() < 0.2, _some_period(dice))


def fill(uri: str, pool: Pool) -> None:
    with psycopg.connect(uri) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO registry.provider (uscc, name, home, categories, rating, admitted_on, admitted_at, admitted_by) "
            "VALUES (%s, 'lab', %s, %s, %s, %s, now(), '')",
            [(uscc, home, categories, rating, since) for uscc, (home, categories, rating, since) in zip(LABS, pool.labs, strict=True)],
        )
        cursor.executemany(
            "INSERT INTO registry.class_recognition (class_id, issuer, home, category, min_rating, quality_listed, require_agreement, "
            "valid_from, valid_until, entered_by, entered_at, ended_by, ended_reason) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, '', %s, '', '')",
            [(UUID(int=number), *row[:-1], *row[-1], NOW) for number, row in enumerate(pool.classes)],
        )
        cursor.executemany(
            "INSERT INTO registry.recognition (issuer, provider, valid_from, valid_until, agreement, require_agreement, entered_by) "
            "VALUES (%s, %s, %s, %s, %s, %s, '')",
            [(issuer, lab, *span, *flags) for issuer, lab, span, *flags in pool.named],
        )
        cursor.executemany(
            "INSERT INTO registry.agreement (issuer, number, provider, platform_division, platform_name, document_sha256, signed_on, "
            "valid_until, entered_by, entered_at, ended_by, ended_reason) VALUES (%s, %s, %s, '', '', '', %s, %s, '', %s, '', '')",
            [(issuer, f"{number}", lab, *span, NOW) for number, (issuer, lab, span) in enumerate(pool.signed)],
        )
        listed = [(lab, *span) for lab, span in pool.listed.items()]
        cursor.executemany("INSERT INTO registry.quality_listing (provider, listed_from, listed_until) VALUES (%s, %s, %s)", listed)
        suspended = [(lab, *span) for lab, span in pool.suspended.items()]
        cursor.executemany(
            "INSERT INTO registry.suspension (provider, since, until, reason, entered_by, ended_by, ended_reason) "
            "VALUES (%s, %s, %s, '', '', '', '')",
            suspended,
        )


async def verdicts(desk: Desk, day: str) -> dict[tuple[str, str], pb.RecognitionVerdict]:
    asked = [await desk.ask(where_recognized, COORDINATOR, pb.WhereRecognizedRequest(provider=lab, day=day)) for lab in LABS]
    return {(item.issuer, item.provider): item for answer in asked for item in answer.verdicts}


async def listed(desk: Desk, issuer: str, day: str) -> list[str]:
    found: list[str] = []
    token = ""
    while True:
        request = pb.ListRecognizedProvidersRequest(issuer=issuer, day=day, page_size=5, page_token=token)
        answer = await desk.ask(list_recognized_providers, COORDINATOR, request)
        found.extend(item.provider.uscc for item in answer.providers)
        token = answer.next_page_token
        if not token:
            return found


async def _compare(server: EmbeddedPostgres, pool: Pool, on: date) -> None:
    async with open_desk(server) as desk:
        fill(desk.uri, pool)
        for issuer, rule in pool.rules.items():
            await publish(desk, issuer, **rule)
        day = on.isoformat()
        judged = await verdicts(desk, day)
        recognized = {pair for pair, verdict in judged.items() if verdict.recognized}
        for issuer in pool.rules:
            assert await listed(desk, issuer, day) == sorted(lab for each, lab in recognized if each == issuer)
        matrix = await desk.ask(get_coverage_matrix, COORDINATOR, pb.GetCoverageMatrixRequest(day=day))
        payable = {pair for pair, verdict in judged.items() if verdict.payable}
        listing = {lab: categories for lab, (_, categories, *_) in zip(LABS, pool.labs, strict=True)}
        for cell in matrix.cells:
            here = {lab for lab, (home, *_) in zip(LABS, pool.labs, strict=True) if home[:2] == cell.home[:2]}
            paid = {lab for issuer, lab in payable if issuer == cell.issuer} & here
            assert cell.recognized == len(paid)
            for item in cell.categories:
                name = types_pb2.Category.Name(item.category).removeprefix("CATEGORY_")
                assert item.recognized == len({lab for lab in paid if name in listing[lab]})
        assert len(matrix.cells) == len({cell.home for cell in matrix.cells}) * len(pool.rules)


@given(st.integers(0, 2**32))
@settings(PROFILE, max_examples=12 * DATABASE_TIMES)
def test_lists_and_matrix_say_what_each_verdict_says(postgres_server: EmbeddedPostgres, seed: int) -> None:
    dice = Random(seed)
    asyncio.run(_compare(postgres_server, some_pool(dice), _some_day(dice)))
