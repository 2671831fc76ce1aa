"""The overview: a page for people at `/`, the same as JSON at `/api/overview`, from one reading shared by all who look."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.responses import HTMLResponse, Response

from hub.domain.clock import SHANGHAI
from hub.web import formats
from hub.web.overview import Overview
from hub.web.problems import Refused, refusal_of
from hub.web.viewers import ViewerGuard

STATIC = Path(__file__).resolve().parent / "static"

# With ten million redemptions a reading takes seconds: it is then done less often, so that it stays a small part of the load.
_COST_SHARE = 0.1

# Changes of the ledger are shown as they come; nothing of it is kept by browsers or proxies.
_NO_CACHE = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A reading, its bytes, and a tag that changes only when something but the time did."""

    overview: Overview
    body: bytes
    etag: str


class OverviewSource:
    """Reads when asked, but never twice at once and not again until `seconds_min` have passed, or longer where reading is slow."""

    def __init__(self, read: Callable[[], Awaitable[Overview]], seconds_min: float) -> None:
        self._read = read
        self._seconds_min = seconds_min
        self._lock = asyncio.Lock()
        self._snapshot: Snapshot | None = None
        self._fresh_until = 0.0

    async def get(self) -> Snapshot:
        """Return the newest snapshot. Raises what reading raises."""
        async with self._lock:
            started = time.monotonic()
            if self._snapshot is None or started >= self._fresh_until:
                self._snapshot = _snapshot(await self._read())
                ended = time.monotonic()
                self._fresh_until = ended + self._seconds_min * max(1.0, (ended - started) / _COST_SHARE)
            return self._snapshot


def _snapshot(overview: Overview) -> Snapshot:
    digest = hashlib.sha256(overview.model_dump_json(exclude={"as_of"}).encode()).hexdigest()
    # Weak: two bodies of one tag differ in `as_of`.
    return Snapshot(overview, overview.model_dump_json().encode(), f'W/"{digest[:32]}"')


def create_console_router(source: OverviewSource, guard: ViewerGuard) -> APIRouter:
    """Return `/` and `/api/overview`, both behind the guard."""

    def admit(request: Request) -> None:
        failure = guard(request)
        if failure is not None:
            raise Refused(refusal_of(failure))

    router = APIRouter(tags=["overview"], dependencies=[Depends(admit)])
    page = _environment().get_template("overview.html")

    @router.get("/", response_class=HTMLResponse)
    async def overview_page(lang: Annotated[Literal["both", "zh", "en"], Query(description="Languages shown")] = "both") -> HTMLResponse:
        """Return the overview as a page, complete without scripts; a script keeps it current."""
        snapshot = await source.get()
        html = page.render(o=snapshot.overview, etag=snapshot.etag, lang=lang)
        return HTMLResponse(html, headers=_NO_CACHE)

    @router.get("/api/overview", response_model=Overview, responses={304: {"description": "Nothing changed since that ETag"}})
    async def overview(if_none_match: Annotated[str, Header()] = "") -> Response:
        """Return flows between regions, issuers' totals, open windows, the last redemptions with their reasons, and the outbox."""
        snapshot = await source.get()
        headers = {**_NO_CACHE, "ETag": snapshot.etag}
        if snapshot.etag in (tag.strip() for tag in if_none_match.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(snapshot.body, media_type="application/json", headers=headers)

    return router


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("hub.web"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(
        yuan=formats.yuan,
        count=formats.count,
        age=formats.age,
        time=lambda instant: instant.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S"),
        fact=formats.fact,
        look=formats.look,
    )
    environment.globals.update(heat=formats.heat, empty={})
    return environment
