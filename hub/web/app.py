"""The web role: one FastAPI application, put together from what it is given. Served over TLS by uvicorn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from fastapi import APIRouter, FastAPI
from joserfc.jwk import KeySet
from prometheus_client import CollectorRegistry
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.staticfiles import StaticFiles

from hub.domain.clock import Clock
from hub.security.participants import ParticipantDirectory
from hub.security.tokens import TokenIssuer
from hub.security.trust import TrustStore
from hub.web.console import STATIC, OverviewSource, create_console_router
from hub.web.divisions import DivisionNames
from hub.web.front import Front, WebMetrics
from hub.web.monitoring import Probe, create_monitoring_router
from hub.web.oauth import create_oauth_router
from hub.web.problems import add_problem_handlers
from hub.web.reading import read_outbox, read_overview
from hub.web.viewers import ViewerGuard, nobody


@dataclass(frozen=True, kw_only=True)
class WebDependencies:
    """All that the web role is given.

    `clock` is the hub's (what the ledger is stamped with). `probes` are the parts `/readyz` asks. `hsts` belongs off on a
    development identity. `overview_seconds_min` is how long one reading of the ledger serves everyone.
    `routers` are what composition adds: the pool's own resources, of which the hub knows nothing.
    """

    engine: AsyncEngine
    clock: Clock
    issuer: TokenIssuer
    directory: ParticipantDirectory
    trust: TrustStore
    keys: KeySet | None = None
    probes: Mapping[str, Probe] = field(default_factory=dict)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    viewer_guard: ViewerGuard = nobody
    divisions_file: Path | None = None
    hsts: bool = True
    overview_seconds_min: float = 1.0
    routers: Sequence[APIRouter] = ()


def create_app(deps: WebDependencies) -> FastAPI:
    """Return the application: the overview, token and key endpoints, health, readiness and metrics.

    Raises OSError or ValueError where the file of division names is given and unusable.
    """
    app = FastAPI(
        title="Innovation voucher hub",
        summary="Flows between regions, access tokens, health",
        # The interactive pages load scripts from elsewhere, which the Content-Security-Policy forbids.
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    names = DivisionNames.load(deps.divisions_file)
    source = OverviewSource(partial(read_overview, deps.engine, deps.clock, names), deps.overview_seconds_min)
    add_problem_handlers(app)
    app.add_middleware(Front, metrics=WebMetrics(deps.registry), hsts=deps.hsts)
    app.include_router(create_console_router(source, deps.viewer_guard))
    app.include_router(create_monitoring_router(deps.probes, deps.registry, partial(read_outbox, deps.engine, deps.clock)))
    app.include_router(create_oauth_router(deps.issuer, deps.directory, deps.trust, deps.keys))
    for router in deps.routers:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=STATIC), name="static")
    return app
