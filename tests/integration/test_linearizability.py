"""Many clients on two hub processes over contended rows: some order of the commands explains every answer (design property 5)."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import NamedTuple

import pytest

from hub.ledger.audit import audit
from tests.fixtures import delta
from tests.fixtures.forked import Ground
from tests.fixtures.hub import RunningHub
from tests.fixtures.linear import Operation, explain
from tests.fixtures.model import Authorize, Change, Command, Look, Result, apply, world
from tests.fixtures.seeds import ROUNDS, SEED
from tests.support_usecases import credit_code
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.voucher.v1 import voucher_pb2

_AT_ONCE = 12
_LAB = delta.SHANGHAI_LAB
_ISSUERS = (delta.CHANGXING, delta.ZHEJIANG)


class Contention(NamedTuple):
    """What is fought over. `notes` are the faces of each issuer's notes; `orders` how many there are; `fees` of a new authorization."""

    name: str
    notes: dict[str, list[int]]
    orders: int
    fees: tuple[int, ...]
    before: tuple[int, ...]
    """Fees of what is authorized before the others come, on orders of their own."""


_CONTENTIONS = (
    Contention("cap", {delta.CHANGXING: [100_000] * 20}, 12, (200_000, 400_000), (1_000_000, 600_000, 600_000)),
    Contention("note", {delta.CHANGXING: [100_000]}, 12, (40_000, 60_000), (50_000, 30_000, 30_000)),
    Contention("order", {issuer: [100_000] * 3 for issuer in _ISSUERS}, 1, (100_000,), (100_000, 40_000)),
)


@pytest.fixture(scope="module")
async def hubs(ground: Ground) -> AsyncIterator[list[RunningHub]]:
    """Two hub processes over one database."""
    with ground.database() as uri:
        async with AsyncExitStack() as stack:
            yield [await stack.enter_async_context(ground.hub(uri)) for _ in range(2)]


@pytest.mark.parametrize("contention", _CONTENTIONS, ids=[item.name for item in _CONTENTIONS])
async def test_some_order_explains_every_answer(contention: Contention, hubs: list[RunningHub]) -> None:
    for number in range(ROUNDS):
        dice = random.Random(f"{SEED}/{contention.name}/{number}")
        enterprise = credit_code(10_000 + 100 * _CONTENTIONS.index(contention) + number, "91330522")
        await delta.furnish(hubs[0], enterprise, delta.CHANGXING, [], 0, 0)
        for issuer, faces in contention.notes.items():
            await hubs[0].call(issuer, f"{delta.VOUCHERS}.IssueVouchers", delta.issue(issuer, enterprise, faces[0], len(faces)))
        clients = Clients(hubs, enterprise)
        await clients.round(contention, dice)
        order = explain(clients.history, world(contention.notes), apply)
        assert order is not None, "\n".join(map(str, (f"seed {SEED}, round {number}", *clients.history)))


async def test_the_books_are_right_afterwards(hubs: list[RunningHub]) -> None:
    report = await audit(hubs[0].process.database_url)
    assert report.clean, report.differences


class Clients:
    """Sends commands as the model has them, notes when, and translates the answers into the model's."""

    def __init__(self, hubs: list[RunningHub], enterprise: str) -> None:
        self.history: list[Operation[Command, Result]] = []
        self._hubs = hubs
        self._enterprise = enterprise
        self._redemptions: dict[str, str] = {}
        self._notes: dict[str, list[str]] = {}

    async def round(self, contention: Contention, dice: random.Random) -> None:
        """One after the other what is there before; then all at once; then a look at what is left."""
        for issuer in contention.notes:
            await self._look_at_notes(issuer)
        before: list[Authorize] = []
        for place, fee in enumerate(contention.before):
            issuer = dice.choice(list(contention.notes))
            # The order that is fought over has one redemption already.
            order_no = "O-0" if contention.orders == 1 and place == 0 else f"B-{place}"
            before.append(Authorize(delta.request_id(), issuer, self._own(order_no), fee))
            await self._do(self._hubs[0], before[-1])
        known = [item for item in before if item.key in self._redemptions]
        commands = [self._command(contention, dice, known) for _ in range(_AT_ONCE - 2)]
        # Somebody sends the very same again without waiting for the answer.
        commands += dice.sample([item for item in commands if not isinstance(item, Look)], 2)
        await asyncio.gather(*(self._do(dice.choice(self._hubs), command) for command in commands))
        for issuer in contention.notes:
            await self._do(self._hubs[1], Look(issuer))

    def _own(self, order_no: str) -> str:
        return f"{order_no}-{self._enterprise[-6:]}"

    def _command(self, contention: Contention, dice: random.Random, known: list[Authorize]) -> Command:
        kind, key = dice.random(), delta.request_id()
        issuer, target = dice.choice(list(contention.notes)), dice.choice(known)
        if kind < 0.5:
            order_no = self._own(f"O-{dice.randrange(contention.orders)}" if contention.orders == 1 else f"O-{key[:8]}")
            return Authorize(key, issuer, order_no, dice.choice(contention.fees), dice.random() < 0.2)
        if kind < 0.65:
            return Change(key, "Void", target.key)
        if kind < 0.8:
            return Change(key, "Capture", target.key, self._own(f"F-{dice.randrange(2)}"))
        # A refund lowers what an order may cost; only those on orders of their own are given back.
        own = [item for item in known if item.order_no.startswith("B-")]
        return Change(key, "Refund", dice.choice(own).key) if kind < 0.88 and own else Look(issuer)

    async def _do(self, hub: RunningHub, command: Command) -> None:
        began = time.monotonic()
        result = await (self._look(hub, command.issuer) if isinstance(command, Look) else self._send(hub, command))
        self.history.append(Operation(command, result, began, time.monotonic()))

    async def _send(self, hub: RunningHub, command: Authorize | Change) -> Result:
        if isinstance(command, Authorize):
            request = delta.authorize(command.issuer, self._enterprise, _LAB, command.order_no, command.fee)
            request.request_id, request.input.all_or_nothing = command.key, command.whole
            answer = await (await hub.wire(delta.SHANGHAI)).ask(f"{delta.CLEARING}.Authorize", request)
            if answer.ok:
                redemption = answer.read(pb.AuthorizeResponse).redemption
                self._redemptions[command.key] = redemption.redemption_id
                return self._shown(redemption)
            return (answer.code,)
        target = self._redemptions[command.target]
        message: pb.VoidRequest | pb.RefundRequest | pb.CaptureRequest = pb.VoidRequest(request_id=command.key, redemption_id=target)
        kind: type[pb.VoidResponse] | type[pb.RefundResponse] | type[pb.CaptureResponse] = pb.VoidResponse
        if command.kind == "Capture":
            message, kind = delta.capture(target, command.invoice), pb.CaptureResponse
            message.request_id = command.key
        elif command.kind == "Refund":
            fee = next(o.command.fee for o in self.history if isinstance(o.command, Authorize) and o.command.key == command.target)
            message, kind = pb.RefundRequest(request_id=command.key, redemption_id=target, fee_fen=fee), pb.RefundResponse
        answer = await (await hub.wire(delta.SHANGHAI)).ask(f"{delta.CLEARING}.{command.kind}", message)
        return self._shown(answer.read(kind).redemption) if answer.ok else (answer.code,)

    def _shown(self, redemption: pb.Redemption) -> Result:
        drawn = {draw.voucher_no: draw.amount_fen for draw in redemption.draws}
        state = pb.RedemptionState.Name(redemption.state).removeprefix("REDEMPTION_STATE_")
        return (state, redemption.subsidy_fen, tuple(drawn.get(number, 0) for number in self._notes[redemption.issuer]))

    async def _wallet(self, hub: RunningHub, issuer: str) -> voucher_pb2.GetWalletResponse:
        request = voucher_pb2.GetWalletRequest(issuer=issuer, enterprise=self._enterprise)
        return (await (await hub.wire(issuer)).ask(f"{delta.VOUCHERS}.GetWallet", request)).read(voucher_pb2.GetWalletResponse)

    async def _look_at_notes(self, issuer: str) -> None:
        self._notes[issuer] = [note.voucher_no for note in (await self._wallet(self._hubs[0], issuer)).vouchers]

    async def _look(self, hub: RunningHub, issuer: str) -> Result:
        wallet = await self._wallet(hub, issuer)
        return ("wallet", wallet.available_fen, wallet.reserved_fen, wallet.quota_used_fen)
