"""Recognition on any day against a naive model: what was true of a day when it was that day stays the answer about it, however asked."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import psycopg
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.embedded import EmbeddedPostgres
from registry.admission.standing import reinstate_provider, suspend_provider
from registry.recognition.agreements import end_agreement
from registry.recognition.classes import end_class_recognition
from registry.recognition.explaining import where_recognized
from registry.recognition.listing import get_coverage_matrix, list_recognized_providers
from registry.recognition.naming import revoke_recognition
from tests.fixtures.recognition import (
    ANHUI,
    DATA,
    JIANGSU,
    POOL,
    TESTING,
    ZHEJIANG,
    admit,
    agreement,
    klass,
    name,
    publish,
    set_class,
    sign,
)
from tests.fixtures.seeds import DATABASE_TIMES
from tests.property.profile import PROFILE
from tests.support_usecases import COORDINATOR, Desk, credit_code, open_desk, platform
from yrd.registry.v1 import recognition_pb2 as pb
from yrd.registry.v1 import registry_pb2

START = date(2026, 3, 2)
ISSUERS = (JIANGSU, ZHEJIANG, ANHUI)
HOMES = {credit_code(1): "320500", credit_code(2): "320100", credit_code(3): "340100"}
LABS = tuple(HOMES)
CATEGORIES = ((), (TESTING,), (TESTING, DATA))
RULES: dict[str, dict[str, Any]] = {
    JIANGSU: {},
    ZHEJIANG: {"min_rating": 300, "require_agreement": True},
    ANHUI: {"default": POOL, "require_agreement": True},
}

issuers, labs = st.sampled_from(ISSUERS), st.sampled_from(LABS)
spans = st.tuples(st.integers(0, 3), st.none() | st.integers(1, 4))
_classes = st.fixed_dictionaries(
    {
        "home": st.sampled_from(["", "320000", "320500", "340000"]),
        "category": st.sampled_from([0, TESTING, DATA]),
        "min_rating": st.sampled_from([0, 300, 400]),
        "quality_listed": st.booleans(),
        "require_agreement": st.booleans(),
    }
).filter(lambda item: any(item.values()))
STEPS = st.one_of(
    st.tuples(st.just("pass"), st.integers(1, 3)),
    st.tuples(st.just("pass"), st.integers(1, 3)),
    st.tuples(st.just("name"), issuers, labs, spans, st.booleans(), st.booleans()),
    st.tuples(st.just("revoke"), issuers, labs),
    st.tuples(st.just("class"), issuers, spans, _classes),
    st.tuples(st.just("class"), issuers, spans, _classes),
    st.tuples(st.just("end_class"), issuers),
    st.tuples(st.just("sign"), issuers, labs, st.none() | st.integers(1, 4)),
    st.tuples(st.just("end_agreement"), issuers, labs),
    st.tuples(st.just("rate"), labs, st.sampled_from([0, 300, 450]), st.sampled_from(CATEGORIES)),
    st.tuples(st.just("standing"), labs),
    st.tuples(st.just("quality"), labs),
)


@dataclass
class Model:
    """What is so now, without any history: named and class recognitions and agreements with the days they say, labs as they are."""

    today: date = START
    named: list[dict[str, Any]] = field(default_factory=list)
    classes: list[dict[str, Any]] = field(default_factory=list)
    signed: list[dict[str, Any]] = field(default_factory=list)
    labs: dict[str, tuple[int, tuple[int, ...]]] = field(default_factory=lambda: dict.fromkeys(LABS, (300, (TESTING,))))
    absent: set[str] = field(default_factory=set)
    quality: set[str] = field(default_factory=set)

    def open(self, items: list[dict[str, Any]], **wanted: str) -> list[dict[str, Any]]:
        """Return those that still have days to come."""
        left = [item for item in items if item["until"] is None or item["until"] > max(self.today, item["since"])]
        return [item for item in left if all(item[key] == value for key, value in wanted.items())]

    def end(self, item: dict[str, Any]) -> None:
        item["until"] = max(self.today, item["since"])

    def recognized(self) -> set[tuple[str, str]]:
        return {(issuer, lab) for issuer in ISSUERS for lab in LABS if self._carries(issuer, lab)}

    def _now(self, item: dict[str, Any]) -> bool:
        return bool(item["since"] <= self.today) and (item["until"] is None or bool(item["until"] > self.today))

    def _carries(self, issuer: str, lab: str) -> bool:
        rule, (rating, categories) = RULES[issuer], self.labs[lab]
        pair = {"issuer": issuer, "lab": lab}
        agreed = any(self._now(item) and item["issuer"] == issuer and item["lab"] == lab for item in self.signed)
        if rating < rule.get("min_rating", 0):
            return False
        must = rule.get("require_agreement", False)
        if rule.get("default") == POOL and (agreed or not must):
            return True
        for item in self.named:
            if self._now(item) and {"issuer": item["issuer"], "lab": item["lab"]} == pair:
                asks = must or item["require"]
                if not asks or item["agreement"] or agreed:
                    return True
        for item in self.classes:
            if not self._now(item) or item["issuer"] != issuer:
                continue
            asked = item["asks"]
            inside = HOMES[lab].startswith(asked["home"].rstrip("0")) and rating >= asked["min_rating"]
            inside = inside and (not asked["category"] or asked["category"] in categories)
            inside = inside and (not asked["quality_listed"] or lab in self.quality)
            if inside and (agreed or not (must or asked["require_agreement"])):
                return True
        return False


class Play:
    """Plays the steps on the hub and on the model alike."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.model, self.numbers = desk, Model(), 0

    async def begin(self) -> None:
        for lab, home in HOMES.items():
            await admit(self.desk, lab, home, TESTING, rating=300)
        for issuer, rule in RULES.items():
            await publish(self.desk, issuer, **rule)

    async def step(self, kind: str, *args: Any) -> None:
        play: Callable[..., Awaitable[None]] = getattr(self, f"_{kind}")
        await play(*args)

    def _span(self, since: int, length: int | None) -> tuple[date, date | None]:
        first = self.model.today + timedelta(days=since)
        return first, first + timedelta(days=length) if length else None

    async def _pass(self, days: int) -> None:
        self.model.today += timedelta(days=days)
        self.desk.advance_to(self.model.today.isoformat())

    async def _name(self, issuer: str, lab: str, span: tuple[int, int | None], signed: bool, require: bool) -> None:
        since, until = self._span(*span)
        await name(self.desk, issuer, lab, str(since), str(until or ""), agreement=signed, require_agreement=require)
        self.model.named.append({"issuer": issuer, "lab": lab, "since": since, "until": until, "agreement": signed, "require": require})

    async def _revoke(self, issuer: str, lab: str) -> None:
        open_ones = self.model.open(self.model.named, issuer=issuer, lab=lab)
        request = registry_pb2.RevokeRecognitionRequest(issuer=issuer, provider=lab)
        assert (await self.desk.send(revoke_recognition, platform(issuer), request)).ok == bool(open_ones)
        for item in open_ones:
            self.model.end(item)

    async def _class(self, issuer: str, span: tuple[int, int | None], asks: dict[str, Any]) -> None:
        since, until = self._span(*span)
        kept = await set_class(self.desk, klass(issuer, str(since), str(until or ""), **asks))
        if all(item["id"] != kept.class_id for item in self.model.classes):
            self.model.classes.append({"id": kept.class_id, "issuer": issuer, "since": since, "until": until, "asks": asks})

    async def _end_class(self, issuer: str) -> None:
        for item in self.model.open(self.model.classes, issuer=issuer)[:1]:
            request = pb.EndClassRecognitionRequest(class_id=item["id"], reason="终止")
            await self.desk.do(end_class_recognition, platform(issuer), request)
            self.model.end(item)

    async def _sign(self, issuer: str, lab: str, length: int | None) -> None:
        since, until = self._span(0, length)
        self.numbers += 1
        number = f"XY-{self.numbers}"
        await sign(self.desk, agreement(issuer, lab, number, signed_on=str(since), valid_until=str(until or "")))
        self.model.signed.append({"number": number, "issuer": issuer, "lab": lab, "since": since, "until": until})

    async def _end_agreement(self, issuer: str, lab: str) -> None:
        for item in self.model.open(self.model.signed, issuer=issuer, lab=lab)[:1]:
            request = pb.EndAgreementRequest(issuer=issuer, number=item["number"], reason="终止")
            await self.desk.do(end_agreement, platform(issuer), request)
            self.model.end(item)

    async def _rate(self, lab: str, rating: int, categories: tuple[Any, ...]) -> None:
        await admit(self.desk, lab, HOMES[lab], *categories, rating=rating)
        self.model.labs[lab] = (rating, categories)

    async def _standing(self, lab: str) -> None:
        if lab in self.model.absent:
            back = registry_pb2.ReinstateProviderRequest(provider=lab, reason="整改")
            await self.desk.do(reinstate_provider, platform(HOMES[lab]), back)
        else:
            await self.desk.do(suspend_provider, platform(HOMES[lab]), registry_pb2.SuspendProviderRequest(provider=lab, reason="停业"))
        self.model.absent ^= {lab}

    async def _quality(self, lab: str) -> None:
        """The list is another's table: what is listed and ends today never counted."""
        with psycopg.connect(self.desk.uri, autocommit=True) as connection:
            if lab in self.model.quality:
                ending = "UPDATE registry.quality_listing SET listed_until = %s WHERE provider = %s AND listed_until IS NULL"
                connection.execute(ending, (self.model.today, lab))
                self.model.quality.remove(lab)
            else:
                row = "INSERT INTO registry.quality_listing VALUES (%s, %s)"
                again = "ON CONFLICT (provider, listed_from) DO UPDATE SET listed_until = NULL"
                connection.execute(f"{row} {again}", (lab, self.model.today))
                self.model.quality.add(lab)

    async def check(self, day: date, recognized: set[tuple[str, str]], absent: set[str], labs: dict[str, Any]) -> None:
        """Ask in all three ways what a day was like, and compare with what the model said."""
        on = day.isoformat()
        verdicts = [
            verdict
            for lab in LABS
            for verdict in (await self.desk.ask(where_recognized, COORDINATOR, pb.WhereRecognizedRequest(provider=lab, day=on))).verdicts
        ]
        assert {(item.issuer, item.provider) for item in verdicts if item.recognized} == recognized, on
        assert {(item.issuer, item.provider) for item in verdicts if item.payable} == {pair for pair in recognized if pair[1] not in absent}
        for issuer in ISSUERS:
            request = pb.ListRecognizedProvidersRequest(issuer=issuer, day=on)
            listed = (await self.desk.ask(list_recognized_providers, COORDINATOR, request)).providers
            assert {(issuer, item.provider.uscc) for item in listed} == {pair for pair in recognized if pair[0] == issuer}, on
            assert all(item.ground.holds for item in listed)
        matrix = await self.desk.ask(get_coverage_matrix, COORDINATOR, pb.GetCoverageMatrixRequest(day=on))
        for cell in matrix.cells:
            here = [lab for lab in LABS if HOMES[lab][:2] == cell.home[:2] and lab not in absent]
            known = [lab for lab in here if (cell.issuer, lab) in recognized]
            assert (cell.in_good_standing, cell.recognized) == (len(here), len(known)), (on, cell)
            for each in cell.categories:
                listing = [lab for lab in here if each.category in labs[lab][1]]
                assert (each.in_good_standing, each.recognized) == (len(listing), len(set(listing) & set(known))), (on, cell)


async def _play(server: EmbeddedPostgres, steps: list[tuple[Any, ...]]) -> None:
    async with open_desk(server) as desk:
        play = Play(desk)
        await play.begin()
        said: dict[date, tuple[set[tuple[str, str]], set[str], dict[str, Any]]] = {}
        for kind, *args in [*steps, ("pass", 2)]:
            if kind == "pass":
                for days in range(args[0]):
                    # Days on which nothing happens have an answer too.
                    day = play.model.today + timedelta(days=days)
                    asked = Model(day, play.model.named, play.model.classes, play.model.signed, play.model.labs, set(), play.model.quality)
                    said[day] = (asked.recognized(), set(play.model.absent), dict(play.model.labs))
            await play.step(kind, *args)
        for day, (recognized, absent, labs) in said.items():
            await play.check(day, recognized, absent, labs)


@given(st.lists(STEPS, min_size=8, max_size=18))
@settings(PROFILE, max_examples=10 * DATABASE_TIMES)
def test_the_answer_about_a_day_is_the_answer_of_that_day(postgres_server: EmbeddedPostgres, steps: list[tuple[Any, ...]]) -> None:
    asyncio.run(_play(postgres_server, steps))
