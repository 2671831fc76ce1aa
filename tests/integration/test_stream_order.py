"""Commands that count on those before them: where one is not taken or given up, none behind it is run, so none is refused for good."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import psycopg
import pytest

from hub.application.clearing import ClearStreams
from hub.application.commands import LATER, Submission
from hub.application.methods import ledger_methods
from hub.application.redeeming import void_command
from hub.codec.outcome import Outcome
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal
from hub.domain.review import Void
from hub.ledger import committer as committing
from hub.ledger import retrying
from hub.ledger.audit import audit
from hub.ledger.committer import GroupCommitter
from tests.fixtures import delta
from tests.fixtures.ledger import DEADLINE_SECONDS, FIRMS, Book, authorizing, capturing, code, running, sent, submit
from tests.support_usecases import START, platform
from yrd.clearing.v1 import clearing_pb2 as pb

LAB = delta.SHANGHAI_LAB
CALLER = replace(platform(delta.SHANGHAI), scopes=frozenset({"clearing.capture", "clearing.refund"}))
STREAMS = 8


class _Session:
    """A stream that sends its messages and then no more."""

    def __init__(self, commands: Sequence[dict[str, pb.CaptureRequest | pb.RefundRequest]]) -> None:
        self._commands = commands

    def caller(self) -> Caller | Refusal:
        return CALLER

    async def messages(self) -> AsyncIterator[bytes | Refusal]:
        stream_id = str(uuid.uuid4())
        for place, command in enumerate(self._commands):
            yield pb.ClearRequest(stream_id=stream_id, sequence=place + 1, **command).SerializeToString()  # type: ignore[arg-type]  # one of the kinds


def _captured_and_refunded(redemption_id: str, invoice_no: str) -> _Session:
    """A capture, and the refund that can only be right after it."""
    capture = delta.capture(redemption_id, invoice_no)
    capture.delivered_on = START.date().isoformat()
    refund = pb.RefundRequest(request_id=str(uuid.uuid4()), redemption_id=redemption_id, fee_fen=100)
    return _Session([{"capture": capture}, {"refund": refund}])


async def _authorized(book: Book, count: int) -> list[str]:
    ids = [str(uuid.uuid4()) for _ in range(count)]
    async with book.committer() as committer:
        for number, key in enumerate(ids):
            item = authorizing(delta.CHANGXING, FIRMS[0], LAB, f"HT-{number}", 1_000, redemption_id=key)
            assert code(await submit(committer, item)) == "OK"
    return ids


async def _answers(streams: ClearStreams, session: _Session) -> list[str]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return [_kind(outcome) async for outcome in streams.serve(session)]


def _kind(outcome: Outcome) -> str:
    """The kind of answer, or how the stream was ended."""
    return pb.ClearResponse.FromString(outcome.body).WhichOneof("outcome") or "" if outcome.ok else code(outcome)


async def test_streams_that_wait_for_room_are_all_served_in_order(book: Book) -> None:
    """They wake together where one place gets free: none may take it for its later command and be told OVERLOADED for the earlier."""
    ids = await _authorized(book, STREAMS)
    committer = GroupCommitter(book.uri, book.clock, queue_items_max=1)
    streams = ClearStreams(committer, ledger_methods(book.clock))
    sessions = [_captured_and_refunded(key, f"FP-{number}") for number, key in enumerate(ids)]
    served = [asyncio.create_task(_answers(streams, session)) for session in sessions]
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not committer.queued:  # noqa: ASYNC110 — turns of this loop, until the streams have read
            await asyncio.sleep(0)
    async with running(committer):
        assert await asyncio.gather(*served) == [["capture", "refund"]] * STREAMS
    assert (await audit(book.uri)).clean


async def _cut(book: Book, blocker: psycopg.Connection[object]) -> None:
    """Break the connection of the batch that waits for the lock, and give the lock free."""
    for pid in await book.until_a_committer_waits():
        blocker.execute("SELECT pg_terminate_backend(%s)", (pid,))
    blocker.rollback()


async def test_what_stands_behind_a_command_given_up_is_not_run(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ledger is gone for the capture and back again for the refund, which must not be told for good that nothing was captured."""
    monkeypatch.setattr(retrying, "ATTEMPTS_MAX", 1)
    (key,) = await _authorized(book, 1)
    session = _captured_and_refunded(key, "FP-1")
    async with book.committer() as committer:
        streams = ClearStreams(committer, ledger_methods(book.clock))
        with psycopg.connect(book.uri) as blocker:
            blocker.execute("LOCK TABLE redemption")
            # The first batch has the capture alone: the refund is read while it waits for the lock.
            monkeypatch.setattr(committing, "BATCH_ITEMS_MAX", 1)
            served = asyncio.create_task(_answers(streams, session))
            await _cut(book, blocker)
        assert await served == ["UNAVAILABLE"]
        # Sent again, as the client does, both are as if nothing had been.
        assert await _answers(streams, session) == ["capture", "refund"]
    assert (await audit(book.uri)).clean


async def test_what_stands_behind_an_item_given_up_is_not_run(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "ATTEMPTS_MAX", 1)
    monkeypatch.setattr(committing, "BATCH_ITEMS_MAX", 1)
    (key,) = await _authorized(book, 1)
    items = [capturing(key, LAB, "FP-1"), sent(void_command(Void(key)), platform(delta.SHANGHAI))]
    submissions = [Submission(item.command, item.request_id, item.digest) for item in items]
    async with book.committer() as committer, asyncio.timeout(DEADLINE_SECONDS):
        with psycopg.connect(book.uri) as blocker:
            blocker.execute("LOCK TABLE redemption")
            waiting = asyncio.create_task(committer.submit_many(submissions, platform(delta.SHANGHAI)))
            await _cut(book, blocker)
        outcomes = await waiting
        assert [outcome in LATER for outcome in outcomes] == [True, True]
        assert book.rows("SELECT 1 FROM idempotency WHERE request_id = ANY(%s::uuid[])", [item.request_id for item in items]) == []
        again = await committer.submit_many(submissions, platform(delta.SHANGHAI))
        assert [code(outcome) for outcome in again] == ["OK", "INVALID_STATE"]
