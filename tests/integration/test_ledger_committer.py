"""The group committer on PostgreSQL: ids, bounds, defects and lost connections have their outcome."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass

import psycopg
import pytest
from psycopg import errors
from structlog.testing import capture_logs

from hub.application.batch import Keys, WorkingSet
from hub.application.commands import Submission
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller
from hub.domain.model import WalletKey
from hub.ledger.audit import audit
from hub.ledger.committer import WORTH_ITEMS, GroupCommitter
from hub.ledger.retrying import NeverDone
from tests.fixtures import delta
from tests.fixtures.ledger import (
    FIRMS,
    SUZHOU_FIRM,
    Book,
    authorizing,
    capturing,
    code,
    in_one_batch,
    issuing,
    other_body,
    running,
    sent,
    submit,
    together,
)
from tests.support_usecases import platform

CHANGXING, ZHEJIANG, JIANGSU, SHANGHAI = delta.CHANGXING, delta.ZHEJIANG, delta.JIANGSU, delta.SHANGHAI
LAB, OTHER_LAB = delta.SHANGHAI_LAB, delta.ANHUI_LAB


async def test_the_same_request_in_one_batch_and_in_a_later_one_has_one_effect(book: Book) -> None:
    item = authorizing(CHANGXING, FIRMS[0], LAB, "HT-1", 10_000)
    first, again, reused = await in_one_batch(book, [item, item, other_body(item)])
    assert first.ok and again == first
    assert code(reused) == "REQUEST_ID_REUSED"
    async with book.committer() as committer:
        assert await submit(committer, item) == first
        assert code(await submit(committer, other_body(item))) == "REQUEST_ID_REUSED"
        # The same id of another participant is another request.
        stranger = authorizing(CHANGXING, FIRMS[0], OTHER_LAB, "HT-1", 10_000)._replace(request_id=item.request_id)
        assert (await submit(committer, stranger)).ok
    assert book.one("SELECT count(*) FROM redemption") == 2
    assert book.one("SELECT count(*) FROM idempotency WHERE request_id = %s", item.request_id) == 2


@pytest.mark.parametrize(("fee", "written"), [(10_000, False), (9_000, True)], ids=["as authorized", "otherwise"])
async def test_a_capture_writes_the_order_only_where_its_lines_change_it(book: Book, fee: int, written: bool) -> None:
    key, place = str(uuid.uuid4()), "SELECT ctid::text FROM service_order WHERE order_no = 'HT-1'"
    async with book.committer() as committer:
        assert (await submit(committer, authorizing(CHANGXING, FIRMS[0], LAB, "HT-1", 10_000, redemption_id=key))).ok
        before = book.one(place)
        assert (await submit(committer, capturing(key, LAB, "FP-1", fee))).ok
    assert (book.one(place) != before) is written
    assert (await audit(book.uri)).clean


async def test_redemptions_captured_together_stay_on_their_pages(book: Book) -> None:
    made = [(authorizing(JIANGSU, SUZHOU_FIRM, LAB, f"HT-{number}", 1_000, redemption_id=key), key) for number, key in enumerate(_ids(60))]
    page = "SELECT redemption_id::text, (ctid::text::point)[0]::int FROM redemption ORDER BY redemption_id"
    async with book.committer() as committer:
        assert all(outcome.ok for outcome in await together(committer, [item for item, _ in made]))
        before = book.rows(page)
        captured = await together(committer, [capturing(key, LAB, f"FP-{key}") for _, key in made])
    assert all(outcome.ok for outcome in captured)
    assert len({row[1] for row in before}) > 1
    assert book.rows(page) == before


def _ids(count: int) -> list[str]:
    return [str(uuid.UUID(int=number)) for number in range(1, count + 1)]


async def test_a_refusal_is_remembered_too(book: Book) -> None:
    item = capturing(str(uuid.uuid4()), LAB, "FP-1")
    async with book.committer() as committer:
        refused = await submit(committer, item)
        assert code(refused) == "REDEMPTION_NOT_FOUND"
        assert await submit(committer, item) == refused
    assert book.one("SELECT body FROM idempotency WHERE request_id = %s", item.request_id) == refused.body


async def test_beyond_the_queue_the_answer_is_overloaded_and_nothing_is_kept(book: Book) -> None:
    committer = GroupCommitter(book.uri, book.clock, queue_items_max=3)
    items = [issuing(CHANGXING, FIRMS[0]) for _ in range(4)]
    waiting = [asyncio.create_task(submit(committer, item)) for item in items[:3]]
    await asyncio.sleep(0)
    assert code(await submit(committer, items[3])) == "OVERLOADED"
    async with running(committer):
        assert all(outcome.ok for outcome in await asyncio.gather(*waiting))
        assert book.rows("SELECT 1 FROM idempotency WHERE request_id = %s", items[3].request_id) == []
        assert (await submit(committer, items[3])).ok


@pytest.mark.parametrize(("calls", "batches"), [(20, [20]), (WORTH_ITEMS + 8, [WORTH_ITEMS, 8])], ids=["few", "enough"])
async def test_calls_that_arrive_one_after_the_other_share_a_batch_until_it_is_worth_its_cost(
    book: Book, calls: int, batches: list[int]
) -> None:
    async def arriving(turns: int) -> Outcome:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await submit(committer, issuing(CHANGXING, FIRMS[0]))

    sizes: list[int] = []
    async with book.committer() as committer:
        committer.on_batch = sizes.append
        outcomes = await asyncio.gather(*(arriving(turns) for turns in range(calls)))
    assert all(outcome.ok for outcome in outcomes)
    assert sizes == batches


class Defect:
    """A command with a bug."""

    def touch(self, keys: Keys) -> None:
        keys.wallets.add(WalletKey(CHANGXING, FIRMS[0]))

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        raise ZeroDivisionError(len(batch.wallets), caller.division)


async def test_a_defect_fails_alone(book: Book) -> None:
    bad = sent(Defect(), platform(CHANGXING))
    good = [issuing(CHANGXING, FIRMS[0]), authorizing(CHANGXING, FIRMS[0], LAB, "HT-1", 10_000)]
    with capture_logs() as logged:
        async with book.committer() as committer:
            calls = [submit(committer, item) for item in (good[0], bad, good[1], bad)]
            first, failed, second, failed_again = await asyncio.gather(*calls, return_exceptions=True)
            assert isinstance(first, Outcome) and first.ok
            assert isinstance(second, Outcome) and second.ok
            assert isinstance(failed, ZeroDivisionError) and isinstance(failed_again, ZeroDivisionError)
            assert (await submit(committer, issuing(CHANGXING, FIRMS[0]))).ok
    assert [entry["command"] for entry in logged if entry["log_level"] == "error"] == ["Defect", "Defect"]
    assert (await audit(book.uri)).clean
    assert book.rows("SELECT 1 FROM idempotency WHERE request_id = %s", bad.request_id) == []


@dataclass(frozen=True)
class Meeting:
    """A command that meets another transaction however often it is run."""

    error: type[psycopg.Error]

    def touch(self, keys: Keys) -> None:
        keys.wallets.add(WalletKey(CHANGXING, FIRMS[0]))

    def run(self, batch: WorkingSet, caller: Caller) -> Outcome:
        raise self.error(f"{len(batch.wallets)} {caller.division}")


@pytest.mark.parametrize("error", [errors.UniqueViolation, errors.DeadlockDetected])
async def test_what_meets_another_each_time_takes_no_neighbours_with_it(book: Book, error: type[psycopg.Error]) -> None:
    """Not those of its batch, nor those of a line that only stand beside it; to be sent again is told where that may help."""
    beside = [authorizing(CHANGXING, firm, LAB, f"HT-{firm}", 10_000) for firm in FIRMS]
    submissions = [Submission(item.command, item.request_id, item.digest) for item in beside]
    bad = sent(Meeting(error), platform(CHANGXING))
    committer = GroupCommitter(book.uri, book.clock)
    with capture_logs() as logged:
        line = asyncio.create_task(committer.submit_many(submissions, beside[0].caller))
        calls = [asyncio.create_task(submit(committer, item)) for item in (bad, issuing(CHANGXING, FIRMS[0]))]
        await asyncio.sleep(0)
        async with running(committer):
            told, issued = await asyncio.gather(*calls, return_exceptions=True)
            assert [code(outcome) for outcome in await line] == ["OK", "OK"]
            assert isinstance(issued, Outcome) and issued.ok
    if error is errors.UniqueViolation:
        assert isinstance(told, NeverDone)
    else:
        assert isinstance(told, Outcome) and code(told) == "UNAVAILABLE"
    assert [entry["event"] for entry in logged if entry["log_level"] == "error"] == ["command_failed"]
    assert (await audit(book.uri)).clean
    assert book.rows("SELECT 1 FROM idempotency WHERE request_id = %s", bad.request_id) == []


async def test_a_caller_that_goes_away_leaves_a_command_that_can_be_found(book: Book) -> None:
    item = issuing(CHANGXING, FIRMS[0])
    committer = GroupCommitter(book.uri, book.clock)
    waiting = asyncio.create_task(submit(committer, item))
    await asyncio.sleep(0)
    waiting.cancel()
    async with running(committer):
        outcome = await submit(committer, item)
    assert outcome.ok
    assert book.one("SELECT body FROM idempotency WHERE request_id = %s", item.request_id) == outcome.body


async def test_a_batch_whose_caller_goes_away_can_be_found_item_by_item(book: Book) -> None:
    items = [issuing(CHANGXING, FIRMS[0]) for _ in range(3)]
    committer = GroupCommitter(book.uri, book.clock)
    many = [Submission(item.command, item.request_id, item.digest) for item in items]
    waiting = asyncio.create_task(committer.submit_many(many, items[0].caller))
    await asyncio.sleep(0)
    waiting.cancel()
    async with running(committer):
        outcomes = await together(committer, items)
    assert all(outcome.ok for outcome in outcomes)
    assert book.one("SELECT count(*) FROM journal WHERE cause = 'ISSUE' AND amount = 10000") == len(items)


_HOLDS = {
    # The first round trip waits for the wallet, the second for a record of the same request.
    "load": "SELECT 1 FROM wallet FOR UPDATE",
    "write": "INSERT INTO idempotency SELECT %(participant)s, %(request)s, '\\x00', 0, '\\x00', now()",
}


@pytest.mark.parametrize("step", list(_HOLDS))
async def test_a_connection_cut_in_mid_batch_has_its_outcome_once(book: Book, step: str) -> None:
    items = [authorizing(CHANGXING, FIRMS[0], LAB, f"HT-{number}", 10_000) for number in range(3)]
    async with book.committer() as committer:
        with psycopg.connect(book.uri) as holder:
            holder.execute(_HOLDS[step].encode(), {"participant": items[0].caller.participant_id, "request": items[0].request_id})
            answers = asyncio.create_task(together(committer, items))
            for pid in await book.until_a_committer_waits():
                book.rows("SELECT pg_terminate_backend(%s)", pid)
            holder.rollback()
        assert [code(outcome) for outcome in await answers] == ["OK"] * 3
        assert await together(committer, items) == await answers
    assert book.one("SELECT count(*) FROM redemption") == 3
    assert (await audit(book.uri)).clean
