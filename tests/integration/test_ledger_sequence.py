"""Round after round, committers that live on leave what the same commands leave one at a time, by a committer that remembers nothing.

What the property of the same name does on rows in memory, here over PostgreSQL, with the caches, several lanes and two processes. Small
bounds make the caches forget all the time.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import NamedTuple

import pytest

from hub.codec.outcome import Outcome
from hub.embedded import EmbeddedPostgres
from hub.ledger.audit import audit
from hub.ledger.committer import BATCH_ITEMS_MAX, OVERLAP_ITEMS, GroupCommitter
from hub.ledger.lanes import Owners
from hub.ledger.wallets import WalletCache
from tests.fixtures.dice import Dice, Mix, twin_books
from tests.fixtures.ledger import Book, Sent, code, fresh_book, submit, together
from tests.fixtures.rows import same
from tests.fixtures.seeds import SEED, SEQUENCE_ROUNDS

DAYS_BETWEEN = 20
"""Between rounds: authorizations outlive their days after five, and notes issued late pass their validity."""


class Bounds(NamedTuple):
    """How much a committer remembers, nothing unless told; from how many commands on, and how large, it makes batches beside each other."""

    notes: int = 0
    owners: int = 0
    overlap: int = OVERLAP_ITEMS
    batch: int = BATCH_ITEMS_MAX


@asynccontextmanager
async def _committers(book: Book, count: int, bounds: Bounds, patch: pytest.MonkeyPatch) -> AsyncIterator[list[GroupCommitter]]:
    """Committers of so many processes. Bounds of memory are each committer's own, those of lanes everybody's."""
    async with AsyncExitStack() as stack:
        with pytest.MonkeyPatch.context() as own:
            own.setattr("hub.ledger.committer.WalletCache", lambda: WalletCache(bounds.notes))
            own.setattr("hub.ledger.committer.Owners", lambda: Owners(bounds.owners))
            made = [await stack.enter_async_context(book.committer()) for _ in range(count)]
        patch.setattr("hub.ledger.committer.OVERLAP_ITEMS", bounds.overlap)
        patch.setattr("hub.ledger.committer.BATCH_ITEMS_MAX", bounds.batch)
        yield made


class Play(NamedTuple):
    """Rounds of commands for committers that live through all of them; `lanes` says that batches are to go beside each other."""

    rounds: Sequence[Mix]
    bounds: Bounds
    processes: int = 1
    lanes: bool = False


_TURNS = [Mix(40), Mix(60, goes_on=0.6)] * (2 * SEQUENCE_ROUNDS)
_NARROW = [Mix(80, groups=4, goes_on=0.6, strange=0.1, numbered=1.0)] * (2 * SEQUENCE_ROUNDS)
_ENOUGH = Mix(BATCH_ITEMS_MAX + OVERLAP_ITEMS + 40, groups=4, goes_on=0.6, strange=0.0, numbered=1.0)
_WIDE = [_ENOUGH, _ENOUGH] * max(1, SEQUENCE_ROUNDS // 6)

PLAYS = {
    "batches": Play(_TURNS, Bounds(notes=12, owners=40)),
    "two processes in turn": Play(_TURNS, Bounds(notes=40, owners=40), processes=2),
    "lanes on few": Play(_NARROW, Bounds(notes=60, owners=100, overlap=10, batch=16), lanes=True),
    "lanes as they are": Play(_WIDE, Bounds(notes=60, owners=1_000), lanes=True),
}


@pytest.mark.parametrize("name", PLAYS)
async def test_rounds_of_batches_leave_what_their_commands_leave_one_at_a_time(
    postgres_server: EmbeddedPostgres, crowded: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    play, seen, beside = PLAYS[name], Counter[str](), list[int]()
    dice = Dice(f"{SEED}/{name}")
    async with AsyncExitStack() as stack:
        book, single = stack.enter_context(twin_books(postgres_server, crowded))
        # Both take their blocks of note ids in the same order.
        one = await stack.enter_async_context(_committers(single, play.processes, Bounds(), monkeypatch))
        many = await stack.enter_async_context(_committers(book, play.processes, play.bounds, monkeypatch))
        for committer in many:
            committer.on_batch = lambda _size, busy=committer._busy: beside.append(len(busy))  # type: ignore[misc]  # a default binds
        for number, mix in enumerate(play.rounds):
            where = f"YRD_TEST_SEED={SEED}, {name}, round {number}"
            thrown = dice.round(mix)
            for burst in [thrown] if play.lanes else dice.bursts(thrown):
                process = dice.choose(play.processes)
                outcomes = await together(many[process], burst)
                expected = [await submit(one[process], item) for item in burst]
                assert list(map(code, outcomes)) == list(map(code, expected)), where
                assert outcomes == expected, where
                seen.update(map(code, outcomes))
                dice.hear(burst, outcomes)
            same(book, single, where, ordered=not play.lanes)
            for each in (book, single):
                each.clock.advance_to(each.clock.now() + timedelta(days=DAYS_BETWEEN))
        report = await audit(book.uri)
    assert report.clean, report.differences
    assert (max(beside) > 1) == play.lanes
    # The dice have thrown enough of everything to say so.
    assert seen["OK"] > seen.total() / 8, seen
    assert seen.keys() >= {"QUOTA_EXCEEDED", "REQUEST_ID_REUSED"}, seen
    if not play.lanes:
        assert seen.keys() >= {"VOUCHER_EXHAUSTED", "INVALID_STATE", "DUPLICATE_INVOICE", "NOT_PERMITTED", "REDEMPTION_NOT_FOUND"}, seen


async def test_two_processes_at_once_have_each_effect_once_and_right_books(
    postgres_server: EmbeddedPostgres, crowded: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose command comes first is free, so there is nothing to compare row by row: the auditor derives the books from the journal, and
    whatever is sent again, to the other process, has its first answer."""
    dice, answers = Dice(f"{SEED}/at once"), dict[tuple[str, str], tuple[Sent, Outcome]]()
    bounds = Bounds(notes=40, owners=30, overlap=10, batch=16)
    async with AsyncExitStack() as stack:
        book = stack.enter_context(fresh_book(postgres_server, crowded))
        pair = await stack.enter_async_context(_committers(book, 2, bounds, monkeypatch))
        for number in range(2 * SEQUENCE_ROUNDS):
            thrown = dice.round(Mix(80, groups=1 + 3 * (number % 2)))
            # What is thrown twice goes to both at the same moment, now and then.
            sides = [dice.choose(2) for _ in thrown]
            parts = [[item for item, chosen in zip(thrown, sides, strict=True) if chosen == side] for side in range(2)]
            outcomes = await asyncio.gather(*(together(committer, part) for committer, part in zip(pair, parts, strict=True)))
            for side, part in enumerate(parts):
                dice.hear(part, outcomes[side])
                for item, outcome in zip(part, outcomes[side], strict=True):
                    _note(answers, item, outcome)
            again = [item for item, _ in answers.values()][-60:]
            expected = [answers[item.caller.participant_id, item.request_id][1] for item in again]
            for committer in pair:
                assert await together(committer, again) == expected, f"YRD_TEST_SEED={SEED}, round {number}"
            third = [item._replace(digest=b"a third body".ljust(32, b".")) for item in again]
            assert {code(each) for each in await together(pair[number % 2], third)} == {"REQUEST_ID_REUSED"}
            report = await audit(book.uri)
            assert report.clean, (f"YRD_TEST_SEED={SEED}, round {number}", report.differences)
            book.clock.advance_to(book.clock.now() + timedelta(days=DAYS_BETWEEN))
        made = sum(item.caller.participant_id != "" and outcome.ok and _authorizes(item) for item, outcome in answers.values())
        assert book.one("SELECT count(*) FROM redemption") == made > 20
        assert book.one("SELECT count(*) FROM idempotency WHERE request_id = ANY(%s::uuid[])", [key for _, key in answers]) == len(answers)


def _authorizes(item: Sent) -> bool:
    return type(item.command).__name__ == "AuthorizeCommand"


def _note(answers: dict[tuple[str, str], tuple[Sent, Outcome]], item: Sent, outcome: Outcome) -> None:
    """Keep the body that won and its answer: every other one of the same body is the same, of another body REQUEST_ID_REUSED."""
    if not item.request_id or code(outcome) == "REQUEST_ID_REUSED":
        return
    key = item.caller.participant_id, item.request_id
    first = answers.setdefault(key, (item, outcome))
    assert first[0].digest == item.digest and first[1] == outcome
