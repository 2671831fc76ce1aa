"""The Clear stream from inside: what it reads ahead, in which order it answers, how it ends."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from hub.application.clearing import ClearStreams
from hub.application.commands import Submission
from hub.application.methods import ledger_methods
from hub.codec.outcome import Outcome, answer, refused
from hub.domain.caller import Caller, Role
from hub.domain.clock import SystemClock
from hub.domain.refusals import Refusal, RefusalCode
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.common.v1 import refusal_pb2

STREAM = str(uuid.uuid4())
CALLER = Caller("spiffe://310000/310000/platform", "310000", Role.PLATFORM, frozenset({"clearing.authorize", "clearing.capture"}))
OVERLOADED = refused(Refusal(RefusalCode.OVERLOADED))


class Held:
    """A committer that answers when told to, in any order."""

    def __init__(self) -> None:
        self.waiting: list[asyncio.Future[Outcome]] = []

    async def submit(self, command: object, caller: Caller, **_: Any) -> Outcome:
        raise AssertionError("a stream submits in its line")

    async def submit_many(self, submissions: Sequence[Submission], caller: Caller) -> list[Outcome]:
        raise AssertionError("a stream submits one by one")

    async def submit_alone(self, once: object) -> Outcome:
        raise AssertionError("a stream carries commands of batches")

    async def submit_in_line(self, line: object, submission: Submission, caller: Caller) -> asyncio.Future[Outcome]:
        del line, submission, caller
        self.waiting.append(asyncio.get_running_loop().create_future())
        return self.waiting[-1]


class Line:
    """A session of given messages, counting those read; it stays open until closed."""

    def __init__(self, messages: Sequence[bytes | Refusal], *, callers: Sequence[Caller | Refusal] = ()) -> None:
        self.read = 0
        self.closed = asyncio.Event()
        self._messages = messages
        self._callers = iter(callers)

    def caller(self) -> Caller | Refusal:
        return next(self._callers, CALLER)

    async def messages(self) -> AsyncIterator[bytes | Refusal]:
        for message in self._messages:
            self.read += 1
            yield message
        await self.closed.wait()


def void(sequence: int, stream_id: str = "") -> bytes:
    command = pb.VoidRequest(request_id=str(uuid.uuid4()), redemption_id=str(uuid.uuid4()))
    return pb.ClearRequest(stream_id=stream_id, sequence=sequence, void=command).SerializeToString()


def voids(count: int) -> list[bytes]:
    return [void(1, STREAM), *(void(number) for number in range(2, count + 1))]


def response(number: int) -> pb.VoidResponse:
    return pb.VoidResponse(released_fen=number)


async def settle() -> None:
    """Let everything run that can."""
    for _ in range(2_000):
        await asyncio.sleep(0)


def streams(committer: Held, unanswered_max: int = 4) -> ClearStreams:
    return ClearStreams(committer, ledger_methods(SystemClock()), unanswered_max=unanswered_max)


async def collect(answers: AsyncIterator[Outcome]) -> list[Outcome]:
    return [outcome async for outcome in answers]


async def test_it_reads_no_further_than_the_bound() -> None:
    committer, line = Held(), Line(voids(20))
    answers = streams(committer).serve(line)
    first = asyncio.ensure_future(anext(answers))
    await settle()
    assert (line.read, len(committer.waiting)) == (4, 4)
    committer.waiting[0].set_result(answer(response(1)))
    assert pb.ClearResponse.FromString((await first).body) == pb.ClearResponse(sequence=1, void=response(1))
    # The answer is out only when more is asked for: until then it is the caller who is slow.
    await settle()
    assert line.read == 4
    second = asyncio.ensure_future(anext(answers))
    await settle()
    assert line.read == 5
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)


async def test_answers_come_in_order_whatever_is_done_first() -> None:
    committer, line = Held(), Line(voids(3))
    collected = asyncio.ensure_future(collect(streams(committer).serve(line)))
    await settle()
    for place in (2, 0, 1):
        committer.waiting[place].set_result(answer(response(place + 1)) if place != 1 else refused(Refusal(RefusalCode.INVALID_STATE)))
    await settle()
    assert not collected.done()
    line.closed.set()
    got = [pb.ClearResponse.FromString(outcome.body) for outcome in await collected]
    assert [(item.sequence, item.WhichOneof("outcome")) for item in got] == [(1, "void"), (2, "refusal"), (3, "void")]


async def test_what_is_to_be_sent_again_ends_the_stream() -> None:
    committer, line = Held(), Line(voids(4))
    collected = asyncio.ensure_future(collect(streams(committer).serve(line)))
    await settle()
    for future, outcome in zip(committer.waiting, [answer(response(1)), OVERLOADED, answer(response(3)), OVERLOADED], strict=True):
        future.set_result(outcome)
    got = await collected
    assert [outcome.ok for outcome in got] == [True, False]
    assert got[1] == OVERLOADED


async def test_a_token_that_expires_ends_the_stream_after_the_answers_before() -> None:
    expired = Refusal(RefusalCode.TOKEN_EXPIRED)
    committer, line = Held(), Line(voids(3), callers=[CALLER, CALLER, expired])
    collected = asyncio.ensure_future(collect(streams(committer).serve(line)))
    await settle()
    assert len(committer.waiting) == 2
    for future in committer.waiting:
        future.set_result(answer(response(1)))
    got = await collected
    assert [outcome.ok for outcome in got] == [True, True, False]
    assert got[-1] == refused(expired)


async def test_a_kind_needs_its_own_scope() -> None:
    refund = pb.RefundRequest(request_id=str(uuid.uuid4()), redemption_id=str(uuid.uuid4()), fee_fen=1)
    message = pb.ClearRequest(stream_id=STREAM, sequence=7, refund=refund).SerializeToString()
    committer, line = Held(), Line([message])
    line.closed.set()
    (got,) = await collect(streams(committer).serve(line))
    assert pb.ClearResponse.FromString(got.body).sequence == 7
    assert pb.ClearResponse.FromString(got.body).refusal.code == refusal_pb2.REFUSAL_CODE_SCOPE_MISSING
    assert not committer.waiting


BROKEN: dict[str, tuple[list[bytes | Refusal], str]] = {
    "a gap": ([void(1, STREAM), void(3)], "sequence"),
    "a repetition": ([void(1, STREAM), void(1)], "sequence"),
    "no beginning": ([void(0, STREAM)], "sequence"),
    "before the beginning": ([void(-(2**63), STREAM)], "sequence"),
    "no stream": ([void(1)], "stream_id"),
    "another stream": ([void(1, STREAM), void(2, str(uuid.uuid4()))], "stream_id"),
    "no command": ([pb.ClearRequest(stream_id=STREAM, sequence=1).SerializeToString()], "command"),
    "no message": ([b"\xff\xff"], "(message)"),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_order_of_messages_ends_the_stream(name: str) -> None:
    messages, field = BROKEN[name]
    committer, line = Held(), Line(messages)
    collected = asyncio.ensure_future(collect(streams(committer).serve(line)))
    await settle()
    for future in committer.waiting:
        future.set_result(answer(response(1)))
    got = await collected
    assert [outcome.ok for outcome in got] == [True] * (len(messages) - 1) + [False]
    assert f"field {field}:".encode() in got[-1].body


async def test_a_caller_who_leaves_takes_nothing_along() -> None:
    """What the committer has it keeps; what was not read is not asked for any more."""
    committer, line, before = Held(), Line(voids(20)), asyncio.all_tasks()
    collected = asyncio.ensure_future(collect(streams(committer).serve(line)))
    await settle()
    collected.cancel()
    await asyncio.gather(collected, return_exceptions=True)
    await settle()
    assert (line.read, len(committer.waiting)) == (4, 4)
    assert asyncio.all_tasks() <= before


async def test_what_fails_in_reading_ends_the_answers() -> None:
    class Broken(Line):
        async def messages(self) -> AsyncIterator[bytes | Refusal]:
            yield void(1, STREAM)
            raise OSError("the line is dead")

    committer = Held()
    collected = asyncio.ensure_future(collect(streams(committer).serve(Broken([]))))
    await settle()
    committer.waiting[0].set_result(answer(response(1)))
    with pytest.raises(OSError, match="dead"):
        await collected
