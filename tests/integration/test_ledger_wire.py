"""What a committer says to PostgreSQL: two round trips a batch, and one effect for each command where a COMMIT or its answer is lost."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import psycopg
import pytest

from hub.application.issuing import CancelCommand, IssueCommand
from hub.application.redeeming import void_command
from hub.codec.outcome import Outcome
from hub.domain.issue import IssueItem
from hub.domain.model import WalletKey
from hub.domain.review import Void
from hub.embedded import EmbeddedPostgres
from hub.ledger.audit import audit
from hub.ledger.committer import GroupCommitter
from hub.ledger.noteids import NoteIds
from tests.fixtures import delta
from tests.fixtures.ledger import (
    FIRMS,
    NEW_FIRM,
    SUZHOU_FIRM,
    Book,
    Sent,
    authorizing,
    capturing,
    code,
    fresh_book,
    issuing,
    other_body,
    running,
    sent,
    submit,
    together,
)
from tests.fixtures.proxy import Loss, Proxy
from tests.fixtures.rows import same
from tests.support_usecases import platform

ISSUER, LAB, OTHER_LAB = delta.CHANGXING, delta.SHANGHAI_LAB, delta.ANHUI_LAB
READ_AND_WRITE, ONE_MORE = 2, 3


class Wire:
    """A committer behind a proxy, warm: it has cleared for the firms at the laboratory before."""

    def __init__(self, proxy: Proxy, committer: GroupCommitter) -> None:
        self.proxy, self.committer = proxy, committer
        self._orders = 0

    def order(self) -> str:
        """Return the number of an order that nobody knows."""
        self._orders += 1
        return f"HT-{self._orders}"

    async def authorized(self, count: int, firm: str = FIRMS[0]) -> list[str]:
        """Authorize so many; return the redemptions' ids."""
        keys = [str(uuid.uuid4()) for _ in range(count)]
        items = [authorizing(ISSUER, firm, LAB, self.order(), 1_000, redemption_id=key) for key in keys]
        assert {code(outcome) for outcome in await together(self.committer, items)} == {"OK"}
        return keys

    async def trips(self, items: Sequence[Sent]) -> int:
        """Return in how many round trips the commands were committed, in one batch, all granted."""
        sizes: list[int] = []
        self.committer.on_batch = sizes.append
        self.proxy.trips.clear()
        outcomes = await together(self.committer, items)
        assert {code(outcome) for outcome in outcomes} == {"OK"}
        assert sizes == [len(items)]
        assert self.proxy.trips[-1][-1] == "COMMIT"
        return len(self.proxy.trips)


@asynccontextmanager
async def _wired(book: Book) -> AsyncIterator[Wire]:
    async with Proxy(book.uri).listening() as proxy:
        committer = GroupCommitter(proxy.uri, book.clock)
        async with running(committer):
            made = Wire(proxy, committer)
            for firm in FIRMS:
                await made.authorized(1, firm)
            yield made


@pytest.fixture
async def wire(book: Book) -> AsyncIterator[Wire]:
    async with _wired(book) as made:
        yield made


async def test_a_warm_batch_is_two_round_trips(book: Book, wire: Wire) -> None:
    """One that locks and reads, one that writes and commits: of authorizations, of captures, of all kinds together, of whatever size.
    Parties, orders and notes met for the first time travel with it."""
    assert await wire.trips([authorizing(ISSUER, FIRMS[0], LAB, wire.order(), 1_000)]) == READ_AND_WRITE
    assert await wire.trips([authorizing(ISSUER, FIRMS[n % 2], LAB, wire.order(), 100) for n in range(60)]) == READ_AND_WRITE
    keys = await wire.authorized(63)
    assert await wire.trips([capturing(keys[0], LAB, "FP-0")]) == READ_AND_WRITE
    assert await wire.trips([capturing(key, LAB, f"FP-{key}") for key in keys[1:61]]) == READ_AND_WRITE
    mixed = [
        capturing(keys[61], LAB, "FP-1"),
        sent(void_command(Void(keys[62])), platform(delta.LABS[LAB])),
        authorizing(ISSUER, FIRMS[1], OTHER_LAB, wire.order(), 1_000),
        authorizing(delta.JIANGSU, SUZHOU_FIRM, LAB, wire.order(), 1_000),
        issuing(ISSUER, NEW_FIRM),
    ]
    assert await wire.trips(mixed) == READ_AND_WRITE
    # The same again is found, and nothing but that is asked.
    assert await wire.trips(mixed) == READ_AND_WRITE


async def test_what_costs_a_round_trip_more(book: Book, wire: Wire) -> None:
    """The exceptions, each once and never two of the first three in a batch: reference data that changed; a party that only a redemption
    read with the batch names; wallets and redemptions in memory that another process changed. Every hundred thousand notes a block of
    their ids, which is asked for before all else."""
    keys = await wire.authorized(2)
    again = [authorizing(ISSUER, FIRMS[0], LAB, wire.order(), 1_000)]
    async with book.committer() as other:
        theirs = str(uuid.uuid4())
        assert (
            code(await submit(other, authorizing(delta.JIANGSU, SUZHOU_FIRM, OTHER_LAB, "HT-theirs", 1_000, redemption_id=theirs))) == "OK"
        )
        assert await wire.trips([capturing(theirs, OTHER_LAB, "FP-theirs")]) == ONE_MORE, (
            "its firm and laboratory are met for the first time"
        )
        assert code(await submit(other, authorizing(ISSUER, FIRMS[0], LAB, "HT-other", 1_000))) == "OK"
        assert await wire.trips(again) == ONE_MORE, "the wallet was changed"
        assert code(await submit(other, capturing(keys[0], LAB, "FP-other"))) == "OK"
        given_back = sent(void_command(Void(keys[1])), platform(delta.LABS[LAB]))
        assert await wire.trips([given_back]) == ONE_MORE, "the wallet was changed again"
    with psycopg.connect(book.uri, autocommit=True) as changing:
        changing.execute("UPDATE enterprise SET staff = staff + 1")
    assert await wire.trips([authorizing(ISSUER, FIRMS[0], LAB, wire.order(), 1_000)]) == ONE_MORE, "the firms were changed"
    assert await wire.trips([authorizing(ISSUER, FIRMS[1], LAB, wire.order(), 1_000)]) == READ_AND_WRITE
    wire.committer._note_ids = NoteIds()
    # Asked in the driver's own way, which begins the transaction by itself.
    assert await wire.trips([issuing(ISSUER, FIRMS[0])]) == READ_AND_WRITE + 2, "no ids of notes were left"


_HELD = "INSERT INTO idempotency SELECT %(participant)s, %(request)s, '\\x00', 0, '\\x00', now()"


@pytest.mark.parametrize("loss", list(Loss))
async def test_a_commit_that_is_lost_or_whose_answer_is_has_one_effect(
    postgres_server: EmbeddedPostgres, furnished: str, loss: Loss
) -> None:
    """Beside it the same where nothing is lost: every row is the same, and so is every answer, then and ever after."""
    with fresh_book(postgres_server, furnished) as book, fresh_book(postgres_server, furnished) as calm:
        keys = [str(uuid.uuid4()) for _ in range(3)]
        before = [authorizing(ISSUER, FIRMS[0], LAB, f"HT-{key}", 10_000, redemption_id=key) for key in keys]
        items = _of_every_kind(keys)
        async with calm.committer() as committer:
            await together(committer, before)
            expected = await together(committer, items)
        async with Proxy(book.uri).listening() as proxy:
            committer = GroupCommitter(proxy.uri, book.clock)
            async with running(committer):
                await together(committer, before)
                proxy.lose(loss)
                holding = _until_both_wait if loss is Loss.MEANWHILE else _not_at_all
                assert await holding(book, committer, items) == expected
                assert proxy.lost == [loss]
                assert await together(committer, items) == expected
        async with book.committer() as another:
            assert await together(another, items) == expected
            assert {code(outcome) for outcome in await together(another, map(other_body, items))} == {"REQUEST_ID_REUSED"}
        same(book, calm, loss.value, ordered=False)
        assert (await audit(book.uri)).clean


async def _not_at_all(book: Book, committer: GroupCommitter, items: Sequence[Sent]) -> list[Outcome]:
    del book
    return await together(committer, items)


async def _until_both_wait(book: Book, committer: GroupCommitter, items: Sequence[Sent]) -> list[Outcome]:
    """Hold the batch up before its COMMIT, until the committer has lost it and waits to run it again; then let go."""
    with psycopg.connect(book.uri) as holder:
        holder.execute(_HELD.encode(), {"participant": items[0].caller.participant_id, "request": items[0].request_id})
        answers = asyncio.create_task(together(committer, items))
        await book.until_a_committer_waits(2)
        holder.rollback()
    return await answers


def _of_every_kind(keys: Sequence[str]) -> list[Sent]:
    """Return commands that make rows and that change them, on wallets and orders old and new, and some that are refused."""
    return [
        authorizing(ISSUER, FIRMS[0], LAB, f"HT-{keys[0]}", 20_000),
        authorizing(ISSUER, FIRMS[1], OTHER_LAB, "HT-new", 20_000),
        capturing(keys[0], LAB, "FP-1"),
        sent(void_command(Void(keys[1])), platform(delta.LABS[LAB])),
        sent(IssueCommand(ISSUER, (IssueItem(NEW_FIRM, 7_000, 1, ("NO-1",)),)), platform(ISSUER)),
        sent(CancelCommand(WalletKey(ISSUER, FIRMS[0]), "NO-none"), platform(ISSUER)),
        capturing(str(uuid.uuid4()), LAB, "FP-2"),
        capturing(keys[2], LAB, "FP-1"),
    ]
