"""`deltahub adapter new`: what it makes, and what it refuses to make."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from stdnum.cn import uscc as stdnum_uscc
from typer.testing import CliRunner, Result

from adapters.runtime.policy_file import load_policies
from adapters.runtime.scaffold.making import FORMATS
from hub.cli.main import app

ROOT = Path(__file__).parents[2]


def new(into: Path, name: str = "henan", division: str = "410000", *more: str) -> Result:
    return CliRunner().invoke(app, ["adapter", "new", name, "--division", division, "--into", str(into), *more])


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_it_makes_a_whole_distribution(tmp_path: Path, form: str) -> None:
    made = new(tmp_path, "henan", "410000", "--format", form, "--title-zh", "河南示例平台", "--title-en", "Henan example", "--json")
    assert made.exit_code == 0, made.output
    files = set(json.loads(made.stdout)["files"])
    package = "deltahub_henan"
    parts = {f"{package}/{name}" for name in ("__init__.py", "connector.py", "mapping.py", "codes.yaml", "policy.yaml", "README.md")}
    samples = {
        f"{package}/samples/{word}-20260210.{form}" for word in ("enterprises", "providers", "recognitions", "vouchers", "orders", "claims")
    }
    assert files == parts | samples | {"pyproject.toml", "adapter.yaml", "tests/test_contract.py", "tests/golden.txt"}
    assert [path.name for path in tmp_path.iterdir()] == ["deltahub-henan"], "nothing half-made is left"
    readme = (tmp_path / "deltahub-henan" / package / "README.md").read_text(encoding="utf-8")
    assert "河南示例平台" in readme and "| native field | goes to |" in readme


def test_the_same_question_makes_the_same_files(tmp_path: Path) -> None:
    for place in ("first", "second"):
        assert new(tmp_path / place).exit_code == 0
    assert tree(tmp_path / "first") == tree(tmp_path / "second")


def test_every_policy_figure_is_marked_as_assumed(tmp_path: Path) -> None:
    new(tmp_path)
    path = tmp_path / "deltahub-henan" / "deltahub_henan" / "policy.yaml"
    (entry,) = load_policies(path)
    (said,) = yaml.safe_load(path.read_text(encoding="utf-8"))["policies"]
    assert set(said) - {"issuer", "version", "source", "assumed"} == set(entry.assumed)
    for name in entry.assumed:
        block = re.search(rf"^    {name}:.*(?:\n      .*)*", path.read_text(encoding="utf-8"), re.MULTILINE)
        assert block is not None and "# assumed" in block[0], name


def test_the_firms_are_invented_and_say_so(tmp_path: Path) -> None:
    new(tmp_path)
    rows = (
        (tmp_path / "deltahub-henan" / "deltahub_henan" / "samples" / "enterprises-20260210.csv").read_text(encoding="utf-8").splitlines()
    )
    header, *firms = [row.split(",") for row in rows]
    for firm in firms:
        assert "示例" in firm[header.index("企业名称")]
    valid = [stdnum_uscc.is_valid(firm[header.index("统一社会信用代码")]) for firm in firms]
    assert valid.count(False) == 1, "one sample shows a code whose check digit is wrong"


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_it_passes_the_linter_as_it_stands(tmp_path: Path, form: str) -> None:
    new(tmp_path, "henan", "410000", "--format", form)
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."], cwd=tmp_path / "deltahub-henan", capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("name", "division", "said"),
    [
        ("Henan", "410000", "small letters"),
        ("../henan", "410000", "small letters"),
        ("he nan", "410000", "small letters"),
        ("class", "410000", "small letters"),
        ("henan", "41", "no province"),
        ("henan", "410100", "no province"),
        ("henan", "990000", "no province"),
        ("henan", "４１００００", "no province"),
        ("shanghai", "410000", "installed already"),
        ("henan", "330000", "zhejiang (330000) is installed already"),
    ],
)
def test_a_bad_or_taken_name_or_division_is_refused(tmp_path: Path, name: str, division: str, said: str) -> None:
    refused = new(tmp_path, name, division)
    assert refused.exit_code == 2
    assert said in " ".join(refused.output.split())
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    assert new(tmp_path, "henan", "410000", "--format", "xml").exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_it_never_overwrites(tmp_path: Path) -> None:
    assert new(tmp_path).exit_code == 0
    (tmp_path / "deltahub-henan" / "deltahub_henan" / "codes.yaml").write_text("mine", encoding="utf-8")
    before = tree(tmp_path)
    again = new(tmp_path)
    assert again.exit_code == 2 and "never overwritten" in again.output
    assert tree(tmp_path) == before


def test_what_fails_halfway_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("adapters.runtime.scaffold.making._write_samples", fail)
    refused = new(tmp_path)
    assert refused.exit_code == 2 and "no space left" in refused.output
    assert list(tmp_path.iterdir()) == []
    assert not [name for name in sys.modules if name.startswith("deltahub_henan")]
