"""What an operator writes, and how an adapter says that it cannot be so."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.runtime.loops import Backoff, Health, Loop, LoopState
from adapters.runtime.settings import KafkaSettings, SettingsError, load_settings
from adapters.runtime.source import SourceDown
from hub.domain.clock import SimulatedClock

WHOLE = """
work_dir: /var/lib/deltahub/zhejiang
kafka:
  bootstrap: kafka.example:9093
  security: SASL_SSL
  username: zhejiang
  password: {env: ZJ_KAFKA_PASSWORD}
poll_seconds: 5
retry: {times: 3}
source: {url: https://example.test, nested: {a: [1, 2]}}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "adapter.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_over_defaults_and_the_environment_over_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZJ_KAFKA_PASSWORD", "s3cret")
    monkeypatch.setenv("DELTAHUB_ADAPTER_POLL_SECONDS", "7")
    monkeypatch.setenv("DELTAHUB_ADAPTER_KAFKA__PREFIX", "rehearsal")
    found = load_settings(written(tmp_path, WHOLE), {"kafka": {"bootstrap": "elsewhere:1", "further": {"client_id": "x"}}, "keep_days": 9})
    assert (found.poll_seconds, found.keep_days, found.kafka.bootstrap, found.kafka.prefix) == (7, 9, "kafka.example:9093", "rehearsal")
    assert found.source == {"url": "https://example.test", "nested": {"a": [1, 2]}}
    assert found.limits().retry.times == 3
    config = found.kafka.config()
    assert (config["sasl_plain_password"], config["security_protocol"], config["client_id"]) == ("s3cret", "SASL_SSL", "x")
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("poll_second: 5", "poll_second: Extra inputs are not permitted"),
        ("queue_limit: 3", "queue_limit: Input should be greater than or equal to 1000"),
        ("kafka: {security: SASL_SSL, username: a}", "kafka: security SASL_SSL needs username and password"),
        ("kafka: {ca_file: /nowhere.pem}", "kafka: ca_file: there is no file /nowhere.pem"),
        ("kafka: {password: secret}", "kafka.password"),
        ("metrics_address: everywhere", "metrics_address: host:port is expected"),
        ("failpoints: {sending.before_send: kill}\nkafka: {further: {client_id: a}}", "only beside a broker without credentials"),
        ("- a list", "a mapping of settings is expected"),
        ("a: [", "not YAML in UTF-8"),
    ],
)
def test_a_slip_is_told_with_its_key_and_never_with_a_secret(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as told:
        load_settings(written(tmp_path, text))
    assert said in str(told.value)
    assert "adapter.yaml" in str(told.value)
    assert "secret'" not in str(told.value)


def test_a_file_or_a_secret_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_settings(tmp_path / "none.yaml")
    kafka = KafkaSettings.model_validate({"security": "SASL_SSL", "username": "a", "password": {"file": str(tmp_path / "none")}})
    with pytest.raises(SettingsError, match="kafka: the secret in"):
        kafka.config()


def test_pauses_double_up_to_a_cap_and_differ_by_chance() -> None:
    backoff = Backoff(1.0, 10.0, chance=lambda: 1.0)
    assert [backoff.failed() for _ in range(6)] == [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    backoff.succeeded()
    backoff.chance = lambda: 0.0
    assert backoff.failed() == 0.5


def test_a_full_disk_ends_no_loop_and_what_was_not_written_down_is_written_later() -> None:
    """Neither the step nor the note of how it went can be written while the disk is full."""
    disk_full = [True]
    seen: list[str] = []
    kept: list[tuple[str, bool]] = []
    stop = threading.Event()

    def keep(name: str, state: LoopState) -> None:
        if disk_full[0]:
            raise sqlite3.OperationalError("database or disk is full")
        kept.append((name, state.up))

    def step() -> float:
        if disk_full[0]:
            raise sqlite3.OperationalError("database or disk is full")
        stop.set()
        return 0.0

    def wait(_seconds: float) -> None:
        disk_full[0] = len(seen) < 3
        seen.append(health.loops["intake"].error)

    health = Health(SimulatedClock(datetime(2026, 11, 20, tzinfo=UTC)), keep)
    Loop("intake", step, health, stop, wait).run()
    assert len(seen) == 4 and all("disk is full" in each for each in seen)
    assert kept == [("intake", True)] and health.ready


def test_a_loop_goes_on_through_outages_and_tells_how_it_is() -> None:
    clock = SimulatedClock(datetime(2026, 11, 20, tzinfo=UTC))
    kept: list[tuple[str, bool, str]] = []
    health = Health(clock, lambda name, state: kept.append((name, state.up, state.error)))
    stop = threading.Event()
    pauses: list[float] = []
    answers: Iterator[Exception | float] = iter(
        [SourceDown("the province is asleep", wait_seconds=33.0), ConnectionError("no broker"), ValueError("a slip"), 0.0, 5.0]
    )

    def step() -> float:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        if answer == 5.0:
            stop.set()
        return answer

    Loop("province", step, health, stop, pauses.append, Backoff(1.0, 60.0, chance=lambda: 1.0)).run()
    assert pauses == [33.0, 2.0, 4.0, 5.0]
    assert [(up, error.partition(":")[0]) for _, up, error in kept] == [
        (False, "SourceDown"),
        (False, "ConnectionError"),
        (False, "ValueError"),
        (True, ""),
    ]
    assert health.ready
