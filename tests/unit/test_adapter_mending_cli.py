"""`deltahub adapter quarantine`, `replay` and `backfill` as an operator types them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from adapters.runtime.engine import Ends, Engine
from adapters.runtime.folder import FolderSource
from adapters.runtime.model import Phase
from adapters.runtime.registry import find_adapter
from adapters.runtime.state import State
from hub.cli.main import app
from hub.domain.clock import SystemClock
from tests.fixtures.correcting import ModelLine

SHANGHAI = find_adapter("shanghai")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """The folder of an adapter that has run once."""
    folder, line = tmp_path / "work", ModelLine()
    shutil.copytree(SHANGHAI.samples, tmp_path / "in")
    with State(folder / "state.db") as state:
        ends = Ends(lambda: line, lambda _state: line)
        engine = Engine(SHANGHAI, state, folder, ends, SystemClock(), lambda _landing: FolderSource(tmp_path / "in", SHANGHAI.kinds))
        engine.bring()
        for phase in Phase:
            engine.exchange(phase, deadline_s=10)
        engine.close()
    return folder


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["adapter", *map(str, arguments)])


def said(result: Result) -> Any:
    return json.loads(result.stdout)


def test_the_quarantine_is_listed_shown_retried_discarded_and_exported(work: Path, tmp_path: Path) -> None:
    listed = said(call("quarantine", "list", "shanghai", "--work", work, "--json"))
    assert listed["total"] == sum(listed["by_reason"].values()) >= 10
    number = listed["rows"][0]["id"]
    one = call("quarantine", "show", "shanghai", number, "--work", work)
    assert one.exit_code == 0
    assert "处理" in one.stdout and listed["rows"][0]["en"] in one.stdout
    again = call("quarantine", "retry", "shanghai", "--all", "--work", work, "--json")
    assert (again.exit_code, said(again)["still"] + said(again)["gone"] > 0) == (1, True)
    (row, *_) = said(call("quarantine", "list", "310000", "--work", work, "--json"))["rows"]
    set_aside = call("quarantine", "discard", "shanghai", row["id"], "--why", "测试", "--by", "wang", "--work", work)
    assert (set_aside.exit_code, set_aside.stdout.strip()) == (0, "1 set aside")
    (logged,) = said(call("quarantine", "log", "shanghai", "--work", work, "--json"))["rows"]
    assert (logged["who"], logged["why"], logged["reason"]) == ("wang", "测试", row["reason"])
    assert call("quarantine", "export", "shanghai", "--to", tmp_path / "q.csv", "--work", work).exit_code == 0
    assert (tmp_path / "q.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert call("quarantine", "show", "shanghai", row["id"], "--work", work).exit_code == 2
    assert call("quarantine", "retry", "shanghai", "--work", work).exit_code == 2


def test_the_folder_may_be_named_once_for_every_tool(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DELTAHUB_ADAPTER_WORK_DIR", str(work))
    assert said(call("quarantine", "list", "shanghai", "--json"))["total"] >= 10


def test_replay_says_what_it_does_and_refuses_nonsense(work: Path) -> None:
    nothing = call("replay", "shanghai", "--refused", "any", "--work", work, "--json")
    assert (nothing.exit_code, said(nothing)["found"]) == (0, 0)
    for wrong in (["--refused", "NOSUCH"], ["--record", "dog/1"], []):
        assert call("replay", "shanghai", *wrong, "--work", work).exit_code == 2
    assert call("replay", "shanghai", "--unanswered", "--work", work / "nowhere").exit_code == 2
    assert call("replay", "atlantis", "--unanswered").exit_code == 2


def test_a_backfill_is_done_here_where_no_adapter_runs_and_a_forecast_changes_nothing(work: Path, tmp_path: Path) -> None:
    history = tmp_path / "history"
    history.mkdir()
    page = json.loads((SHANGHAI.samples / "enterprises-1.json").read_text(encoding="utf-8"))
    firm = next(each for each in page["data"] if isinstance(each, dict))
    page["data"] = [{**firm, "id": "SH-QY-OLD"}]
    (history / "enterprises-7.json").write_text(json.dumps(page, ensure_ascii=False), encoding="utf-8")
    asked = ("backfill", "shanghai", "--since", "2024-01-01", "--source", history, "--work", work)
    foretold = call(*asked, "--dry-run", "--json")
    assert said(foretold)["kinds"] == {"enterprise": {"NEW": 1}}
    assert foretold.exit_code == 0
    done = call(*asked, "--json")
    assert (done.exit_code, said(done)["landed"]) == (0, 1)
    assert said(done)["done_at"]
    with State(work / "state.db", read_only=True) as state:
        assert [landed.name for landed in state.deliveries.waiting(10) if landed.historic] == ["enterprises-7.json"]
    assert call("backfill", "shanghai", "--since", "2024-13-01", "--source", history, "--work", work).exit_code == 2
    assert call("backfill", "shanghai", "--cancel", "--work", work).exit_code == 0
