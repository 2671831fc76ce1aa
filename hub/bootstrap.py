"""The composition root: settings in, running roles out. The only place that knows every part, and that hub and pool meet in."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
from collections.abc import Callable, Coroutine, Iterable
from contextlib import AsyncExitStack, nullcontext
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
from prometheus_client import REGISTRY, CollectorRegistry, start_http_server

from hub.application import enterprises, participants, policies, redemptions, settlement, vouchers
from hub.application.clearing import ClearStreams
from hub.application.dispatch import Dispatcher
from hub.application.methods import Handle, Serve, build_methods, ledger_methods
from hub.application.quoting import Quoting
from hub.application.simulating import Simulation
from hub.application.subscribing import Subscribing
from hub.application.sweeping import SCHEDULER, Sweeper
from hub.application.watching import Watching
from hub.application.webhooks import Webhooks
from hub.domain import conditions
from hub.domain.clock import Clock, SimulatedClock, SystemClock
from hub.failpoints import arm
from hub.ledger.committer import GroupCommitter
from hub.ledger.participants import DatabaseParticipants
from hub.ledger.quoting import SnapshotReader
from hub.ledger.tail import OutboxTail
from hub.ledger.trimming import trim
from hub.ledger.unitofwork import UnitOfWork
from hub.ledger.watching import RedemptionChanges
from hub.messaging.topics import TopicPlan
from hub.rpc.metrics import RpcMetrics
from hub.security.authority import DevelopmentAuthority
from hub.security.keys import load_signing_key, verification_keys
from hub.security.participants import DevelopmentParticipants, ParticipantDirectory
from hub.security.tokens import TokenIssuer
from hub.security.trust import TrustStore
from hub.security.webhook_keys import WebhookKeys
from hub.settings import Settings
from registry import methods as pool
from registry.credit import methods as credit
from registry.credit.asking import CreditQuestions
from registry.credit.bucket import Limits
from registry.credit.key import PersonKey
from registry.quality.daily import DailyRating
from registry.search import text
from registry.search.keeper import Keeper
from yrd.clearing.v1 import clearing_pb2
from yrd.events.v1 import subscription_pb2, webhook_pb2
from yrd.participant.v1 import participant_pb2
from yrd.policy.v1 import policy_pb2
from yrd.settlement.v1 import settlement_pb2
from yrd.simulation.v1 import simulation_pb2
from yrd.voucher.v1 import voucher_pb2

if TYPE_CHECKING:
    from fastapi import APIRouter

    from hub.security.guard import Guard

log = structlog.get_logger(__name__)

GC_THRESHOLDS = (100_000, 50, 100)
"""New objects until the youngest are looked through, and so on for the two older generations."""

ROLES = ("hub", "web", "relay", "consumer", "scheduler")
SOURCE = "//hub.yrd/ledger"

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
            **policies.METHODS,
            **vouchers.METHODS,
            **redemptions.METHODS,
            **settlement.METHODS,
            **Webhooks(lambda: self.webhook_keys().public, settings_networks(self.settings)).methods(),
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
        return dict(build_methods(services, ledger, use_cases, special, streams))

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


def settings_networks(settings: Settings) -> list[str]:
    """Return the networks that webhooks may lie in besides public addresses: on one machine, all that are its own."""
    return [*settings.webhook_networks, *(("127.0.0.0/8", "::1/128") if settings.development else ())]


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
            await stack.enter_async_context(_task(hub.committer.run()))
        if {"hub", "relay"} & set(roles):
            await stack.enter_async_context(_task(hub.tail.run()))
        starters = {"hub": _start_hub, "web": _start_web, "relay": _start_relay, "consumer": _start_consumer, "scheduler": _start_scheduler}
        for role in ROLES:
            if role in roles:
                await starters[role](hub, stack)
                log.info("role_started", role=role)
        settle_memory()
        ready()
        await stack.enter_async_context(_task(asyncio.to_thread(prepare, roles)))
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


class _task:
    """Runs a coroutine as a task for as long as the context is open. A task that fails ends the process: it is not left half alive."""

    def __init__(self, work: Coroutine[Any, Any, None]) -> None:
        self._work = work

    async def __aenter__(self) -> None:
        self._running = asyncio.create_task(self._work)
        self._running.add_done_callback(_end_process_on_failure)

    async def __aexit__(self, *_: object) -> None:
        self._running.cancel()
        await asyncio.gather(self._running, return_exceptions=True)


def _end_process_on_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("background_task_failed", exc_info=task.exception())
        signal.raise_signal(signal.SIGTERM)


async def _start_hub(hub: Hub, stack: AsyncExitStack) -> None:
    from hub.rpc.server import GrpcServer, Pipeline
    from hub.security.guard import Guard
    from hub.security.identity import PeerVerifier
    from hub.security.tls import server_credentials
    from hub.security.tokens import TokenVerifier

    settings = hub.settings
    await hub.snapshots.open()
    await stack.enter_async_context(_task(hub.changes.run()))
    trust = TrustStore.load(settings.identity / "trust")
    verifier = TokenVerifier(verification_keys(settings.identity), _issuer_url(settings))
    pipeline = Pipeline(
        hub.dispatcher, Guard(PeerVerifier(trust), verifier), message_bytes_max=settings.max_message_bytes, metrics=hub.metrics
    )
    server = GrpcServer(
        pipeline,
        settings.grpc_address,
        server_credentials(settings.identity),
        message_bytes_max=settings.max_message_bytes,
        with_reflection=settings.reflection,
    )
    await server.start()
    stack.push_async_callback(server.stop)


def _issuer_url(settings: Settings) -> str:
    return settings.token_issuer or f"https://{settings.web_address}"


async def _start_web(hub: Hub, stack: AsyncExitStack) -> None:
    import uvicorn

    from hub.security.guard import Guard
    from hub.security.identity import PeerVerifier
    from hub.security.tokens import TokenVerifier
    from hub.web.app import WebDependencies, create_app
    from hub.web.peer import ask_client_certificates
    from hub.web.viewers import anyone, coordinators

    settings, identity = hub.settings, hub.settings.identity
    trust = TrustStore.load(identity / "trust")
    verifier = TokenVerifier(verification_keys(identity), _issuer_url(settings))
    guard = Guard(PeerVerifier(trust), verifier)
    probes = {"database": hub.unit_of_work.answers}
    if settings.kafka_bootstrap:
        probes["kafka"] = partial(_kafka_answers, settings.kafka_bootstrap)
    application = create_app(
        WebDependencies(
            engine=hub.unit_of_work.engine,
            clock=hub.clock,
            issuer=TokenIssuer(load_signing_key(identity / "token.key"), _issuer_url(settings), ttl_seconds=settings.token_ttl_seconds),
            directory=hub.directory(),
            trust=trust,
            keys=verification_keys(identity),
            probes=probes,
            registry=hub.registry,
            viewer_guard=anyone if settings.development else coordinators(guard, SystemClock()),
            divisions_file=settings.divisions_file,
            hsts=not settings.development,
            routers=[_rest_router(hub, guard)],
        )
    )
    host, _, port = settings.web_address.rpartition(":")
    config = uvicorn.Config(
        application,
        host=host,
        port=int(port),
        ssl_certfile=str(identity / "server.pem"),
        ssl_keyfile=str(identity / "server.key"),
        log_config=None,
        access_log=False,
        ws="none",
        lifespan="off",
    )
    # Tokens are bound to a certificate, which the browser or program must then show.
    ask_client_certificates(config, trust)
    server = uvicorn.Server(config)
    # The process has its own signal handlers, for all its roles.
    server.capture_signals = nullcontext  # type: ignore[method-assign, assignment]  # uvicorn has no switch for it
    running = asyncio.create_task(server.serve())
    running.add_done_callback(_end_process_on_failure)

    async def end() -> None:
        server.should_exit = True
        await asyncio.wait([running], timeout=10)

    stack.push_async_callback(end)


def _rest_router(hub: Hub, guard: Guard) -> APIRouter:
    from hub.web.divisions import DivisionNames
    from registry.web.doors import Doors
    from registry.web.router import RestDependencies, create_rest_router

    settings = hub.settings
    return create_rest_router(
        RestDependencies(
            calls=hub.dispatcher,
            doors=Doors(guard, SystemClock(), Limits(settings.public_burst, settings.public_per_hour)),
            clock=hub.clock,
            names=DivisionNames.load(settings.divisions_file),
            body_bytes_max=settings.max_message_bytes,
        )
    )


async def _kafka_answers(bootstrap: str) -> bool:
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            continue
        writer.close()
        return True
    return False


async def _start_relay(hub: Hub, stack: AsyncExitStack) -> None:
    from hub.messaging.metrics import RelayMetrics
    from hub.messaging.relay import Relay
    from hub.messaging.schemas import SchemaRegistry

    settings = hub.settings
    relay = Relay(
        dsn=settings.database_url,
        bootstrap=settings.kafka_bootstrap,
        prefix=settings.topic_prefix,
        source=SOURCE,
        client_config=settings.kafka_config,
        plan=hub.topics() if settings.make_topics else None,
        metrics=RelayMetrics(hub.registry),
        schemas=SchemaRegistry(),
    )
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,), name="relay", daemon=True)
    thread.start()

    async def end() -> None:
        stop.set()
        await asyncio.to_thread(thread.join, 10)

    stack.push_async_callback(end)
    await _start_webhooks(hub, stack)


async def _start_webhooks(hub: Hub, stack: AsyncExitStack) -> None:
    import ssl

    from hub.messaging.posting import Poster
    from hub.messaging.webhooks import WebhookSender

    settings = hub.settings
    keys = hub.webhook_keys()
    if not keys.public:
        log.info("webhooks_off", reason=f"no {settings.identity / 'webhook.key'}")
        return
    authorities = ssl.create_default_context()
    if settings.development:
        authorities.load_verify_locations(settings.identity / "ca.pem")
    if settings.webhook_ca_file is not None:
        authorities.load_verify_locations(settings.webhook_ca_file)
    poster = Poster(keys, SOURCE, settings_networks(settings), authorities=authorities)
    stack.push_async_callback(poster.close)
    await stack.enter_async_context(_task(WebhookSender(settings.database_url, hub.tail, poster, hub.clock).run()))


async def _start_consumer(hub: Hub, stack: AsyncExitStack) -> None:
    from hub.inbound import InboundCommands
    from hub.messaging.consumer import CommandConsumer
    from hub.messaging.metrics import ConsumerMetrics

    settings = hub.settings
    consumer = CommandConsumer(
        dsn=settings.database_url,
        bootstrap=settings.kafka_bootstrap,
        plan=hub.topics(),
        port=InboundCommands(hub.dispatcher),
        client_config=settings.kafka_config,
        make_topics=settings.make_topics,
        metrics=ConsumerMetrics(hub.registry),
    )
    stop = asyncio.Event()
    running = asyncio.create_task(consumer.run(stop))
    running.add_done_callback(_end_process_on_failure)

    async def end() -> None:
        stop.set()
        await asyncio.wait([running], timeout=10)

    stack.push_async_callback(end)


async def _start_scheduler(hub: Hub, stack: AsyncExitStack) -> None:
    rating = DailyRating(hub.unit_of_work.engine, hub.unit_of_work, hub.clock, SCHEDULER)

    async def run() -> None:
        while True:
            try:
                swept = await hub.sweeper.sweep()
                if any(swept):
                    log.info("swept", authorizations=swept.authorizations, vouchers=swept.vouchers)
                if days := hub.settings.outbox_days:
                    now = hub.clock.now()
                    await trim(hub.unit_of_work.engine, now - timedelta(days=days), now)
                rated = await rating.run_if_due()
                if rated is not None:
                    log.info("rated", providers=rated.providers, changed=rated.changed, listed=rated.listed, delisted=rated.delisted)
            except Exception:
                # An outage is no reason to end the process, with all the roles it has: what is due is still due at the next sweep.
                log.exception("sweep_failed")
            await asyncio.sleep(hub.settings.sweep_seconds)

    await stack.enter_async_context(_task(run()))
    await stack.enter_async_context(_task(Keeper(hub.settings.database_url).run()))
