"""`deltahub policy publish` and `diff hub:…` against a running hub."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from hub.cli.main import app
from tests.fixtures import delta
from tests.fixtures.hub import RunningHub
from yrd.policy.v1 import policy_pb2 as pb

DRAFT = """\
policies:
  - issuer: "330522"
    version: {version}
    effective_from: 2031-01-01
    mode: PRE_SUBSIDY
    annual_cap: "{cap}"
    categories:
      - {{category: INSPECTION_TESTING, ratio_bp: 6000}}
"""


async def run(hub: RunningHub, monkeypatch: pytest.MonkeyPatch, division: str, *arguments: str) -> Any:
    folder = await asyncio.to_thread(hub.process.folder, division)
    monkeypatch.setenv("DELTAHUB_GRPC_ADDRESS", hub.process.grpc_address)
    monkeypatch.setenv("DELTAHUB_WEB_ADDRESS", hub.process.web_address)
    command = ["policy", *arguments, "--identity", str(folder), "--json"]
    # The command runs a loop of its own.
    return await asyncio.to_thread(CliRunner().invoke, app, command, catch_exceptions=False)


async def test_published_once_and_compared_with_what_is_published(
    live_hub: RunningHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(DRAFT.format(version="p1", cap="300000.00"), encoding="utf-8")
    for _ in range(2):
        done = await run(live_hub, monkeypatch, delta.CHANGXING, "publish", str(file))
        assert (done.exit_code, json.loads(done.output)["published"][0]["code"]) == (0, "")
    kept = await live_hub.call(delta.CHANGXING, f"{delta.POLICIES}.GetPolicy", pb.GetPolicyRequest(issuer=delta.CHANGXING, version="p1"))
    assert kept.policy.annual_cap_fen == 30_000_000
    file.write_text(DRAFT.format(version="p1", cap="200000.00"), encoding="utf-8")
    refused = await run(live_hub, monkeypatch, delta.CHANGXING, "publish", str(file))
    assert (refused.exit_code, json.loads(refused.output)["published"][0]["code"]) == (1, "POLICY_EXISTS")
    compared = await run(live_hub, monkeypatch, delta.CHANGXING, "diff", "hub:330522@p1", str(file))
    ((change,),) = [item["changes"] for item in json.loads(compared.output)["comparisons"]]
    assert change["en"] == "annual cap falls from 300,000 to 200,000 yuan on 1 January 2031"
    unknown = await run(live_hub, monkeypatch, delta.CHANGXING, "diff", "hub:330522@none", str(file))
    assert unknown.exit_code == 2 and "POLICY_NOT_FOUND" in unknown.output


async def test_nobody_publishes_for_another_issuer(live_hub: RunningHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(DRAFT.format(version="p2", cap="1.00"), encoding="utf-8")
    refused = await run(live_hub, monkeypatch, delta.JIANGSU, "publish", str(file))
    assert (refused.exit_code, json.loads(refused.output)["published"][0]["code"]) == (1, "NOT_PERMITTED")
