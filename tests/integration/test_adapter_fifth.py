"""A fifth province: the tutorial, every command of it, from an empty folder to a voucher that clears across regions."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.fixtures.ports import free_port

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "integration" / "new-province.md"
_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_SECONDS_MAX = 300

# What an editable installation leaves, in a folder of the test's own: nothing is fetched, and this environment stays as it is.
_PIP = """
import sys, tomllib
from pathlib import Path

*_, project = sys.argv
said = tomllib.loads(Path(project, "pyproject.toml").read_text(encoding="utf-8"))
name, (package,) = said["project"]["name"], said["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
site = Path(__file__).parent
(site / package).symlink_to(Path(project, package).resolve())
info = site / f"{name.replace('-', '_')}-{said['project']['version']}.dist-info"
info.mkdir()
(info / "METADATA").write_text(f"Metadata-Version: 2.1\\nName: {name}\\nVersion: {said['project']['version']}\\n")
groups = said["project"]["entry-points"].items()
lines = [f"[{group}]\\n" + "".join(f"{key} = {value}\\n" for key, value in points.items()) for group, points in groups]
(info / "entry_points.txt").write_text("".join(lines))
"""

# What these tests show is that a province can be made; how hard the contract looks, tests/contract shows on four of them.
_FEW = """
from hypothesis import settings

settings.register_profile("few", max_examples=20)
settings.load_profile("few")
"""


def blocks(path: Path) -> list[str]:
    """Return the commands of a document."""
    return _BLOCK.findall(path.read_text(encoding="utf-8"))


def knowing(*folders: str) -> list[str]:
    """Return the files of this repository that know of the fifth province."""
    files = (path for folder in folders for path in (ROOT / folder).rglob("*") if path.suffix in (".py", ".yaml", ".proto", ".toml"))
    return [path.relative_to(ROOT).as_posix() for path in sorted(files) if re.search(rb"henan|410000", path.read_bytes(), re.IGNORECASE)]


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Path]:
    """A folder of programs as the tutorial's reader has them, and another to work in."""
    site, programs = tmp_path / "site", tmp_path / "bin"
    site.mkdir()
    programs.mkdir()
    (tmp_path / "work").mkdir()
    (site / "_pip.py").write_text(_PIP, encoding="utf-8")
    (site / "few.py").write_text(_FEW, encoding="utf-8")
    for name, command in (("deltahub", "-m hub"), ("pytest", "-m pytest -p few"), ("python", ""), ("pip", str(site / "_pip.py"))):
        program = programs / name
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {command} "$@"\n', encoding="utf-8")
        program.chmod(0o755)
    yield tmp_path


def run(place: Path, script: str) -> str:
    """Run a script as one shell session; return what it said. Whatever it started ends with it."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("DELTAHUB_", "PYTEST_"))}
    own = {
        "PATH": f"{place / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(place / "site"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "DELTAHUB_GRPC_ADDRESS": f"localhost:{free_port()}",
        "DELTAHUB_WEB_ADDRESS": f"localhost:{free_port()}",
    }
    process = subprocess.Popen(
        ["bash", "-c", "set -euo pipefail\nset -x\n" + script],
        cwd=place / "work",
        env={**inherited, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=_SECONDS_MAX)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    assert process.returncode == 0, said[-6000:]
    return said


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(shell: Path) -> None:
    """It ends with Henan's voucher cleared in Shanghai; on the way the province is made, registered and run."""
    said = run(shell, "\n".join(blocks(TUTORIAL)))
    assert "410000  henan" in said
    assert "registered spiffe://410000/410000/platform" in said
    (row,) = [line for line in said.splitlines() if re.match(r"[0-9a-f-]{36},SHHT-HENAN-1,410000,310000,", line)]
    assert row.split(",")[6] == "已核定" and "4000.00" in row.split(",")
    assert "User:yrd-410000" in said


def test_neither_hub_nor_registry_knows_of_the_fifth_province() -> None:
    """What the tutorial needs of them is settings; not even the help of the command that makes a province names it."""
    assert knowing("hub", "registry", "data", "proto/yrd") == []
    assert knowing("adapters") == ["adapters/runtime/scaffold/making.py"]


def test_both_languages_give_the_same_commands() -> None:
    assert blocks(TUTORIAL) == blocks(TUTORIAL.with_name("new-province.zh-CN.md"))
    assert len(blocks(TUTORIAL)) >= 10


@pytest.mark.slow
@pytest.mark.parametrize("form", ["jsonl", "json", "xlsx"])
def test_the_other_formats_pass_the_contract_too(shell: Path, form: str) -> None:
    script = f"""
        deltahub adapter new henan --division 410000 --format {form}
        pip install --no-deps -e ./deltahub-henan
        cd deltahub-henan
        pytest -q -p no:cacheprovider
    """
    assert " passed" in run(shell, textwrap.dedent(script))


@pytest.mark.slow
def test_what_is_made_is_typed(shell: Path) -> None:
    run(
        shell,
        f'deltahub adapter new henan --division 410000\ncd deltahub-henan\n"{sys.executable}" -m mypy --cache-dir "{shell / "cache"}"',
    )
