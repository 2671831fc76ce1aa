"""The four adapters over a real broker: commands on the in-topics, outcomes and events on the out-topics, resumed and never doubled."""

from __future__ import annotations

import threading
import uuid
from pathlib import Path

import pytest

from adapters.runtime.command import Broker as AdapterBroker
from adapters.runtime.command import collect, find_adapter, list_adapters, open_engine, quarantine_rows, run_once, run_together
from adapters.runtime.kafka_in import KafkaIn
from adapters.runtime.model import Kind, Phase
from adapters.runtime.topics import out_topic
from hub.messaging.topics import TopicPlan
from tests.fixtures.adapter import bench_of
from tests.fixtures.exchange import DIVISIONS, Exchange, exchange
from tests.fixtures.kafka import Broker
from tests.fixtures.messaging import make_topics, send


def test_four_provinces_exchange_in_step_and_a_rerun_sends_nothing(kafka: Broker, tmp_path: Path) -> None:
    with exchange(kafka.bootstrap) as hub:
        broker = AdapterBroker(kafka.bootstrap, hub.prefix)
        reports = run_together(list_adapters(), broker, tmp_path)
        for report, division in zip(reports, DIVISIONS, strict=True):
            assert (report.unanswered, report.refused) == (0, 0)
            assert report.sent == len(hub.hubs[division].effects)
            assert report.by_kind[Kind.CAPTURE]["OK"] >= 65
        anhui = find_adapter("anhui")
        with open_engine(anhui, broker.ends(anhui), tmp_path / "anhui") as engine:
            again = run_once(engine)
        assert (again.sent, again.ok) == (0, reports[3].ok)
        files = collect(list_adapters(), broker, tmp_path)
        for adapter, report in zip(list_adapters(), reports, strict=True):
            assert files[adapter.name] and all(path.exists() for path in files[adapter.name])
            back = adapter.load(tmp_path / adapter.name / "results")
            assert len(back.outcomes) == report.ok
            assert len(back.redemptions) == report.by_kind[Kind.AUTHORIZATION]["OK"]
            assert len(quarantine_rows(tmp_path / adapter.name)) == report.quarantined


def test_reading_goes_on_where_it_stopped_and_notices_another_log(kafka: Broker, tmp_path: Path) -> None:
    plan = TopicPlan(prefix=f"t{uuid.uuid4().hex[:12]}", divisions=("310000",), partitions=1, replication_factor=1)
    make_topics(kafka.bootstrap, plan)
    topic = out_topic(plan.prefix, "310000")
    records = [(b"k", b"", [("ce_id", str(at).encode()), ("ce_source", b"s"), ("ce_type", b"t")]) for at in range(5)]
    send(kafka.bootstrap, topic, records)

    class At:
        """A memory of one position."""

        def __init__(self, known: tuple[int, str] | None) -> None:
            self._known = known

        def position(self, topic: str, part: int) -> tuple[int, str] | None:
            return self._known

    def ids(known: tuple[int, str] | None, many: int) -> list[str]:
        inbound = KafkaIn(kafka.bootstrap, topic, {}, At(known))
        found: list[str] = []
        try:
            for _ in range(100):
                found += [record.event_id for record in inbound.poll(100)]
                if len(found) >= many:
                    break
        finally:
            inbound.close()
        return found

    assert ids(None, 5) == ["s#0", "s#1", "s#2", "s#3", "s#4"]
    assert ids((3, "s#2"), 2) == ["s#3", "s#4"]
    assert ids((3, "s#another"), 5) == ["s#0", "s#1", "s#2", "s#3", "s#4"]
    assert ids((99, "s#98"), 5) == ["s#0", "s#1", "s#2", "s#3", "s#4"]


def test_without_a_broker_an_adapter_says_so(tmp_path: Path) -> None:
    adapter = find_adapter("shanghai")
    ends = AdapterBroker("localhost:1", config={"bootstrap_timeout_ms": 500}).ends(adapter)
    with open_engine(adapter, ends, tmp_path) as engine:
        before = threading.active_count()
        for _ in range(3):
            with pytest.raises(ConnectionError, match="localhost:1"):
                engine.sender.probe()
            with pytest.raises(ConnectionError, match="localhost:1"):
                engine.receiver.step(0)
        assert threading.active_count() == before  # through a week of that, the process stays as it is


def test_without_its_topic_an_adapter_says_so(kafka: Broker) -> None:
    class Nowhere:
        def position(self, topic: str, part: int) -> tuple[int, str] | None:
            return None

    with pytest.raises(ConnectionError, match="the hub makes it"):
        KafkaIn(kafka.bootstrap, out_topic(f"t{uuid.uuid4().hex[:12]}", "310000"), {}, Nowhere(), timeout_s=0.5)


def test_an_outage_between_two_runs_doubles_nothing(private_kafka: Broker, tmp_path: Path) -> None:
    """The broker dies after commands were sent and before they were read; the next run sends what was never answered."""
    adapter = find_adapter("shanghai")
    plan = TopicPlan(prefix="yrd", divisions=DIVISIONS, partitions=3, replication_factor=1)
    make_topics(private_kafka.bootstrap, plan)
    ends = AdapterBroker(private_kafka.bootstrap).ends(adapter)
    with open_engine(adapter, ends, tmp_path) as engine:
        alone = run_once(engine, phases=[Phase.POLICIES], deadline_s=0.5)
    assert (alone.sent, alone.unanswered > 0) == (1, True)
    private_kafka.kill()
    private_kafka.start()
    make_topics(private_kafka.bootstrap, plan)
    hub = Exchange(private_kafka.bootstrap, "yrd")
    stop = threading.Event()
    thread = threading.Thread(target=hub.serve, args=(stop,))
    thread.start()
    try:
        with open_engine(adapter, ends, tmp_path) as engine:
            after = run_once(engine, deadline_s=30)
    finally:
        stop.set()
        thread.join(30)
    assert (after.refused, after.unanswered) == (0, 0)
    undisturbed = bench_of(adapter, tmp_path / "undisturbed")
    undisturbed.run()
    assert hub.hubs["310000"].effects == undisturbed.hub.effects
