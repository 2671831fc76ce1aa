"""The pool of any past day, as known at any instant, is what a model says that keeps a full copy of the pool for every day."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import event, given, settings
from hypothesis import strategies as st

from hub.domain.clock import local_date
from hub.embedded import EmbeddedPostgres
from registry.admission.direct import admit_provider
from registry.admission.history import get_provider, list_provider_changes, list_providers
from registry.admission.standing import reinstate_provider, remove_provider, renew_provider, suspend_provider
from tests.fixtures.seeds import DATABASE_TIMES
from tests.property.profile import PROFILE
from tests.support_usecases import START, Desk, credit_code, open_desk, platform, refusal
from yrd.registry.v1 import registry_pb2 as pb

HOME = "310000"
LABS = sorted(credit_code(number) for number in range(2))
FIRST = local_date(START)
DAYS = [FIRST + timedelta(days=number) for number in range(-25, 90)]


@dataclass(frozen=True)
class Kept:
    """A provider in one copy of the pool: what it is on that day, in plain words."""

    name: str
    rating: int
    admitted_on: date
    valid_until: date | None
    suspended: bool = False
    removed: bool = False

    def seen(self, day: date) -> tuple[Any, ...] | None:
        """What the pool shows of it on a day; None where it is not in the pool."""
        if self.removed or self.admitted_on > day:
            return None
        lapsed = self.valid_until is not None and self.valid_until <= day
        standing = "SUSPENDED" if self.suspended else "LAPSED" if lapsed else "GOOD"
        return self.name, self.rating, self.admitted_on.isoformat(), self.valid_until.isoformat() if self.valid_until else "", standing


@dataclass
class Naive:
    """A full copy of the pool for every day, and of all those copies for every instant anything was said."""

    days: dict[date, dict[str, Kept]] = field(default_factory=lambda: {day: {} for day in DAYS})
    known: list[tuple[datetime, dict[date, dict[str, Kept]]]] = field(default_factory=list)
    changes: int = 0

    def say(self, now: datetime, uscc: str, kept: Kept, since: date) -> None:
        for day in DAYS:
            if day >= since:
                self.days[day][uscc] = kept
        self.changes += 1
        self.known.append((now, copy.deepcopy(self.days)))

    def at(self, now: datetime, uscc: str) -> Kept | None:
        return self.days[local_date(now)].get(uscc)

    def play(self, now: datetime, action: Action) -> bool:
        """Do what an action says; False where it must be refused."""
        today, known = local_date(now), self.at(now, action.uscc)
        if action.verb == "admit":
            kept = Kept(action.name, action.rating, action.admitted_on, action.until(action.admitted_on))
            if known is None or known.removed:
                self.say(now, action.uscc, kept, min(today, action.admitted_on) if known is None else today)
            elif replace(kept, suspended=known.suspended) != known:
                self.say(now, action.uscc, replace(kept, suspended=known.suspended), today)
            return True
        if known is None or known.removed:
            return False
        turned = {
            "suspend": None if known.suspended else replace(known, suspended=True),
            "reinstate": replace(known, suspended=False) if known.suspended else None,
            "remove": replace(known, removed=True),
            "renew": replace(known, valid_until=action.until(today) or today + timedelta(days=1)),
        }[action.verb]
        if turned is None:
            return False
        self.say(now, action.uscc, turned, today)
        return True


@dataclass(frozen=True)
class Action:
    """One thing said of one provider, after so many days."""

    wait: int
    verb: str
    uscc: str
    name: str
    rating: int
    admitted_on: date
    lasts: int

    def until(self, since: date) -> date | None:
        return since + timedelta(days=self.lasts) if self.lasts else None


_ACTIONS = st.builds(
    Action,
    wait=st.integers(0, 4),
    verb=st.sampled_from(["admit", "suspend", "admit", "reinstate", "renew", "admit", "remove"]),
    uscc=st.sampled_from(LABS),
    name=st.sampled_from(["甲", "乙"]),
    rating=st.sampled_from([0, 450]),
    admitted_on=st.integers(-20, 6).map(lambda number: FIRST + timedelta(days=number)),
    lasts=st.sampled_from([0, 3, 30]),
)
_ASKED = st.tuples(st.sampled_from(DAYS), st.integers(-1, 30))


def _request(action: Action, today: date) -> tuple[Any, Any]:
    if action.verb == "admit":
        until = action.until(action.admitted_on)
        said = pb.Provider(uscc=action.uscc, name=action.name, home=HOME, rating=action.rating, admitted_on=action.admitted_on.isoformat())
        said.valid_until = until.isoformat() if until else ""
        return admit_provider, pb.AdmitProviderRequest(provider=said)
    if action.verb == "renew":
        until = action.until(today) or today + timedelta(days=1)
        return renew_provider, pb.RenewProviderRequest(provider=action.uscc, valid_until=until.isoformat(), reason="复核")
    use_case, request = {
        "suspend": (suspend_provider, pb.SuspendProviderRequest),
        "reinstate": (reinstate_provider, pb.ReinstateProviderRequest),
        "remove": (remove_provider, pb.RemoveProviderRequest),
    }[action.verb]
    return use_case, request(provider=action.uscc, reason="复核")


def _seen(item: pb.Provider) -> tuple[Any, ...]:
    standing = pb.ProviderStanding.Name(item.standing).removeprefix("PROVIDER_STANDING_")
    return item.name, item.rating, item.admitted_on, item.valid_until, standing


async def _pool(desk: Desk, **moment: Any) -> dict[str, tuple[Any, ...]]:
    found: dict[str, tuple[Any, ...]] = {}
    token = ""
    while True:
        answer = await desk.ask(list_providers, platform("330000"), pb.ListProvidersRequest(page_size=2, page_token=token, **moment))
        found |= {item.uscc: _seen(item) for item in answer.providers}
        token = answer.next_page_token
        if not token:
            return found


async def _check(desk: Desk, naive: Naive, day: date, step: int) -> None:
    """Ask for a day, as known after a step or now, the whole pool and one by one."""
    days = naive.days
    moment: dict[str, Any] = {"as_of": day.isoformat()}
    if naive.known and step >= 0:
        instant, days = naive.known[step % len(naive.known)]
        moment["known_at"] = Timestamp()
        moment["known_at"].FromDatetime(instant)
    expected = {uscc: seen for uscc, kept in days[day].items() if (seen := kept.seen(day)) is not None}
    assert await _pool(desk, **moment) == expected
    for uscc in LABS:
        outcome = await desk.work.query(get_provider, platform("330000"), pb.GetProviderRequest(uscc=uscc, **moment))
        if not outcome.ok:
            assert refusal(outcome)[0] == "PROVIDER_NOT_FOUND"
            assert uscc not in expected
        else:
            shown = pb.GetProviderResponse.FromString(outcome.body).provider
            gone = shown.standing == pb.PROVIDER_STANDING_REMOVED
            assert (None if gone else _seen(shown)) == expected.get(uscc)


def _check_clearing(desk: Desk, naive: Naive, today: date) -> None:
    """What clearing reads of today and of days to come agrees with the history."""
    for day in (today, today + timedelta(days=5)):
        found = desk.rows(
            "SELECT p.uscc, EXISTS (SELECT FROM registry.suspension AS s WHERE s.provider = p.uscc "
            f"AND s.since <= '{day}' AND (s.until IS NULL OR s.until > '{day}')) FROM registry.provider AS p WHERE p.admitted_on <= '{day}'"
        )
        pool = {uscc: kept.seen(day) for uscc, kept in naive.days[day].items() if kept.admitted_on <= day}
        assert dict(found) == {uscc: seen is None or seen[-1] != "GOOD" for uscc, seen in pool.items()}


async def _play(server: EmbeddedPostgres, actions: list[Action], asked: list[tuple[date, int]]) -> None:
    naive = Naive()
    async with open_desk(server) as desk:
        for action in actions:
            desk.clock.advance_to(desk.clock.now() + timedelta(days=action.wait, minutes=1))
            now = desk.clock.now()
            use_case, request = _request(action, local_date(now))
            outcome = await desk.send(use_case, platform(HOME), request)
            assert outcome.ok == naive.play(now, action)
            event(f"{action.verb} {'done' if outcome.ok else 'refused'}")
        desk.clock.advance_to(desk.clock.now() + timedelta(minutes=1))
        today = local_date(desk.clock.now())
        for day, step in [(today, -1), *asked]:
            await _check(desk, naive, day, step)
        current = await _pool(desk)
        in_pool = await _pool(desk, as_of=today.isoformat())
        assert {uscc: seen for uscc, seen in current.items() if seen[2] <= today.isoformat()} == in_pool
        _check_clearing(desk, naive, today)
        answer = await desk.ask(list_provider_changes, platform(HOME), pb.ListProviderChangesRequest())
        assert len(answer.changes) == naive.changes == len(desk.told())


@settings(PROFILE, max_examples=25 * DATABASE_TIMES)
@given(st.lists(_ACTIONS, min_size=6, max_size=16), st.lists(_ASKED, min_size=4, max_size=8))
def test_the_pool_of_any_day_is_the_copy_kept_of_it(
    postgres_server: EmbeddedPostgres, actions: list[Action], asked: list[tuple[date, int]]
) -> None:
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_play(postgres_server, actions, asked))
    finally:
        loop.close()
