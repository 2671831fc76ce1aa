"""Counters of the gRPC server."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

_BUCKETS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.04, 0.1, 0.25, 1.0, 5.0)


class RpcMetrics:
    """Calls by method and status, their time, and the size of ledger batches."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        self._calls = Counter("deltahub_rpc_calls_total", "Calls by method and gRPC status number", ["method", "status"], registry=registry)
        self._seconds = Histogram("deltahub_rpc_seconds", "Time to answer a call", ["method"], buckets=_BUCKETS, registry=registry)
        self._by_outcome: dict[tuple[str, int], tuple[Counter, Histogram]] = {}
        self.batch_items = Histogram(
            "deltahub_batch_items", "Commands per ledger transaction", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256, 500), registry=registry
        )
        self.queued = Gauge("deltahub_commands_queued", "Commands waiting for the next ledger transaction", registry=registry)

    def observe(self, method: str, status: int, seconds: float) -> None:
        """Count one call."""
        counters = self._by_outcome.get((method, status))
        if counters is None:
            # Kept: finding them by their labels costs as much as counting.
            counters = self._by_outcome[method, status] = self._calls.labels(method, str(status)), self._seconds.labels(method)
        calls, times = counters
        calls.inc()
        times.observe(seconds)
