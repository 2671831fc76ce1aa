"""The Clear stream: commands one after the other without waiting, answers in their order as each is durable.

The hub keeps nothing of a stream. What makes it resumable is that answers come in order, so that the caller knows from where on to send
again, and that every command has a request id of its own, so that sending again changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from hub.application.commands import LATER, Committer, Line
from hub.application.methods import Decode, Ledger, ledger_method
from hub.application.preparing import parse, prepare
from hub.application.sessions import Session
from hub.codec.fields import Fields
from hub.codec.frames import outcome_field
from hub.codec.outcome import Outcome, refused
from hub.codec.splice import varint
from hub.domain.caller import Caller
from hub.domain.refusals import Refusal, RefusalCode, invalid
from yrd.clearing.v1 import clearing_pb2 as pb

UNANSWERED_MAX = 256
"""How many commands of one stream may be unanswered; meanwhile the hub reads no further, and gRPC holds the caller back."""

_SEQUENCE_KEY = varint(pb.ClearResponse.SEQUENCE_FIELD_NUMBER << 3)
_FIELDS = pb.ClearResponse.DESCRIPTOR.fields_by_name
_KINDS = {
    "authorize": "yrd.clearing.v1.ClearingService.Authorize",
    "capture": "yrd.clearing.v1.ClearingService.Capture",
    "void": "yrd.clearing.v1.ClearingService.Void",
    "refund": "yrd.clearing.v1.ClearingService.Refund",
}


class _Asked(NamedTuple):
    sequence: int
    kind: str
    outcome: asyncio.Future[Outcome]


class ClearStreams:
    """Serves Clear streams."""

    def __init__(self, committer: Committer, decoders: Mapping[str, Decode], *, unanswered_max: int = UNANSWERED_MAX) -> None:
        self._committer = committer
        self._kinds = {kind: ledger_method(name, decoders) for kind, name in _KINDS.items()}
        self._unanswered_max = unanswered_max

    async def serve(self, session: Session) -> AsyncIterator[Outcome]:
        """Yield the answers of one stream. A refusal ends it: of the stream itself, or one after which all must be sent again."""
        stream = _Stream(session, self._committer, self._kinds, self._unanswered_max)
        reading = asyncio.create_task(stream.read())
        try:
            async for answer in stream.answers():
                yield answer
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            stream.abandon()


class _Stream:
    """One open stream: what was read and waits to be answered."""

    def __init__(self, session: Session, committer: Committer, kinds: Mapping[str, Ledger], unanswered_max: int) -> None:
        self._session = session
        self._committer = committer
        self._kinds = kinds
        self._line = Line()
        self._room = asyncio.Semaphore(unanswered_max)
        self._asked: asyncio.Queue[_Asked | Refusal | Exception | None] = asyncio.Queue()
        self._stream_id = ""
        self._sequence = 0

    async def read(self) -> None:
        """Read commands and hand them to the committer, no more than may be unanswered."""
        messages = self._session.messages()
        try:
            while True:
                await self._room.acquire()
                message = await anext(messages, None)
                asked = None if message is None else await self._ask(message)
                self._asked.put_nowait(asked)
                if not isinstance(asked, _Asked):
                    return
        except Exception as error:
            # What goes wrong in reading is the end of the answers too.
            self._asked.put_nowait(error)

    async def answers(self) -> AsyncIterator[Outcome]:
        """Yield the answers in order until the stream ends or is refused."""
        while (asked := await self._asked.get()) is not None:
            if isinstance(asked, Exception):
                raise asked
            if isinstance(asked, Refusal):
                yield refused(asked)
                return
            outcome = await asked.outcome
            if outcome in LATER:
                # None behind this one was run that could meet it (`Line`). Any other may be done; in order, it counts as unanswered.
                yield outcome
                return
            yield _answer(asked, outcome)
            self._room.release()

    def abandon(self) -> None:
        """Wait for nothing any more. Commands already with the committer are carried out, and findable by their request ids."""
        while not self._asked.empty():
            asked = self._asked.get_nowait()
            if isinstance(asked, _Asked):
                asked.outcome.cancel()

    async def _ask(self, message: bytes | Refusal) -> _Asked | Refusal:
        if isinstance(message, Refusal):
            return message
        caller = self._session.caller()
        if isinstance(caller, Refusal):
            return caller
        request = parse(pb.ClearRequest, message)
        if isinstance(request, Refusal):
            return request
        wrong = self._place(request)
        if wrong is not None:
            return wrong
        kind = request.WhichOneof("command")
        if kind is None:
            return invalid("command", "must hold a command")
        return _Asked(request.sequence, kind, await self._submit(kind, getattr(request, kind), caller))

    def _place(self, request: pb.ClearRequest) -> Refusal | None:
        """Say what is wrong with a message's place in the stream, if anything is, and go on to the next."""
        fields = Fields()
        if not self._stream_id:
            self._stream_id = fields.uuid("stream_id", request.stream_id)
            fields.between("sequence", request.sequence, 1, 2**62)
        else:
            if request.stream_id and fields.uuid("stream_id", request.stream_id) != self._stream_id:
                fields.wrong("stream_id", "must be that of the first message, or empty")
            if request.sequence != self._sequence + 1:
                fields.wrong("sequence", f"must be {self._sequence + 1}, one more than that of the message before")
        self._sequence = request.sequence
        return fields.refusal

    async def _submit(self, kind: str, request: object, caller: Caller) -> asyncio.Future[Outcome]:
        method = self._kinds[kind]
        if method.access.scope not in caller.scopes:
            return _done(refused(_scope_missing(method.access.scope)))
        item = prepare(method, request)
        if isinstance(item, Refusal):
            return _done(refused(item))
        return await self._committer.submit_in_line(self._line, item, caller)


def _done(outcome: Outcome) -> asyncio.Future[Outcome]:
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    future.set_result(outcome)
    return future


def _answer(asked: _Asked, outcome: Outcome) -> Outcome:
    body = _SEQUENCE_KEY + varint(asked.sequence) + outcome_field(outcome, _FIELDS[asked.kind].number, _FIELDS["refusal"].number)
    return Outcome(0, body)


def _scope_missing(scope: str) -> Refusal:
    return Refusal(
        RefusalCode.SCOPE_MISSING,
        metadata=(("scope", scope),),
        detail_zh=f"访问令牌缺少权限范围 {scope}",
        detail_en=f"the access token lacks the scope {scope}",
    )
