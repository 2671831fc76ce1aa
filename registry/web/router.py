"""The routers of both parts. Every operation is the same few steps: the door, the message, the dispatcher, the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import orjson
import structlog
from fastapi import APIRouter, Request
from starlette.responses import Response

from hub.codec.outcome import Outcome, refused
from hub.domain.caller import Caller
from hub.domain.clock import Clock, local_date
from hub.domain.refusals import Refusal, RefusalCode
from hub.web.divisions import DivisionNames
from hub.web.problems import http_problem, problem
from registry.web.answering import JSON, answer, refusal_in, told
from registry.web.catalogue_operations import CATALOGUE
from registry.web.demand_operations import DEMANDS
from registry.web.doors import Doors
from registry.web.facts import categories, regions
from registry.web.operations import PUBLIC, Operation
from registry.web.page import PAGE_STYLE, load_document, render_page
from registry.web.provider_operations import ADMISSION, STANDING
from registry.web.public_operations import OPERATIONS as POOL
from registry.web.reading import outward, read_request
from registry.web.updating import with_key

log = structlog.get_logger(__name__)

OPERATIONS: tuple[Operation, ...] = (*POOL, *ADMISSION, *CATALOGUE, *DEMANDS, *STANDING)

IN_FLIGHT_MAX = 256


class Calls(Protocol):
    """The dispatcher, as far as it is called here."""

    async def call(self, name: str, payload: bytes, caller: Caller) -> Outcome:
        """Return the outcome of one call."""
        ...

    @property
    def methods(self) -> Mapping[str, object]:
        """What it answers."""
        ...


@dataclass(frozen=True, slots=True)
class RestDependencies:
    """All that the REST part is given. `clock` dates the names of divisions; `body_bytes_max` bounds what is read of a request."""

    calls: Calls
    doors: Doors
    clock: Clock
    names: DivisionNames = field(default_factory=DivisionNames)
    body_bytes_max: int = 4 * 1024 * 1024


class Server:
    """Serves operations, so many at once."""

    def __init__(self, deps: RestDependencies) -> None:
        self._deps = deps
        self._in_flight = 0

    def endpoint(self, operations: Mapping[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers the operations of a path, by method."""

        async def serve(request: Request) -> Response:
            operation = operations[request.method]
            caller = self.admit(operation, request)
            if isinstance(caller, Refusal):
                return problem(caller)
            if self._in_flight >= IN_FLIGHT_MAX:
                return problem(Refusal(RefusalCode.OVERLOADED))
            self._in_flight += 1
            try:
                return await self._serve(operation, request, caller)
            finally:
                self._in_flight -= 1

        return serve

    def admit(self, operation: Operation, request: Request) -> Caller | Refusal:
        """Return who calls, or why it may not."""
        doors = self._deps.doors
        return doors.everybody(request) if operation.public else doors.participant(request, operation.rpc)

    async def _serve(self, operation: Operation, request: Request, caller: Caller) -> Response:
        message = await read_request(operation, request, self._deps.body_bytes_max)
        if not isinstance(message, Refusal) and operation.http == "PUT":
            message = await with_key(self._deps.calls, caller, message)
        outcome = refused(message) if isinstance(message, Refusal) else await self.call(operation.rpc, message.SerializeToString(), caller)
        if outcome.ok:
            return answer(operation, request, outcome)
        try:
            return problem(outward(operation, refusal_in(outcome)))
        except LookupError:
            log.error("rest_fault", operation=operation.name)
            return http_problem(500)

    async def call(self, rpc: str, payload: bytes, caller: Caller) -> Outcome:
        """Call an RPC."""
        return await self._deps.calls.call(rpc, payload, caller)


def create_rest_router(deps: RestDependencies) -> APIRouter:
    """Return the router of both parts. Raises LookupError for an operation whose RPC nothing answers."""
    server = Server(deps)
    # The document is docs/openapi.json: more than FastAPI could tell from these functions.
    router = APIRouter(include_in_schema=False)
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in OPERATIONS:
        if operation.rpc not in deps.calls.methods:
            raise LookupError(f"nothing answers {operation.rpc}")
        by_path.setdefault(operation.path, {})[operation.http] = operation
    # One route a path: of several, the first alone would say which methods there are.
    for path, operations in by_path.items():
        router.add_api_route(path, server.endpoint(operations), methods=[*operations], response_model=None)
    _add_facts(router, deps)
    return router


def _add_facts(router: APIRouter, deps: RestDependencies) -> None:
    """Add what needs no RPC."""

    def add(path: str, make: Callable[[], bytes], media: str) -> None:
        async def serve(request: Request) -> Response:
            caller = deps.doors.everybody(request)
            return problem(caller) if isinstance(caller, Refusal) else told(request, make(), media)

        router.add_api_route(PUBLIC + path, serve, methods=["GET"], response_model=None)

    add("/categories", lambda: orjson.dumps(categories()), JSON)
    add("/regions", lambda: orjson.dumps(regions(deps.names, local_date(deps.clock.now()))), JSON)
    document = load_document()
    add("/openapi.json", lambda: document, JSON)
    page = render_page(document)
    add("/docs", lambda: page, "text/html")
    add("/docs.css", PAGE_STYLE.read_bytes, "text/css")
