"""Clocks that step back and clocks that differ: what was decided stands, books and quotas are right, and lists show every redemption."""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hub.application.ids import time_ordered_uuid
from hub.application.redeeming import lapse_command, void_command
from hub.application.redemptions import list_redemptions
from hub.application.settlement import close_window, confirm_payment
from hub.application.sweeping import Sweeper
from hub.codec.outcome import Outcome
from hub.domain.clock import SHANGHAI as SHANGHAI_TIME
from hub.domain.clock import local_date
from hub.domain.review import Void
from hub.embedded import EmbeddedPostgres
from hub.ledger.audit import audit
from hub.ledger.committer import GroupCommitter
from tests.fixtures import delta
from tests.fixtures.dice import Dice, Mix
from tests.fixtures.ledger import (
    ANNUAL_CAP_FEN,
    FIRMS,
    Book,
    Sent,
    authorizing,
    capturing,
    code,
    fresh_book,
    issuing,
    running,
    sent,
    submit,
)
from tests.fixtures.seeds import SEED
from tests.fixtures.settled import check_settlement
from tests.support_usecases import COORDINATOR, Desk, platform
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.settlement.v1 import settlement_pb2

ISSUER, LAB, FIRM = delta.CHANGXING, delta.SHANGHAI_LAB, FIRMS[0]
OLD_YEAR = datetime(2026, 12, 31, 23, 59, 59, tzinfo=SHANGHAI_TIME)
NEW_YEAR = OLD_YEAR + timedelta(seconds=1)
FULL_FEE = 60_000
FULL = FULL_FEE * 6_000 // 10_000
"""What an issuer who pays six tenths gives for it."""


class Stepping:
    """A clock that somebody sets, also back."""

    def __init__(self, start: datetime) -> None:
        self.set(start)

    def set(self, instant: datetime) -> None:
        self._now = instant.astimezone(UTC)

    def now(self) -> datetime:
        return self._now


class Process:
    """A committer with a clock of its own, as of one hub process."""

    def __init__(self, book: Book, clock: Stepping) -> None:
        self.clock = clock
        self.committer = GroupCommitter(book.uri, clock)

    async def at(self, instant: datetime, item: Sent) -> Outcome:
        """Decide a command at an instant."""
        self.clock.set(instant)
        return await submit(self.committer, item)

    def authorizing(self, order_no: str, fee: int = FULL_FEE, firm: str = FIRM) -> Sent:
        """An authorization whose id is made as the hub makes it, before the batch in which it is decided."""
        return authorizing(ISSUER, firm, LAB, order_no, fee, redemption_id=time_ordered_uuid(self.clock.now()))


@asynccontextmanager
async def processes(book: Book, count: int) -> AsyncIterator[list[Process]]:
    async with AsyncExitStack() as stack:
        made = [Process(book, Stepping(OLD_YEAR)) for _ in range(count)]
        for each in made:
            await stack.enter_async_context(running(each.committer))
        yield made
    report = await audit(book.uri)
    assert report.clean, report.differences


@pytest.mark.parametrize("count", [1, 2], ids=["one clock steps", "two clocks differ"])
async def test_the_quota_of_each_year_is_its_own_on_both_sides_of_new_year(book: Book, count: int) -> None:
    async with processes(book, count) as made:
        old, new = made[0], made[-1]
        assert (await old.at(OLD_YEAR, issuing(ISSUER, FIRM, face_fen=5 * ANNUAL_CAP_FEN))).ok
        full, rest = divmod(ANNUAL_CAP_FEN, FULL)
        granted: dict[int, list[str]] = {2026: [], 2027: []}
        # One of each year by turns: each is decided before the one that came before it, or a second after.
        for number in range(full + 2):
            for process, instant in ((old, OLD_YEAR), (new, NEW_YEAR)):
                outcome = await process.at(instant, process.authorizing(f"HT-{instant:%Y}-{number}"))
                assert code(outcome) == ("OK" if number <= full else "QUOTA_EXCEEDED")
                if outcome.ok:
                    item = pb.AuthorizeResponse.FromString(outcome.body).redemption
                    assert (item.quota_year, item.subsidy_fen) == (instant.year, FULL if number < full else rest)
                    granted[instant.year].append(item.redemption_id)
        used = "SELECT year, used FROM quota WHERE issuer = %s AND enterprise = %s ORDER BY year"
        assert book.rows(used, ISSUER, FIRM) == [(2026, ANNUAL_CAP_FEN), (2027, ANNUAL_CAP_FEN)]
        # Given up in the new year, what the old year's quota had given goes back to the old year.
        assert (await new.at(NEW_YEAR, sent(void_command(Void(granted[2026][0])), platform(delta.SHANGHAI)))).ok
        assert book.rows(used, ISSUER, FIRM) == [(2026, ANNUAL_CAP_FEN - FULL), (2027, ANNUAL_CAP_FEN)]
        assert code(await new.at(NEW_YEAR, new.authorizing("HT-N"))) == "QUOTA_EXCEEDED"
        assert (await old.at(OLD_YEAR, old.authorizing("HT-O"))).ok


async def test_any_commands_under_clocks_that_jump_about(postgres_server: EmbeddedPostgres, crowded: str) -> None:
    """Two processes, each set anew before every few commands: across midnight, a month, New Year, in either direction."""
    with fresh_book(postgres_server, crowded) as book:
        await _jumping_about(book)


async def _jumping_about(book: Book) -> None:
    dice, commands = random.Random(f"{SEED}/clocks"), Dice(f"{SEED}/clocks")
    steps = [timedelta(), timedelta(seconds=1), timedelta(hours=9), timedelta(days=1), timedelta(days=31), timedelta(days=-70)]
    seen: set[str] = set()
    async with processes(book, 2) as made:
        for _ in range(12):
            for process in made:
                process.clock.set(OLD_YEAR + dice.choice(steps))
            items = commands.round(Mix(20))
            outcomes = await asyncio.gather(*(submit(dice.choice(made).committer, item) for item in items))
            commands.hear(items, outcomes)
            seen.update(map(code, outcomes))
    assert "OK" in seen and not seen & {"UNAVAILABLE", "OVERLOADED"}
    assert book.one("SELECT max(used) FROM quota") <= ANNUAL_CAP_FEN
    years = "SELECT count(*) FROM redemption WHERE quota_year <> date_part('year', authorized_at AT TIME ZONE 'Asia/Shanghai')"
    assert book.one(years) == 0
    assert book.one("SELECT count(*) - count(DISTINCT voucher_no) FROM voucher WHERE issuer = %s", ISSUER) == 0


async def test_lists_have_every_redemption_whatever_the_clocks_said(book: Book) -> None:
    """An id is made by one clock and decided on by a later reading of it, which may be earlier: no page and no filter leaves one out."""
    dice, made_at = random.Random(f"{SEED}/lists"), list[datetime]()
    async with processes(book, 2) as made:
        for number in range(40):
            process = dice.choice(made)
            process.clock.set(OLD_YEAR + timedelta(seconds=dice.randint(-7_200, 7_200)))
            item = process.authorizing(f"HT-{number}", 100, dice.choice(FIRMS))
            decided = OLD_YEAR + timedelta(seconds=dice.randint(-7_200, 7_200))
            assert (await process.at(decided, item)).ok
            made_at.append(decided)
    desk = Desk(book.uri)
    every = await _listed(desk)
    assert len(every) == len(set(every)) == 40
    assert every == sorted(every, reverse=True)
    for cut in (OLD_YEAR, *dice.sample(made_at, 8)):
        before, after = await _listed(desk, until=cut), await _listed(desk, since=cut)
        assert len(before) == sum(at < cut for at in made_at)
        assert sorted(before + after) == sorted(every)
    await desk.work.close()


async def test_a_list_read_while_a_clock_is_behind_misses_nothing_that_was_there(book: Book) -> None:
    """What a clock behind makes between two pages lies behind the position or before it; what was there is shown exactly once."""
    desk = Desk(book.uri)
    async with processes(book, 2) as (ahead, behind):
        for number in range(6):
            assert (await ahead.at(NEW_YEAR + timedelta(seconds=number), ahead.authorizing(f"HT-{number}", 100))).ok
        there = await _listed(desk)
        seen, token = list[str](), ""
        for number in range(6, 20):
            behind.clock.set(OLD_YEAR + timedelta(seconds=dice_seconds(number)))
            assert (await submit(behind.committer, behind.authorizing(f"HT-{number}", 100))).ok
            page = await desk.ask(list_redemptions, COORDINATOR, pb.ListRedemptionsRequest(page_size=2, page_token=token))
            seen += [item.redemption_id for item in page.redemptions]
            token = page.next_page_token
            if not token:
                break
    assert len(seen) == len(set(seen))
    assert set(there) <= set(seen)
    await desk.work.close()


def dice_seconds(number: int) -> int:
    """Some seconds on either side."""
    return random.Random(f"{SEED}/{number}").randint(-5, 5)


async def _listed(desk: Desk, since: datetime | None = None, until: datetime | None = None) -> list[str]:
    """Return the ids of all pages of a list."""
    found, token = list[str](), ""
    while True:
        request = pb.ListRedemptionsRequest(page_size=7, page_token=token)
        if since is not None:
            request.authorized_from.FromDatetime(since.astimezone(UTC))
        if until is not None:
            request.authorized_until.FromDatetime(until.astimezone(UTC))
        page = await desk.ask(list_redemptions, COORDINATOR, request)
        found += [item.redemption_id for item in page.redemptions]
        token = page.next_page_token
        if not token:
            return found


async def test_windows_are_numbers_whatever_the_clocks_say(book: Book) -> None:
    """Captured by a clock that is ahead, closed and paid by one that is behind: no payment comes before its delivery."""
    desk = Desk(book.uri)
    behind = desk.work._clock = Stepping(OLD_YEAR)
    async with processes(book, 1) as (process,):
        keys = []
        for number in range(4):
            outcome = await process.at(NEW_YEAR, process.authorizing(f"HT-{number}"))
            keys.append(pb.AuthorizeResponse.FromString(outcome.body).redemption.redemption_id)
        windows = []
        for number, key in enumerate(keys):
            process.clock.set(NEW_YEAR + timedelta(days=2 - number))
            captured = capturing(key, LAB, f"FP-{number}", delivered_on=local_date(process.clock.now()))
            assert (await submit(process.committer, captured)).ok
            behind.set(OLD_YEAR - timedelta(days=number))
            windows.append((await desk.do(close_window, COORDINATOR, settlement_pb2.CloseWindowRequest(issuers=[ISSUER]))).window)
        for window in reversed(windows):
            (owed,) = window.obligations
            assert owed.amount_fen == FULL
            await desk.do(confirm_payment, platform(ISSUER), _payment(window.window_id, owed))
    check_settlement(book.uri)
    assert book.one("SELECT count(*) FROM redemption WHERE state = 'SETTLED'") == 4
    assert book.one("SELECT count(*) FROM redemption WHERE settled_on < delivered_on") == 0
    await desk.work.close()


def _payment(window_id: str, owed: Any) -> settlement_pb2.ConfirmPaymentRequest:
    return settlement_pb2.ConfirmPaymentRequest(window_id=window_id, debtor=owed.debtor, creditor=owed.creditor, amount_fen=owed.amount_fen)


async def test_what_a_clock_behind_authorized_lapses_like_any_other(book: Book) -> None:
    """A process whose clock is a year behind makes what is past its days already; the sweep finds it though it had got beyond that day."""
    desk = Desk(book.uri)
    ahead = OLD_YEAR + timedelta(days=360)
    async with processes(book, 2) as (wrong, right):
        right.clock.set(ahead)
        sweeper = Sweeper(desk.work.engine, right.committer, right.clock)
        await sweeper.sweep()
        assert (await wrong.at(OLD_YEAR, issuing(ISSUER, FIRM))).ok
        assert (await wrong.at(OLD_YEAR, wrong.authorizing("HT-1"))).ok
        right.clock.set(ahead + timedelta(days=30))
        await sweeper.sweep()
        assert book.rows("SELECT DISTINCT state FROM redemption") == [("EXPIRED",)]
        assert book.one("SELECT sum(available + reserved) FROM voucher WHERE expires_on < %s", local_date(ahead)) == 0
        # Nothing lapses twice.
        key = str(book.one("SELECT redemption_id FROM redemption"))
        assert not (await submit(right.committer, sent(lapse_command(key), COORDINATOR, str(uuid.uuid4())))).ok
    await desk.work.close()
