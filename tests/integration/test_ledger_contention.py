"""Two hub processes on one ledger at the same moment: row locks in one order are all that coordinates them, and it is enough."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack

import psycopg
import pytest

from hub.application.issuing import ApproveApplicationCommand
from hub.application.redeeming import void_command
from hub.application.vouchers import apply_for_vouchers
from hub.codec.outcome import Outcome
from hub.domain.review import Void
from hub.ledger.audit import audit
from hub.ledger.committer import GroupCommitter
from tests.fixtures import delta
from tests.fixtures.ledger import (
    ANNUAL_CAP_FEN,
    FACE_FEN,
    FIRMS,
    NEW_FIRM,
    NOTES,
    Book,
    Sent,
    authorizing,
    capturing,
    code,
    issuing,
    other_body,
    sent,
    submit,
)
from tests.fixtures.seeds import SEED
from tests.support_usecases import Desk, platform
from yrd.clearing.v1 import clearing_pb2
from yrd.voucher.v1 import voucher_pb2

CHANGXING, ZHEJIANG = delta.CHANGXING, delta.ZHEJIANG
LAB, OTHER_LAB = delta.SHANGHAI_LAB, delta.ANHUI_LAB
CALLERS = 8

Pair = tuple[GroupCommitter, GroupCommitter]


@pytest.fixture
async def pair(book: Book) -> AsyncIterator[Pair]:
    """The committers of two processes: each has its own connection, its own queue and its own memory. Afterwards the books are right."""
    async with AsyncExitStack() as stack:
        yield await stack.enter_async_context(book.committer()), await stack.enter_async_context(book.committer())
    report = await audit(book.uri)
    assert report.clean, report.differences
    assert book.deadlocks == 0


async def _streams(pair: Pair, items: Iterable[Sent]) -> list[Outcome]:
    """Send through both at once, from a few callers each, so that many small batches of one meet those of the other."""
    waiting = iter(list(items))
    outcomes: list[Outcome] = []

    async def caller(committer: GroupCommitter) -> None:
        for item in waiting:
            outcomes.append(await submit(committer, item))

    await asyncio.gather(*(caller(committer) for committer in pair for _ in range(CALLERS)))
    return outcomes


async def _both(pair: Pair, left: Sent, right: Sent) -> tuple[Outcome, Outcome]:
    first, second = await asyncio.gather(submit(pair[0], left), submit(pair[1], right))
    return first, second


async def test_one_wallet_gives_exactly_its_annual_cap(book: Book, pair: Pair) -> None:
    outcomes = await _streams(pair, (authorizing(CHANGXING, FIRMS[0], LAB, f"HT-{number}", 7_900) for number in range(90)))
    share = 7_900 * 6_000 // 10_000
    approved = [clearing_pb2.AuthorizeResponse.FromString(outcome.body).redemption.subsidy_fen for outcome in outcomes if outcome.ok]
    # As many full shares as fit, one with what was left, and nothing for the others.
    full, rest = divmod(ANNUAL_CAP_FEN, share)
    assert rest > 0
    assert sorted(approved) == [rest, *[share] * full]
    assert Counter(map(code, outcomes)) == {"OK": full + 1, "QUOTA_EXCEEDED": 90 - full - 1}
    assert book.one("SELECT used FROM quota WHERE issuer = %s AND enterprise = %s", CHANGXING, FIRMS[0]) == ANNUAL_CAP_FEN


async def test_notes_give_exactly_their_face(book: Book, pair: Pair) -> None:
    keys = [f"00000000-0000-4000-8000-{number:012d}" for number in range(30)]
    items = [authorizing(ZHEJIANG, FIRMS[0], LAB, f"HT-{key[-3:]}", 60_000, redemption_id=key) for key in keys]
    outcomes = await _streams(pair, items)
    face = NOTES[ZHEJIANG] * FACE_FEN
    full = face // 30_000
    assert Counter(map(code, outcomes)) == {"OK": full + 1, "VOUCHER_EXHAUSTED": 30 - full - 1}
    held = "SELECT sum(available), sum(reserved) FROM voucher WHERE issuer = %s AND enterprise = %s"
    assert book.rows(held, ZHEJIANG, FIRMS[0]) == [(0, face)]


async def test_one_order_gets_no_more_than_it_cost(book: Book, pair: Pair) -> None:
    for number in range(15):
        fee = 10_001 + number
        if number % 2:
            # The order is there already: both wait for its row instead of making it.
            made = await submit(pair[0], authorizing(CHANGXING, FIRMS[0], LAB, f"HT-{number}", fee))
            given_up = void_command(Void(clearing_pb2.AuthorizeResponse.FromString(made.body).redemption.redemption_id))
            assert (await submit(pair[0], sent(given_up, platform(delta.SHANGHAI)))).ok
        left, right = (authorizing(issuer, FIRMS[0], LAB, f"HT-{number}", fee) for issuer in (CHANGXING, ZHEJIANG))
        assert {code(outcome) for outcome in await _both(pair, left, right)} == {"OK"}
        # Six tenths and five tenths: whoever came second was cut down to what was left.
        assert book.rows("SELECT committed_total, expenditure FROM service_order WHERE order_no = %s", f"HT-{number}") == [(fee, fee)]


async def test_one_invoice_serves_one_order(book: Book, pair: Pair) -> None:
    for number in range(15):
        made = [authorizing(CHANGXING, firm, LAB, f"HT-{number}-{firm[-1]}", 10_000) for firm in FIRMS]
        ids = [clearing_pb2.AuthorizeResponse.FromString((await submit(pair[0], item)).body).redemption.redemption_id for item in made]
        left, right = (capturing(key, LAB, f"FP-{number}") for key in ids)
        assert sorted(map(code, await _both(pair, left, right))) == ["DUPLICATE_INVOICE", "OK"]
        assert book.one("SELECT count(*) FROM invoice_use WHERE invoice_no = %s", f"FP-{number}") == 1


async def test_one_redemption_is_captured_once(book: Book, pair: Pair) -> None:
    for number in range(15):
        made = await submit(pair[0], authorizing(CHANGXING, FIRMS[1], LAB, f"HT-{number}", 10_000))
        key = clearing_pb2.AuthorizeResponse.FromString(made.body).redemption.redemption_id
        left, right = (capturing(key, LAB, f"FP-{number}-{side}") for side in "LR")
        assert sorted(map(code, await _both(pair, left, right))) == ["INVALID_STATE", "OK"]
        assert book.one("SELECT count(*) FROM journal WHERE redemption_id = %s AND cause = 'CLEAR'", key) == 1


async def test_one_request_id_has_one_effect_and_one_answer(book: Book, pair: Pair) -> None:
    for number in range(15):
        item = authorizing(CHANGXING, FIRMS[0], LAB, f"HT-{number}", 10_000)
        first, second = await _both(pair, item, item)
        assert first.ok and first == second
    assert book.one("SELECT count(*) FROM redemption") == 15


async def test_of_two_bodies_under_one_request_id_one_wins(book: Book, pair: Pair) -> None:
    for number in range(15):
        item = authorizing(CHANGXING, FIRMS[0], LAB, f"HT-{number}", 10_000)
        other = other_body(authorizing(CHANGXING, FIRMS[0], LAB, f"HT-{number}", 10_000)._replace(request_id=item.request_id))
        assert sorted(map(code, await _both(pair, item, other))) == ["OK", "REQUEST_ID_REUSED"]
    assert book.one("SELECT count(*) FROM redemption") == 15


async def test_two_first_issues_to_one_firm_both_count(book: Book, pair: Pair) -> None:
    outcomes = await _both(pair, issuing(CHANGXING, NEW_FIRM), issuing(CHANGXING, NEW_FIRM))
    assert [code(outcome) for outcome in outcomes] == ["OK", "OK"]
    assert book.rows("SELECT count(*), sum(face) FROM voucher WHERE enterprise = %s", NEW_FIRM) == [(2, 20_000)]
    assert book.one("SELECT issued FROM quota WHERE enterprise = %s", NEW_FIRM) == 20_000


async def test_commands_that_name_the_same_rows_in_any_order_do_not_wait_in_a_circle(book: Book, pair: Pair) -> None:
    dice = random.Random(SEED)
    items = []
    for number in range(120):
        firms = dice.sample(FIRMS, 2)
        items.append(issuing(CHANGXING, *firms, face_fen=100))
        items.append(authorizing(dice.choice([CHANGXING, ZHEJIANG]), firms[0], dice.choice([LAB, OTHER_LAB]), f"HT-{number // 4}", 1_000))
    outcomes = await _streams(pair, items)
    assert {code(outcome) for outcome in outcomes} <= {"OK", "INVALID_ARGUMENT", "ACTUAL_EXPENDITURE_EXCEEDED"}
    assert book.one("SELECT count(*) FROM voucher WHERE face = 100") == 2 * 120


async def test_issues_of_one_issuer_wait_for_one_another_while_they_are_read(book: Book, pair: Pair) -> None:
    desk = Desk(book.uri)
    kind = voucher_pb2.APPLICATION_KIND_APPLICATION
    request = voucher_pb2.ApplyForVouchersRequest(issuer=CHANGXING, enterprise=NEW_FIRM, kind=kind, amount_fen=10_000)
    filed = (await desk.do(apply_for_vouchers, platform(CHANGXING), request)).application
    await desk.work.close()
    with psycopg.connect(book.uri) as holder:
        holder.execute("SELECT 1 FROM voucher_application FOR UPDATE")
        # The batch has looked for the firm's wallet when it waits for the application: nobody makes one meanwhile.
        approve = sent(ApproveApplicationCommand(filed.application_id, 10_000), platform(CHANGXING))
        waiting = asyncio.create_task(submit(pair[1], approve))
        await book.until_a_committer_waits()
        issue = asyncio.create_task(submit(pair[0], issuing(CHANGXING, NEW_FIRM)))
        await book.until_a_committer_waits(2)
        holder.rollback()
    assert [code(await waiting), code(await issue)] == ["OK", "OK"]
    assert book.one("SELECT issued FROM quota WHERE enterprise = %s", NEW_FIRM) == 20_000


async def test_what_became_of_a_firm_while_a_batch_waited_for_its_wallet_counts(book: Book, pair: Pair) -> None:
    """The batch knows the firm: that it is no longer what it was, it sees only after it has waited."""
    assert (await submit(pair[0], authorizing(CHANGXING, FIRMS[0], LAB, "HT-1", 1_000))).ok
    with psycopg.connect(book.uri) as holder:
        holder.execute("SELECT 1 FROM wallet FOR UPDATE")
        waiting = asyncio.create_task(submit(pair[0], authorizing(CHANGXING, FIRMS[0], LAB, "HT-2", 1_000)))
        await book.until_a_committer_waits()
        with psycopg.connect(book.uri) as other:
            other.execute("UPDATE enterprise SET kind = 'TEAM' WHERE uscc = %s", (FIRMS[0],))
        holder.rollback()
    assert code(await waiting) == "ENTERPRISE_NOT_ELIGIBLE"


async def test_an_invoice_taken_while_a_batch_was_being_read(book: Book, pair: Pair) -> None:
    made = [await submit(pair[0], authorizing(CHANGXING, firm, LAB, f"HT-{firm[-1]}", 10_000)) for firm in FIRMS]
    mine, other = (clearing_pb2.AuthorizeResponse.FromString(outcome.body).redemption for outcome in made)
    with psycopg.connect(book.uri) as holder:
        holder.execute("LOCK TABLE invoice_use")
        capture = asyncio.create_task(submit(pair[1], capturing(mine.redemption_id, LAB, "FP-1")))
        await book.until_a_committer_waits()
        holder.execute("INSERT INTO invoice VALUES (%s, 'FP-1', %s)", (LAB, other.order.order_no))
        holder.execute("INSERT INTO invoice_use VALUES (%s, 'FP-1', %s, %s)", (LAB, CHANGXING, other.redemption_id))
        holder.execute("UPDATE redemption SET invoice_no = 'FP-1' WHERE redemption_id = %s", (other.redemption_id,))
        holder.commit()
    assert code(await capture) == "DUPLICATE_INVOICE"
    with psycopg.connect(book.uri) as holder:
        # No capture stood behind it, and the auditor would say so.
        holder.execute("UPDATE redemption SET invoice_no = '' WHERE redemption_id = %s", (other.redemption_id,))
        holder.execute("DELETE FROM invoice_use")
        holder.execute("DELETE FROM invoice")
