"""What a committer keeps in memory of the ledger is never older than what is stored: whoever changed it, the next batch sees it."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable

import psycopg
import pytest

from hub.application.redeeming import refund_command, void_command
from hub.domain.review import Refund, Void
from hub.ledger.audit import audit
from hub.ledger.committer import GroupCommitter
from hub.ledger.wallets import WalletCache
from tests.fixtures import delta
from tests.fixtures.ledger import FIRMS, NOTES, Book, Sent, authorizing, capturing, code, issuing, sent, submit, together
from tests.support_usecases import platform

ISSUER, LAB = delta.CHANGXING, delta.SHANGHAI_LAB


@pytest.fixture
async def committer(book: Book) -> AsyncIterator[GroupCommitter]:
    """One committer whose memory is warm: it has cleared for the firm at the laboratory before."""
    async with book.committer() as running:
        assert code(await submit(running, authorizing(ISSUER, FIRMS[0], LAB, "HT-warm", 1_000))) == "OK"
        yield running
    report = await audit(book.uri)
    assert report.clean, report.differences


@pytest.mark.parametrize(
    "end", [capturing, lambda key, lab, _invoice_no: sent(void_command(Void(key)), platform(delta.LABS[lab]))], ids=["capture", "void"]
)
@pytest.mark.parametrize("forgets", ["as another process drew", "as memory is full"])
async def test_a_wallet_read_again_has_the_notes_that_are_reserved_to_the_last_fen(
    book: Book, monkeypatch: pytest.MonkeyPatch, forgets: str, end: Callable[[str, str, str], Sent]
) -> None:
    few, key = delta.ZHEJIANG, str(uuid.uuid4())
    monkeypatch.setattr("hub.ledger.committer.WalletCache", lambda: WalletCache(NOTES[few] + NOTES[ISSUER] - 1))
    async with book.committer() as committer, book.committer() as other:
        assert code(await submit(committer, authorizing(few, FIRMS[0], LAB, "HT-all", 200_000, redemption_id=key))) == "OK"
        assert book.one("SELECT min(available) FROM voucher WHERE issuer = %s AND enterprise = %s", few, FIRMS[0]) == 0
        if forgets == "as another process drew":
            assert code(await submit(other, authorizing(few, FIRMS[0], LAB, "HT-other", 1_000))) == "OK"
        else:
            assert code(await submit(committer, authorizing(ISSUER, FIRMS[1], LAB, "HT-many", 1_000))) == "OK"
        assert code(await submit(committer, authorizing(few, FIRMS[0], LAB, "HT-again", 1_000))) == "OK"
        assert code(await submit(committer, end(key, LAB, "FP-1"))) == "OK"
    assert (await audit(book.uri)).clean


async def test_notes_drawn_and_issued_by_another_process_count(book: Book, committer: GroupCommitter) -> None:
    async with book.committer() as other:
        for number in range(6):
            # In turn: neither may draw from what it remembers.
            turn = (committer, other)[number % 2]
            assert code(await submit(turn, authorizing(ISSUER, FIRMS[1], LAB, f"HT-{number}", 10_000))) == "OK"
        assert code(await submit(committer, issuing(ISSUER, FIRMS[1]))) == "OK"
        assert code(await submit(other, authorizing(ISSUER, FIRMS[1], LAB, "HT-last", 1_000))) == "OK"
    held = "SELECT sum(reserved) = (SELECT sum(authorized) FROM redemption WHERE enterprise = %s) FROM voucher WHERE enterprise = %s"
    assert book.one(held, FIRMS[1], FIRMS[1])


async def test_a_new_connection_starts_with_nothing_in_memory(book: Book, committer: GroupCommitter) -> None:
    """Behind it may be another server that went on from an earlier state, where a version says something else."""
    with psycopg.connect(book.uri, autocommit=True) as other:
        other.execute("UPDATE quota SET used = used + 1 WHERE enterprise = %s", (FIRMS[0],))
        assert code(await submit(committer, authorizing(ISSUER, FIRMS[0], LAB, "HT-kept", 1_000))) == "OK"
        other.execute("UPDATE quota SET used = used + 1 WHERE enterprise = %s", (FIRMS[0],))
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'deltahub committer'")
        used = book.one("SELECT used FROM quota WHERE issuer = %s AND enterprise = %s", ISSUER, FIRMS[0])
        assert code(await submit(committer, authorizing(ISSUER, FIRMS[0], LAB, "HT-read", 1_000))) == "OK"
        assert book.one("SELECT used FROM quota WHERE issuer = %s AND enterprise = %s", ISSUER, FIRMS[0]) > used
        # What was changed by hand is taken back, so that the books are right again.
        other.execute(
            "UPDATE quota AS q SET used = (SELECT sum(quota) FROM journal AS j WHERE j.issuer = q.issuer AND j.enterprise = q.enterprise)"
            " WHERE enterprise = %s",
            (FIRMS[0],),
        )


async def test_what_another_process_did_to_a_redemptions_notes_counts_at_its_capture(book: Book, committer: GroupCommitter) -> None:
    """The owners of a redemption authorized here are remembered; its wallet may have moved since."""
    ours, theirs = str(uuid.uuid4()), str(uuid.uuid4())
    async with book.committer() as other:
        assert code(await submit(committer, authorizing(ISSUER, FIRMS[1], LAB, "HT-ours", 15_000, redemption_id=ours))) == "OK"
        assert code(await submit(other, authorizing(ISSUER, FIRMS[1], LAB, "HT-theirs", 5_000, redemption_id=theirs))) == "OK"
        assert code(await submit(other, capturing(theirs, LAB, "INV-theirs"))) == "OK"
        both = await together(committer, [capturing(ours, LAB, "INV-ours"), authorizing(ISSUER, FIRMS[0], LAB, "HT-beside", 1_000)])
        assert [code(outcome) for outcome in both] == ["OK", "OK"]
        assert code(await submit(other, capturing(ours, LAB, "INV-again"))) != "OK"


@pytest.mark.parametrize("beside", [True, False])
async def test_what_another_process_did_to_a_redemption_counts_where_its_wallet_did_not_change(
    book: Book, committer: GroupCommitter, beside: bool
) -> None:
    """Its capture may wait for review, which moves no money: the wallet is still as remembered, the redemption is not."""
    ours, kept, strange = (str(uuid.uuid4()) for _ in range(3))
    for number, each in enumerate((ours, kept)):
        assert code(await submit(committer, authorizing(ISSUER, FIRMS[1], LAB, f"HT-{number}", 15_000, redemption_id=each))) == "OK"
    async with book.committer() as other:
        assert code(await submit(other, authorizing(ISSUER, FIRMS[0], LAB, "HT-strange", 15_000, redemption_id=strange))) == "OK"
    with psycopg.connect(book.uri) as another:
        another.execute("UPDATE redemption SET state = 'PENDING_REVIEW' WHERE redemption_id = %s", (ours,))
    captures = [capturing(ours, LAB, "INV-ours"), capturing(kept, LAB, "INV-kept")]
    told = await together(committer, [*captures, capturing(strange, LAB, "INV-strange")] if beside else captures)
    assert [code(outcome) for outcome in told] == ["INVALID_STATE", *["OK"] * (len(told) - 1)]
    with psycopg.connect(book.uri) as another:
        # No capture stood behind it, and the auditor would say so.
        another.execute("UPDATE redemption SET state = 'AUTHORIZED' WHERE redemption_id = %s", (ours,))


async def test_what_another_process_captured_is_refunded_to_notes_that_its_wallet_had_let_go(book: Book) -> None:
    """A wallet read again leaves out a note that is redeemed to the last fen; a refund gives back to it."""
    few, key = delta.ZHEJIANG, str(uuid.uuid4())
    async with book.committer() as committer, book.committer() as other:
        assert code(await submit(committer, authorizing(few, FIRMS[0], LAB, "HT-all", 200_000, redemption_id=key))) == "OK"
        assert code(await submit(other, capturing(key, LAB, "FP-1"))) == "OK"
        assert code(await submit(committer, authorizing(few, FIRMS[0], LAB, "HT-again", 1_000))) == "OK"
        refund = sent(refund_command(Refund(key, 50_000)), platform(delta.LABS[LAB]))
        assert code(await submit(committer, refund)) == "OK"
    assert (await audit(book.uri)).clean


async def test_many_lanes_leave_what_one_by_one_leaves(book: Book) -> None:
    """More than a batch of authorizations and of captures at once, beside each other, and every fen is where it belongs."""
    identifiers = [str(uuid.uuid4()) for _ in range(900)]
    async with book.committer() as running:
        sizes: list[int] = []
        running.on_batch = sizes.append
        for round_no in range(3):
            await submit(running, issuing(ISSUER, *FIRMS, face_fen=1_000_000 + round_no))
        sent = [
            authorizing(ISSUER, FIRMS[at % len(FIRMS)], LAB, f"HT-{at}", 100, redemption_id=each) for at, each in enumerate(identifiers)
        ]
        assert {code(outcome) for outcome in await together(running, sent)} == {"OK"}
        captured = await together(running, [capturing(each, LAB, f"INV-{at}") for at, each in enumerate(identifiers)])
        assert {code(outcome) for outcome in captured} == {"OK"}
        assert len(sizes) > 2 * 2
    assert (await audit(book.uri)).clean
    assert book.one("SELECT count(*) FROM redemption WHERE state <> 'AUTHORIZED'") == len(identifiers)
