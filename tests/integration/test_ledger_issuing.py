"""Issuing on PostgreSQL: numbers that the hub generates meet none that an issuer gave itself; no sum of an issuer's is beyond an amount."""

from __future__ import annotations

import asyncio
import uuid

import pytest
from structlog.testing import capture_logs

from hub.application.issuing import ApproveApplicationCommand, IssueCommand
from hub.application.settlement import get_issuer_position
from hub.codec.outcome import Outcome, refusal_of
from hub.domain.clock import local_date
from hub.domain.issue import IssueItem, generated_number
from hub.domain.money import MAX_FEN
from hub.ledger import noteids
from hub.ledger.audit import audit
from hub.ledger.unitofwork import UnitOfWork
from tests.fixtures import delta
from tests.fixtures.ledger import (
    FIRMS,
    NEW_FIRM,
    NOTES,
    SUZHOU_FIRM,
    Book,
    Sent,
    authorizing,
    code,
    in_one_batch,
    issuing,
    sent,
    submit,
    together,
)
from tests.support_usecases import START, platform, response
from yrd.settlement.v1 import settlement_pb2
from yrd.voucher.v1 import voucher_pb2

ISSUER, FIRM, LAB = delta.CHANGXING, FIRMS[0], delta.SHANGHAI_LAB
YEAR = local_date(START).year
FACE_FEN = 100


def numbered(firm: str, *numbers: str) -> Sent:
    """An issue of notes that the issuer numbers."""
    return sent(IssueCommand(ISSUER, (IssueItem(firm, FACE_FEN, len(numbers), numbers),)), platform(ISSUER))


def generated(*ids: int) -> tuple[str, ...]:
    return tuple(generated_number(ISSUER, YEAR, note_id) for note_id in ids)


def numbers_of(outcome: Outcome) -> list[str]:
    assert outcome.ok, refusal_of(outcome)
    return [voucher.voucher_no for voucher in voucher_pb2.IssueVouchersResponse.FromString(outcome.body).vouchers]


def apply(book: Book, firm: str) -> str:
    """File an application as the use case leaves it."""
    identifier = str(uuid.uuid4())
    book.rows(
        "INSERT INTO voucher_application (application_id, issuer, enterprise, kind, requested, approved, state, reason, filed_at)"
        " VALUES (%s, %s, %s, 'APPLICATION', %s, 0, 'PENDING_REVIEW', '', now()) RETURNING 1",
        identifier,
        ISSUER,
        firm,
        FACE_FEN,
    )
    return identifier


async def test_numbers_that_an_issuer_gave_itself_are_passed_over(book: Book) -> None:
    """Those of the next ids too, of which the process that draws them knows nothing; neighbours are answered as ever."""
    with capture_logs() as logged:
        async with book.committer() as committer, book.committer() as other:
            last = int(numbers_of(await submit(committer, issuing(ISSUER, FIRM)))[0][-10:])
            own = generated(*range(last + 1, last + 201))
            assert numbers_of(await submit(other, numbered(NEW_FIRM, *own))) == list(own)
            several = sent(IssueCommand(ISSUER, (IssueItem(FIRM, FACE_FEN, 3),)), platform(ISSUER))
            beside = authorizing(delta.JIANGSU, SUZHOU_FIRM, LAB, "HT-1", 1_000)
            issued, authorized = await together(committer, [several, beside])
            assert numbers_of(issued) == list(generated(last + 201, last + 202, last + 203))
            assert authorized.ok
            approved = await submit(committer, sent(ApproveApplicationCommand(apply(book, FIRM), FACE_FEN), platform(ISSUER)))
            assert approved.ok, refusal_of(approved)
    assert [entry for entry in logged if entry["event"] in ("batch_retried", "batch_taken_apart")] == []
    assert (await audit(book.uri)).clean


async def test_numbers_given_and_generated_in_one_batch_are_none_twice(book: Book) -> None:
    async with book.committer() as committer:
        last = int(numbers_of(await submit(committer, issuing(ISSUER, FIRM)))[0][-10:])
    # Another process begins with the block after; one id of its own goes to the note that is numbered.
    first = (last // noteids.BLOCK + 1) * noteids.BLOCK
    own = generated(first + 1, first + 2)
    given, made, taken = await in_one_batch(book, [numbered(FIRM, *own), issuing(ISSUER, FIRM), numbered(NEW_FIRM, own[0])])
    assert numbers_of(given) == list(own)
    assert numbers_of(made) == list(generated(first + 3))
    assert code(taken) == "ALREADY_EXISTS"


async def test_a_block_of_which_all_numbers_are_given_is_passed_over(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    async with book.committer() as committer:
        last = int(numbers_of(await submit(committer, issuing(ISSUER, FIRM)))[0][-10:])
        block = last // noteids.BLOCK + 1
        # With blocks of ten ids the next processes begin with these.
        assert (await submit(committer, numbered(NEW_FIRM, *generated(*range(block * 10, block * 10 + 20))))).ok
    monkeypatch.setattr(noteids, "BLOCK", 10)
    monkeypatch.setattr(noteids, "REFILL_BELOW", 2)
    async with book.committer() as other:
        assert numbers_of(await submit(other, issuing(ISSUER, FIRM))) == list(generated(block * 10 + 20))


async def test_all_that_an_issuer_issues_is_an_amount_whatever_is_issued_beside_it(book: Book) -> None:
    """Over firms, in one batch, by two processes at once and where an application is approved; it is told how much may be."""
    before = book.one("SELECT sum(face)::bigint FROM voucher WHERE issuer = %s", ISSUER)
    left = MAX_FEN - before
    half = left // 2
    fits, beyond = await in_one_batch(book, [issuing(ISSUER, FIRM, face_fen=half), issuing(ISSUER, NEW_FIRM, face_fen=left)])
    assert (code(fits), code(beyond)) == ("OK", "INVALID_ARGUMENT")
    rest = left - half
    async with book.committer() as committer, book.committer() as other:
        both = await asyncio.gather(*(submit(each, issuing(ISSUER, NEW_FIRM, face_fen=rest)) for each in (committer, other)))
        assert sorted(code(outcome) for outcome in both) == ["INVALID_ARGUMENT", "OK"]
        refused = await submit(committer, issuing(ISSUER, FIRM, face_fen=1))
        assert "must be at most 0 fen" in str(refusal_of(refused))
        approve = sent(ApproveApplicationCommand(apply(book, FIRM), FACE_FEN), platform(ISSUER))
        assert code(await submit(committer, approve)) == "INVALID_ARGUMENT"
        # Another issuer's, and what is drawn on it, go on.
        assert (await submit(committer, authorizing(ISSUER, NEW_FIRM, LAB, "HT-1", 10_000))).ok
        assert (await submit(committer, issuing(delta.ZHEJIANG, FIRM, face_fen=10_000))).ok
    work = UnitOfWork(book.uri, book.clock)
    try:
        request = settlement_pb2.GetIssuerPositionRequest(issuer=ISSUER)
        position = response(request, await work.query(get_issuer_position, platform(ISSUER), request))
    finally:
        await work.close()
    assert position.appropriation_used_fen == MAX_FEN
    assert book.one("SELECT face FROM issued_total WHERE issuer = %s", ISSUER) == MAX_FEN
    assert (await audit(book.uri)).clean


async def test_what_an_issuer_issued_is_the_sum_of_its_notes(book: Book) -> None:
    async with book.committer() as committer:
        await together(
            committer, [issuing(ISSUER, *FIRMS), numbered(FIRM, "NO-1"), numbered(FIRM, "NO-1"), issuing(delta.JIANGSU, SUZHOU_FIRM)]
        )
    kept = book.rows("SELECT issuer, face FROM issued_total ORDER BY issuer")
    assert kept == book.rows("SELECT issuer, sum(face)::bigint FROM voucher GROUP BY issuer ORDER BY issuer")
    assert len(kept) == len(NOTES)
