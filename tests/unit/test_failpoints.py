"""Failpoints: inert by default, exact when armed, and never beside a production identity."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import hub
from hub.bootstrap import ConfigurationError, arm_failpoints
from hub.failpoints import PLACES, FailpointError, arm, failpoint
from hub.settings import Settings


@pytest.fixture(autouse=True)
def _disarmed() -> Iterator[None]:
    yield
    arm({})


def test_a_place_nobody_armed_does_nothing() -> None:
    arm({"relay.after_mark": "error"})
    failpoint("relay.before_send")


def test_an_action_happens_at_the_hit_it_names_and_only_then() -> None:
    arm({"relay.after_mark": "error:3"})
    failpoint("relay.after_mark")
    failpoint("relay.after_mark")
    with pytest.raises(FailpointError, match=r"relay\.after_mark"):
        failpoint("relay.after_mark")
    failpoint("relay.after_mark")


def test_arming_anew_forgets_what_was() -> None:
    arm({"relay.after_mark": "error"})
    arm({})
    failpoint("relay.after_mark")


@pytest.mark.parametrize(
    "actions", [{"relay.nowhere": "kill"}, {"relay.after_mark": "explode"}, {"relay.after_mark": "kill:0"}, {"relay.after_mark": "kill:x"}]
)
def test_what_does_not_exist_is_refused(actions: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="DELTAHUB_FAILPOINTS"):
        arm_failpoints(Settings(failpoints=actions))


def test_a_production_identity_refuses_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="production identity"):
        arm_failpoints(Settings(failpoints={"relay.after_mark": "kill"}, identity_dir=tmp_path))


def test_every_place_is_in_the_code_once() -> None:
    sources = Path(str(hub.__file__)).parent.rglob("*.py")
    found = [name for path in sources for name in re.findall(r'failpoint\("([a-z_.]+)"\)', path.read_text())]
    assert sorted(found) == sorted(PLACES)
