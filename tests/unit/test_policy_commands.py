from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from adapters.runtime.policy_file import PolicyFileError, load_policies, read_policies
from hub.cli.main import app

GOOD = """\
policies:
  - issuer: "330522"
    version: v1
    effective_from: 2026-01-01
    effective_until: 2026-07-01
    mode: PRE_SUBSIDY
    annual_cap: "300000.00"
    categories:
      - {category: RESEARCH, ratio_bp: 6000}
  - issuer: "330522"
    version: v2
    effective_from: 2026-07-01
    mode: PRE_SUBSIDY
    annual_cap: "200000.00"
    categories:
      - {category: RESEARCH, ratio_bp: 6000}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(GOOD, encoding="utf-8")
    return path


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["policy", *map(str, arguments)], catch_exceptions=False)
    return done.exit_code, done.output


def test_all_faults_of_a_file_are_told_at_once_in_both_languages(file: Path) -> None:
    text = GOOD.replace("mode: PRE_SUBSIDY", "mod: PRE_SUBSIDY", 1).replace("ratio_bp: 6000", "ratio_bp: many", 1)
    file.write_text(text.replace('"200000.00"', '"200000.005"'), encoding="utf-8")
    code, output = run("validate", file, "--json")
    faults = json.loads(output)["faults"]
    assert code == 1
    assert [(f["line"], f["column"], f["field"], f["rule"]) for f in faults] == [
        (2, 5, "mode", "REQUIRED"),
        (6, 5, "mod", "UNKNOWN_FIELD"),
        (9, 30, "categories[0].ratio_bp", "NOT_A_WHOLE_NUMBER"),
        (14, 5, "annual_cap", "NOT_AN_AMOUNT"),
    ]
    assert "did you mean mode?" in faults[1]["en"] and "是否想写 mode" in faults[1]["zh"]
    assert all(fault["en"] and not fault["zh"].isascii() for fault in faults)
    with pytest.raises(PolicyFileError) as caught:
        load_policies(file)
    assert len(caught.value.faults) == 4


def test_what_the_hub_would_refuse_is_placed_too(file: Path) -> None:
    condition = '    conditions:\n      - {id: c1, cel: "order.nothing > 1", zh: 有, en: is}\n'
    file.write_text(GOOD + condition, encoding="utf-8")
    code, output = run("validate", file)
    assert code == 1
    assert f"{file}:18:23: error: conditions[0].cel: " in output or f"{file}:18:18: error: conditions[0].cel: " in output


@pytest.mark.parametrize(
    ("content", "rule"),
    [(b"policies: [\xff]", "NOT_UTF8"), (b"policies: [", "NOT_YAML"), (b"a: &a [*a]\npolicies: []", "NOT_YAML"), (b"", "NO_POLICIES")],
)
def test_what_is_no_policy_file(file: Path, content: bytes, rule: str) -> None:
    file.write_bytes(content)
    assert [fault.code for fault in read_policies(file).faults] == [rule]


def test_a_good_file_and_one_that_is_not_there(file: Path, tmp_path: Path) -> None:
    assert run("validate", file)[0] == 0
    assert run("lint", file) == (0, "2 policies 政策, 0 errors 错误, 0 warnings 提示\n")
    assert run("validate", tmp_path / "none.yaml")[0] == 2


def test_findings_of_the_linter_have_a_place(file: Path) -> None:
    file.write_text(GOOD.replace("effective_from: 2026-07-01", "effective_from: 2026-07-10"), encoding="utf-8")
    code, output = run("lint", file, "--json")
    (finding,) = json.loads(output)["findings"]
    assert code == 1
    assert (finding["line"], finding["column"], finding["rule"]) == (12, 5, "period-gap")
    assert "2026-07-01 to 2026-07-09" in finding["en"]


def test_versions_of_one_file_compared(file: Path) -> None:
    code, output = run("diff", f"{file}#330522@v1", f"{file}#330522@v2")
    assert code == 0
    assert "annual cap falls from 300,000 to 200,000 yuan on 1 July 2026" in output
    assert "年度兑付上限自2026年7月1日起由300,000元降至200,000元" in output
    told = json.loads(run("diff", file, file, "--json")[1])
    assert [(item["new"], item["changes"]) for item in told["comparisons"]] == [("v1", []), ("v2", [])]


@pytest.mark.parametrize(
    "arguments",
    [
        ("diff", "{file}#330000", "{file}"),
        ("diff", "hub:330522@v1", "{file}"),
        ("publish", "{file}"),
        ("simulate", "{file}", "--since", "2026-01-01"),
        ("simulate", "{file}#330522@v1", "--since", "2026-01-01", "--chart", "a.png"),
    ],
)
def test_what_cannot_run_as_asked(file: Path, arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DELTAHUB_CLIENT_IDENTITY", raising=False)
    code, output = run(*(argument.format(file=file) for argument in arguments))
    assert code == 2
    assert output.startswith("deltahub: ")


def test_a_contradiction_is_not_published(file: Path, tmp_path: Path) -> None:
    file.write_text(GOOD.replace("effective_from: 2026-07-01", "effective_from: 2026-07-10"), encoding="utf-8")
    code, output = run("publish", file, "--identity", tmp_path)
    assert code == 1 and "period-gap" in output
