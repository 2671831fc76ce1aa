"""Old answers go, requests do not: a repeat has no second effect however late it comes, and is told what became of it (rules.md I1)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import psycopg
import pytest

from hub.application.enterprises import register_enterprise
from hub.application.redeeming import void_command
from hub.codec.outcome import Outcome, refusal_of
from hub.domain.review import Void
from hub.ledger import forgetting
from hub.ledger.audit import audit
from hub.ledger.forgetting import AnswerForgetter
from hub.ledger.unitofwork import UnitOfWork
from tests.fixtures import delta
from tests.fixtures.ledger import FIRMS, Book, authorizing, code, in_one_batch, issuing, other_body, sent, submit
from tests.support_usecases import COORDINATOR, credit_code, platform
from yrd.common.v1 import types_pb2
from yrd.participant.v1 import participant_pb2

CHANGXING, LAB = delta.CHANGXING, delta.SHANGHAI_LAB
MISSING = "00000000-0000-4000-8000-000000000000"


async def forget(book: Book, days: int) -> int:
    """Run the scheduler's work once, as a process just started."""
    work = UnitOfWork(book.uri, book.clock)
    try:
        return await AnswerForgetter(work.engine, days).run(book.clock.now())
    finally:
        await work.close()


def kept(book: Book) -> int:
    count: int = book.one("SELECT count(*) FROM idempotency WHERE body IS NOT NULL")
    return count


def later(book: Book, **period: float) -> None:
    book.clock.advance_to(book.clock.now() + timedelta(**period))


async def test_a_forgotten_request_sent_again_has_no_second_effect_and_is_told_so(book: Book) -> None:
    granted, refused = authorizing(CHANGXING, FIRMS[0], LAB, "HT-1", 10_000), sent(void_command(Void(MISSING)), platform("310000"))
    async with book.committer() as committer:
        first, second = await submit(committer, granted), await submit(committer, refused)
        assert first.ok and code(second) == "REDEMPTION_NOT_FOUND"
        later(book, days=31)
        assert await forget(book, 30) >= 2
        before = book.tables()
        for item, status, said in ((granted, "OK", "carried out"), (refused, "NOT_FOUND", "refused with NOT_FOUND")):
            told = await submit(committer, item)
            assert code(told) == "ANSWER_NOT_KEPT"
            assert said in refusal_of(told).en and "2026-03-02" in refusal_of(told).zh
            assert f"status\x12{chr(len(status))}{status}".encode() in told.body
            assert await submit(committer, item) == told, "the same bytes, as ever"
            assert code(await submit(committer, other_body(item))) == "REQUEST_ID_REUSED"
        assert (await in_one_batch(book, [granted, refused, granted]))[0] == await submit(committer, granted)
        assert book.tables() == before
    assert (await audit(book.uri)).clean


async def test_what_is_not_old_enough_stays_and_each_day_goes_once(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "BLOCKS", 1)
    async with book.committer() as committer:
        early = [issuing(CHANGXING, FIRMS[0]) for _ in range(40)]
        for item in early:
            assert (await submit(committer, item)).ok
        given = kept(book)
        later(book, days=1)
        late = issuing(CHANGXING, FIRMS[0])
        assert (await submit(committer, late)).ok
        assert await forget(book, 0) == 0, "0 keeps them for ever"
        later(book, days=29)
        assert await forget(book, 30) == 0, "given thirty days ago"
        later(book, days=1)
        assert await forget(book, 30) == given
        assert await forget(book, 30) == 0
        assert kept(book) == 1
        assert (await submit(committer, late)).ok and code(await submit(committer, early[0])) == "ANSWER_NOT_KEPT"
        assert await forget(book, 29) == 1, "who keeps them for less from now on need not wait"


async def test_a_run_does_a_piece_and_the_next_goes_on(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "BLOCKS", 1)
    monkeypatch.setattr(forgetting, "BLOCKS_PER_RUN", 2)
    async with book.committer() as committer:
        await asyncio.gather(*(submit(committer, issuing(CHANGXING, FIRMS[0])) for _ in range(60)))
    given = kept(book)
    later(book, days=40)
    work = UnitOfWork(book.uri, book.clock)
    try:
        forgetter, runs = AnswerForgetter(work.engine, 30), []
        while kept(book):
            runs.append(await forgetter.run(book.clock.now()))
        assert len(runs) > 1 and sum(runs) == given
        while not book.rows("SELECT 1 FROM sweep_mark WHERE kind = 'answer'"):
            assert await forgetter.run(book.clock.now()) == 0
    finally:
        await work.close()


async def test_clearing_does_not_wait_for_it(book: Book) -> None:
    async with book.committer() as committer:
        old = authorizing(CHANGXING, FIRMS[0], LAB, "HT-1", 10_000)
        assert (await submit(committer, old)).ok
        # As a forgetting transaction that takes its time.
        with psycopg.connect(book.uri) as slow:
            slow.execute("UPDATE idempotency SET body = NULL")
            assert (await submit(committer, old)).ok
            assert (await submit(committer, authorizing(CHANGXING, FIRMS[0], LAB, "HT-2", 10_000))).ok


async def test_use_cases_outside_the_committer_forget_the_same_way(book: Book) -> None:
    firm = participant_pb2.Enterprise(
        uscc=credit_code(5, "91330522"), name="某公司", division=CHANGXING, kind=types_pb2.ENTERPRISE_KIND_ABOVE_SCALE
    )
    request = participant_pb2.RegisterEnterpriseRequest(request_id=MISSING, enterprise=firm)
    work = UnitOfWork(book.uri, book.clock)

    async def send(digest: bytes) -> Outcome:
        return await work.mutate(register_enterprise, platform(CHANGXING), request, request_id=MISSING, digest=digest)

    try:
        assert (await send(b"a")).ok
        later(book, days=40)
        await forget(book, 30)
        rows = book.rows("SELECT * FROM enterprise ORDER BY uscc")
        told = await send(b"a")
        assert code(told) == "ANSWER_NOT_KEPT" and "2026-03-02" in refusal_of(told).zh
        assert code(await send(b"b")) == "REQUEST_ID_REUSED"
        assert book.rows("SELECT * FROM enterprise ORDER BY uscc") == rows
        assert (await work.mutate(register_enterprise, COORDINATOR, request, request_id=MISSING, digest=b"a")).status != told.status
    finally:
        await work.close()
