"""The scenarios of this repository, one case a file, each against a hub of its own; and what the runner says of a bad one."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from hub.cli.scenario.loading import scenario_files
from hub.cli.scenario.model import Result
from hub.cli.scenario.report import explanation
from hub.cli.scenario.runner import play_all, read_documents, run_scenarios

# All in one worker where tests are spread: the cases share one run.
pytestmark = pytest.mark.xdist_group("scenarios")

FOLDER = Path(__file__).parents[1] / "scenarios"
FILES = {file.stem: file for file in scenario_files([FOLDER])}

WRONG = """
title: One wrong expectation
base: _delta.yaml
start: 2026-03-10T09:00:00+08:00
steps:
  - authorize: {as: r, issuer: "330000", enterprise: zj_co, provider: sh_lab, order: o, category: RESEARCH, amount: "1000.00"}
    expect: {status: AUTHORIZED, subsidy: "600.01", vouchers_used: 2}
  - capture: {redemption: nobody, invoice: I-1}
    expect: {refusal: REDEMPTION_NOT_FOUND}
  - authorize: {issuer: "330000", enterprise: zj_co, provider: sh_lab, order: p, category: RESEARCH, amount: "0.001"}
    expect: {status: REFUSED, refusal: INVALID_ARGUMENT}
"""
REFUSED_SETUP = """
title: A policy that the hub refuses
start: 2026-03-10T09:00:00+08:00
policies:
  - issuer: "330000"
    version: x
    effective_from: 2026-01-01
    mode: PRE_SUBSIDY
    annual_cap: "1.00"
    categories: [{category: RESEARCH, ratio_bp: 20000}]
steps: []
"""


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest) -> dict[str, Result]:
    """Results of the files that were asked for, played in one run: its servers start once."""
    items = [item for item in request.session.items if item.path == request.path and isinstance(item, pytest.Function)]
    wanted = [FILES[str(item.callspec.params["name"])] for item in items if item.originalname == "test_scenario"]
    found: list[Result] = []

    def play() -> None:
        found.extend(asyncio.run(play_all(read_documents(wanted))))

    # A thread has no event loop of the test session's in its way.
    thread = threading.Thread(target=play)
    thread.start()
    thread.join()
    return {result.name: result for result in found}


@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_scenario(name: str, results: dict[str, Result]) -> None:
    result = results[name]
    assert result.passed, "\n".join([result.title, *explanation(result)])


def run(*paths: Path, junit: Path | None = None) -> tuple[int, list[str]]:
    told: list[str] = []
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(run_scenarios(list(paths), junit=junit, workers=2, progress=told.append)))
    thread.start()
    thread.join()
    return codes[0], told


def test_a_failing_run_says_what_differs_and_exits_with_one(tmp_path: Path) -> None:
    (tmp_path / "_delta.yaml").write_bytes((FOLDER / "_delta.yaml").read_bytes())
    (tmp_path / "a-wrong.yaml").write_text(WRONG, encoding="utf-8")
    (tmp_path / "b-refused.yaml").write_text(REFUSED_SETUP, encoding="utf-8")
    (tmp_path / "c-unplayable.yaml").write_text("start: 2026-01-01\nsteps: [{fly: {}}]\n", encoding="utf-8")
    (tmp_path / "d-good.yaml").write_text("title: Nothing happens\nstart: 2026-01-01\nsteps: []\n", encoding="utf-8")
    code, told = run(tmp_path, junit=tmp_path / "out.xml")
    text = "\n".join(told)
    assert code == 1
    assert told[-1] == "1 passed, 3 failed"
    assert "1     authorize  subsidy  600.01    600.00" in text
    assert text.count("authorize  ") == 1
    assert "policy x of 330000 was refused: INVALID_ARGUMENT: policy.categories[0].ratio_bp" in text
    assert "step 1 (line 2): unknown verb 'fly'" in text
    assert [line.split()[:2] for line in told if line.startswith(("ok", "FAIL"))] == [
        ["FAIL", "a-wrong"],
        ["FAIL", "b-refused"],
        ["FAIL", "c-unplayable"],
        ["ok", "d-good"],
    ]
    assert (tmp_path / "out.xml").read_text(encoding="utf-8").count("<failure") == 3


def test_unusable_input_exits_with_two(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.yaml").write_text("title: [\n", encoding="utf-8")
    assert run(tmp_path) == (2, [])
    assert "broken.yaml:2:1: " in capsys.readouterr().err


def test_loading_what_hubs_share_starts_nothing() -> None:
    """Hubs are forked from a process that has loaded all modules; a thread among them would be lost in the children."""
    code = "import threading, hub.cli.scenario.nursery as n; n._load(); print([t.name for t in threading.enumerate()])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['MainThread']"
