"""What a process loads before it does anything: every command, every role of every pod pays for it, in time and in memory."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hub.cli.main import app

_ON_USE = ("opencc", "rjieba", "pypinyin", "openpyxl", "rapidfuzz", "cel", "prompt_toolkit")
"""Dictionaries, workbooks and the language of conditions: loaded by whom they serve, when they first do."""

_DOORS = ("fastapi", "jinja2", "uvicorn", "kafka", "alembic")
"""What one role or one command needs and the others do not."""

_PARTS = ("hub.bootstrap", "registry", "adapters", "yrd", "grpc", "google", "sqlalchemy", "psycopg", "cryptography", "structlog", "yaml")

_SHOW = "import json, sys; print(json.dumps(sorted({name for name in sys.modules} & set(json.loads(sys.argv[1])))))"


def _loaded(statement: str, *names: str) -> list[str]:
    command = [sys.executable, "-c", f"{statement}\n{_SHOW}", json.dumps(names)]
    found: list[str] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def test_the_command_line_loads_none_of_its_commands() -> None:
    assert _loaded("import hub.cli.main", *_ON_USE, *_DOORS, *_PARTS) == []


def test_help_loads_none_either() -> None:
    """The first page names every group, and needs none of them for it."""
    statement = """
from typer.testing import CliRunner
from hub.cli.main import app
result = CliRunner().invoke(app, ["--help"])
assert result.exit_code == 0, result.output
assert all(name in result.output for name in ("pool", "policy", "deadletter", "topics", "scenario", "coordinator")), result.output"""
    assert _loaded(statement, *_ON_USE, *_DOORS, *_PARTS) == []


def test_composition_loads_no_dictionary_and_no_door() -> None:
    assert _loaded("import hub.bootstrap", *_ON_USE, *_DOORS) == []


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        ("('relay', 'scheduler')", []),
        ("('consumer',)", ["cel"]),
        ("('web',)", ["opencc", "rjieba"]),
        ("('hub',)", ["cel", "opencc", "rjieba"]),
    ],
)
def test_each_role_prepares_what_it_will_need(roles: str, expected: list[str]) -> None:
    found = _loaded(f"from hub.bootstrap import prepare; prepare({roles})", "cel", "opencc", "rjieba", "openpyxl", "pypinyin")
    assert found == expected


def test_threads_that_ask_at_once_load_one_dictionary() -> None:
    statement = """
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from registry.search import text
together = Barrier(4)
def ask(_):
    together.wait()
    return text.cutter()
with ThreadPoolExecutor(4) as threads:
    found = list(threads.map(ask, range(4)))
assert all(one is found[0] for one in found)
assert text._loaded.cache_info().misses == 1
assert found[0].cut("场发射扫描电镜", False) == ["场发射扫描电镜"], found[0].cut("场发射扫描电镜", False)"""
    assert _loaded(statement, "rjieba") == ["rjieba"]


@pytest.mark.parametrize(
    ("group", "command"),
    [
        ("bench", "fill"),
        ("certs", "issue"),
        ("adapter", "list"),
        ("scenario", "run"),
        ("pool", "import"),
        ("policy", "lint"),
        ("deadletter", "retry"),
        ("topics", "acl"),
    ],
)
def test_each_group_finds_its_commands(group: str, command: str) -> None:
    for arguments in ([group, "--help"], [group, command, "--help"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        assert command in result.output


def test_a_misspelt_command_of_a_group_is_told_the_right_one() -> None:
    result = CliRunner().invoke(app, ["pool", "improt"])
    assert result.exit_code == 2
    assert "Did you mean 'import'?" in result.output
