"""The door at which the platform posts what changed: HTTPS in a thread of its own; 204 only once the bytes are safe on disk."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Sequence
from datetime import datetime

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool

from adapters.runtime.source import Landing, SourceFault
from adapters.shanghai.connector import RESOURCES
from adapters.shanghai.pages import head_of
from adapters.shanghai.settings import WebhookGiven
from adapters.shanghai.signing import is_message_id, is_recent, secret_of, signed
from hub.domain.clock import Clock

log = logging.getLogger(__name__)

PATH = "/webhooks"
_START_SECONDS_MAX = 10.0
_BODY_SECONDS_MAX = 10.0
_AT_ONCE_MAX = 64


def seen_key(resource: str) -> str:
    """Return the key under which the source keeps up to when a pull has seen all changes of a resource."""
    return f"seen/{resource}"


class Refused(Exception):
    """A post that is not taken: its status and what the platform's operator reads."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Door:
    """Judges one post after the other. Safe to call from several threads."""

    def __init__(self, given: WebhookGiven, landing: Landing, clock: Clock) -> None:
        """Raises SourceFault where a secret is absent or of another form."""
        self._given, self._landing, self._clock = given, landing, clock
        self._keys()

    def take(self, message_id: str, timestamp: str, signature: str, body: bytes) -> bool:
        """Land what was posted; False where it came before, or by the pull. Raises Refused, and OSError where it cannot be kept."""
        if not is_message_id(message_id) or not signed(self._keys(), message_id, timestamp, body, signature):
            raise Refused(401, "the signature is not by a secret agreed upon")
        if not is_recent(timestamp, self._clock.now()):
            raise Refused(400, "webhook-timestamp is more than five minutes away: sign it anew")
        try:
            page = head_of(body)
        except ValueError as error:
            raise Refused(400, str(error)) from None
        if page.resource not in RESOURCES:
            raise Refused(400, "`resource` is none of " + ", ".join(RESOURCES))
        seen = self._landing.cursor(seen_key(page.resource))
        if page.changed_at and seen and page.changed_at < datetime.fromisoformat(seen):
            return False
        return self._landing.put(f"{page.resource}-posted-{message_id}.json", [body]) is not None

    def _keys(self) -> Sequence[bytes]:
        """Return the secrets in force, read each time: one renewed in its file counts from the next message on."""
        keys = []
        for at, secret in enumerate(self._given.secrets):
            try:
                keys.append(secret_of(secret.read()))
            except ValueError as error:
                raise SourceFault(f"source.webhook.secrets[{at}]: {error}") from None
        return keys


def application(door: Door, bytes_max: int) -> FastAPI:
    """Return the door as an application of one path."""
    app = FastAPI(openapi_url=None)

    @app.post(PATH)
    async def post(request: Request) -> Response:
        try:
            body = await _body(request, bytes_max)
            message_id, timestamp, signature = (request.headers.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
            fresh = await run_in_threadpool(door.take, message_id, timestamp, signature, body)
        except Refused as refused:
            log.warning("webhook: refused with %d, %s", refused.status, refused.reason)
            return Response(refused.reason, refused.status, media_type="text/plain")
        except (OSError, SourceFault) as error:
            # Not kept, so not acknowledged: the platform posts it again.
            log.error("webhook: a message could not be kept (%s)", type(error).__name__)
            return Response(status_code=503, headers={"retry-after": "60"})
        log.info("webhook: a message was taken, %s", "new" if fresh else "seen before")
        return Response(status_code=204)

    return app


async def _body(request: Request, bytes_max: int) -> bytes:
    """Return the body exactly as it came. Raises Refused where it is too large or does not arrive."""
    parts, size = list[bytes](), 0
    try:
        async with asyncio.timeout(_BODY_SECONDS_MAX):
            async for part in request.stream():
                size += len(part)
                if size > bytes_max:
                    raise Refused(413, f"larger than {bytes_max} bytes")
                parts.append(part)
    except TimeoutError:
        raise Refused(408, "the body did not arrive in time") from None
    return b"".join(parts)


class Listener:
    """The door's server and its thread."""

    def __init__(self, given: WebhookGiven, landing: Landing, clock: Clock) -> None:
        """Raises SourceFault where secrets, certificate or key cannot be used."""
        self._given = given
        self._config = uvicorn.Config(
            application(Door(given, landing, clock), given.body_bytes_max),
            ssl_certfile=str(given.certificate),
            ssl_keyfile=str(given.key),
            http="h11",
            limit_concurrency=_AT_ONCE_MAX,
            log_config=None,
            access_log=False,
            ws="none",
            lifespan="off",
        )
        try:
            self._config.load()
        except OSError as error:
            raise SourceFault(f"source.webhook.certificate, source.webhook.key: {type(error).__name__}: give two PEM files") from None
        self._server = uvicorn.Server(self._config)
        self._thread: threading.Thread | None = None
        self.port = 0

    def start(self) -> None:
        """Listen, unless it does already. Raises SourceFault where the address cannot be had."""
        if self._thread is not None:
            return
        host, _, port = self._given.listen.rpartition(":")
        try:
            bound = socket.create_server((host.strip("[]"), int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
        except OSError as error:
            raise SourceFault(f"source.webhook.listen: {self._given.listen} cannot be had ({error.strerror}): give another") from None
        self.port = int(bound.getsockname()[1])
        self._thread = threading.Thread(target=self._server.run, args=([bound],), name="shanghai-webhook", daemon=True)
        self._thread.start()
        until = time.monotonic() + _START_SECONDS_MAX
        while not self._server.started and self._thread.is_alive() and time.monotonic() < until:
            self._thread.join(0.01)
        log.info("webhook: listening on port %d", self.port)

    def close(self) -> None:
        """Answer what is under way, then stop."""
        if self._thread is not None:
            self._server.should_exit = True
            self._thread.join(_START_SECONDS_MAX)
