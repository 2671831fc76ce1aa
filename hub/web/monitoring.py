"""For operators and orchestrators: liveness, readiness by part, Prometheus metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import choose_encoder
from starlette.responses import JSONResponse, Response

log = structlog.get_logger(__name__)

Probe = Callable[[], Awaitable[bool]]
"""Says whether a part the process needs answers. May raise; that counts as no."""

PROBE_SECONDS_MAX = 2.0


def create_monitoring_router(probes: Mapping[str, Probe], registry: CollectorRegistry) -> APIRouter:
    """Return `/healthz`, `/readyz` and `/metrics`."""
    router = APIRouter(tags=["monitoring"])
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
