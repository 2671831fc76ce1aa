"""Streams through the public door: clearing without waiting, watching, and what becomes of both when the hub or the token goes."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import grpc
import psycopg
import pytest

from hub.client import CallResult, HubRefused, streams
from hub.client.streams import UNANSWERED_MAX, Command
from hub.domain.divisions import COORDINATION
from hub.ledger.audit import audit
from tests.fixtures import delta
from tests.fixtures.delta import ANHUI, CHANGXING, CLEARING, JIANGSU, SHANGHAI, SHANGHAI_LAB, request_id
from tests.fixtures.forked import ForkedHub, Ground
from tests.fixtures.hub import RunningHub
from tests.fixtures.seeds import SEED
from tests.fixtures.wire import Wire
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.settlement.v1 import settlement_pb2

DEADLINE_SECONDS = 60.0
_numbers = iter(range(10_000))


@pytest.fixture(scope="module")
def suzhou_firm(ground: Ground) -> str:
    return ground.firms(JIANGSU)[0]


def authorize(enterprise: str, fee: int = 1_000, issuer: str = CHANGXING) -> pb.AuthorizeRequest:
    return delta.authorize(issuer, enterprise, SHANGHAI_LAB, f"S-{next(_numbers)}", fee)


async def each(commands: Sequence[Command]) -> AsyncIterator[Command]:
    for command in commands:
        yield command


async def clear(hub: RunningHub, commands: Sequence[Command]) -> list[CallResult[Any]]:
    async with asyncio.timeout(DEADLINE_SECONDS):
        return [result async for result in (await hub.wire(SHANGHAI)).client.clear(each(commands))]


async def test_a_call_that_grpc_cancels_by_itself_is_a_broken_stream(hub: RunningHub, firm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where its writing side fails, as it may when a hub dies, grpc.aio cancels the call: whoever reads is not cancelled by that."""
    whole, calls = streams._Commands.requests, 0

    async def failing_once(commands: streams._Commands) -> AsyncIterator[pb.ClearRequest]:
        nonlocal calls
        calls += 1
        async for message in whole(commands):
            yield message
            if calls == 1:
                raise OSError("the writing side failed")

    monkeypatch.setattr(streams._Commands, "requests", failing_once)
    results = await clear(hub, [authorize(firm) for _ in range(3)])
    assert calls > 1 and all(result.ok for result in results) and len(results) == 3


async def test_a_reader_that_is_cancelled_ends(hub: RunningHub, firm: str) -> None:
    async def endless() -> AsyncIterator[Command]:
        yield authorize(firm)
        await asyncio.Event().wait()

    client, answered = (await hub.wire(SHANGHAI)).client, asyncio.Event()

    async def read() -> None:
        async for _ in client.clear(endless()):
            answered.set()

    reading = asyncio.create_task(read())
    async with asyncio.timeout(DEADLINE_SECONDS):
        await answered.wait()
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading


async def test_commands_of_every_kind_are_answered_in_order(hub: RunningHub, firm: str) -> None:
    authorized = [result.unwrap().redemption.redemption_id for result in await clear(hub, [authorize(firm) for _ in range(3)])]
    commands: list[Command] = [
        delta.capture(authorized[0], "FP-S-1"),
        pb.VoidRequest(request_id=request_id(), redemption_id=authorized[1]),
        pb.RefundRequest(request_id=request_id(), redemption_id=authorized[0], fee_fen=500),
        pb.VoidRequest(request_id=request_id(), redemption_id=authorized[1]),
        pb.VoidRequest(request_id="x", redemption_id=authorized[2]),
        authorize(firm),
    ]
    captured, voided, refunded, again, wrong, last = await clear(hub, commands)
    assert captured.unwrap().redemption.state == pb.REDEMPTION_STATE_CLEARED
    assert voided.unwrap().redemption.state == pb.REDEMPTION_STATE_VOIDED
    assert refunded.unwrap().returned_fen == 300
    assert (again.code, again.status) == ("INVALID_STATE", grpc.StatusCode.FAILED_PRECONDITION)
    assert wrong.code == "INVALID_ARGUMENT"
    assert last.unwrap().redemption.state == pb.REDEMPTION_STATE_AUTHORIZED


async def test_a_command_on_a_stream_is_the_same_as_one_alone(hub: RunningHub, firm: str) -> None:
    request = authorize(firm)
    (first,) = await clear(hub, [request])
    alone = await (await hub.wire(SHANGHAI)).ask(f"{CLEARING}.Authorize", request)
    assert first.unwrap() == alone.read(pb.AuthorizeResponse)


async def test_more_commands_than_may_be_unanswered(hub: RunningHub, firm: str) -> None:
    commands = [authorize(firm, 100 + i) for i in range(700)]
    results = await clear(hub, commands)
    assert [result.unwrap().redemption.order.order_no for result in results] == [command.input.order.order_no for command in commands]


class RawStream:
    """A Clear stream by hand."""

    def __init__(self, wire: Wire, token: str) -> None:
        metadata = (("authorization", f"Bearer {token}"),)
        self.call: Any = wire.channel.stream_stream(f"/{CLEARING}/Clear")(metadata=metadata, timeout=DEADLINE_SECONDS)
        self._sequence = 0
        self._stream_id = request_id()

    async def ask(self, **command: Any) -> pb.ClearResponse | None:
        """Send a command and return its answer, or None where the stream has ended."""
        self._sequence += 1
        message = pb.ClearRequest(stream_id=self._stream_id, sequence=self._sequence, **command)
        try:
            await self.call.write(message.SerializeToString())
            read = await self.call.read()
        except (grpc.aio.AioRpcError, asyncio.InvalidStateError):
            return None
        return None if read is grpc.aio.EOF else pb.ClearResponse.FromString(read)


async def test_scopes_hold_for_each_kind(hub: RunningHub, firm: str) -> None:
    folder = await asyncio.to_thread(hub.process.folder, SHANGHAI)
    narrow = await hub.open_wire(folder, ["clearing.authorize"])
    stream = RawStream(narrow, await narrow.client.tokens.get())
    authorized = await stream.ask(authorize=authorize(firm))
    assert authorized is not None and authorized.authorize.redemption.redemption_id
    refused = await stream.ask(capture=delta.capture(authorized.authorize.redemption.redemption_id, "FP-S-9"))
    assert refused is not None and refused.sequence == 2
    assert "clearing.capture" in refused.refusal.en
    reader = await hub.open_wire(folder, ["clearing.read"])
    with pytest.raises(HubRefused, match="SCOPE_MISSING"):
        await anext(reader.client.clear(each([authorize(firm)])))


async def test_a_stream_out_of_order_ends_with_the_field_named(hub: RunningHub, firm: str) -> None:
    wire = await hub.wire(SHANGHAI)
    stream_id = request_id()
    messages = [pb.ClearRequest(stream_id=stream_id, sequence=number, authorize=authorize(firm)) for number in (5, 7)]
    answer = await wire.stream(f"{CLEARING}.Clear", [message.SerializeToString() for message in messages], 10)
    assert (answer.code, answer.fields) == ("INVALID_ARGUMENT", ["sequence"])


async def test_an_expired_token_ends_a_stream_and_the_client_goes_on_with_a_new_one(ground: Ground, firm: str) -> None:
    with ground.database() as uri:
        async with ground.hub(uri, TOKEN_TTL_SECONDS="2") as hub:
            wire = await hub.wire(SHANGHAI)
            stream = RawStream(wire, await wire.client.tokens.get())
            answers = 0
            while await stream.ask(authorize=authorize(firm, 100)) is not None:
                answers += 1
            assert answers > 0
            assert await stream.call.code() is grpc.StatusCode.UNAUTHENTICATED
            assert "TOKEN_EXPIRED" in await stream.call.details()

            async def until_expired() -> AsyncIterator[Command]:
                first = await wire.client.tokens.get()
                while await wire.client.tokens.get() == first:
                    yield authorize(firm, 100)
                yield authorize(firm, 100)

            async with asyncio.timeout(DEADLINE_SECONDS):
                assert all([result.ok async for result in wire.client.clear(until_expired())])


# -- a hub that dies ---------------------------------------------------------------------------------------------------------------


async def test_a_stream_goes_on_after_sigkill(ground: Ground, firm: str) -> None:
    """The hub dies three times, each time with something applied that nobody was told of."""
    hit = random.Random(SEED).randint(1, 3)
    failpoints = json.dumps({"committer.after_commit_before_reply": f"kill:{hit}"})
    with ground.database() as uri:
        async with ground.hub(uri, FAILPOINTS=failpoints) as hub:
            reviver = asyncio.create_task(_revive(hub, times=3))
            # More than two lives' worth: a life ends with its third batch at the latest, and a batch is at most what may be unanswered.
            commands = [authorize(firm, 100) for _ in range(8 * UNANSWERED_MAX)]
            results = await clear(hub, commands)
            await reviver
            redemptions = [result.unwrap().redemption for result in results]
            assert [item.order.order_no for item in redemptions] == [command.input.order.order_no for command in commands]
            with psycopg.connect(uri) as connection:
                found = connection.execute("SELECT redemption_id::text FROM redemption").fetchall()
            assert sorted(row[0] for row in found) == sorted(item.redemption_id for item in redemptions)
            assert (await audit(uri)).clean


async def _revive(hub: RunningHub, times: int) -> None:
    """Start the hub again each time it has died; the last time without a failpoint."""
    assert isinstance(hub.process, ForkedHub)
    async with asyncio.timeout(DEADLINE_SECONDS):
        for left in reversed(range(times)):
            while hub.process.running:  # noqa: ASYNC110 — a process gives no event
                await asyncio.sleep(0.01)
            if not left:
                hub.process.settings["FAILPOINTS"] = "{}"
            hub.process.kill()
            # It may die again before anybody finds it up.
            hub.process.spawn()


# -- watching ----------------------------------------------------------------------------------------------------------------------


async def test_a_watch_sees_each_change_until_the_last(hub: RunningHub, suzhou_firm: str) -> None:
    made: pb.AuthorizeResponse = await hub.call(SHANGHAI, f"{CLEARING}.Authorize", authorize(suzhou_firm, 400_000, JIANGSU))
    key = made.redemption.redemption_id
    async with asyncio.timeout(DEADLINE_SECONDS), aclosing((await hub.wire(JIANGSU)).client.watch(key)) as watch:  # type: ignore[type-var]  # a generator, though its type says iterator
        assert await anext(watch) == made.redemption
        await hub.call(SHANGHAI, f"{CLEARING}.Capture", delta.capture(key, f"FP-W-{next(_numbers)}"))
        assert (await anext(watch)).state == pb.REDEMPTION_STATE_PENDING_REVIEW
        approved = await hub.call(JIANGSU, f"{CLEARING}.Approve", pb.ApproveRequest(redemption_id=key, approved_fen=150_000))
        assert await anext(watch) == approved.redemption
        await _settle(hub)
        closed = await anext(watch)
        assert closed.window_id and closed.state == pb.REDEMPTION_STATE_CLEARED
        await _pay(hub, closed.window_id)
        assert (await anext(watch)).state == pb.REDEMPTION_STATE_SETTLED
        # What was paid may still be given back, in parts: the watch goes on until there is nothing left.
        for fee, state in ((200_000, pb.REDEMPTION_STATE_SETTLED), (200_000, pb.REDEMPTION_STATE_REFUNDED)):
            refunded = await hub.call(SHANGHAI, f"{CLEARING}.Refund", pb.RefundRequest(redemption_id=key, fee_fen=fee))
            assert refunded.redemption.state == state
            seen = await anext(watch)
            assert (seen.state, seen.subsidy_fen) == (state, refunded.redemption.subsidy_fen)
        assert seen.subsidy_fen == 0 and seen.window_id == closed.window_id
        assert await anext(watch, None) is None


async def test_a_watch_of_what_is_refunded_before_its_window_closes_sees_the_window(hub: RunningHub, suzhou_firm: str) -> None:
    made: pb.AuthorizeResponse = await hub.call(SHANGHAI, f"{CLEARING}.Authorize", authorize(suzhou_firm, 10_000, JIANGSU))
    key = made.redemption.redemption_id
    await hub.call(SHANGHAI, f"{CLEARING}.Capture", delta.capture(key, f"FP-W-{next(_numbers)}"))
    await hub.call(SHANGHAI, f"{CLEARING}.Refund", pb.RefundRequest(redemption_id=key, fee_fen=10_000))
    async with asyncio.timeout(DEADLINE_SECONDS), aclosing((await hub.wire(JIANGSU)).client.watch(key)) as watch:  # type: ignore[type-var]  # a generator, though its type says iterator
        refunded = await anext(watch)
        assert refunded.state == pb.REDEMPTION_STATE_REFUNDED and not refunded.window_id
        await _settle(hub)
        closed = await anext(watch)
        assert closed.state == pb.REDEMPTION_STATE_REFUNDED and closed.window_id
        assert await anext(watch, None) is None


async def _settle(hub: RunningHub) -> None:
    await hub.call(JIANGSU, f"{delta.SETTLEMENT}.CloseWindow", settlement_pb2.CloseWindowRequest(issuers=[JIANGSU]))


async def _pay(hub: RunningHub, window_id: str) -> None:
    got = await hub.call(JIANGSU, f"{delta.SETTLEMENT}.GetWindow", settlement_pb2.GetWindowRequest(window_id=window_id))
    for debt in got.window.obligations:
        payment = settlement_pb2.ConfirmPaymentRequest(
            window_id=window_id, debtor=debt.debtor, creditor=debt.creditor, amount_fen=debt.amount_fen
        )
        await hub.call(JIANGSU, f"{delta.SETTLEMENT}.ConfirmPayment", payment)


async def test_many_watch_and_each_sees_its_own(hub: RunningHub, firm: str) -> None:
    keys = [result.unwrap().redemption.redemption_id for result in await clear(hub, [authorize(firm) for _ in range(20)])]
    watches = [(await hub.wire(division)).client.watch(key) for key in keys for division in (SHANGHAI, CHANGXING, COORDINATION)]
    async with asyncio.timeout(DEADLINE_SECONDS):
        first = await asyncio.gather(*map(anext, watches))
        await clear(hub, [pb.VoidRequest(request_id=request_id(), redemption_id=key) for key in keys])
        second = await asyncio.gather(*map(anext, watches))
        assert [item.redemption_id for item in first] == [item.redemption_id for item in second]
        assert {item.state for item in second} == {pb.REDEMPTION_STATE_VOIDED}
        assert [await anext(watch, None) for watch in watches] == [None] * len(watches)


async def test_a_watch_of_what_is_final_says_so_and_ends(hub: RunningHub, firm: str) -> None:
    key = (await clear(hub, [authorize(firm)]))[0].unwrap().redemption.redemption_id
    await clear(hub, [pb.VoidRequest(request_id=request_id(), redemption_id=key)])
    async with asyncio.timeout(DEADLINE_SECONDS):
        seen = [item.state async for item in (await hub.wire(SHANGHAI)).client.watch(key)]
    assert seen == [pb.REDEMPTION_STATE_VOIDED]


async def test_nobody_watches_another_sides_redemption(hub: RunningHub, firm: str) -> None:
    key = (await clear(hub, [authorize(firm)]))[0].unwrap().redemption.redemption_id
    for division, redemption_id, code in (
        (ANHUI, key, "REDEMPTION_NOT_FOUND"),
        (SHANGHAI, request_id(), "REDEMPTION_NOT_FOUND"),
        (SHANGHAI, "x", "INVALID_ARGUMENT"),
    ):
        with pytest.raises(HubRefused, match=code):
            await anext((await hub.wire(division)).client.watch(redemption_id))


async def test_a_watch_outlives_the_hub(ground: Ground, firm: str) -> None:
    with ground.database() as uri:
        async with ground.hub(uri) as hub:
            key = (await clear(hub, [authorize(firm)]))[0].unwrap().redemption.redemption_id
            watch = (await hub.wire(SHANGHAI)).client.watch(key)
            async with asyncio.timeout(DEADLINE_SECONDS):
                assert (await anext(watch)).state == pb.REDEMPTION_STATE_AUTHORIZED
                await asyncio.to_thread(hub.process.restart)
                following = asyncio.ensure_future(anext(watch))
                await hub.call(SHANGHAI, f"{CLEARING}.Void", pb.VoidRequest(redemption_id=key))
                assert (await following).state == pb.REDEMPTION_STATE_VOIDED
