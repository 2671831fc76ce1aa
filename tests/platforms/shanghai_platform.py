"""A small stand-in of Shanghai's platform, as a process: `python -m tests.platforms.shanghai_platform FOLDER PORT-FILE`.

FOLDER holds `server.pem` and `server.key`; the port goes into PORT-FILE once it listens. Under `/openapi/v1` is what a platform has;
under `/control` what a test does with it: put and withdraw items, order failures, expire tokens, post changes, look at what came in.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import socket
import ssl
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

RESOURCES = ("enterprises", "providers", "recognitions", "vouchers", "authorizations", "redemptions")
CLIENT, SECRET = "yrd-adapter", "s3cret-of-the-client"
LOCAL = timedelta(hours=8)


@dataclass
class Item:
    seq: int
    at: datetime
    body: dict[str, Any]


@dataclass
class World:
    """Everything the platform knows."""

    items: dict[str, dict[str, Item]] = field(default_factory=lambda: {name: {} for name in RESOURCES})
    seq: int = 0
    epoch: int = 0
    tokens: dict[str, datetime] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    asked: Counter[str] = field(default_factory=Counter)
    documents: dict[str, bytes] = field(default_factory=dict)
    current: dict[str, str] = field(default_factory=dict)

    def put(self, resource: str, body: dict[str, Any], at: datetime) -> None:
        """Note an item as changed: it moves to the end of the feed. One that says what it said before has not changed."""
        before = self.items[resource].get(str(body["id"]))
        if before is not None and before.body == body:
            return
        self.seq += 1
        self.items[resource][str(body["id"])] = Item(self.seq, at, body)

    def page(self, resource: str, after: int, limit: int, since: str, until: str) -> tuple[list[dict[str, Any]], int]:
        """Return the items changed after a place in the feed, and the place after the last of them."""
        found = sorted((item for item in self.items[resource].values() if item.seq > after), key=lambda item: item.seq)
        days = (date.fromisoformat(since or "0001-01-01"), date.fromisoformat(until or "9999-12-31"))
        found = [item for item in found if days[0] <= (item.at.astimezone(UTC) + LOCAL).date() <= days[1]][:limit]
        return [item.body for item in found], found[-1].seq if found else after


def _cursor(world: World, resource: str, seq: int) -> str:
    return base64.urlsafe_b64encode(f"{world.epoch}:{resource}:{seq}".encode()).decode()


def platform(world: World) -> FastAPI:
    """Return what the outside sees."""
    app = FastAPI(openapi_url=None)

    @app.post("/oauth/token")
    async def token(request: Request) -> Response:
        world.asked["token"] += 1
        wanted = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"Basic {wanted}"):
            return JSONResponse({"error": "invalid_client"}, 401)
        made = secrets.token_urlsafe(24)
        world.tokens[made] = datetime.now(UTC) + timedelta(hours=1)
        return JSONResponse({"access_token": made, "token_type": "Bearer", "expires_in": 3600})

    @app.get("/openapi/v1/{resource}")
    async def feed(
        request: Request, resource: str, limit: int, cursor: str = "", updatedSince: str = "", updatedUntil: str = ""
    ) -> Response:
        world.asked[resource] += 1
        if refused := _unknown(world, request):
            return refused
        after = 0
        if cursor:
            epoch, name, seq = base64.urlsafe_b64decode(cursor).decode().split(":")
            if int(epoch) != world.epoch:
                return JSONResponse({"error": "cursor_expired"}, 410)
            after = int(seq) if name == resource else 0
        items, reached = world.page(resource, after, limit, updatedSince, updatedUntil)
        page = {"resource": resource, "next": _cursor(world, resource, reached), "data": items}
        return await _sent(world, resource, json.dumps(page, ensure_ascii=False, indent=1).encode())

    @app.put("/openapi/v1/results/{resource}/{digest}")
    async def result(request: Request, resource: str, digest: str) -> Response:
        world.asked[f"results/{resource}"] += 1
        body = await request.body()
        if refused := _unknown(world, request):
            return refused
        if hashlib.sha256(body).hexdigest() != digest:
            return JSONResponse({"error": "digest_mismatch"}, 422)
        known = digest in world.documents
        world.documents[digest], world.current[resource] = body, digest
        # Taken, though the answer may be lost: the client then puts it again.
        return await _sent(world, f"results/{resource}", b"{}", 200 if known else 201)

    return app


def _unknown(world: World, request: Request) -> Response | None:
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    return (
        None
        if world.tokens.get(given, datetime.min.replace(tzinfo=UTC)) > datetime.now(UTC)
        else JSONResponse({"error": "invalid_token"}, 401)
    )


async def _sent(world: World, what: str, body: bytes, status: int = 200) -> Response:
    """Return an answer, spoiled as a test ordered."""
    fault = next((each for each in world.faults if each["of"] in ("*", what) and each["times"] > 0), None)
    if fault is not None and fault.get("after", 0) > 0:
        fault["after"] -= 1
        fault = None
    if fault is None:
        return Response(body, status, media_type="application/json")
    fault["times"] -= 1
    match fault["how"]:
        case "status":
            return JSONResponse({}, fault["status"], headers=fault.get("headers", {}))
        case "body":
            return Response(fault["body"].encode(), media_type="application/json")
        case "slow":
            await asyncio.sleep(fault["seconds"])
            return Response(body, status, media_type="application/json")
        case _:
            return StreamingResponse(_pieces(body, fault), status, headers={"content-length": str(len(body))})


async def _pieces(body: bytes, fault: dict[str, Any]) -> AsyncIterator[bytes]:
    """Give half of a body, then nothing for long (`half`), or an end to the connection (`cut`)."""
    yield body[: len(body) // 2]
    if fault["how"] == "half":
        await asyncio.sleep(fault["seconds"])
    raise ConnectionAbortedError


def control(world: World, app: FastAPI) -> None:
    """Add what only tests use."""

    @app.post("/control/items/{resource}")
    async def put(resource: str, items: list[dict[str, Any]], at: str = "") -> int:
        for item in items:
            world.put(resource, item, datetime.fromisoformat(at) if at else datetime.now(UTC))
        return world.seq

    @app.post("/control/faults")
    async def order(faults: list[dict[str, Any]]) -> None:
        world.faults[:] = faults

    @app.post("/control/reset")
    async def reset() -> None:
        vars(world).update(vars(World()))

    @app.post("/control/forget")
    async def forget(tokens: bool = False, cursors: bool = False) -> None:
        world.epoch += cursors
        if tokens:
            world.tokens.clear()

    @app.get("/control/seen")
    async def seen() -> dict[str, Any]:
        documents = {digest: body.decode() for digest, body in world.documents.items()}
        return {"asked": world.asked, "documents": documents, "current": world.current}

    @app.post("/control/post")
    async def post(order: dict[str, Any]) -> int:
        """Post items to a webhook as the platform does; `sent` and `changed` default to now."""
        now = datetime.now(UTC)
        body = json.dumps(
            {"resource": order["resource"], "changedAt": order.get("changed", now.isoformat()), "data": order["items"]}
        ).encode()
        timestamp = str(order.get("sent", int(now.timestamp())))
        content = f"{order['id']}.{timestamp}.".encode() + body
        signatures = " ".join(
            "v1," + base64.b64encode(hmac.digest(base64.b64decode(secret.removeprefix("whsec_")), content, "sha256")).decode()
            for secret in order["secrets"]
        )
        headers = {"webhook-id": order["id"], "webhook-timestamp": timestamp, "webhook-signature": signatures}
        async with httpx.AsyncClient(verify=_trusting(order["ca"]), trust_env=False) as client:
            return (await client.post(order["url"], content=body, headers=headers)).status_code


def _trusting(ca: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca)


def main(folder: Path, port_file: Path) -> None:
    """Serve until the process is ended."""
    world = World()
    app = platform(world)
    control(world, app)
    bound = socket.create_server(("127.0.0.1", 0))
    pem, key = str(folder / "server.pem"), str(folder / "server.key")
    config = uvicorn.Config(app, ssl_certfile=pem, ssl_keyfile=key, log_config=None, access_log=False, lifespan="off", ws="none")
    config.load()
    made = port_file.with_suffix(".made")
    made.write_text(str(bound.getsockname()[1]), encoding="utf-8")
    made.rename(port_file)
    uvicorn.Server(config).run([bound])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
