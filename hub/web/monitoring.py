"""For operators and orchestrators: liveness, readiness by part, Prometheus metrics."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping

import structlog
from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder
from starlette.responses import JSONResponse, Response

from hub.web.overview import Outbox

log = structlog.get_logger(__name__)

Probe = Callable[[], Awaitable[bool]]
"""Says whether a part the process needs answers. May raise; that counts as no."""

PROBE_SECONDS_MAX = 2.0


class OutboxMetrics:
    """What waits in the outbox, read at each scrape: it grows also when every relay is gone, who then could not tell."""

    def __init__(self, registry: CollectorRegistry, read: Callable[[], Awaitable[Outbox]]) -> None:
        self._read = read
        self.unpublished = Gauge("deltahub_outbox_unpublished", "Events committed and not yet in Kafka", registry=registry)
        self.oldest_age = Gauge("deltahub_outbox_oldest_age_seconds", "Age of the oldest of them", registry=registry)

    async def refresh(self) -> None:
        """Read anew. Where the database does not answer the values are NaN, not those of before."""
        try:
            async with asyncio.timeout(PROBE_SECONDS_MAX):
                outbox = await self._read()
        except Exception as error:
            log.warning("outbox_unread", error=type(error).__name__)
            self.unpublished.set(math.nan)
            self.oldest_age.set(math.nan)
        else:
            self.unpublished.set(outbox.unpublished)
            self.oldest_age.set(outbox.oldest_age_seconds)


def create_monitoring_router(
    probes: Mapping[str, Probe], registry: CollectorRegistry, read_outbox: Callable[[], Awaitable[Outbox]]
) -> APIRouter:
    """Return `/healthz`, `/readyz` and `/metrics`."""
    router = APIRouter(tags=["monitoring"])
    outbox = OutboxMetrics(registry, read_outbox)
    ready_gauge = Gauge("deltahub_web_ready", "1 where the part answered the last readiness probe", ["part"], registry=registry)

    @router.get("/healthz")
    async def healthz() -> JSONResponse:
        """Say that the process is alive. Asks no other part: a restart would not cure them."""
        return JSONResponse({"status": "alive"}, headers={"Cache-Control": "no-store"})

    @router.get("/readyz", responses={503: {"description": "A part does not answer"}})
    async def readyz() -> JSONResponse:
        """Say by name which of the parts this process needs answer; 503 unless all do."""
        answers = await asyncio.gather(*(_answers(name, probe) for name, probe in probes.items()))
        parts = dict(zip(probes, answers, strict=True))
        for name, answer in parts.items():
            ready_gauge.labels(name).set(answer)
        ready = all(answers)
        body = {"status": "ready" if ready else "not ready", "parts": parts}
        return JSONResponse(body, 200 if ready else 503, headers={"Cache-Control": "no-store"})

    @router.get("/metrics", response_class=Response)
    async def metrics(request: Request) -> Response:
        """Return this process's metrics in Prometheus text or OpenMetrics, as asked."""
        await outbox.refresh()
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"})

    return router


async def _answers(name: str, probe: Probe) -> bool:
    try:
        async with asyncio.timeout(PROBE_SECONDS_MAX):
            return await probe()
    except Exception as error:
        log.warning("probe_failed", part=name, error=type(error).__name__)
        return False
