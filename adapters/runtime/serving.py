"""`/healthz`, `/readyz` and `/metrics` of an adapter over plain HTTP, for probes and Prometheus inside the province's own network."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from adapters.runtime.engine import Engine
from adapters.runtime.metrics import AdapterCollector


@contextmanager
def serving(engine: Engine, address: str) -> Iterator[int]:
    """Serve while the context is open; yield the port. Raises OSError where the address cannot be had."""
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    registry.register(AdapterCollector(engine))
    server = ThreadingHTTPServer((host or "127.0.0.1", int(port)), _handler(engine, registry))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(engine: Engine, registry: CollectorRegistry, path: str) -> tuple[int, str, bytes]:
    """Return status, content type and body of a page."""
    if path == "/healthz":
        return (200 if engine.alive else 500), "text/plain", b"alive\n" if engine.alive else b"a loop has ended\n"
    if path == "/readyz":
        loops = {name: asdict(state) for name, state in engine.health.loops.items()}
        unanswered, oldest = engine.state.records.oldest_unanswered()
        said = {"ready": engine.health.ready, "loops": loops, "unanswered": unanswered, "oldest_unanswered_at": oldest}
        return (200 if engine.health.ready else 503), "application/json", json.dumps(said, ensure_ascii=False).encode()
    if path == "/metrics":
        return 200, CONTENT_TYPE_LATEST, generate_latest(registry)
    return 404, "text/plain", b"there are /healthz, /readyz and /metrics\n"


def _handler(engine: Engine, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, kind, body = answer(engine, registry, self.path.partition("?")[0])
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Probes come every few seconds: nobody wants to read of them."""

    return Handler
