"""The process dies at each step of committer, unit of work, relay and consumer: nothing lost, doubled or half-done (design property 7).

Its scheduler and its sender of webhooks die in `test_crash_matrix_roles`.
"""

from __future__ import annotations

import asyncio
import json
import random

import pytest

from hub.failpoints import PLACES
from hub.ledger.audit import audit
from hub.messaging.cloudevents import CloudEvent, encode
from hub.messaging.topics import in_topic
from tests.fixtures import delta
from tests.fixtures import messaging as exchange
from tests.fixtures.forked import DOORS, Ground, killed_and_restarted
from tests.fixtures.lanes import LANES
from tests.fixtures.seeds import CRASH_LANES_APART, SEED
from tests.fixtures.told import last_states, told
from tests.fixtures.traffic import WORKERS, Traffic
from tests.integration.test_crash_matrix_roles import ROLES_APART
from tests.support_usecases import credit_code
from yrd.clearing.v1 import clearing_pb2 as pb
from yrd.events.v1 import events_pb2
from yrd.participant.v1 import participant_pb2

# Far enough into the stream that there are answers to be lost; of the unit of work, registrations and the closing of windows alike.
_HITS = {"committer": range(8, 25), "unitofwork": range(4, 25), "relay": range(2, 6)}
# All lanes at once, so that what one leaves half-done another meets; and in long runs each by itself.
_LANES = [tuple(LANES), *([(lane,) for lane in LANES] if CRASH_LANES_APART else [])]
_COMMANDS = 40
_AFTERWARDS = 40


class Stream(Traffic):
    """Traffic that registers a firm now and then: what does not pass the committer passes the unit of work."""

    async def _work(self, number: int) -> None:
        enterprise = delta.firm(credit_code(1_000 + number, "91330522"), delta.CHANGXING)
        register = participant_pb2.RegisterEnterpriseRequest(request_id=delta.request_id(), enterprise=enterprise)
        await self.ask(delta.CHANGXING, f"{delta.ENTERPRISES}.RegisterEnterprise", register)
        await super()._work(number)

    def firms(self) -> set[str]:
        """Return the firms whose registration was acknowledged."""
        return {
            asked.request.enterprise.uscc for asked in self.asked if isinstance(asked.request, participant_pb2.RegisterEnterpriseRequest)
        }


def test_every_place_is_here_or_among_the_roles() -> None:
    assert {place.partition(".")[0] for place in PLACES} == {*_HITS, "consumer", *ROLES_APART}


def _places(*parts: str) -> list[str]:
    return [place for place in PLACES if place.partition(".")[0] in parts]


@pytest.mark.parametrize("lanes", _LANES, ids="+".join)
@pytest.mark.parametrize("place", _places("committer", "unitofwork", "relay"))
async def test_killed_under_traffic(place: str, lanes: tuple[str, ...], ground: Ground) -> None:
    with ground.database() as uri:
        part = place.partition(".")[0]
        # Without settlement what passes the unit of work is each worker's registration.
        hits = range(4, WORKERS) if part == "unitofwork" and "settlement" not in lanes else _HITS[part]
        armed = json.dumps({place: f"kill:{random.Random(f'{SEED}/{place}').choice(hits)}"})
        async with ground.hub(uri, *DOORS, "relay", FAILPOINTS=armed) as hub:
            stream = Stream(hub, ground.wallets, SEED, lanes=lanes)
            async with stream.flowing():
                await killed_and_restarted(hub)
                await stream.nothing_lost()
                await stream.more(_AFTERWARDS)
            await stream.settled_exactly()
            known = exchange.query(uri, "SELECT uscc FROM enterprise WHERE uscc LIKE '9133052200000%'")
            assert stream.firms() <= {row[0] for row in known}
            events = await asyncio.to_thread(told, ground.bootstrap, hub.process.prefix, uri)
            states = last_states(events)
            assert {state.redemption_id for state in states} == set(stream.redemptions)
            assert all(_told_state(state) == _told_state(stream.redemptions[state.redemption_id]) for state in states)


def _told_state(redemption: pb.Redemption) -> pb.Redemption:
    """A redemption as a province was told of it: that its window closed is told once, by the window."""
    told_of = pb.Redemption()
    told_of.CopyFrom(redemption)
    told_of.ClearField("window_id")
    return told_of


# It dies at each place, and fails at each place in another life, before it dies further on.
_CONSUMER_LIVES: dict[str, dict[str, str]] = {
    "consumer.before_handle": {"consumer.after_inbox_before_offset_commit": "error", "consumer.before_handle": "kill:2"},
    "consumer.after_handle_before_inbox": {"consumer.before_handle": "error", "consumer.after_handle_before_inbox": "kill"},
    "consumer.after_inbox_before_offset_commit": {
        "consumer.after_handle_before_inbox": "error",
        "consumer.after_inbox_before_offset_commit": "kill",
    },
}


@pytest.mark.parametrize("place", _places("consumer"))
async def test_the_consumer_fails_and_dies(place: str, ground: Ground) -> None:
    armed = _CONSUMER_LIVES[place]
    with ground.database() as uri:
        async with ground.hub(uri, *DOORS, "relay", "consumer", FAILPOINTS=json.dumps(armed)) as hub:
            sent = _commands(ground)
            topic = in_topic(hub.process.prefix, delta.SHANGHAI)
            await asyncio.to_thread(exchange.send, ground.bootstrap, topic, [encode(command) for command in sent.values()])
            await killed_and_restarted(hub)
            await exchange.until(lambda: _handled(uri) == len(sent), "every command to be handled")
            events = await asyncio.to_thread(told, ground.bootstrap, hub.process.prefix, uri)
            _one_outcome_each(sent, events, uri)
            report = await audit(uri)
            assert report.clean, report.differences


def _commands(ground: Ground) -> dict[str, CloudEvent]:
    """Authorizations alone, in batches, and in batches that are all or nothing."""
    commands = {}
    for number in range(_COMMANDS):
        wallet = ground.wallets[number % len(ground.wallets)]
        items = [delta.authorize(wallet.issuer, wallet.enterprise, delta.SHANGHAI_LAB, no, 60_000) for no in _order_numbers(number)]
        kind, request = "Authorize", items[0].SerializeToString()
        if len(items) > 1:
            batch = pb.BatchAuthorizeRequest(request_id=delta.request_id(), items=items, atomic=number % 3 == 2)
            kind, request = "BatchAuthorize", batch.SerializeToString()
        commands[str(number)] = CloudEvent(
            id=str(number),
            source="//platform.test",
            type=f"{delta.CLEARING}.{kind}",
            time=exchange.AT,
            data=request,
            key=wallet.enterprise,
        )
    return commands


def _order_numbers(number: int) -> list[str]:
    """The orders of a command: every third concerns one, the others two."""
    return [f"HT-{number}-{place}" for place in range(1 if number % 3 == 0 else 2)]


def _handled(uri: str) -> int:
    return int(exchange.query(uri, "SELECT count(*) FROM inbox")[0][0])


def _one_outcome_each(sent: dict[str, CloudEvent], events: dict[str, list[CloudEvent]], uri: str) -> None:
    """Every command was answered, again with the same bytes where it was answered again, and had one effect."""
    answers: dict[str, set[bytes]] = {}
    for event in events["310000.out"]:
        if event.type == events_pb2.CommandOutcome.DESCRIPTOR.full_name:
            outcome = events_pb2.CommandOutcome.FromString(event.data)
            answers.setdefault(outcome.source_id, set()).add(event.data)
            assert [item.order.order_no for item in _authorized(outcome)] == _order_numbers(int(outcome.source_id))
    assert set(answers) == set(sent)
    assert all(len(bodies) == 1 for bodies in answers.values())
    orders = exchange.query(uri, "SELECT order_no FROM redemption")
    assert sorted(row[0] for row in orders) == sorted(order_no for number in range(_COMMANDS) for order_no in _order_numbers(number))


def _authorized(outcome: events_pb2.CommandOutcome) -> list[pb.Redemption]:
    if outcome.method.endswith(".BatchAuthorize"):
        found = pb.BatchAuthorizeResponse.FromString(outcome.response).outcomes
        redemptions = [item.response.redemption for item in found]
    else:
        redemptions = [pb.AuthorizeResponse.FromString(outcome.response).redemption]
    assert {item.state for item in redemptions} == {pb.REDEMPTION_STATE_AUTHORIZED}
    return redemptions
