"""Errors as `application/problem+json` (RFC 9457). A refusal keeps its stable code; what only HTTP knows is named after its status."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from hub.domain.refusals import Refusal, RefusalCode, Violation
from hub.security.failures import AuthFailure

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_SECONDS = 5


class Refused(Exception):
    """Carries a refusal from a dependency, which can only raise, to the handler that answers."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


def refusal_of(failure: AuthFailure) -> Refusal:
    """Return a failed authentication as a refusal."""
    metadata = tuple(failure.metadata.items())
    return Refusal(RefusalCode(failure.code), metadata=metadata, detail_zh=failure.detail_zh, detail_en=failure.detail_en)


def problem(refusal: Refusal) -> Response:
    """Answer with a refusal: its code, status, texts and remedy in both languages, and the fields at fault."""
    entry = refusal.entry
    body: dict[str, Any] = {
        "type": f"urn:yrd:refusal:{refusal.code}",
        "title": entry.en,
        "status": entry.http_status,
        "detail": refusal.en,
        "code": refusal.code.value,
        "zh": refusal.zh,
        "en": refusal.en,
        "remedy_zh": entry.remedy_zh,
        "remedy_en": entry.remedy_en,
    }
    if refusal.metadata:
        body["metadata"] = dict(refusal.metadata)
    if refusal.violations:
        body["errors"] = [violation._asdict() for violation in refusal.violations]
    retry = dict(refusal.metadata).get("retry_after_seconds")
    return _response(body, entry.http_status, {"Retry-After": retry} if retry else None)


def http_problem(status: int, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with a status that is no refusal of the hub's, such as 404 for an unknown path."""
    phrase = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": phrase, "status": status, "code": phrase.upper().replace(" ", "_")}
    return _response(body, status, headers)


def _response(body: dict[str, Any], status: int, headers: Mapping[str, str] | None = None) -> Response:
    extra = {"Cache-Control": "no-store", **(headers or {})}
    if status == HTTPStatus.UNAUTHORIZED:
        extra["WWW-Authenticate"] = "Bearer"
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        extra.setdefault("Retry-After", str(RETRY_AFTER_SECONDS))
    return JSONResponse(body, status, headers=extra, media_type=MEDIA_TYPE)


def add_problem_handlers(app: FastAPI) -> None:
    """Answer every foreseen error of `app` as a problem. Unforeseen ones are the outermost middleware's."""

    async def refused(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return problem(error.refusal)

    async def http(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        return http_problem(error.status_code, error.headers)

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        violations = tuple(Violation(".".join(str(part) for part in item["loc"]), str(item["msg"])) for item in error.errors())
        return problem(Refusal(RefusalCode.INVALID_ARGUMENT, violations=violations))

    async def unreachable(request: Request, error: Exception) -> Response:
        log.warning("database_unreachable", path=request.url.path, error=type(error).__name__)
        return problem(Refusal(RefusalCode.UNAVAILABLE))

    app.add_exception_handler(Refused, refused)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(RequestValidationError, invalid)
    for kind in (OperationalError, InterfaceError, PoolTimeout):
        app.add_exception_handler(kind, unreachable)
