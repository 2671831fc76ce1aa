"""The composition root: settings in, running roles out. The only place that knows every part, and that hub and pool meet in."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Callable, Iterable
from contextlib import AsyncExitStack
from typing import Any

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, Info, start_http_server

from hub import engine
from hub.application import enterprises, participants, policies, redemptions, settlement, vouchers
from hub.application.clearing import ClearStreams
from hub.application.dispatch import Dispatcher
from hub.application.methods import Handle, Serve, build_methods, ledger_methods
from hub.application.quoting import Quoting
from hub.application.simulating import Simulation
from hub.application.subscribing import Subscribing
from hub.application.sweeping import Sweeper
from hub.application.watching import Watching
from hub.application.webhooks import Webhooks
from hub.domain import conditions
from hub.domain.clock import Clock, SimulatedClock, SystemClock
from hub.failpoints import arm
from hub.ledger.committer import GroupCommitter
from hub.ledger.participants import DatabaseParticipants
from hub.ledger.quoting import SnapshotReader
from hub.ledger.tail import OutboxTail
from hub.ledger.unitofwork import UnitOfWork
from hub.ledger.watching import RedemptionChanges
from hub.messaging.topics import TopicPlan
from hub.roles import SOURCE, STARTERS, background
from hub.rpc.metrics import RpcMetrics
from hub.security.authority import DevelopmentAuthority
from hub.security.participants import DevelopmentParticipants, ParticipantDirectory
from hub.security.webhook_keys import WebhookKeys
from hub.settings import Settings
from registry import methods as pool
from registry.credit import methods as credit
from registry.credit.asking import CreditQuestions
from registry.credit.bucket import Limits
from registry.credit.key import PersonKey
from registry.search import text
from yrd.clearing.v1 import clearing_pb2
from yrd.events.v1 import subscription_pb2, webhook_pb2
from yrd.participant.v1 import participant_pb2
from yrd.policy.v1 import policy_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.simulation.v1 import simulation_pb2
from yrd.voucher.v1 import voucher_pb2

log = structlog.get_logger(__name__)

GC_THRESHOLDS = (100_000, 50, 100)
"""New objects until the youngest are looked through, and so on for the two older generations."""

ROLES = ("hub", "web", "relay", "consumer", "scheduler")

_SERVICES = [
    module.DESCRIPTOR.services_by_name[name]
    for module, names in (
        (participant_pb2, ("EnterpriseService", "ParticipantService")),
        (policy_pb2, ("PolicyService",)),
        (voucher_pb2, ("VoucherService",)),
        (clearing_pb2, ("ClearingService",)),
        (settlement_pb2, ("SettlementService",)),
        (subscription_pb2, ("EventService",)),
        (webhook_pb2, ("WebhookService",)),
    )
    for name in names
]


class ConfigurationError(Exception):
    """Settings that must not go together, or miss something; the message says what to change."""


def clock_of(settings: Settings) -> Clock:
    """Return the clock the rules read. A virtual one stands only beside a development identity."""
    if settings.simulated_clock is None:
        return SystemClock()
    if not settings.development:
        raise ConfigurationError("DELTAHUB_SIMULATED_CLOCK is refused beside a production identity (DELTAHUB_IDENTITY_DIR)")
    if settings.simulated_clock.tzinfo is None:
        raise ConfigurationError("DELTAHUB_SIMULATED_CLOCK needs a time zone, such as 2026-03-01T09:00:00+08:00")
    return SimulatedClock(settings.simulated_clock)


def arm_failpoints(settings: Settings) -> None:
    """Arm the failpoints asked for. They stand only beside a development identity, like a virtual clock."""
    if settings.failpoints and not settings.development:
        raise ConfigurationError("DELTAHUB_FAILPOINTS is refused beside a production identity (DELTAHUB_IDENTITY_DIR)")
    try:
        arm(settings.failpoints)
    except ValueError as error:
        raise ConfigurationError(f"DELTAHUB_FAILPOINTS: {error}") from error


class Hub:
    """The parts that the roles of one process share."""

    def __init__(self, settings: Settings, registry: CollectorRegistry = REGISTRY) -> None:
        if not settings.database_url:
            raise ConfigurationError("DELTAHUB_DATABASE_URL is empty and no embedded server was started")
        self.settings = settings
        self.clock = clock_of(settings)
        arm_failpoints(settings)
        self.registry = registry
        self.metrics = RpcMetrics(registry)
        Info("deltahub_engine", "Whether the clearing engine runs compiled or interpreted", registry=registry).info({"form": engine.form()})
        self.committer = GroupCommitter(settings.database_url, self.clock)
        self.committer.on_batch = self._count_batch
        self.unit_of_work = UnitOfWork(settings.database_url, self.clock)
        self.snapshots = SnapshotReader(settings.database_url, self.clock)
        self.changes = RedemptionChanges(settings.database_url)
        self.tail = OutboxTail(settings.database_url, self.unit_of_work.engine)
        self.sweeper = Sweeper(self.unit_of_work.engine, self.committer, self.clock)
        self.dispatcher = Dispatcher(self._methods(), self.committer, self.unit_of_work)

    def _count_batch(self, items: int) -> None:
        self.metrics.batch_items.observe(items)
        self.metrics.queued.set(self.committer.queued)

    def _methods(self) -> dict[str, Any]:
        use_cases = {
            **enterprises.METHODS,
            **participants.METHODS,
            **policies.methods(self.settings.provinces),
            **vouchers.METHODS,
            **redemptions.METHODS,
            **settlement.methods(self.settings.provinces),
            **Webhooks(lambda: self.webhook_keys().public, self.settings.own_networks).methods(),
            **pool.METHODS,
        }
        special: dict[str, Handle] = {"yrd.clearing.v1.ClearingService.Quote": Quoting(self.snapshots).handle}
        special |= credit.handlers(self._credit_questions())
        services = [*_SERVICES, *pool.SERVICES]
        if isinstance(self.clock, SimulatedClock):
            services.append(simulation_pb2.DESCRIPTOR.services_by_name["SimulationService"])
            special["yrd.simulation.v1.SimulationService.AdvanceClock"] = Simulation(self.clock, self.sweeper).advance
        ledger = ledger_methods(self.clock)
        streams: dict[str, Serve] = {
            "yrd.clearing.v1.ClearingService.Clear": ClearStreams(self.committer, ledger).serve,
            "yrd.clearing.v1.ClearingService.WatchRedemption": Watching(self.unit_of_work, self.changes).serve,
            "yrd.events.v1.EventService.Subscribe": Subscribing(self.tail, SOURCE).serve,
        }
        return dict(build_methods(services, ledger, use_cases, special, streams, pool.FIRST))

    def _credit_questions(self) -> CreditQuestions:
        settings = self.settings
        key = PersonKey(settings.credit_key_file or settings.identity / "credit.key", make=settings.development)
        return CreditQuestions(self.unit_of_work.engine, self.clock, Limits(settings.credit_burst, settings.credit_per_hour), key)

    def directory(self) -> ParticipantDirectory:
        """Who may ask for a token."""
        registered = DatabaseParticipants(self.unit_of_work.engine)
        return DevelopmentParticipants(registered) if self.settings.development else registered

    def webhook_keys(self) -> WebhookKeys:
        """What webhooks are signed with; a development hub makes its own."""
        return WebhookKeys.load(self.settings.identity, make=self.settings.development)

    def topics(self) -> TopicPlan:
        """The topics of the provinces that take part."""
        return TopicPlan(self.settings.topic_prefix, tuple(self.settings.provinces), partitions=self.settings.partitions)

    async def close(self) -> None:
        """Close the pools."""
        await self.snapshots.close()
        await self.unit_of_work.close()


def ensure_identity(settings: Settings) -> None:
    """Make the development identity at first start; a production one must be there already."""
    if settings.development:
        DevelopmentAuthority(settings.identity).ensure(settings.provinces)
    elif not (settings.identity / "server.pem").is_file():
        raise ConfigurationError(f"DELTAHUB_IDENTITY_DIR={settings.identity} holds no server.pem")


async def serve(settings: Settings, roles: tuple[str, ...], ready: Callable[[], None] = lambda: None) -> None:
    """Run roles in this process until SIGTERM or SIGINT."""
    ensure_identity(settings)
    if settings.metrics_address:
        host, _, port = settings.metrics_address.rpartition(":")
        start_http_server(int(port), addr=host)
    hub = Hub(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(hub.close)
        if {"hub", "consumer", "scheduler"} & set(roles):
            await stack.enter_async_context(background(hub.committer.run()))
        if {"hub", "relay"} & set(roles):
            await stack.enter_async_context(background(hub.tail.run()))
        for role in ROLES:
            if role in roles:
                await STARTERS[role](hub, stack)
                log.info("role_started", role=role, engine=engine.form())
        settle_memory()
        ready()
        await stack.enter_async_context(background(asyncio.to_thread(prepare, roles)))
        await stop.wait()
        log.info("stopping", roles=list(roles))


def prepare(roles: Iterable[str]) -> None:
    """Load what these roles need only for some calls and is slow to load, so that the first such call does not wait. Blocks.

    Conditions run where commands are handled, searches where the public or participants ask: `web` has the pool over REST.
    """
    if {"hub", "consumer"} & set(roles):
        conditions.prepare()
    if {"hub", "web"} & set(roles):
        text.prepare()


def settle_memory() -> None:
    """Leave everything loaded so far out of garbage collection, and collect less often (docs/adr/0011-clearing-speed.md).

    Nearly all that clearing makes is freed as soon as it is no longer referred to; looking through millions of live objects for the
    rest took a quarter of the processor time of full batches.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
