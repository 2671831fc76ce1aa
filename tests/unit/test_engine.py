"""The compiled engine: what runs is what is read, and an operator can tell and choose which form runs."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from prometheus_client import CollectorRegistry

from hub import engine
from hub.bootstrap import Hub
from hub.settings import Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A hub of one module of the engine, and a folder that claims to have it compiled. The library in it is none: loading it would fail."""
    package = tmp_path / "hub"
    (package / "cli").mkdir(parents=True)
    for name in ("__init__.py", "engine.py", "cli/__init__.py"):
        shutil.copy(engine.PACKAGE / name, package / name)
    (package / "money.py").write_text("FEN = 1\n")
    (package / "cli" / "main.py").write_text("import hub.money\ndef app(**_): print('came to run')\n")
    compiled = package / "_compiled"
    (compiled / "hub").mkdir(parents=True)
    (compiled / "hub" / f"money{engine.SUFFIX}").write_bytes(b"")
    (compiled / engine.DIGESTS).write_text(f"# how\n{engine.digest(package / 'money.py')}  hub/money.py\n")
    return tmp_path


def _run(home: Path, statement: str, choice: str = "") -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, engine.SWITCH: choice, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run([sys.executable, "-c", statement], cwd=home, env=environment, capture_output=True, text=True)


_SHOW = "import hub.money, hub.engine; print(hub.money.__file__, hub.engine.form())"
_COMMAND = "from hub.cli import main; main()"


def test_what_was_compiled_of_these_sources_is_loaded(home: Path) -> None:
    engine.check(home / "hub" / "_compiled", home)
    last = _run(home, _SHOW).stderr.splitlines()[-1]
    # It got as far as loading the library, which is none.
    assert last.startswith("ImportError: ")
    assert f"money{engine.SUFFIX}" in last


@pytest.mark.parametrize("edit", ["FEN = 2\n", None])
def test_a_source_that_changed_since_is_refused(home: Path, edit: str | None) -> None:
    source = home / "hub" / "money.py"
    source.write_text(edit) if edit is not None else source.unlink()
    with pytest.raises(
        engine.EngineError, match=r"changed since the engine was compiled: hub/money\.py; run `make engine`.*`make engine-clean`"
    ):
        engine.check(home / "hub" / "_compiled", home)
    assert "EngineError: changed since the engine was compiled" in _run(home, _SHOW).stderr


def test_a_build_that_does_not_say_of_what_it_is_is_refused(home: Path) -> None:
    (home / "hub" / "_compiled" / engine.DIGESTS).unlink()
    assert "does not say what it was compiled from" in _run(home, _SHOW).stderr


def test_the_command_line_says_so_in_a_line_and_runs_nothing(home: Path) -> None:
    (home / "hub" / "money.py").write_text("FEN = 2\n")
    done = _run(home, _COMMAND)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("deltahub: changed since the engine was compiled: hub/money.py")
    assert done.stderr.count("\n") == 1


def test_interpreted_by_choice_whatever_lies_there(home: Path) -> None:
    (home / "hub" / "money.py").write_text("FEN = 2\n")
    assert _run(home, _SHOW, "interpreted").stdout == f"{home / 'hub' / 'money.py'} interpreted\n"
    assert _run(home, _COMMAND, "interpreted").stdout == "came to run\n"


def test_nothing_compiled_is_interpreted_unless_compiled_is_demanded(home: Path) -> None:
    shutil.rmtree(home / "hub" / "_compiled")
    assert _run(home, _SHOW).stdout == f"{home / 'hub' / 'money.py'} interpreted\n"
    assert "EngineError: DELTAHUB_ENGINE is compiled, and for this interpreter nothing is in" in _run(home, _SHOW, "compiled").stderr
    assert "EngineError: DELTAHUB_ENGINE is 'fast'; it may be compiled or interpreted" in _run(home, _SHOW, "fast").stderr


def test_modules_of_another_interpreter_are_not_seen(home: Path) -> None:
    compiled = home / "hub" / "_compiled" / "hub"
    (compiled / f"money{engine.SUFFIX}").rename(compiled / "money.cpython-399-x86_64-linux-gnu.so")
    assert _run(home, _SHOW).stdout == f"{home / 'hub' / 'money.py'} interpreted\n"


def test_the_metrics_say_which_form_runs(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    Hub(Settings(database_url="postgresql:///absent", data_dir=tmp_path), registry)
    assert registry.get_sample_value("deltahub_engine_info", {"form": engine.form()}) == 1


def test_what_is_listed_is_there_and_digests_cover_what_it_imports() -> None:
    tool = _tool()
    modules = tool.listed()
    assert "hub/domain/authorize.py" in modules
    covered = {line.partition("  ")[2] for line in tool.described(modules).splitlines()}
    assert set(modules) < covered
    # Its constants are written into the modules that import them.
    assert "hub/domain/refusals.py" in covered


def test_without_a_compiler_the_old_build_goes_and_one_line_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    tool = _tool()
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(engine, "FOLDER", home / "hub" / "_compiled")
    monkeypatch.setenv("CC", "no-such-compiler")
    assert tool.build() == 0
    assert capsys.readouterr().out.startswith("engine: there is no C compiler (no-such-compiler), so the hub runs interpreted")
    assert not engine.FOLDER.exists()


def test_a_build_that_fails_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch, home: Path, tmp_path: Path) -> None:
    tool = _tool()
    # mypyc finds the mistake before any compiler is asked.
    monkeypatch.setattr(tool, "missing_tool", lambda: None)
    folder = home / "hub" / "_compiled"
    before = sorted(folder.rglob("*"))
    monkeypatch.setattr(engine, "FOLDER", folder)
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    monkeypatch.setattr(tool, "WORK", tmp_path / "work")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.deltahub.engine]\nmodules = ["wrong.py"]\n')
    (tmp_path / "wrong.py").write_text("def half(x: int) -> str:\n    return x / 2\n")
    with pytest.raises(SystemExit):
        tool.build()
    assert sorted(folder.rglob("*")) == before


def _tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("compile_engine", ROOT / "tools" / "compile_engine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
