"""Metrics of an adapter for Prometheus: counters since the start, and how things stand at the moment they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters.runtime.engine import Engine


class AdapterCollector(Collector):
    """Reads an engine. Everything is labelled with the province, so that several adapters share a dashboard."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._province = engine.adapter.name

    def describe(self) -> Iterator[Metric]:
        """Registering needs no reading."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        yield from self._counters()
        yield from self._gauges()
        yield from self._loops()

    def _counters(self) -> Iterator[Metric]:
        engine = self._engine
        rows = CounterMetricFamily(
            "deltahub_adapter_records", "Native records read, by what became of them", labels=["province", "kind", "verdict"]
        )
        for (kind, verdict), count in sorted(engine.intake.counted.items()):
            rows.add_metric([self._province, kind or "none", verdict.lower()], count)
        yield rows
        sent = CounterMetricFamily("deltahub_adapter_commands", "Commands the broker has acknowledged", labels=["province", "method"])
        for method, count in sorted(engine.sender.counted.items()):
            sent.add_metric([self._province, method], count)
        yield sent
        answers = CounterMetricFamily("deltahub_adapter_answers", "Answers of the hub to records", labels=["province", "kind", "outcome"])
        for (kind, outcome), count in sorted(engine.receiver.counted.items()):
            answers.add_metric([self._province, kind, outcome], count)
        yield answers
        told = CounterMetricFamily("deltahub_adapter_events", "Events that said something for the result files", labels=["province"])
        told.add_metric([self._province], engine.receiver.told)
        yield told

    def _gauges(self) -> Iterator[Metric]:
        state = self._engine.state
        unanswered, oldest = state.records.oldest_unanswered()
        age = (self._engine.clock.now() - datetime.fromisoformat(oldest)).total_seconds() if oldest else 0.0
        for name, text, value in (
            ("deltahub_adapter_queue_depth", "Commands that wait to be sent", state.queue.depth()),
            ("deltahub_adapter_queue_limit", "Commands that may wait; intake pauses there", self._engine.limits.queue_limit),
            ("deltahub_adapter_parked", "Records that wait for another one's answer", state.parking.depth()),
            ("deltahub_adapter_quarantined", "Rows in quarantine", state.quarantine.depth()),
            ("deltahub_adapter_unanswered", "Commands sent and not answered", unanswered),
            ("deltahub_adapter_oldest_unanswered_seconds", "Age of the oldest of them", max(0.0, age)),
            ("deltahub_adapter_landed", "Deliveries landed and not wholly read", state.deliveries.open()),
        ):
            gauge = GaugeMetricFamily(name, text, labels=["province"])
            gauge.add_metric([self._province], value)
            yield gauge

    def _loops(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("deltahub_adapter_loop_up", "1 while a loop reaches its counterpart", labels=["province", "loop"])
        last = GaugeMetricFamily(
            "deltahub_adapter_last_success_timestamp_seconds", "When a loop last reached its counterpart", labels=["province", "loop"]
        )
        for name, state in sorted(self._engine.health.loops.items()):
            up.add_metric([self._province, name], float(state.up))
            if state.last_success_at:
                last.add_metric([self._province, name], datetime.fromisoformat(state.last_success_at).timestamp())
        yield up
        yield last
