"""ListRedemptions at the edges of an instant, and page by page while redemptions come in and go through their states."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from hub.application.ids import time_ordered_uuid
from hub.application.redeeming import refund_command, void_command
from hub.application.redemptions import list_redemptions
from hub.domain.clock import SimulatedClock
from hub.domain.review import Refund, Void
from hub.ledger.committer import GroupCommitter
from tests.fixtures import delta
from tests.fixtures.ledger import FIRMS, SUZHOU_FIRM, Book, Sent, authorizing, capturing, code, sent, submit
from tests.fixtures.seeds import SEED
from tests.support_usecases import START, Desk, platform
from yrd.clearing.v1 import clearing_pb2 as pb

ROUNDS = 12
LAB = delta.SHANGHAI_LAB
READER = platform(delta.SHANGHAI)


@dataclass
class Shelf:
    """Redemptions on a ledger and what lists say of them."""

    committer: GroupCommitter
    desk: Desk
    clock: SimulatedClock
    states: dict[str, str] = field(default_factory=dict)
    authorized: dict[str, datetime] = field(default_factory=dict)
    numbers: int = 0

    async def authorize(self, issuer: str, firm: str, fee: int = 1_000, *, made: datetime | None = None) -> str:
        """Authorize as a hub does: the id is made when the call comes in."""
        self.numbers += 1
        key = time_ordered_uuid(made or self.clock.now())
        await self.do(authorizing(issuer, firm, LAB, f"HT-{self.numbers}", fee, redemption_id=key))
        self.states[key], self.authorized[key] = "AUTHORIZED", self.clock.now()
        return key

    async def do(self, item: Sent) -> None:
        outcome = await submit(self.committer, item)
        assert outcome.ok, code(outcome)

    async def page(self, **filters: Any) -> pb.ListRedemptionsResponse:
        found: pb.ListRedemptionsResponse = await self.desk.ask(list_redemptions, READER, pb.ListRedemptionsRequest(**filters))
        return found


@asynccontextmanager
async def stocked(book: Book) -> AsyncIterator[Shelf]:
    desk = Desk(book.uri)
    try:
        async with book.committer() as committer:
            yield Shelf(committer, desk, book.clock)
    finally:
        await desk.work.close()


def _at(instant: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(instant)
    return stamp


# -- the edges of an instant -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [timedelta(0), timedelta(microseconds=300), timedelta(seconds=5)], ids=["then", "same-ms", "set-back"])
async def test_an_interval_ends_at_the_instant_and_not_at_its_millisecond(book: Book, late: timedelta) -> None:
    """An id knows milliseconds only, and one made before the clock was set back says later than its authorization."""
    authorized = START + timedelta(microseconds=500)
    book.clock.advance_to(authorized)
    async with stocked(book) as shelf:
        key = await shelf.authorize(delta.CHANGXING, FIRMS[0], made=authorized + late)
        for until, expected in (
            (authorized - timedelta(microseconds=100), []),
            (authorized, []),
            (authorized + timedelta(microseconds=1), [key]),
            (authorized + timedelta(milliseconds=1), [key]),
            (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), [key]),
        ):
            found = await shelf.page(authorized_until=_at(until))
            assert [item.redemption_id for item in found.redemptions] == expected, until
        within = {"authorized_from": _at(authorized), "authorized_until": _at(authorized + timedelta(microseconds=1))}
        assert [item.redemption_id for item in (await shelf.page(**within)).redemptions] == [key]
        assert not (await shelf.page(authorized_from=_at(authorized + timedelta(microseconds=1)))).redemptions


# -- pages while the data changes --------------------------------------------------------------------------------------------------


FEE_FEN, PART_FEN = 400, 100


class Changer:
    """Draws changes that the rules allow: new authorizations, and steps of those there are."""

    def __init__(self, shelf: Shelf, seed: int) -> None:
        self._shelf = shelf
        self._dice = random.Random(seed)
        self._left: dict[str, int] = {}

    async def authorize(self) -> None:
        # Two of the same millisecond now and then.
        self._shelf.clock.advance_to(self._shelf.clock.now() + timedelta(microseconds=self._dice.choice((200, 1_500, 400_000))))
        issuer, firm = self._dice.choice(((delta.CHANGXING, FIRMS[0]), (delta.CHANGXING, FIRMS[1]), (delta.JIANGSU, SUZHOU_FIRM)))
        self._left[await self._shelf.authorize(issuer, firm, FEE_FEN)] = FEE_FEN

    async def change(self) -> None:
        """Authorize, or take one redemption a step further."""
        key = self._dice.choice(list(self._shelf.states))
        match self._shelf.states[key], self._dice.random() < 0.5:
            case "AUTHORIZED", True:
                await self._step(key, capturing(key, LAB, f"FP-{key}"), "CLEARED")
            case "AUTHORIZED", False:
                await self._step(key, sent(void_command(Void(key)), READER), "VOIDED")
            case "CLEARED", all_of_it:
                # The refund of a part changes the row and not its state.
                fee = self._left[key] if all_of_it else min(PART_FEN, self._left[key])
                self._left[key] -= fee
                await self._step(key, sent(refund_command(Refund(key, fee)), READER), "CLEARED" if self._left[key] else "REFUNDED")
            case _:
                await self.authorize()

    async def _step(self, key: str, item: Sent, after: str) -> None:
        await self._shelf.do(item)
        self._shelf.states[key] = after

    def query(self) -> Query:
        """A state or none, and an end or none."""
        state = self._dice.choice(("", "AUTHORIZED", "CLEARED", "VOIDED", "REFUNDED"))
        until = self._shelf.clock.now() if self._dice.random() < 0.3 else None
        return Query(state, until, self._dice.randint(1, 4))

    def some(self) -> int:
        """How many changes come before the next page."""
        return self._dice.randint(0, 3)


@dataclass(frozen=True, slots=True)
class Query:
    """What a list is asked for."""

    state: str
    until: datetime | None
    page_size: int

    def filters(self) -> dict[str, Any]:
        filters: dict[str, Any] = {"page_size": self.page_size}
        if self.state:
            filters["state"] = pb.RedemptionState.Value(f"REDEMPTION_STATE_{self.state}")
        if self.until is not None:
            filters["authorized_until"] = _at(self.until)
        return filters

    def matching(self, shelf: Shelf) -> set[str]:
        """What the list would show if it were read whole at this moment."""
        return {
            key
            for key, state in shelf.states.items()
            if self.state in ("", state) and (self.until is None or shelf.authorized[key] < self.until)
        }


@pytest.mark.parametrize("seed", range(SEED, SEED + 2))
async def test_what_matches_throughout_is_listed_once_and_nothing_twice(book: Book, seed: int) -> None:
    async with stocked(book) as shelf:
        changer = Changer(shelf, seed)
        for _ in range(15):
            await changer.authorize()
        changed = 0
        for _ in range(ROUNDS):
            await changer.authorize()
            changed += await _one_list(shelf, changer, changer.query())
        assert changed, "no list was read while what it shows changed"


async def _one_list(shelf: Shelf, changer: Changer, query: Query) -> bool:
    """Read a list to its end, with changes before each page but the first. Say whether any changed what it shows."""
    at_first = query.matching(shelf)
    throughout, ever = set(at_first), set(at_first)
    listed: list[str] = []
    token = ""
    while True:
        page = await shelf.page(page_token=token, **query.filters())
        listed += [item.redemption_id for item in page.redemptions]
        token = page.next_page_token
        if not token:
            break
        for _ in range(changer.some()):
            await changer.change()
            matching = query.matching(shelf)
            throughout &= matching
            ever |= matching
    assert len(listed) == len(set(listed)), "something was listed twice"
    assert listed == sorted(listed, reverse=True)
    assert throughout <= set(listed) <= ever
    return throughout != ever
