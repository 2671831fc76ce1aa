"""Every RPC with mutated messages, as several callers: an answer with a stable code, never UNKNOWN or INTERNAL, and right books."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from google.protobuf import descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, currently_in_test_context, event, given, settings
from hypothesis import strategies as st

from hub.domain.caller import Role
from hub.domain.divisions import COORDINATION
from hub.ledger.audit import audit
from hub.rpc.server import HARD_LIMIT_FACTOR
from hub.security.access import access_rules
from hub.settings import Settings
from tests.fixtures import delta
from tests.fixtures import messaging as exchange
from tests.fixtures.forked import DOORS, Ground
from tests.fixtures.hub import RunningHub
from tests.fixtures.mutants import Known, as_known_to, known_values, requests, spoiled_start
from tests.fixtures.seeds import FUZZ_EXAMPLES, SEED
from tests.fixtures.starts import Starts, Yard
from tests.fixtures.starts_clearing import CLEARING
from tests.fixtures.starts_market import MARKET
from tests.fixtures.starts_pool import POOL
from tests.fixtures.starts_pool import furnish as furnish_pool
from tests.fixtures.traffic import Traffic
from tests.fixtures.wire import Answer, Wire
from tests.support_usecases import credit_code
from yrd.settlement.v1 import settlement_pb2
from yrd.voucher.v1 import voucher_pb2

_PLATFORMS = (delta.CHANGXING, delta.ZHEJIANG, delta.JIANGSU, delta.SHANGHAI, delta.SHANGHAI, delta.ANHUI, delta.ANHUI)
_CLOCK = "yrd.simulation.v1.SimulationService.AdvanceClock"
_CATALOGUE = "yrd.registry.v1.CatalogueService"
_METHODS = sorted(path[1:].replace("/", ".") for path in access_rules())
# What a healthy hub may answer. UNAVAILABLE is not among them: it would make a client send the same bad message for ever.
_ANSWERS = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
}
GRPC_BYTES_MAX = Settings.model_fields["max_message_bytes"].default * HARD_LIMIT_FACTOR
_ANSWERS_MAX = 1_000
_LOST_WORDS_MAX = 5
_STARTS = {**CLEARING, **POOL, **MARKET}
_FRESH_STARTS = 3
"""How many of each method's starts are on rows of their own: a start costs some calls more."""
_WITHOUT_START = {
    _CLOCK: "what it may be set to has a test of its own",
    "yrd.registry.v1.AdmissionService.AdmitApplicant": "an applicant is before the public for a day at least",
    f"{_CATALOGUE}.ConfirmMerge": "what may be merged is found by the scheduler, which does not run here",
    f"{_CATALOGUE}.RejectMerge": "likewise",
}
"""Mutations of which no message is known to be good, and why."""
_SETTINGS = settings(
    max_examples=FUZZ_EXAMPLES,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture],
)


@dataclass(slots=True)
class Target:
    """A hub with something of everything on it, and what it knows."""

    hub: RunningHub
    uri: str
    known: Known
    starts: Starts
    seen: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """What each method answered, and how often."""

    async def hit(self, who: str, method: str, payload: bytes, *more: bytes) -> Answer:
        """Send bytes, judge the answer and return it; on a stream, these and more."""
        descriptor = descriptor_pool.Default().FindMethodByName(method)
        wire = await self.hub.wire(who)
        if descriptor.client_streaming:
            answer = await _streamed(wire, method, [payload, *more])
        elif descriptor.server_streaming:
            # It may go on for ever; the first message tells enough.
            answer = await wire.stream(method, [payload], 1)
        else:
            answer = await wire.send(method, payload)
        # For `--hypothesis-show-statistics`: whether the messages get anywhere.
        what = "REFUSED_WITHIN" if answer.ok and _refused_within(descriptor, answer.body) else answer.code or answer.status.name
        if currently_in_test_context():
            event(what)
        self.seen[method][what] += 1
        assert self.hub.process.running, f"{method} as {who} ended the hub: {payload!r}"
        assert answer.status in _ANSWERS, f"{method} as {who}: {answer.status.name} {answer.code} {answer.text}: {payload!r}"
        if len(payload) > GRPC_BYTES_MAX:
            # Refused before it is ours.
            assert answer.status is grpc.StatusCode.RESOURCE_EXHAUSTED
        elif answer.ok:
            GetMessageClass(descriptor.output_type).FromString(answer.body)
        else:
            assert answer.code, f"{method} as {who}: {answer.status.name} without a code, {answer.text}: {payload!r}"
        return answer

    async def still_right(self) -> None:
        """The books are right, everything that was to be told can be told, and nothing failed unforeseen."""
        report = await audit(self.uri)
        assert report.clean, report.differences
        await exchange.until(lambda: exchange.unpublished(self.uri) == 0, "everything to be published")
        assert self.hub.process.running
        log = self.hub.process.log_text()
        assert "command_failed" not in log and "Traceback" not in log


def _refused_within(method: MethodDescriptor, body: bytes) -> bool:
    """Say whether an answer that is OK as a whole holds refusals: one to a batch, or on a stream of commands."""
    message: Any = GetMessageClass(method.output_type).FromString(body)
    if "outcomes" in message.DESCRIPTOR.fields_by_name:
        return any(outcome.HasField("refusal") for outcome in message.outcomes)
    return "refusal" in message.DESCRIPTOR.fields_by_name and message.HasField("refusal")


async def _streamed(wire: Wire, method: str, payloads: list[bytes]) -> Answer:
    """Where the hub ends a stream while more is being written, gRPC's Python client loses the hub's word for one of its own: ask again."""
    for _ in range(_LOST_WORDS_MAX):
        answer = await wire.stream(method, payloads, _ANSWERS_MAX)
        if (answer.status, answer.text) != (grpc.StatusCode.INTERNAL, "Internal error from Core"):
            return answer
    # A single message is not followed by another that could meet the end of the stream.
    return await wire.stream(method, payloads[:1], _ANSWERS_MAX)


@pytest.fixture(scope="module")
async def target(ground: Ground) -> AsyncIterator[Target]:
    with ground.database() as uri:
        async with ground.hub(uri, *DOORS, "relay") as hub:
            known = await _furnish(hub, ground)
            made = Target(hub, uri, known, await _starts(hub))
            # Before anything is spoiled, on which a later one might rest.
            for method in _STARTS:
                await _good_first(made, method)
            yield made


async def _starts(hub: RunningHub) -> Starts:
    """Return what makes good messages, its parties on the hub."""
    yard = Yard(hub)
    await yard.furnish()
    await furnish_pool(yard)
    return Starts(yard, _STARTS, _FRESH_STARTS)


async def _furnish(hub: RunningHub, ground: Ground) -> Known:
    """Let something of everything happen, and return what one can name of it."""
    traffic = Traffic(hub, ground.wallets, SEED)
    async with traffic.flowing():
        await traffic.more(60)
    firms = [wallet.enterprise for wallet in ground.wallets]
    apply = voucher_pb2.ApplyForVouchersRequest(
        issuer=delta.CHANGXING, enterprise=firms[0], kind=voucher_pb2.APPLICATION_KIND_TOP_UP, amount_fen=10_000
    )
    application = (await hub.call(delta.CHANGXING, f"{delta.VOUCHERS}.ApplyForVouchers", apply)).application
    close = settlement_pb2.CloseWindowRequest(issuers=[delta.CHANGXING, delta.ZHEJIANG])
    window = (await hub.call(COORDINATION, f"{delta.SETTLEMENT}.CloseWindow", close)).window
    states = list({redemption.state: redemption.redemption_id for redemption in traffic.redemptions.values()}.values())
    numbers = [row[0] for row in exchange.query(hub.process.database_url, "SELECT voucher_no FROM voucher ORDER BY 1 LIMIT 5")]
    return known_values(
        enterprise=firms,
        uscc=[*firms, *delta.LABS, *(credit_code(number, "91330522") for number in range(70, 75))],
        redemption_id=[*states, *list(traffic.redemptions)[:5]],
        application_id=[application.application_id],
        window_id=[window.window_id],
        voucher_no=numbers,
    )


def _callers(method: str) -> tuple[str, ...]:
    roles = access_rules()[f"/{method.rpartition('.')[0]}/{method.rpartition('.')[2]}"].roles
    # Mostly those who may; somebody else now and then.
    return (*(_PLATFORMS if Role.PLATFORM in roles else ()), *((COORDINATION,) * 3 if Role.COORDINATOR in roles else ()), delta.SUZHOU)


@pytest.mark.parametrize("method", [method for method in _METHODS if method != _CLOCK])
@_SETTINGS
@given(data=st.data())
async def test_mutated_messages(method: str, target: Target, data: st.DataObject) -> None:
    descriptor = descriptor_pool.Default().FindMethodByName(method)
    who = data.draw(st.sampled_from(_callers(method)), "caller")
    one = requests(descriptor.input_type, as_known_to(who, target.known))
    count = data.draw(st.integers(1, 4)) if descriptor.client_streaming else 1
    payloads = [data.draw(one, "payload") for _ in range(count)]
    if method in target.starts and data.draw(st.booleans(), "from a good one"):
        owner, start = target.starts.give(method)
        # Mostly its own; somebody else now and then.
        who = data.draw(st.sampled_from((owner,) * 7 + (who,)), "caller of it")
        # On a stream, one of the others would mostly end it.
        payloads = [
            data.draw(spoiled_start(start, target.known), "payload from it"),
            *(payloads[1:] if data.draw(st.booleans(), "more") else ()),
        ]
    await target.hit(who, method, *payloads)


async def _good_first(target: Target, method: str) -> None:
    """A good message is answered: what is spoiled next would otherwise say little."""
    await target.starts.make(method)
    who, start = target.starts.give(method)
    answer = await target.hit(who, method, start.SerializeToString())
    assert target.seen[method]["OK"], f"{method} as {who}: {answer.status.name} {answer.code} {answer.text}: {start}"


def test_every_mutation_has_a_good_message_or_a_reason_why_not() -> None:
    mutations = {path[1:].replace("/", ".") for path, rule in access_rules().items() if rule.mutation}
    assert mutations - _STARTS.keys() == _WITHOUT_START.keys()


async def test_the_hub_is_sound_afterwards(target: Target) -> None:
    # Each method that was fuzzed, all of them where nothing was left out of the run.
    assert {method for method, seen in target.seen.items() if method in _STARTS and not seen["OK"]} == set()
    await target.still_right()


@pytest.fixture(scope="module")
async def clockwork(ground: Ground) -> AsyncIterator[Target]:
    with ground.database() as uri:
        async with ground.hub(uri, *DOORS, "relay", SIMULATED_CLOCK=datetime.now(UTC).isoformat()) as hub:
            yield Target(hub, uri, await _furnish(hub, ground), Starts(Yard(hub), {}, 0))


_COMMANDS: Mapping[str, str] = {
    f"{delta.CLEARING}.Authorize": delta.SHANGHAI,
    f"{delta.CLEARING}.Capture": delta.SHANGHAI,
    f"{delta.VOUCHERS}.IssueVouchers": delta.CHANGXING,
    f"{delta.SETTLEMENT}.CloseWindow": COORDINATION,
}


@_SETTINGS
@given(data=st.data())
async def test_clocks_set_to_anything(clockwork: Target, data: st.DataObject) -> None:
    """Also to the end of the calendar, after which the other calls still get an answer."""
    pool = descriptor_pool.Default()
    await clockwork.hit(COORDINATION, _CLOCK, data.draw(requests(pool.FindMethodByName(_CLOCK).input_type, clockwork.known), "clock"))
    payloads = {method: data.draw(requests(pool.FindMethodByName(method).input_type, clockwork.known), method) for method in _COMMANDS}
    await asyncio.gather(*(clockwork.hit(who, method, payloads[method]) for method, who in _COMMANDS.items()))


async def test_the_clockwork_is_sound_afterwards(clockwork: Target) -> None:
    await clockwork.still_right()
