"""Positions from closed sums and the transfers since: always what the whole journal says, whoever writes meanwhile."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from hub.application.settlement import get_issuer_position
from hub.ledger import summing
from hub.ledger.audit import audit
from hub.ledger.summing import close_sums
from hub.ledger.unitofwork import UnitOfWork
from tests.fixtures import delta
from tests.fixtures.ledger import FIRMS, Book, authorizing, issuing, submit
from tests.support_usecases import platform, response
from yrd.settlement.v1 import settlement_pb2 as pb

CHANGXING, LAB = delta.CHANGXING, delta.SHANGHAI_LAB
WHOLE = """
SELECT account, sum(amount)::bigint FROM (SELECT credit AS account, amount FROM journal WHERE issuer = %s
UNION ALL SELECT debit, -amount FROM journal WHERE issuer = %s) AS sides GROUP BY account"""


async def close(book: Book) -> int:
    work = UnitOfWork(book.uri, book.clock)
    try:
        return await close_sums(work.engine)
    finally:
        await work.close()


async def check(book: Book) -> None:
    """The position is what all of the journal adds up to."""
    work = UnitOfWork(book.uri, book.clock)
    request = pb.GetIssuerPositionRequest(issuer=CHANGXING)
    try:
        position = response(request, await work.query(get_issuer_position, platform(CHANGXING), request))
    finally:
        await work.close()
    sums: dict[str, int] = {row[0]: int(row[1]) for row in book.rows(WHOLE, CHANGXING, CHANGXING)}
    assert position.outstanding_fen == sums["outstanding"] > 0
    assert position.appropriation_used_fen == -sums["appropriation"]
    assert (position.reserved_fen, position.returned_fen) == (sums.get("reserved", 0), sums.get("returned", 0))
    report = await audit(book.uri)
    assert report.clean, report.differences


async def test_before_between_and_after_closing(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summing, "RANGE", 2)
    async with book.committer() as committer:
        for number in range(3):
            assert (await submit(committer, issuing(CHANGXING, FIRMS[0]))).ok
            assert (await submit(committer, authorizing(CHANGXING, FIRMS[0], LAB, f"HT-{number}", 10_000))).ok
            await check(book)
            assert await close(book) == book.one("SELECT max(seq) FROM journal") == book.one("SELECT until_seq FROM account_sum_until")
            await check(book)
        assert (await submit(committer, authorizing(CHANGXING, FIRMS[0], LAB, "HT-9", 10_000))).ok
    await asyncio.gather(close(book), close(book))
    await check(book)


async def test_nothing_is_closed_past_a_number_that_is_not_settled(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summing, "LOOKS_MAX", 2)
    async with book.committer() as committer:
        assert (await submit(committer, issuing(CHANGXING, FIRMS[0]))).ok
        assert (await submit(committer, authorizing(CHANGXING, FIRMS[0], LAB, "HT-1", 10_000))).ok
        closed = await close(book)
        with psycopg.connect(book.uri) as slow:
            # Its number is drawn now, and seen after those of others that are drawn later.
            slow.execute("UPDATE journal SET amount = amount WHERE false")
            drawn = slow.execute("SELECT nextval(pg_get_serial_sequence('journal', 'seq'))").fetchone()
            assert drawn is not None
            assert (await submit(committer, authorizing(CHANGXING, FIRMS[0], LAB, "HT-2", 10_000))).ok
            assert await close(book) == closed < drawn[0] < book.one("SELECT max(seq) FROM journal")
            await check(book)
    assert await close(book) == book.one("SELECT max(seq) FROM journal")
    await check(book)
