"""The virtual clock: at process start only, and never beside a production identity."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hub.bootstrap import ConfigurationError, clock_of
from hub.domain.clock import SimulatedClock, SystemClock
from hub.settings import Settings

START = datetime(2013, 12, 19, 1, 0, tzinfo=UTC)


def test_without_a_start_the_clock_is_the_machines() -> None:
    assert isinstance(clock_of(Settings(simulated_clock=None)), SystemClock)


def test_a_start_gives_a_virtual_clock_beside_a_development_identity() -> None:
    clock = clock_of(Settings(simulated_clock=START))
    assert isinstance(clock, SimulatedClock)
    assert clock.now() == START


def test_a_production_identity_refuses_a_virtual_clock(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="production identity"):
        clock_of(Settings(simulated_clock=START, identity_dir=tmp_path))


def test_a_start_without_a_zone_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="time zone"):
        clock_of(Settings(simulated_clock=START.replace(tzinfo=None)))
