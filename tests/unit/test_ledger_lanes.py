"""Which commands may be committed beside a batch under way: none that could meet it, none that could overtake what it could meet."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.application.batch import Keys, RequestKey, WorkingSet
from hub.application.commands import LedgerCommand
from hub.domain.caller import Caller, Role
from hub.domain.clock import SimulatedClock
from hub.domain.model import OrderKey, State, Wallet, WalletKey
from hub.ledger.committer import GroupCommitter
from hub.ledger.items import Item
from hub.ledger.lanes import Lane, Owners, choose, names
from tests.unit.builders import redemption

CALLER = Caller("p", "310000", Role.PLATFORM)


@dataclass
class Named:
    """A command that says what it touches, and does nothing."""

    wallets: tuple[str, ...] = ()
    redemptions: tuple[str, ...] = ()
    invoice_no: str = ""
    applications: tuple[str, ...] = ()
    label: int = field(default=0, compare=False)
    asked: int = field(default=0, compare=False)

    def touch(self, keys: Keys) -> None:
        self.asked += 1
        keys.wallets.update(WalletKey("310000", name) for name in self.wallets)
        keys.redemptions.update(self.redemptions)
        keys.captures.update((name, self.invoice_no) for name in self.redemptions if self.invoice_no)
        keys.applications.update(self.applications)


def item(command: Named, request_id: str = "", weight: int = 1) -> Item:
    request = RequestKey("p", request_id) if request_id else None
    return Item(cast(LedgerCommand, command), CALLER, request, b"", None, cast("asyncio.Future[Any]", None), weight)


def owning(known: Owners | None = None, /, **owners: str) -> Owners:
    """Owners of redemptions by the names of their firms, beside those known already."""
    known = known or Owners()
    redemptions = {name: redemption(name, WalletKey("310000", firm), OrderKey("lab", name)) for name, firm in owners.items()}
    ws = WorkingSet(now=datetime(2026, 1, 1, tzinfo=UTC), redemptions=redemptions)
    ws.new_redemptions.update(dict.fromkeys(redemptions))
    known.learn(ws)
    return known


def labels(batch: list[Item]) -> list[int]:
    return [cast(Named, each.command).label for each in batch]


def held(*commands: Named, owners: Owners | None = None) -> set[Hashable]:
    lane = Lane()
    lane.begin([item(command) for command in commands])
    found = lane.held(owners or Owners())
    assert found is not None
    return set(found)


def test_what_meets_the_batch_under_way_waits_and_what_does_not_is_taken() -> None:
    queue = deque(item(Named((firm,), label=at)) for at, firm in enumerate("abcab"))
    batch = choose(queue, held(Named(("a",))), Owners(), 10)
    assert labels(batch) == [1, 2, 4]
    assert labels(list(queue)) == [0, 3]


def test_nothing_overtakes_what_it_could_meet() -> None:
    """`ab` waits for `a`, so the `b` behind it must wait too, although nothing under way holds it."""
    queue = deque([item(Named(("a", "b"), label=0)), item(Named(("b",), label=1)), item(Named(("c",), label=2))])
    batch = choose(queue, held(Named(("a",))), Owners(), 10)
    assert labels(batch) == [2]
    assert labels(list(queue)) == [0, 1]


def test_what_a_command_meets_is_worked_out_until_it_is_known_and_then_no_more() -> None:
    passed_over, strange = Named(("a",)), Named(redemptions=("r",))
    waiting, under_way = [item(passed_over), item(strange)], held(Named(("a",)))
    for asked in (1, 2):
        assert choose(deque(waiting), set(under_way), Owners(), 10) == []
        assert (passed_over.asked, strange.asked) == (1, asked)
    for _ in range(2):
        assert choose(deque(waiting), set(under_way), owning(r="b"), 10) == [waiting[1]]
        assert (passed_over.asked, strange.asked) == (1, 3)


def test_a_command_of_which_it_is_not_known_what_it_meets_ends_the_search() -> None:
    queue = deque([item(Named(("b",), label=0)), item(Named(redemptions=("r",), label=1)), item(Named(("c",), label=2))])
    batch = choose(queue, held(Named(("a",))), Owners(), 10)
    assert labels(batch) == [0]
    assert labels(list(queue)) == [1, 2]


def test_a_redemption_authorized_here_is_known_by_its_wallet() -> None:
    owners = owning(r="a", s="b")
    queue = deque([item(Named(redemptions=("r",), label=0)), item(Named(redemptions=("s",), label=1))])
    batch = choose(queue, held(Named(("a",))), owners, 10)
    assert labels(batch) == [1]
    assert labels(list(queue)) == [0]


def test_a_redemption_captured_with_its_authorization_is_not_remembered() -> None:
    captured = redemption("r", WalletKey("310000", "a"), OrderKey("lab", "r"))
    captured.state = State.PENDING_REVIEW
    ws = WorkingSet(now=datetime(2026, 1, 1, tzinfo=UTC), redemptions={"r": captured})
    ws.new_redemptions["r"] = None
    owners = Owners()
    owners.learn(ws)
    assert owners.known(["r"]) == {}


def test_a_remembered_redemption_shares_the_key_of_its_wallet() -> None:
    made, kept = redemption("r", WalletKey("310000", "a"), OrderKey("lab", "r")), Wallet(WalletKey("310000", "a"))
    assert made.wallet == kept.key and made.wallet is not kept.key
    ws = WorkingSet(now=datetime(2026, 1, 1, tzinfo=UTC), redemptions={"r": made}, wallets={kept.key: kept})
    ws.new_redemptions["r"] = None
    owners = Owners()
    owners.learn(ws)
    assert owners.known(["r"])["r"].wallet is kept.key


def test_one_invoice_of_two_captures_keeps_their_order() -> None:
    owners = owning(r="a", s="b")
    under_way = held(Named(redemptions=("r",), invoice_no="INV"), owners=owners)
    queue = deque([item(Named(redemptions=("s",), invoice_no="INV"))])
    assert choose(queue, under_way, owners, 10) == []


def test_an_application_is_not_known_before_it_is_read() -> None:
    assert names(item(Named(applications=("x",))), Owners()) is None


def test_the_same_request_twice_keeps_its_order() -> None:
    queue = deque([item(Named(("b",)), request_id="r1")])
    under_way = Lane()
    under_way.begin([item(Named(("a",)), request_id="r1")])
    found = under_way.held(Owners())
    assert found is not None
    assert choose(queue, set(found), Owners(), 10) == []


def test_a_batch_with_an_unknown_command_lets_nothing_beside_it() -> None:
    lane = Lane()
    lane.begin([item(Named(("a",))), item(Named(redemptions=("r",)))])
    assert lane.held(Owners()) is None


def test_no_more_than_the_limit_is_taken() -> None:
    queue = deque(item(Named((firm,), label=at), weight=2) for at, firm in enumerate("bcd"))
    assert labels(choose(queue, held(Named(("a",))), Owners(), 5)) == [0, 1]
    assert labels(list(queue)) == [2]


def test_the_oldest_redemptions_are_forgotten_beyond_the_limit() -> None:
    owners = Owners(limit=32)
    for number in range(100):
        owning(owners, **{f"r{number}": "a"})
        left = [other for other in range(number + 1) if owners.of(f"r{other}") is not None]
        assert left == list(range(number + 1 - len(left), number + 1))
        assert min(30, number + 1) <= len(left) <= 32


def test_redemptions_gone_on_are_forgotten() -> None:
    owners = owning(r="a")
    assert owners.of("r") is not None
    ws = WorkingSet(
        now=datetime(2026, 1, 1, tzinfo=UTC), redemptions={"r": redemption("r", WalletKey("310000", "a"), OrderKey("lab", "r"))}
    )
    owners.learn(ws)
    assert owners.of("r") is None


@pytest.mark.parametrize("firms", [3, 8])
@given(data=st.data())
def test_taken_and_left_never_change_places_where_they_could_meet(firms: int, data: st.DataObject) -> None:
    """For any queue: each command left, and each taken from behind it, have no wallet in common; nothing is lost or doubled."""
    wallet = st.sampled_from("abcdefgh"[:firms])
    commands = data.draw(st.lists(st.lists(wallet, min_size=1, max_size=2, unique=True), max_size=12))
    under_way = data.draw(st.sets(wallet))
    queue = deque(item(Named(tuple(each), label=at)) for at, each in enumerate(commands))
    batch = labels(choose(queue, held(Named(tuple(under_way))), Owners(), 6))
    left = labels(list(queue))
    assert sorted(batch + left) == list(range(len(commands)))
    assert batch == sorted(batch) and left == sorted(left)
    for taken in batch:
        assert under_way.isdisjoint(commands[taken])
        for before in left:
            assert before > taken or set(commands[before]).isdisjoint(commands[taken])


async def test_a_defect_in_the_committer_itself_is_told_to_those_who_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError

    committer = GroupCommitter("postgresql://nowhere", SimulatedClock(datetime(2026, 1, 1, tzinfo=UTC)))
    monkeypatch.setattr(committer, "_settle", broken)
    running = asyncio.create_task(committer.run())
    async with asyncio.timeout(5):
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await committer.submit(cast(LedgerCommand, Named(("a",))), CALLER)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
