"""The roles of a process: how each is started from the parts that composition made, and ended with them."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack, nullcontext
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog

from hub.application.sweeping import SCHEDULER
from hub.domain.clock import SystemClock
from hub.ledger.forgetting import AnswerForgetter
from hub.ledger.summing import close_sums
from hub.ledger.trimming import trim
from hub.security.keys import load_signing_key, verification_keys
from hub.security.tokens import TokenIssuer
from hub.security.trust import TrustStore
from hub.settings import Settings
from registry.credit.bucket import Limits
from registry.quality.daily import DailyRating
from registry.search.keeper import Keeper

if TYPE_CHECKING:
    from fastapi import APIRouter

    from hub.bootstrap import Hub
    from hub.security.guard import Guard

log = structlog.get_logger(__name__)

SOURCE = "//hub.yrd/ledger"


class background:
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


async def _hub(hub: Hub, stack: AsyncExitStack) -> None:
    from hub.rpc.server import GrpcServer, Pipeline
    from hub.security.guard import Guard
    from hub.security.identity import PeerVerifier
    from hub.security.tls import server_credentials
    from hub.security.tokens import TokenVerifier

    settings = hub.settings
    await hub.snapshots.open()
    await stack.enter_async_context(background(hub.changes.run()))
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


async def _web(hub: Hub, stack: AsyncExitStack) -> None:
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


async def _relay(hub: Hub, stack: AsyncExitStack) -> None:
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
    poster = Poster(keys, SOURCE, settings.own_networks, authorities=authorities)
    stack.push_async_callback(poster.close)
    await stack.enter_async_context(background(WebhookSender(settings.database_url, hub.tail, poster, hub.clock).run()))


async def _consumer(hub: Hub, stack: AsyncExitStack) -> None:
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


async def _scheduler(hub: Hub, stack: AsyncExitStack) -> None:
    forgetter = AnswerForgetter(hub.unit_of_work.engine, hub.settings.idempotency_days)
    rating = DailyRating(hub.unit_of_work.engine, hub.unit_of_work, hub.clock, SCHEDULER)

    async def run() -> None:
        while True:
            try:
                swept = await hub.sweeper.sweep()
                if any(swept):
                    log.info("swept", authorizations=swept.authorizations, vouchers=swept.vouchers)
                await close_sums(hub.unit_of_work.engine)
                if days := hub.settings.outbox_days:
                    now = hub.clock.now()
                    await trim(hub.unit_of_work.engine, now - timedelta(days=days), now)
                if forgotten := await forgetter.run(hub.clock.now()):
                    log.info("answers_forgotten", answers=forgotten)
                rated = await rating.run_if_due()
                if rated is not None:
                    log.info("rated", providers=rated.providers, changed=rated.changed, listed=rated.listed, delisted=rated.delisted)
            except Exception:
                # An outage is no reason to end the process, with all the roles it has: what is due is still due at the next sweep.
                log.exception("sweep_failed")
            await asyncio.sleep(hub.settings.sweep_seconds)

    await stack.enter_async_context(background(run()))
    await stack.enter_async_context(background(Keeper(hub.settings.database_url).run()))


STARTERS: Mapping[str, Callable[[Hub, AsyncExitStack], Awaitable[None]]] = {
    "hub": _hub,
    "web": _web,
    "relay": _relay,
    "consumer": _consumer,
    "scheduler": _scheduler,
}
"""What starts each role; what it leaves on the stack ends it."""
